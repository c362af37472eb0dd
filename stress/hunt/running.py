"""A hunt under way: divides the time among the programs, and reads what they say.

Threads: one for each program at once, and the main one, which shows how far it is.
Invariants:
  1. What is found is on the disk before anything is said of it.
  2. Each property is looked at early, by every engine, and then again for longer: the time is spent in rounds.
"""
import dataclasses
import os
import re
import subprocess
import threading
import time

from findings import Finding, finding_of
from programs import BUILDS, SEEDS_OF_A_PART, environment_of

ROUNDS = (1, 3, 9)


class Hunt:
    def __init__(self, root, place, work, seconds, jobs, screen, first=False):
        self.root, self.place, self.work, self.screen, self.first = root, place, work, screen, first
        self.seconds, self.jobs = seconds, jobs or os.cpu_count()
        self.lock, self.findings, self.interrupted, self.over = threading.Lock(), {}, False, False
        self.running, self.began = {}, time.monotonic()

    def run(self):
        self.began = time.monotonic()
        self.earlier()
        deadline = self.began + self.seconds
        waiting = [(program, program.share * part / sum(ROUNDS)) for part in ROUNDS for program in self.work if not program.fuzzes]
        if any(program.most for program in self.work):
            waiting = [(program, 1) for program in self.work]
        # A fuzzer goes on by itself, and starts slowly: it has all of its time at once.
        last_round = len(waiting) - sum(1 for program in self.work if not program.fuzzes)
        waiting[last_round:last_round] = [(program, program.share) for program in self.work if program.fuzzes]

        def work():
            while True:
                with self.lock:
                    if not waiting or self.over:
                        return
                    # A program's parts come one after the other: their figures are added up.
                    index = next((i for i, (p, _) in enumerate(waiting) if p not in self.running.values()), None)
                    if index is not None:
                        rest = sum(share for _, share in waiting)
                        program, share = waiting.pop(index)
                        left = deadline - time.monotonic()
                        self.running[threading.get_ident()] = program
                if index is None:
                    time.sleep(0.1)
                    continue
                self.one(program, max(0.5, min(left, left * self.jobs * share / rest)))
                with self.lock:
                    del self.running[threading.get_ident()]

        threads = [threading.Thread(target=work) for _ in range(self.jobs)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            self.screen.show(time.monotonic() - self.began, self.totals())
        self.artifacts()
        self.screen.show(time.monotonic() - self.began, self.totals(), last=True)

    def one(self, program, seconds):
        if program.fuzzes:
            limit = [f'-max_total_time={max(1, round(seconds))}']
        elif program.most:
            limit = ['--runs', program.most, '--seconds', 10**6, '--seed', program.seed]
        else:
            limit = ['--seconds', f'{seconds:.1f}', '--seed', program.seed + program.parts * SEEDS_OF_A_PART]
        program.parts += 1
        command = [str(word) for word in [program.command[0], *limit, *program.command[1:]]]
        begun = time.monotonic()
        program.process = subprocess.Popen(command, cwd=self.root, env={**os.environ, **program.environment}, text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                           errors='replace')
        if self.over:
            program.process.terminate()
        self.read(program, program.process.stdout)
        status = program.process.wait()
        program.seconds += time.monotonic() - begun
        if self.over and status < 0:
            status = 0
        # A failure is more than nothing, and what broke is more than a failure.
        program.status = status if program.status in (None, 0) or status not in (0, 1) else program.status

    def read(self, program, lines):
        block = []
        for line in lines:
            line = line.rstrip('\n')
            program.lines = program.lines[-200:] + [line]
            if found := re.match(r'\[\d+/\d+\] (\w+): (\d+) runs\b', line):
                told = re.search(r', (\d+) interleavings\b', line)
                runs, orders = int(found[2]), int(told[1]) if told else 0
                with self.lock:
                    before = program.tests.get(found[1], (0, 0))
                    program.tests[found[1]] = (before[0] + runs, before[1] + orders)
                    program.runs += runs
                    if told:
                        program.orders.append((self.now(), program.interleavings + orders))
            elif found := re.match(r'#(\d+)\s+\w+\s.*\bft: (\d+)', line):
                with self.lock:
                    program.runs = max(program.runs, int(found[1]))
                    program.growth.append((self.now(), int(found[2])))
            if line.startswith('FAILED: '):
                block = [line]
            elif block and line.startswith('  '):
                block.append(line)
            if block and (not line.startswith(('FAILED: ', '  ')) or line.startswith('  shrunk from ')):
                program.found += 1
                self.found(finding_of('\n'.join(block), program.name, self.now(), program.again))
                block = []
        if len(block) > 1:
            program.found += 1
            self.found(finding_of('\n'.join(block), program.name, self.now(), program.again))

    def now(self):
        return round(time.monotonic() - self.began, 2)

    def found(self, finding):
        with self.lock:
            if finding.key in self.findings:
                return
            self.findings[finding.key] = finding
        finding.save(self.place / 'findings')
        self.screen.say(f'found by {finding.by} after {finding.at:.0f} s: {finding.title}\n  {finding.command}')
        if self.first:
            self.stop()

    def stop(self):
        """No new part begins, and those that run end now."""
        self.over = True
        for program in list(self.running.values()):
            if process := getattr(program, 'process', None):
                process.terminate()

    def interrupt(self):
        self.interrupted = True
        self.stop()

    def earlier(self):
        """What earlier hunts have found is looked at first: it is still there, or it is gone."""
        for file in sorted((self.place / 'findings').glob('*.txt')):
            finding = finding_of(file.read_text(), 'an earlier hunt', 0)
            if self.over or not finding.token:
                continue
            status = subprocess.run([*tool_of(self.root, finding.token), 'repro', finding.token], cwd=self.root,
                                    capture_output=True, env={**os.environ, **environment_of(self.root, preset_of(finding.token))}).returncode
            if status == 0:
                self.screen.say(f'no longer fails: {finding.title}')
                for path in (file, file.with_suffix('.html'), file.with_suffix('.html.json')):
                    path.unlink(missing_ok=True)
            elif status == 1:
                self.found(finding)

    def artifacts(self):
        """A fuzz target dies of what it finds: its input becomes a token afterwards, in another process."""
        for program in self.work:
            if not program.fuzzes or program.status in (0, None):
                continue
            about = subprocess.run([self.root / 'build/fuzz/fuzz' / program.fuzzes, '--about'], capture_output=True, text=True)
            prop = about.stdout.split()[0] if about.stdout else ''
            for artifact in sorted((self.place / 'artifacts' / program.fuzzes).glob('*')):
                if artifact.name.startswith('slow-unit-'):
                    continue
                told = subprocess.run([self.root / 'build/fuzz/property/simulated_properties', 'bytes', artifact, '--only', prop],
                                      cwd=self.root, text=True, capture_output=True, errors='replace',
                                      env={**os.environ, **program.environment})
                before = program.found
                self.read(program, told.stdout.splitlines(True))
                if program.found == before:
                    program.lines += told.stdout.splitlines() + told.stderr.splitlines()

    def totals(self):
        with self.lock:
            names = {name for program in self.work if not program.load for name in program.tests}
            return Totals(sum(p.runs for p in self.work), len(names), sum(p.interleavings for p in self.work),
                          sum(p.growth[-1][1] for p in self.work if p.growth), sum(1 for p in self.work if p.fuzzes and p.parts),
                          [p.name for p in self.running.values()], len(self.findings))


@dataclasses.dataclass
class Totals:
    runs: int
    properties: int
    interleavings: int
    features: int
    targets: int
    running: list
    findings: int


def preset_of(token):
    detector = (token.split(':') + ['any'] * 4)[3]
    return detector if detector in BUILDS else 'clang-o2'


def tool_of(root, token):
    planted = '+' in token.split(':')[1] if token.count(':') > 1 else False
    return [root / 'build' / preset_of(token) / 'property' / ('planted_properties' if planted else 'simulated_properties')]
