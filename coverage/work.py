"""The instrumented build, everything that runs in it, and what llvm-cov says of the profiles that it leaves.

Each group of programs writes profiles of its own, so that it can be told what only one of them reaches. A program's children share
its file: the runtime merges what each of them adds.
"""
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

GROUPS = {
    'tests': 'ordinary tests and plain/', 'scripted': 'tests over scripted system calls', 'simulated': 'properties in the simulated world',
    'faults': 'properties with each single fault', 'fuzz': 'inputs of the fuzz targets', 'real': 'properties with real threads'}
# Beside how many processes each is divided among.
TESTS = {'stack_tests': 1, 'property_tests': 4, 'fidelity/fidelity_tests': 1, 'count_tests': 1, 'told_tests': 1, 'plain_tests': 1}
SIMULATOR = 'simulator/simulator_tests'


class Failed(Exception):
    """Something else than coverage is wrong."""


@dataclasses.dataclass
class Run:
    group: str
    name: str
    command: list
    environment: dict = dataclasses.field(default_factory=dict)


def say(text):
    print(f'[{time.monotonic() - say.begun:4.0f} s] {text}', file=sys.stderr, flush=True)


say.begun = time.monotonic()


def build(root, place, jobs, preset='coverage', others=('stress_properties', 'fuzz_targets')):
    place.mkdir(parents=True, exist_ok=True)
    say(f'building {preset} (some minutes)')
    targets = ['scripted_tests', 'simulated_properties', 'simulated_rapidcheck_properties', *others,
               *(pathlib.PurePath(t).name for t in (*TESTS, SIMULATOR)), 'simulated_handler']
    log = place / f'{preset}.log'
    with log.open('w') as out:
        subprocess.run(['cmake', '--preset', preset], cwd=root, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        with subprocess.Popen(['cmake', '--build', '--preset', preset, '-j', str(jobs), '--target', *targets], cwd=root,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True) as ninja:
            last = time.monotonic()
            for line in ninja.stdout:
                out.write(line)
                if time.monotonic() - last > 15 and line.startswith('['):
                    last = time.monotonic()
                    say(line.rstrip()[:120])
    if ninja.returncode:
        raise Failed(f'the build failed: see {log}\n' + log.read_text()[-3000:])


def runs_of(root, build):
    """Everything that is run, by group."""
    python = [sys.executable, '-B']
    property_ = build / 'property'
    simulated = property_ / 'simulated_properties'

    def said_by(*command):
        # What listing reaches is nobody's, and its profile would lie around.
        environment = {**os.environ, 'LLVM_PROFILE_FILE': os.devnull}
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split('\n')

    listed = said_by(simulated, '--list')
    properties = [p.stem for p in sorted((root / 'property/properties').glob('*.cpp'))]

    def parts(group, test, number):
        for part in range(number):
            yield Run(group, f'{pathlib.PurePath(test).name}, part {part + 1} of {number}', [property_ / test, '--gtest_brief=1'],
                      {'RC_PARAMS': 'seed=1 max_success=200', 'GTEST_TOTAL_SHARDS': str(number), 'GTEST_SHARD_INDEX': str(part)})

    # The longest first.
    for name in properties:
        yield Run('real', name, [build / 'stress/stress_properties', '--only', name, '--runs', '30', '--seconds', '5'])
    for test, number in TESTS.items():
        yield from parts('tests', test, number)
    yield from parts('scripted', 'scripted_tests', 1)
    # Each suite alone: a run that fails, in this very process, may leave something to the next.
    for suite in (line.split()[0] for line in said_by(property_ / SIMULATOR, '--gtest_list_tests') if re.match(r'\S+\.( |$)', line)):
        yield Run('tests', f'simulator_tests, {suite}*', [property_ / SIMULATOR, '--gtest_brief=1', f'--gtest_filter={suite}*'])
    yield Run('tests', 'example_test.py', [*python, root / 'property/drivers/example_test.py', build / 'core/examples/simulated_handler'])
    for name in properties:
        yield Run('simulated', name, [simulated, '--only', name, '--seconds', '100000', '--seed', '1', '--runs', '1000'])
        yield Run('simulated', f'{name}, by RapidCheck', [property_ / 'simulated_rapidcheck_properties', '--gtest_brief=1',
                                                          f'--gtest_filter=*/{name}'], {'RC_PARAMS': 'seed=1'})
        if '.one_fault = true' in (root / f'property/properties/{name}.cpp').read_text():
            yield Run('faults', name, [simulated, '--only', name, '--each-fault'])
    for name in (p.stem for p in sorted((root / 'fuzz').glob('*.cpp'))):
        inputs = [d for d in (root / 'fuzz/corpus' / name, root / 'fuzz/regressions' / name) if d.is_dir()]
        yield Run('fuzz', name, [build / 'fuzz/fuzz_targets', f'--target={name}', *inputs])
    unknown = set(properties) - set(listed)
    if unknown:
        raise Failed(f'these files of property/properties register no property of their name: {", ".join(sorted(unknown))}')


def run_all(root, place, runs, jobs):
    """Everything once, `jobs` at once. The ones that failed, with what they said."""
    profiles = place / 'profiles'
    for old in profiles.glob('*/*') if profiles.exists() else ():
        old.unlink()
    for group in GROUPS:
        (profiles / group).mkdir(parents=True, exist_ok=True)
    done, last, failed = 0, time.monotonic(), []

    def start(run):
        environment = {**os.environ, **run.environment, 'LLVM_PROFILE_FILE': str(profiles / run.group / '%4m.profraw')}
        begun = time.monotonic()
        try:
            ended = subprocess.run(run.command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=900)
            status, text = ended.returncode, ended.stdout.decode(errors='replace')
        except subprocess.TimeoutExpired:
            status, text = 'a time-out', ''
        return run, status, text, time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, (place / 'runs.log').open('w') as log:
        for future in concurrent.futures.as_completed([pool.submit(start, run) for run in runs]):
            run, status, text, seconds = future.result()
            done += 1
            log.write(f'{seconds:6.1f} s {run.group} {run.name}: {status}\n{text}\n')
            log.flush()
            if status:
                failed.append(f'{run.group}: {run.name} ended with {status}:\n' + '\n'.join(text.split('\n')[-25:]))
                say(f'FAILED: {run.group}: {run.name}')
            if time.monotonic() - last > 5 or done == len(runs):
                last = time.monotonic()
                say(f'{done} of {len(runs)} run; the last: {run.group}: {run.name}')
    return failed


def check(command, **arguments):
    ended = subprocess.run(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **arguments)
    if ended.returncode:
        raise Failed(f'{command[0]} failed: ' + ended.stderr.decode(errors='replace')[-2000:])


def export(root, place, group, programs):
    """llvm-cov's JSON of one group's profiles, or of all: of each program for itself."""
    profiles = sorted((place / 'profiles').glob(f'{group or "*"}/*.profraw'))
    merged = place / f'{group or "all"}.profdata'
    check(['llvm-profdata-19', 'merge', '-sparse', '-o', merged, *profiles])

    def one(program):
        exported = place / f'{group or "all"}-{program.name}.json'
        with exported.open('w') as out:
            check(['llvm-cov-19', 'export', '-format=text', '-num-threads=1', f'-instr-profile={merged}', program,
                   root / 'core/acairo', root / 'core/linux', root / 'core/simulator'], stdout=out)
        return exported

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, programs))


def programs_of(runs):
    """The instrumented ones that run, by group."""
    found = {}
    for run in runs:
        program = next(p for p in run.command if isinstance(p, pathlib.Path) and not re.search(r'\.py$', p.name))
        found.setdefault(run.group, {})[program] = None
    return {group: list(those) for group, those in found.items()}
