#!/usr/bin/env python3
"""Finds the commit that brought a failure: `ci/repro TOKEN --bisect GOOD BAD`.

    bisecting.py ROOT TOKEN GOOD BAD --preset NAME [--runs N] [--build-command COMMAND]

GOOD is a commit in which it does not fail, an ancestor of BAD, in which it does; both are tried first. Each commit is built in a
worktree, build/bisect/tree, and there the token is replayed. Its recording means something to the sources that made it only: at
any other commit it is stale, and when it does not fail there, the property is searched, from the seed 1, for N runs. A commit
that cannot be built, has no such property, or fails in another way is skipped.

    --build-command   builds there instead of CMake; it finds PRESET and TARGET in its environment

Invariants:
  1. Nothing in the checkout of ROOT is touched but build/bisect; HEAD, index and branches are as before, also after Ctrl-C.
  2. What was done at each commit is said: replayed, or replayed though stale and then searched, and from where.
Exit 0: it does not fail in BAD; 1: found; 2: wrong usage; 4: git or the build failed, or only skipped commits are left.
"""
import argparse
import fcntl
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

GOOD, BAD, SKIP = 0, 1, 125
NAMES = {GOOD: 'good', BAD: 'BAD', SKIP: 'skipped'}


def git(directory, *words, check=True):
    done = subprocess.run(['git', '-C', str(directory), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f'git {words[0]}: {done.stderr.strip()}')
    return done.stdout.strip()


def wrong(text):
    print(f'ci/repro --bisect: {text}', file=sys.stderr)
    sys.exit(2)


class Bisection:
    def __init__(self, root, orders):
        self.root, self.tree = root, root / 'build/bisect/tree'
        self.orders = orders
        self.property = orders['token'].split(':')[1]
        self.target = 'planted_properties' if '+' in self.property else 'simulated_properties'
        self.program = self.tree / 'build' / orders['preset'] / 'property' / self.target

    def build(self):
        preset = self.orders['preset']
        commands = [['cmake', '--preset', preset],
                    ['cmake', '--build', '--preset', preset, '--target', self.target, '-j', str(os.cpu_count())]]
        if self.orders['build_command']:
            commands = [shlex.split(self.orders['build_command'])]
        with open(self.root / 'build/bisect/build.log', 'w') as log:
            for command in commands:
                done = subprocess.run(command, cwd=self.tree, stdout=log, stderr=subprocess.STDOUT,
                                      env={**os.environ, 'PRESET': preset, 'TARGET': self.target})
                if done.returncode != 0:
                    return False
        return True

    def run(self, *words):
        """(exit code, the kind of its failure or None, what it said)"""
        done = subprocess.run([str(self.program), *words], cwd=self.tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        kind = re.search(r'^FAILED: \w+: (.*)$', done.stdout, re.MULTILINE)
        return done.returncode, kind and kind[1], done.stdout

    def judge(self):
        """(GOOD, BAD or SKIP; what was done; the kind of the failure, or None) of the commit in the worktree."""
        begin = time.monotonic()
        if not self.build():
            last = (self.root / 'build/bisect/build.log').read_text().strip().splitlines()
            return SKIP, f'cannot be built: {last[-1] if last else "see build/bisect/build.log"}', None
        built = f'built in {time.monotonic() - begin:.0f} s; '
        status, kind, said = self.run('repro', self.orders['token'])
        if status == 2:
            return SKIP, built + said.strip().splitlines()[-1], None
        if status not in (0, 1):
            return SKIP, built + f'the replay ended with {status}: {said.strip().splitlines()[-1:]}', None
        stale = said.startswith('stale')
        done = 'replayed, though stale here' if stale else 'replayed'
        if status == 1:
            return BAD, built + f'{done}: {kind}', kind
        if not stale:
            return GOOD, built + f'{done}: does not fail', None
        name, _, plant = self.property.partition('+')
        words = ['--only', name, '--seed', '1', '--runs', str(self.orders['runs']), '--seconds', '1000000', '--tries', '0']
        status, kind, said = self.run(*words, *(['--plant', plant] if plant else []))
        found = re.search(r': (\d+) runs', said)
        done += f': does not fail; searched from seed 1, {found[1] if found else "?"} runs: {kind or "no failure"}'
        if status not in (0, 1):
            return SKIP, built + f'the search ended with {status}: {said.strip().splitlines()[-1:]}', None
        return (BAD if status == 1 else GOOD), built + done, kind

    def tell(self, commit, verdict, done):
        subject = git(self.root, 'show', '--no-patch', '--format=%h  %s', commit)
        print(f'  {subject}\n      {NAMES[verdict]:<8} {done}', flush=True)

    def one(self):
        """For `git bisect run`: judges what is checked out."""
        verdict, done, kind = self.judge()
        if verdict == BAD and kind != self.orders['kind']:
            verdict, done = SKIP, f'{done}, and not "{self.orders["kind"]}"'
        self.tell(git(self.tree, 'rev-parse', 'HEAD'), verdict, done)
        return verdict

    def checked(self, commit):
        git(self.tree, 'checkout', '--quiet', '--force', '--detach', commit)
        verdict, done, kind = self.judge()
        self.tell(commit, verdict, done)
        return verdict, kind

    def find(self):
        good, bad = self.orders['good'], self.orders['bad']
        between = int(git(self.root, 'rev-list', '--count', f'{good}..{bad}'))
        print(f'{self.property}: {between} commits after the good one, about {max(between, 1).bit_length() + 1} to build', flush=True)
        self.remove()
        git(self.root, 'worktree', 'add', '--quiet', '--detach', str(self.tree), bad)
        verdict, kind = self.checked(bad)
        if verdict == SKIP:
            print(f'ci/repro --bisect: {self.orders["names"][1]} cannot be judged: nothing to compare with', file=sys.stderr)
            return 4
        if verdict == GOOD:
            print(f'it does not fail in {self.orders["names"][1]}: nothing to look for')
            return 0
        verdict, _ = self.checked(good)
        if verdict != GOOD:
            wrong(f'{self.orders["names"][0]} is not good: name an older commit' if verdict == BAD else
                  f'{self.orders["names"][0]} cannot be judged: name another commit')
        self.orders['kind'] = kind
        git(self.tree, 'bisect', 'start', bad, good)
        me = [sys.executable, '-B', str(pathlib.Path(__file__).resolve()), '--one', json.dumps(self.orders), str(self.root)]
        with subprocess.Popen(['git', '-C', str(self.tree), 'bisect', 'run', *me], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as run:
            said = []
            for line in run.stdout:
                said.append(line)
                if line.startswith('  ') and not line.startswith('   ') or line.startswith('      '):
                    print(line, end='', flush=True)
                elif line.startswith('Bisecting: '):
                    print(line.replace('Bisecting: ', '').rstrip(), flush=True)
        first = re.search(r'^([0-9a-f]{40}) is the first bad commit$', ''.join(said), re.MULTILINE)
        if not first:
            possible = re.findall(r'^([0-9a-f]{40})$', ''.join(said), re.MULTILINE)
            print('it came with one of these, of which the others cannot be judged:' if possible else ''.join(said))
            for commit in possible:
                print('  ' + git(self.root, 'show', '--no-patch', '--format=%h  %s', commit))
            return 4
        print(f'the first commit that fails, {kind}:')
        print(git(self.root, 'show', '--stat', '--format=  %H%n  %an, %ad%n%n      %s%n', first[1]))
        return 1

    def remove(self):
        if self.tree.exists():
            git(self.root, 'worktree', 'remove', '--force', str(self.tree), check=False)
        git(self.root, 'worktree', 'prune')


def main():
    if len(sys.argv) == 4 and sys.argv[1] == '--one':
        return Bisection(pathlib.Path(sys.argv[3]), json.loads(sys.argv[2])).one()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('root', 'token', 'good', 'bad'):
        parser.add_argument(name)
    parser.add_argument('--preset', required=True)
    parser.add_argument('--runs', type=int, default=5000)
    parser.add_argument('--build-command')
    orders = vars(parser.parse_args())
    root = pathlib.Path(orders.pop('root')).resolve()
    orders['names'] = [orders['good'], orders['bad']]
    for name in ('good', 'bad'):
        commit = git(root, 'rev-parse', '--verify', '--quiet', orders[name] + '^{commit}', check=False)
        orders[name] = commit or wrong(f'no commit "{orders[name]}"')
    if orders['good'] == orders['bad'] or git(root, 'merge-base', orders['good'], orders['bad'], check=False) != orders['good']:
        wrong(f'{orders["names"][0]} is no ancestor of {orders["names"][1]}: first the commit that does not fail, then the one that does')
    (root / 'build/bisect').mkdir(parents=True, exist_ok=True)
    with open(root / 'build/bisect/lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wrong('another bisection uses build/bisect: wait for its end')
        bisection = Bisection(root, orders)
        try:
            return bisection.find()
        finally:
            bisection.remove()


if __name__ == '__main__':
    try:
        sys.exit(main())
    except RuntimeError as error:
        print(f'ci/repro --bisect: {error}', file=sys.stderr)
        sys.exit(4)
    except KeyboardInterrupt:
        sys.exit(130)
