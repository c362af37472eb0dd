"""What a hunt runs: which programs, with which share of the time, and from which seeds."""
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

# Each build sees what the others cannot: the plain one most runs, AddressSanitizer memory, ThreadSanitizer races.
BUILDS = {'clang-o2': 'plain', 'asan': 'ASan', 'tsan': 'TSan'}
# At most so many runs to make a failure smaller: under a sanitizer each takes ten times as long.
TRIES = {'clang-o2': 1500, 'asan': 300, 'tsan': 300}
# Seeds are far apart, so that no two parts of a hunt, nor two hunts, nor two shards, make the same run twice.
SEEDS_OF_A_PART, SEEDS_OF_A_HUNT, SEEDS_OF_A_SHARD = 10**8, 10**11, 10**15
# Enough that every worker has many at once, and few enough that several scenarios fit into seconds.
PEERS = 500
LIBFUZZER = ['-len_control=0', '-max_len=256', '-timeout=20', '-print_final_stats=1']


class Refused(Exception):
    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


@dataclasses.dataclass
class Program:
    name: str
    command: list
    share: float  # of the time
    environment: dict
    seed: int = 0  # of its first part
    fuzzes: str = ''
    again: str = ''  # of one with real threads: how it is called
    load: bool = False  # its tests are no properties, but scenarios
    parts: int = 0
    runs: int = 0
    tests: dict = dataclasses.field(default_factory=dict)  # by property: runs, interleavings
    growth: list = dataclasses.field(default_factory=list)  # (seconds, features)
    orders: list = dataclasses.field(default_factory=list)  # (seconds, interleavings)
    lines: list = dataclasses.field(default_factory=list)
    status: int | None = None  # the worst of its parts'
    seconds: float = 0
    found: int = 0  # failures
    most: int = 0  # runs of its property; else it has a share of the time

    @property
    def broken(self):
        return self.status not in (0, 1, None) and not self.found

    @property
    def interleavings(self):
        return self.orders[-1][1] if self.orders else 0

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


def build(root, wanted):
    """`wanted`: the targets of each preset."""
    directory = root / 'build/hunt'
    directory.mkdir(parents=True, exist_ok=True)
    for number, (preset, targets) in enumerate(wanted.items(), 1):
        print(f'ci/hunt: building {preset} ({number} of {len(wanted)})', file=sys.stderr, flush=True)
        log = directory / f'build-{preset}.log'
        with log.open('w') as out:
            for command in (['cmake', '--preset', preset],
                            ['cmake', '--build', '--preset', preset, '-j', str(os.cpu_count()), '--target', *targets]):
                if subprocess.run(command, cwd=root, stdout=out, stderr=out, stdin=subprocess.DEVNULL).returncode:
                    raise Refused(f'{preset} cannot be built:\n' + log.read_text()[-3000:], 4)


def needed(planted, runs=0):
    if runs:
        return {'clang-o2': ['simulated_properties']}
    target = 'planted_properties' if planted else 'simulated_properties'
    wanted = {preset: [target] for preset in BUILDS}
    if planted:
        return wanted
    wanted['tsan'] += ['stress_properties', 'load']
    return {**wanted, 'fuzz': ['fuzz_targets', 'simulated_properties']}


def listed(root, planted):
    program = root / 'build/clang-o2/property' / ('planted_properties' if planted else 'simulated_properties')
    lines = subprocess.run([program, '--list'], capture_output=True, text=True).stdout.splitlines()
    bugs = [line.removeprefix('planted: ') for line in lines if line.startswith('planted: ')]
    return [line for line in lines if not line.startswith('planted: ')], bugs


def changed(root, reference):
    """The properties and targets that differ from a commit; None where all may, because what they share does."""
    if not reference.strip('0'):  # as hosted CI calls the commit before the first
        return None
    done = subprocess.run(['git', 'diff', '--name-only', f'{reference}...HEAD'], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f'--changed {reference}: git says: {done.stderr.strip()}; name a commit that is here (git fetch)', 2)
    names = []
    for path in done.stdout.splitlines():
        if found := re.fullmatch(r'(?:property/properties|fuzz)/(\w+)\.cpp|fuzz/(?:corpus|regressions)/(\w+)/.*', path):
            names.append(found[1] or found[2])
        elif re.match(r'core/(acairo|simulator)/|property/properties/|fuzz/driver/|CMake|core/linux/', path):
            return None
    return [name for name in sorted(set(names)) if list(root.glob(f'property/properties/{name}.cpp')) + list(root.glob(f'fuzz/{name}.cpp'))]


def state_of(place):
    try:
        return json.loads((place / 'state.json').read_text())
    except (OSError, ValueError):
        return {'seed': 1}


def first_seed(place, text):
    if text is None:
        seed = int(state_of(place)['seed'])
    elif re.fullmatch(r'\d{1,12}', text):
        seed = int(text)
    else:
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:10], 16)
    place.mkdir(parents=True, exist_ok=True)
    (place / 'state.json').write_text(json.dumps({**state_of(place), 'seed': seed + SEEDS_OF_A_HUNT}))
    return seed


def plan(root, place, only=(), seed=None, plant='', shard=(1, 1), runs=0):
    """The programs and the share of the time that each gets, or how many runs. Of shards, each has seeds and fuzz targets of its own."""
    properties, _ = listed(root, bool(plant))
    targets = [] if plant else sorted(p.stem for p in (root / 'fuzz').glob('*.cpp'))
    for name in only:
        if name not in properties and name not in targets:
            raise Refused(f'no property and no fuzz target is called "{name}": see ci/repro --list and ci/fuzz --list', 2)
    number, shards = shard
    base = first_seed(place, seed) + (number - 1) * SEEDS_OF_A_SHARD
    properties = [name for name in properties if name in only] if only else properties
    targets = [name for name in targets if not only or name in only][number - 1::shards]
    if runs:
        tool, environment = root / 'build/clang-o2/property/simulated_properties', environment_of(root, 'clang-o2')
        return [Program(name, [tool, '--only', name, '--tries', TRIES['clang-o2']], 1, environment, base, most=runs)
                for name in properties[number - 1::shards]]
    work = []

    def simulated(preset, engine, share, names):
        program = 'planted_properties' if plant else 'simulated_properties'
        command = [root / 'build' / preset / 'property' / program, '--engine', engine, '--tries', TRIES[preset]]
        for name in names if only or shards > 1 else []:
            command += ['--only', name]
        if plant:
            command += ['--plant', plant]
        if names:
            work.append(Program(f'{BUILDS[preset]}, {engine}', command, share, environment_of(root, preset), base))

    simulated('clang-o2', 'portfolio', 4, properties)
    simulated('tsan', 'portfolio', 3, properties)
    simulated('asan', 'portfolio', 2, properties)
    # What has no seed would be the same on each shard.
    simulated('clang-o2', 'enumeration', 1, properties[number - 1::shards])
    if not plant:
        work += with_real_threads(root, base, properties if only else None)
    for index, program in enumerate(work):
        program.seed += index * SEEDS_OF_A_PART * 100
    for target in targets:
        corpus, artifacts = place / 'corpus' / target, place / 'artifacts' / target
        for directory in (corpus, artifacts):
            directory.mkdir(parents=True, exist_ok=True)
        inputs = [corpus, *(d for d in (root / 'fuzz/corpus' / target, root / 'fuzz/regressions' / target) if d.is_dir())]
        command = [root / 'build/fuzz/fuzz' / target, f'-artifact_prefix={artifacts}/', *LIBFUZZER, *inputs]
        work.append(Program(f'fuzz {target}', command, 0.5, environment_of(root, 'fuzz'), base, fuzzes=target))
    return work


def with_real_threads(root, seed, only):
    """What the machine schedules, under ThreadSanitizer; what it finds it hands to the simulator, for a token."""
    names = [name for name in only or () if (root / f'property/properties/{name}.cpp').exists()]
    work = []
    if names or only is None:
        program, simulator = 'build/tsan/stress/stress_properties', root / 'build/clang-o2/property/simulated_properties'
        work.append(Program('TSan, real threads', [root / program, '--simulator', simulator, '--search', 5,
                                                   *(word for name in names for word in ('--only', name))],
                            0.6, environment_of(root, 'tsan'), seed, again=program))
    if only is None:
        load = f'build/tsan/stress/load --peers {PEERS} --workers 2,8'
        work.append(Program('TSan, load', [root / load.split()[0], *load.split()[1:]], 0.4, environment_of(root, 'tsan'), seed, again=load, load=True))
    return work


def prune(root, place):
    """Of each corpus what reaches something that nothing smaller reaches. Nothing is lost when it is interrupted."""
    for corpus in sorted(path for path in (place / 'corpus').glob('*') if path.is_dir() and not path.name.endswith('.pruned')):
        program = root / 'build/fuzz/fuzz' / corpus.name
        pruned = pathlib.Path(f'{corpus}.pruned')
        pruned.mkdir(exist_ok=True)
        before = len(list(corpus.iterdir()))
        done = subprocess.run([program, '-merge=1', *LIBFUZZER, pruned, corpus], capture_output=True, text=True, errors='replace',
                              env={**os.environ, **environment_of(root, 'fuzz')})
        if done.returncode:
            raise Refused(f'the corpus of {corpus.name} cannot be pruned:\n{done.stderr[-2000:]}', 4)
        kept = {path.name for path in pruned.iterdir()}
        for name in kept:
            (pruned / name).replace(corpus / name)
        pruned.rmdir()
        for path in corpus.iterdir():
            if path.name not in kept:
                path.unlink()
        print(f'ci/hunt: {corpus.name}: {len(kept)} inputs of {before} are kept', file=sys.stderr)
