"""What a hunt runs: which programs, for how long, from which seeds; and what they say, as runs, growth and findings."""
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

# Each build sees what the others cannot: the plain one most runs, AddressSanitizer memory, ThreadSanitizer races.
BUILDS = {'clang-o2': 'plain', 'asan': 'ASan', 'tsan': 'TSan'}


class Refused(Exception):
    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


@dataclasses.dataclass
class Finding:
    title: str
    text: str
    token: str
    by: str
    at: float  # seconds since the hunt began

    def kind(self):
        return self.title.partition(': ')[2]

    def test(self):
        return self.title.partition(': ')[0]

    def key(self):
        return hashlib.sha1(self.title.encode()).hexdigest()[:12]


@dataclasses.dataclass
class Program:
    name: str
    command: list
    share: float  # of the time
    environment: dict
    fuzzes: str = ''
    runs: int = 0
    tests: dict = dataclasses.field(default_factory=dict)  # runs by property
    growth: list = dataclasses.field(default_factory=list)  # (seconds, features)
    lines: list = dataclasses.field(default_factory=list)
    status: int | None = None
    seconds: float = 0

    @property
    def broken(self):
        return self.status not in (0, 1, None) and not self.fuzzes

    def tail(self):
        return '\n'.join(self.lines[-15:])


def environment_of(root, preset):
    presets = {p['name']: p for p in json.loads((root / 'CMakePresets.json').read_text())['configurePresets']}
    found, names = {}, [preset]
    while names:
        one = presets[names.pop(0)]
        found = {**one.get('environment', {}), **found}
        inherited = one.get('inherits', [])
        names += [inherited] if isinstance(inherited, str) else inherited
    return found


def build(root, planted):
    target = 'planted_properties' if planted else 'simulated_properties'
    wanted = {preset: [target] for preset in BUILDS}
    wanted['fuzz'] = ['fuzz_targets', 'simulated_properties']
    if planted:
        del wanted['fuzz']
    for number, (preset, targets) in enumerate(wanted.items(), 1):
        print(f'ci/hunt: building {preset} ({number} of {len(wanted)})', file=sys.stderr, flush=True)
        log = root / 'build' / 'hunt' / f'build-{preset}.log'
        with log.open('w') as out:
            for command in (['cmake', '--preset', preset],
                            ['cmake', '--build', '--preset', preset, '-j', str(os.cpu_count()), '--target', *targets]):
                if subprocess.run(command, cwd=root, stdout=out, stderr=out, stdin=subprocess.DEVNULL).returncode:
                    raise Refused(f'{preset} cannot be built:\n' + log.read_text()[-3000:], 4)


def plan(root, place, chosen):
    """The programs and the share of the time that each gets."""
    state = place / 'state.json'
    seen = json.loads(state.read_text()) if state.exists() else {'seed': 1}
    base = chosen.seed or str(seen['seed'])
    program = 'planted_properties' if chosen.plant else 'simulated_properties'
    listed = subprocess.run([root / 'build/clang-o2/property' / program, '--list'], capture_output=True, text=True)
    names = [line for line in listed.stdout.splitlines() if not line.startswith('planted: ')]
    targets = [] if chosen.plant else sorted(p.stem for p in (root / 'fuzz').glob('*.cpp'))
    for name in chosen.only:
        if name not in names and name not in targets:
            raise Refused(f'no property and no fuzz target is called "{name}": see ci/repro --list and ci/fuzz --list', 2)
    properties = [name for name in names if name in chosen.only] if chosen.only else names
    targets = [name for name in targets if name in chosen.only] if chosen.only else targets
    work = []

    def simulated(preset, engine, share):
        command = [root / 'build' / preset / 'property' / program, '--seed', f'{base}', '--engine', engine]
        for name in properties if chosen.only else []:
            command += ['--only', name]
        if chosen.plant:
            command += ['--plant', chosen.plant]
        work.append(Program(f'{BUILDS[preset]}, {engine}', command, share, environment_of(root, preset)))

    if properties:
        simulated('clang-o2', 'portfolio', 4)
        simulated('tsan', 'portfolio', 3)
        simulated('asan', 'portfolio', 2)
        simulated('clang-o2', 'enumeration', 1)
    for target in targets:
        corpus, artifacts = place / 'corpus' / target, place / 'artifacts' / target
        for directory in (corpus, artifacts):
            directory.mkdir(parents=True, exist_ok=True)
        inputs = [corpus, *(d for d in (root / 'fuzz/corpus' / target, root / 'fuzz/regressions' / target) if d.is_dir())]
        command = [root / 'build/fuzz/fuzz' / target, f'-artifact_prefix={artifacts}/', '-len_control=0', '-max_len=256',
                   '-timeout=20', '-print_final_stats=1', *inputs]
        work.append(Program(f'fuzz {target}', command, 0.5, environment_of(root, 'fuzz'), fuzzes=target))
    state.write_text(json.dumps({'seed': int(seen['seed']) + 10_000_000}))
    return work


class Hunt:
    def __init__(self, root, place, work, chosen, screen):
        self.root, self.place, self.work, self.screen = root, place, work, screen
        self.seconds, self.jobs = chosen.seconds, chosen.jobs or os.cpu_count()
        self.lock, self.findings, self.interrupted = threading.Lock(), {}, False
        self.running, self.began = set(), time.monotonic()

    def run(self):
        self.began = time.monotonic()
        waiting = list(self.work)
        scale = self.seconds * min(self.jobs, len(waiting)) / sum(p.share for p in waiting)

        def work():
            while True:
                with self.lock:
                    if not waiting or self.interrupted:
                        return
                    program = waiting.pop(0)
                self.one(program, max(1.0, program.share * scale))

        threads = [threading.Thread(target=work) for _ in range(self.jobs)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            self.screen.show(time.monotonic() - self.began, self.totals())
        self.screen.show(time.monotonic() - self.began, self.totals(), last=True)

    def one(self, program, seconds):
        limit = [f'-max_total_time={max(1, round(seconds))}'] if program.fuzzes else ['--seconds', f'{seconds:.1f}']
        command = [str(word) for word in [program.command[0], *limit, *program.command[1:]]]
        begun = time.monotonic()
        process = subprocess.Popen(command, cwd=self.root, env={**os.environ, **program.environment}, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   errors='replace')
        with self.lock:
            self.running.add(process)
        self.read(program, process.stdout)
        program.status = process.wait()
        program.seconds = time.monotonic() - begun
        with self.lock:
            self.running.discard(process)
        if self.interrupted and program.status < 0:
            program.status = 0

    def read(self, program, lines):
        block = None
        for line in lines:
            line = line.rstrip('\n')
            program.lines = program.lines[-200:] + [line]
            if found := re.match(r'\[\d+/\d+\] (\w+): (\d+) runs', line):
                with self.lock:
                    program.tests[found[1]] = int(found[2])
                    program.runs += int(found[2])
            elif found := re.match(r'#(\d+)\s+\w+\s.*\bft: (\d+)', line):
                with self.lock:
                    program.runs = int(found[1])
                    program.growth.append((time.monotonic() - self.began, int(found[2])))
            if line.startswith('FAILED: '):
                block = [line]
            elif block is not None and line.startswith('  '):
                block.append(line)
            elif block is not None:
                self.found('\n'.join(block), program.name)
                block = None
        if block is not None:
            self.found('\n'.join(block), program.name)

    def found(self, text, by):
        title = text.splitlines()[0].removeprefix('FAILED: ')
        token = re.search(r'ci/repro (\S+)', text)
        finding = Finding(title, text, token[1] if token else '', by, time.monotonic() - self.began)
        with self.lock:
            if finding.key() in self.findings:
                return
            self.findings[finding.key()] = finding
        directory = self.place / 'findings'
        directory.mkdir(exist_ok=True)
        (directory / f'{finding.key()}.txt').write_text(text + '\n')
        self.screen.say(f'found by {by}: {title}\n  ci/repro {finding.token}')

    def tell_artifacts(self):
        """A fuzz target dies of what it finds: its input becomes a token afterwards, in another process."""
        for program in self.work:
            if not program.fuzzes or program.status in (0, None):
                continue
            for artifact in sorted((self.place / 'artifacts' / program.fuzzes).glob('*')):
                if artifact.name.startswith('slow-unit-'):
                    continue
                told = subprocess.run(['ci/repro', artifact, '--target', program.fuzzes], cwd=self.root, text=True,
                                      capture_output=True, errors='replace')
                self.read(program, told.stdout.splitlines(True))

    def interrupt(self):
        self.interrupted = True
        for process in list(self.running):
            process.terminate()

    def totals(self):
        with self.lock:
            runs = sum(program.runs for program in self.work)
            tests = {name for program in self.work for name in program.tests}
            running = [program.name for program in self.work if program.status is None and program.lines]
            features = sum(program.growth[-1][1] for program in self.work if program.growth)
            return runs, len(tests), running, features, len(self.findings)

    def summary(self, built):
        return Summary(self.work, sorted(self.findings.values(), key=lambda f: f.at), built,
                       time.monotonic() - self.began)


@dataclasses.dataclass
class Summary:
    programs: list
    findings: list
    built: float
    seconds: float

    @property
    def runs(self):
        return sum(program.runs for program in self.programs)

    def sentence(self):
        tests = {name for program in self.programs for name in program.tests}
        targets = sum(1 for program in self.programs if program.fuzzes)
        count = len(self.findings)
        found = 'nothing found' if not count else '1 failure found' if count == 1 else f'{count} failures found'
        return (f'{self.runs:,} runs of {len(tests)} properties and {targets} fuzz targets in {self.seconds:.0f} s: {found}')
