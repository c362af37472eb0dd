#!/usr/bin/python3
"""Chooses each mutant of the core in turn, and tells who kills it. Called by ci/mutate --mutants.

    killing.py SOURCE [--only TEXT]... [--jobs N] [--runs N] [--stages LIST] [--list]

A mutant goes from stage to stage until one kills it:

    runs        every property in the simulated world, 10 runs each, then 100, then --runs
    faults      every property that stands them, with each single fault
    scripted    the tests in which each system call is answered from a script
    property    the tests over real threads and sockets
    counts      the tests that count system calls, allocations and bytes
    stack       the tests of bounded stack
    asan        as runs, but half of them, with AddressSanitizer and UndefinedBehaviorSanitizer; weaker memory orders are not asked: what
                one of them does to memory, the simulated world, which has one thread, does not show
    tsan        as asan, with ThreadSanitizer; for a weaker memory order this is the first stage
    threads     as property, with ThreadSanitizer, for weaker memory orders only: it takes a descriptor for memory that close(2) writes,
                and shows what closes one before, and not behind, its use on another thread. (That a write to a socket, pipe or
                eventfd comes before a read of it, on any thread, it takes for granted, which C++ does not.)

For a weaker order it is ten times as many: few interleavings show it. What stands in core/linux is asked only where Linux is: by
property, counts, stack and threads.

What is alive then must stand in SOURCE/stress/mutants/survivors.txt, with the proof that it is no bug:

    equivalent: Why nothing could tell it from the core as it is.
        NAME  old ==> new
    needs weak memory: Which processor would show it, and why this one does not.
        NAME  old ==> new

Results are kept in SOURCE/build/mutate/mutants: a mutant's, under the text of its own file; who was killed, also under the source
of the killer, who was not, under those of all properties or tests of the stage and of the simulator. So a change of one file of
the core asks the mutants of that file again, and a new property those that are alive.

Exit codes: 0: every mutant is killed or listed; 1: one is neither, or what is listed is killed, or no longer exists; 2: wrong
usage; 4: something could not be built, or fails without a mutant.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

import mutants as generator
from mutate import environment_of

PRESETS = {'asan': 'asan', 'tsan': 'tsan', 'threads': 'tsan'}
SIMULATED = ('runs', 'faults', 'asan', 'tsan')
TESTS = {'scripted': 'property/scripted', 'property': 'property', 'counts': 'property/counts', 'stack': 'property/stack',
         'threads': 'property'}
ON_LINUX = ('property', 'counts', 'stack', 'threads')
STAGES = ('runs', 'faults', 'scripted', 'property', 'counts', 'stack', 'asan', 'tsan', 'threads')
REASONS = ('equivalent: ', 'needs weak memory: ')
GIGABYTE = 1 << 30


def say(text):
    print(f'ci/mutate: {text}', file=sys.stderr, flush=True)


def digest(*paths):
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


class Listed:
    """What survivors.txt says: the reason by the mutant's name."""

    def __init__(self, path):
        self.reasons, self.texts = {}, {}
        reason = None
        for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
            if not line.strip() or line.startswith('#'):
                continue
            if not line.startswith(' '):
                if not line.startswith(REASONS) or not line.partition(': ')[2].strip():
                    raise SystemExit(f'{path}:{number}: `{line}` is no reason: write one of {", ".join(REASONS)}and then why')
                reason = line
            elif line.startswith('    ') and reason:
                name, _, text = line.strip().partition('  ')
                if name in self.reasons:
                    raise SystemExit(f'{path}:{number}: {name} is listed twice')
                self.reasons[name], self.texts[name] = reason, text.strip()
            elif reason:
                reason += ' ' + line.strip()
            else:
                raise SystemExit(f'{path}:{number}: `{line}` has no reason above it')


class Records:
    """What was found before, and still holds."""

    def __init__(self, source, orders):
        self.source, self.path = source, source / 'build/mutate/mutants'
        self.path.mkdir(parents=True, exist_ok=True)
        self.properties = source / 'property/properties'
        harness = [one for one in (source / 'core/simulator/acairo').iterdir()]
        properties = digest(*self.properties.iterdir(), *harness) + f' {orders.runs}'
        # With the share of the runs that it makes: who was not killed by fewer is asked again.
        self.of_stage = {stage: properties + (' halved' if stage in PRESETS else '') for stage in SIMULATED}
        for stage, directory in TESTS.items():
            self.of_stage[stage] = digest(*(one for one in (source / directory).iterdir() if one.suffix in ('.cpp', '.hpp')))
        self.of_file = {}

    def file(self, mutant):
        if mutant.file not in self.of_file:
            self.of_file[mutant.file] = digest(self.source / mutant.file)
        return self.of_file[mutant.file]

    def killer(self, stage, who):
        path = self.properties / f'{who}.cpp'
        return digest(path) if stage in SIMULATED and path.is_file() else self.of_stage[stage] if stage in TESTS else ''

    def read(self, mutant):
        path = self.path / f'{mutant.name}.json'
        fresh = {'file': self.file(mutant), 'killed': None, 'alive': {}}
        try:
            old = json.loads(path.read_text())
        except (OSError, ValueError):
            return fresh
        if old['file'] != fresh['file']:
            return fresh
        killed = old['killed']
        if killed and killed['source'] != self.killer(killed['stage'], killed['who']):
            old['killed'] = None
        old['alive'] = {stage: of for stage, of in old['alive'].items() if of == self.of_stage[stage]}
        return old

    def write(self, mutant, record):
        path = self.path / f'{mutant.name}.json'
        new = path.with_suffix('.new')
        new.write_text(json.dumps(record))
        new.replace(path)


class Programs:
    """The core with all mutants in it, in each world and build; made when they are needed."""

    def __init__(self, source, mutants, orders):
        self.source, self.mutants, self.orders = source, mutants, orders
        self.made, self.bad, self.quiet, self.patience = {}, set(), {}, {}

    def of(self, stage):
        preset = PRESETS.get(stage, 'clang-o2')
        target = f'mutant_{pathlib.Path(TESTS[stage]).name}_tests' if stage in TESTS else 'mutant_properties'
        if (preset, target) in self.made:
            return self.made[preset, target]
        output = self.source / 'build' / preset / 'mutants'
        if not any(one == preset for one, _ in self.made):
            good, bad = generator.compiled(self.source, output, self.mutants)
            self.bad |= {m.name for m in bad}
            say(f'{len(good)} mutants in one copy of the core in build/{preset}/mutants; {len(bad)} do not compile')
            self.run(['cmake', '--preset', preset])
        say(f'building {target} in build/{preset}')
        begin = time.monotonic()
        self.run(['cmake', '--build', '--preset', preset, '--target', target, '-j', str(self.orders.jobs)])
        say(f'built in {time.monotonic() - begin:.0f} s')
        self.made[preset, target] = self.source / 'build' / preset / 'property' / target
        return self.made[preset, target]

    def run(self, command):
        done = subprocess.run(command, cwd=self.source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(done.stdout[-5000:], f'ci/mutate: {" ".join(map(str, command))} failed', sep='\n', file=sys.stderr)
            raise SystemExit(4)

    def environment(self, stage, number=0):
        environment = environment_of(self.source, PRESETS.get(stage, 'clang-o2'))
        environment['ASAN_OPTIONS'] += ':hard_rss_limit_mb=2048:symbolize=0'
        # Without this condition: its watching thread has /proc/self/statm open now and then, and those tests count descriptors.
        if stage != 'threads':
            environment['TSAN_OPTIONS'] += ':memory_limit_mb=2048'
        return {**environment, 'ACAIRO_MUTANT': str(number)}


class Attempt:
    """One mutant, or none, at one stage."""

    def __init__(self, programs, stage, mutant=None, first=(), quiet=()):
        self.stage, self.mutant = stage, mutant
        self.quiet = [*programs.quiet.get(stage, []), *quiet]  # these tests are not asked
        self.program = programs.of(stage)
        self.environment = programs.environment(stage, mutant.number if mutant else 0)
        self.first, self.programs = first, programs

    def bounded(self):
        if self.stage not in PRESETS:
            resource.setrlimit(resource.RLIMIT_AS, (4 * GIGABYTE, 4 * GIGABYTE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def output_of(self, command, patience):
        with tempfile.TemporaryFile() as output:
            # A group of its own: what hangs may have children, which hang, too.
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=self.environment,
                                     cwd=self.programs.source, preexec_fn=self.bounded, start_new_session=True)
            try:
                status = child.wait(patience)
            except subprocess.TimeoutExpired:
                status = None
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
            output.seek(0)
            return status, output.read().decode(errors='replace')

    def killed(self):
        """Who and how; None: it is alive."""
        return self.by_tests() if self.stage in TESTS else self.by_properties()

    def by_properties(self):
        command = [self.program, 'kill', self.mutant.name if self.mutant else '', '--seed', '1']
        # With a sanitizer a run costs five to ten times as much, and what it sees in a property it mostly sees in the first runs. A
        # weaker order is what the thread sanitizer is for; and few interleavings show it where only weak memory does.
        order = self.mutant is not None and self.mutant.kind == 'order'
        runs = self.programs.orders.runs * (10 if order else 1)
        runs = max(1, runs // 2) if self.stage in PRESETS else runs
        command += ['--each-fault', '--schedules', '3'] if self.stage == 'faults' else ['--runs', str(runs)]
        for name in self.first:
            command += ['--first', name]
        status, output = self.output_of(command, 7200)
        found = re.search(r'^\S*: killed by (\S+) after (\d+) runs: (.*)$', output, re.MULTILINE)
        if status == 0:
            return None
        if status != 1 or not found:
            raise SystemExit(f'ci/mutate: {command} ended with {status}:\n{output[-3000:]}')
        return {'who': found[1], 'runs': int(found[2]), 'how': found[3]}

    def by_tests(self):
        command = [self.program, '--gtest_fail_fast', f'--gtest_filter=-{":".join(self.quiet)}']
        status, output = self.output_of(command, self.programs.patience.get(self.stage, 1200))
        if status == 0:
            return None
        failed = re.findall(r'^\[  FAILED  \] ([\w./]+)', output, re.MULTILINE)
        begun = re.findall(r'^\[ RUN      \] ([\w./]+)', output, re.MULTILINE)
        who = failed[0] if failed else begun[-1] if begun else None
        if who is None:
            raise SystemExit(f'ci/mutate: {self.program} ended with {status} before its first test:\n{output[-3000:]}')
        return {'who': who, 'runs': 1, 'how': 'hang' if status is None else 'fails' if failed else f'ends with {status}'}

    def again(self, who):
        """Whether that one test, ten times alone, fails at least once: in real threads a mutant need not show each time."""
        command = [self.program, f'--gtest_filter={who}', '--gtest_repeat=10']
        return self.output_of(command, self.programs.patience[self.stage])[0] != 0


def calm(programs, stage):
    """Nobody is killed by who fails without a mutant, too."""
    begin = time.monotonic()
    while killed := Attempt(programs, stage).killed():
        if stage in SIMULATED:
            raise SystemExit(f'ci/mutate: {killed["who"]} fails without any mutant, at the stage {stage}: {killed["how"]}')
        say(f'{killed["who"]} fails without any mutant, and is left out: {killed["how"]}')
        programs.quiet.setdefault(stage, []).append(killed['who'])
        begin = time.monotonic()
    programs.patience[stage] = 60 + 5 * (time.monotonic() - begin)


def attempted(programs, stage, mutant, history):
    near = history[mutant.function] + history[mutant.file] + history['']
    if stage in SIMULATED:
        return Attempt(programs, stage, mutant, [name for name, _ in near.most_common(12)]).killed()
    passing = []
    while killed := Attempt(programs, stage, mutant, quiet=passing).killed():
        # A test that also fails without the mutant, on a machine as busy as this, has killed nobody.
        if Attempt(programs, stage, mutant).again(killed['who']) and not Attempt(programs, stage).again(killed['who']):
            return killed
        # The others are still to be asked: the first failure ended that attempt.
        say(f'{killed["who"]} failed with {mutant.name}, but not again, or also without it: it does not count')
        passing.append(killed['who'])
    return None


def is_asked(stage, mutant):
    """Whether the stage is for this mutant at all."""
    if stage not in ON_LINUX and mutant.file.startswith('core/linux/'):
        return False
    return stage != 'threads' if mutant.kind != 'order' else stage != 'asan'


def staged(mutants, records, programs, orders):
    """Every mutant's record, when all stages are through."""
    known = {m.name: records.read(m) for m in mutants}
    history = collections.defaultdict(collections.Counter)
    for m in mutants:
        note(history, m, known[m.name]['killed'])
    stages = orders.stages.split(',')
    for stage, ask in [('tsan', lambda m: m.kind == 'order')] * ('tsan' in stages) + [(stage, lambda m: True) for stage in stages]:
        asked = [m for m in mutants if ask(m) and is_asked(stage, m) and not known[m.name]['killed'] and stage not in known[m.name]['alive']
                 and m.name not in programs.bad]
        if not asked:
            continue
        programs.of(stage)
        asked = [m for m in asked if m.name not in programs.bad]
        calm(programs, stage)
        say(f'{stage}: {len(asked)} mutants')
        begin, last, dead = time.monotonic(), time.monotonic(), 0
        # The tests over real sockets mostly wait; those that count must be alone.
        with concurrent.futures.ThreadPoolExecutor({'counts': 1, 'property': 6 * orders.jobs}.get(stage, orders.jobs)) as pool:
            futures = {pool.submit(attempted, programs, stage, m, history): m for m in asked}
            try:
                for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
                    m, killed = futures[future], future.result()
                    record = known[m.name]
                    if killed:
                        dead += 1
                        record['killed'] = {**killed, 'stage': stage, 'source': records.killer(stage, killed['who'])}
                        note(history, m, record['killed'])
                    else:
                        record['alive'][stage] = records.of_stage[stage]
                    records.write(m, record)
                    if time.monotonic() - last > 10 or number == len(asked):
                        last = time.monotonic()
                        say(f'{stage}: {number} of {len(asked)}, {dead} killed, {last - begin:.0f} s')
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return known


def note(history, m, killed):
    if killed and killed['stage'] in SIMULATED:
        history[m.function][killed['who']] += 100
        history[m.file][killed['who']] += 10
        history[''][killed['who']] += 1


def judged(mutants, known, bad, listed, all_names):
    """The exceptions that are wrong, and the mutants that are alive and not listed."""
    wrong, alive = [], []
    for m in mutants:
        text, reason = m.told(), listed.reasons.get(m.name)
        if m.name in bad or known[m.name]['killed']:
            if reason:
                killed = known[m.name]['killed']
                by = f'is killed by {killed["who"]}' if killed else 'does not compile'
                wrong.append(f'{m.name} is listed as a survivor, and {by}: take it out of survivors.txt')
        elif not reason:
            alive.append(m)
        elif listed.texts[m.name] != f'{text["old"]} ==> {text["new"]}':
            wrong.append(f'{m.name} is listed with another text than it has: {text["old"]} ==> {text["new"]}')
    for name in listed.reasons:
        if name not in all_names:
            wrong.append(f'{name} is listed as a survivor, and there is no such mutant any more: take it out of survivors.txt')
    return wrong, alive


def table(mutants, known, bad, listed):
    columns = ['mutants', 'not compiled', *STAGES, 'equivalent', 'weak memory', 'alive']
    rows = collections.defaultdict(collections.Counter)
    for m in mutants:
        killed, reason = known[m.name]['killed'], listed.reasons.get(m.name, '')
        where = 'not compiled' if m.name in bad else killed['stage'] if killed else \
            {'e': 'equivalent', 'n': 'weak memory', '': 'alive'}[reason[:1]]
        for row in (m.file.removeprefix('core/').replace('acairo/', ''), 'all'):
            rows[row]['mutants'] += 1
            rows[row][where] += 1
    widths = [max(len(column), 5) for column in columns]
    print(' ' * 20 + '  '.join(f'{column:>{width}}' for column, width in zip(columns, widths)))
    for name, row in rows.items():
        print(f'{name:20}' + '  '.join(f'{row[column]:{width}}' for column, width in zip(columns, widths)))


def main():
    parser = argparse.ArgumentParser(prog='ci/mutate --mutants', description='Chooses each mutant of the core in turn, and tells who '
                                     'kills it. Exit 1: one is alive, and is not in stress/mutants/survivors.txt.')
    parser.add_argument('source', type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument('--only', action='append', metavar='TEXT', help='those with this in their name or file (may be repeated)')
    parser.add_argument('--runs', type=int, default=1000, help='at most so many of each property (default: 1000)')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='so many at once (default: the processors)')
    parser.add_argument('--stages', default=','.join(STAGES), help=f'some of {",".join(STAGES)} (default: all)')
    parser.add_argument('--list', action='store_true', help='prints the mutants, and who killed each when it was asked last')
    orders = parser.parse_args()
    for stage in orders.stages.split(','):
        if stage not in STAGES:
            parser.error(f'no stage "{stage}": there are {", ".join(STAGES)}')
    source = orders.source.resolve()
    listed = Listed(source / 'stress/mutants/survivors.txt')
    every, fixed = generator.loaded(source)
    chosen = [m for m in every if not orders.only or any(text in m.name or text in m.file for text in orders.only)]
    if not chosen:
        parser.error(f'no mutant has {" or ".join(map(repr, orders.only))} in its name or file: see --list')
    records, programs = Records(source, orders), Programs(source, every, orders)
    begin = time.monotonic()
    if orders.list:
        known = {m.name: records.read(m) for m in chosen}
        for m in chosen:
            told, killed = m.told(), known[m.name]['killed']
            by = f'killed by {killed["who"]} ({killed["stage"]}): {killed["how"]}' if killed else \
                f'alive at {", ".join(known[m.name]["alive"]) or "none yet"}'
            print(f'{m.name}  {by}\n    {m.file}:{m.line}: {told["old"]} ==> {told["new"]}')
        return 0
    known = staged(chosen, records, programs, orders)
    # What does not compile was found out in an earlier call, when nothing had to be built now.
    kept = records.path / 'not-compiled'
    if programs.made:
        kept.write_text('\n'.join(sorted(programs.bad)))
    bad = set(kept.read_text().split()) if kept.is_file() else set()
    wrong, alive = judged(chosen, known, bad, listed, {m.name for m in every})
    table(chosen, known, bad, listed)
    print('places that can have none: ' + ', '.join(f'{number} in {why}' for why, number in fixed.most_common()))
    for line in wrong:
        print(line)
    for m in alive:
        told = m.told()
        print(f'ALIVE {m.name}\n    {m.file}:{m.line}: {told["old"]} ==> {told["new"]}')
    print(f'{len(chosen)} mutants, {len(alive)} alive and not listed, {len(wrong)} listed wrongly, {time.monotonic() - begin:.0f} s')
    return 1 if alive or wrong else 0


if __name__ == '__main__':
    sys.exit(main())
