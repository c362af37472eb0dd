"""What a hunt has come to: kept as hunt.json, so that the parts that several machines have hunted become one."""
import dataclasses
import json
import pathlib
import shutil

from findings import Finding
from programs import Program, Refused

KEPT = ('name', 'fuzzes', 'load', 'parts', 'runs', 'tests', 'growth', 'orders', 'status', 'seconds', 'found')


@dataclasses.dataclass
class Summary:
    programs: list
    findings: list
    built: float
    seconds: float
    history: list = dataclasses.field(default_factory=list)

    @property
    def runs(self):
        return sum(program.runs for program in self.programs)

    @property
    def interleavings(self):
        return sum(program.interleavings for program in self.programs)

    @property
    def features(self):
        return sum(program.growth[-1][1] for program in self.programs if program.growth)

    @property
    def properties(self):
        return tests_of(self.programs, False)

    @property
    def targets(self):
        return sum(1 for program in self.programs if program.fuzzes)

    def sentence(self):
        count = len(self.findings)
        found = 'nothing found' if not count else '1 failure found' if count == 1 else f'{count} failures found'
        scenarios = len(tests_of(self.programs, True))
        load = f', {scenarios} scenario{"s" * (scenarios > 1)} of load' if scenarios else ''
        return (f'{self.runs:,} runs of {len(self.properties)} properties{load} and {self.targets} fuzz targets in '
                f'{self.seconds:.0f} s, {self.interleavings:,} interleavings: {found}')

    def save(self, place):
        (place / 'hunt.json').write_text(json.dumps({
            'seconds': self.seconds, 'built': self.built, 'findings': [dataclasses.asdict(finding) for finding in self.findings],
            'programs': [{**{name: getattr(program, name) for name in KEPT}, 'lines': program.lines[-15:]}
                         for program in self.programs]}))
        figures = {'seconds': self.seconds, 'runs': self.runs, 'interleavings': self.interleavings, 'features': self.features,
                   'findings': len(self.findings)}
        state = place / 'state.json'
        kept = json.loads(state.read_text()) if state.exists() else {'seed': 1}
        self.history = [*kept.get('hunts', []), figures][-100:]
        state.write_text(json.dumps({**kept, 'hunts': self.history}))


def tests_of(programs, load):
    return sorted({name for program in programs if program.load == load for name in program.tests})


def load(directory):
    try:
        kept = json.loads((directory / 'hunt.json').read_text())
    except (OSError, ValueError) as error:
        raise Refused(f'{directory} is not the folder of a hunt: {error}; name what ci/hunt has left in build/hunt', 2) from None
    programs = [Program(command=[], share=0, environment={}, **one) for one in kept['programs']]
    return Summary(programs, [Finding(**one) for one in kept['findings']], kept['built'], kept['seconds'])


def merge(place, directories):
    """The hunts of several machines as one; their corpora and findings come into `place`."""
    parts = [load(pathlib.Path(directory)) for directory in directories]
    programs, findings = {}, {}
    for part in parts:
        for program in part.programs:
            programs[program.name] = joined(programs[program.name], program) if program.name in programs else program
        for finding in part.findings:
            if finding.key not in findings or finding.at < findings[finding.key].at:
                findings[finding.key] = finding
    for directory in directories:
        for folder in ('corpus', 'findings', 'artifacts'):
            source = pathlib.Path(directory) / folder
            # An input is named after what it holds: equal names are equal files.
            if source.is_dir() and source.resolve() != (place / folder).resolve():
                shutil.copytree(source, place / folder, dirs_exist_ok=True)
    return Summary(list(programs.values()), sorted(findings.values(), key=lambda f: f.at), max(p.built for p in parts),
                   max(p.seconds for p in parts))


def joined(one, other):
    tests = {name: tuple(a + b for a, b in zip(one.tests.get(name, (0, 0)), other.tests.get(name, (0, 0))))
             for name in {*one.tests, *other.tests}}
    steps = sorted((at, count - before) for orders in (one.orders, other.orders)
                   for (at, count), (_, before) in zip(orders, [(0, 0), *orders]))
    orders, total = [], 0
    for at, new in steps:
        total += new
        orders.append((at, total))
    statuses = [status for status in (one.status, other.status) if status is not None]
    worst = next((s for s in statuses if s not in (0, 1)), max(statuses)) if statuses else None
    return dataclasses.replace(one, parts=one.parts + other.parts, runs=one.runs + other.runs, tests=tests, orders=orders,
                               growth=max(one.growth, other.growth, key=lambda g: g[-1][1] if g else 0), status=worst,
                               seconds=one.seconds + other.seconds, found=one.found + other.found, lines=(one.lines + other.lines)[-30:])
