#!/usr/bin/env python3
"""Plants the museum's bugs one at a time, and tells which property finds each of them, and how soon. Called by ci/mutate.

    mutate.py SOURCE [--only BUG]... [--seeds N] [--runs N] [--jobs N] [--engines LIST] [--table]
                     [--museum DIRECTORY --program DETECTOR=PROGRAM...]

What was measured is kept in SOURCE/build/mutate, under the hash of all that it depends on: the bug, the core, the simulator, the
property, and how it was asked for. So the second call is quick. With --museum and --program the bugs are those of another
directory, in programs that are built already: what a generator of bugs for every line of the core will use.

Exit codes: 0: every bug was found; 1: one was not; 2: wrong usage; 4: something could not be built, or run.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

import plant

TABLE_ENGINES = 'random,pct,pos,surw,portfolio'
PRESETS = {'any': 'clang-o2', 'asan': 'asan', 'tsan': 'tsan'}
MARKERS = ('<!-- runs to the first finding: ci/mutate --table -->', '<!-- end of the table -->')


def detector_of(oracle):
    """As the simulator's token.cpp has it."""
    kind = oracle.removeprefix('^')
    if re.match('AddressSanitizer|UndefinedBehavior|LeakSanitizer', kind):
        return 'asan'
    return 'tsan' if kind.startswith('ThreadSanitizer') else 'any'


def parsed(output):
    """What `canary` has printed, as a row; None when it is nothing that it prints."""
    line = re.search(r'^\S+: (?:found by (?P<by>\S+) from each of|NOT FOUND by (?P<missed_by>\S+) with .* from) .*?'
                     r'(?P<median>\d+) (?:runs )?in the median', output, re.MULTILINE)
    if not line:
        return None
    small = re.search(r'^\d+ times of \d+, with (\d+) choices \((\d+) of them', output, re.MULTILINE)
    return {'property': line['by'] or line['missed_by'], 'found': line['by'] is not None, 'median': int(line['median']),
            'choices': int(small[1]) if small else None, 'not_calm': int(small[2]) if small else None}


def environment_of(source, preset):
    """The sanitizers' options, as CMakePresets.json has them."""
    presets = {one['name']: one for one in json.loads((source / 'CMakePresets.json').read_text())['configurePresets']}
    environment, names = {}, [preset]
    while names:
        one = presets[names.pop(0)]
        environment = {**one.get('environment', {}), **environment}
        inherited = one.get('inherits', [])
        names += [inherited] if isinstance(inherited, str) else inherited
    return {**os.environ, **environment}


def built(source, detectors, jobs):
    programs = {}
    for detector in sorted(detectors):
        preset = PRESETS[detector]
        # With a sanitizer, only what needs it: the rest takes minutes to build.
        target = 'planted_properties' if detector == 'any' else 'canary_properties'
        print(f'ci/mutate: building {target} in build/{preset}', file=sys.stderr)
        for command in (['cmake', '--preset', preset],
                        ['cmake', '--build', '--preset', preset, '--target', target, '-j', str(jobs)]):
            done = subprocess.run(command, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                print(done.stdout, f'ci/mutate: cannot build in build/{preset}', sep='\n', file=sys.stderr)
                raise SystemExit(4)
        programs[detector] = source / 'build' / preset / 'property' / target
    return programs


class Question:
    """How soon one property finds one bug by one engine."""

    def __init__(self, source, bug, property_name, engine, orders):
        self.bug, self.property, self.engine, self.source = bug, property_name, engine, source
        self.detector = detector_of(bug.fields['oracle'])
        # The program asks all properties that a bug names; each is a row of its own.
        self.options = ['--seeds', str(orders.seeds), '--runs', str(orders.runs), '--engine', engine,
                        '--replays', '0' if orders.table else '10', '--only', property_name]
        sources = [bug.path, *sorted((source / 'core/acairo').iterdir()), *sorted((source / 'core/simulator/acairo').iterdir()),
                   source / 'property/properties' / f'{property_name}.cpp', source / 'property/properties/support.hpp']
        digest = hashlib.sha256(repr([bug.name, *self.options]).encode())
        for path in sources:
            digest.update(path.read_bytes() if path.is_file() else b'')
        self.cache = source / 'build/mutate' / f'{digest.hexdigest()[:32]}.json'

    def cached(self):
        return json.loads(self.cache.read_text()) if self.cache.is_file() else None

    def answered(self, programs):
        try:
            done = subprocess.run([programs[self.detector], 'canary', self.bug.name, *self.options], text=True, timeout=1800,
                                  cwd=self.source, env=environment_of(self.source, PRESETS[self.detector]),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            raise SystemExit(f'ci/mutate: {self.bug.name} has not ended after half an hour')
        row = parsed(done.stdout)
        if done.returncode not in (0, 1) or row is None:
            print(done.stdout, f'ci/mutate: canary {self.bug.name} ended with {done.returncode}', sep='\n', file=sys.stderr)
            raise SystemExit(4)
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        self.cache.write_text(json.dumps(row))
        return row


def answers_of(questions, source, orders):
    answers = {question: question.cached() for question in questions}
    missing = [question for question in questions if answers[question] is None]
    if missing:
        # What takes longest comes first, so that nobody waits for it in the end.
        missing.sort(key=lambda question: question.detector == 'any')
        programs = dict(orders.program) or built(source, {question.detector for question in missing}, orders.jobs)
        with concurrent.futures.ThreadPoolExecutor(orders.jobs) as pool:
            futures = {pool.submit(question.answered, programs): question for question in missing}
            for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
                answers[futures[future]] = future.result()
                if number % 20 == 0:
                    print(f'ci/mutate: {number} of {len(missing)}', file=sys.stderr)
    return answers


def print_rows(answers, runs):
    width = max(len(question.bug.name) for question in answers)
    for question, row in answers.items():
        how = f'found by {row["property"]}, {question.engine}, after {row["median"]} runs' if row['found'] else \
            f'SURVIVED {row["property"]}, {question.engine}, {runs} runs'
        small = '' if row['choices'] is None else f', shrunk to {row["choices"]} choices ({row["not_calm"]} not calm)'
        print(f'{question.bug.name:{width}}  {how}{small}')


def table_of(answers, engines, runs, seeds):
    """Markdown: the median runs of each bug by each engine, and below how they compare over all."""
    medians = {}
    for question, row in answers.items():
        medians.setdefault((question.bug.name, question.property), {})[question.engine] = row['median'] if row['found'] else None

    def shown(value, best):
        return '—' if value is None else f'**{value}**' if value == best else str(value)

    lines = [f'Medians over {seeds} seeds, of {runs} runs at most from each.\n', '| bug | property | ' + ' | '.join(engines) + ' |', '|---|---|' + '---:|' * len(engines)]
    for (bug, property_name), row in sorted(medians.items()):
        best = min((value for value in row.values() if value is not None), default=None)
        lines.append(f'| {bug} | {property_name} | ' + ' | '.join(shown(row[engine], best) for engine in engines) + ' |')
    found = {engine: [row[engine] for row in medians.values() if row[engine] is not None] for engine in engines}
    lines.append(f'| found from every seed, of {len(medians)} | | ' + ' | '.join(str(len(found[engine])) for engine in engines) + ' |')
    means = []
    for engine in engines:
        means.append(f'{statistics.geometric_mean([row[engine] or runs for row in medians.values()]):.0f}')
    lines.append(f'| geometric mean, with {runs} for — | | ' + ' | '.join(means) + ' |')
    return '\n'.join(lines)


def put_between(path, markers, text):
    content = path.read_text()
    begin, end = (content.find(marker) for marker in markers)
    if begin < 0 or end < begin:
        raise SystemExit(f'ci/mutate: {path} has no lines "{markers[0]}" and "{markers[1]}"')
    path.write_text(content[:begin] + markers[0] + '\n' + text + '\n' + content[end:])


def program_of(text):
    detector, separator, path = text.partition('=')
    if not separator or detector not in PRESETS:
        raise argparse.ArgumentTypeError(f'{text!r} is not one of {", ".join(PRESETS)}, then =, then a program')
    return detector, path


def main():
    parser = argparse.ArgumentParser(prog='ci/mutate', description='Plants the museum\'s bugs one at a time, and prints which '
                                     'property finds each, and after how many runs. Exit 1: one survives.')
    parser.add_argument('source', type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument('--only', action='append', metavar='BUG', help='only this one (may be repeated)')
    parser.add_argument('--seeds', type=int, default=10, help='the median is over so many (default: 10)')
    parser.add_argument('--runs', type=int, default=10_000, help='at most so many runs from each (default: 10000)')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='so many at once (default: the processors)')
    parser.add_argument('--engines', default=None, metavar='LIST', help='with commas between (default: portfolio)')
    parser.add_argument('--table', action='store_true', help='writes the table of stress/README.md: ' + TABLE_ENGINES)
    parser.add_argument('--museum', type=pathlib.Path, help='another directory of bugs, for which --program is needed')
    parser.add_argument('--program', action='append', default=[], type=program_of, metavar='DETECTOR=PROGRAM',
                        help='built already, with the bugs planted; DETECTOR is any, asan or tsan')
    orders = parser.parse_args()
    if orders.museum and not orders.program:
        parser.error('--museum wants a --program that was planted with it')
    engines = (orders.engines or (TABLE_ENGINES if orders.table else 'portfolio')).split(',')
    bugs = plant.museum(orders.museum or orders.source / 'stress/museum')
    for name in orders.only or []:
        if name not in (bug.name for bug in bugs):
            parser.error(f'no bug "{name}"')
    questions = [Question(orders.source, bug, property_name, engine, orders) for bug in bugs
                 if not orders.only or bug.name in orders.only
                 for property_name in bug.fields['property'].split() for engine in engines]
    answers = answers_of(questions, orders.source, orders)
    survived = {question.bug.name for question in questions} - \
        {question.bug.name for question, row in answers.items() if row['found']}
    if orders.table:
        put_between(orders.source / 'stress/README.md', MARKERS, table_of(answers, engines, orders.runs, orders.seeds))
        print('the table is in stress/README.md')
    else:
        print_rows(answers, orders.runs)
    print(f'{len({question.bug.name for question in questions})} bugs, {len(survived)} survived'
          + ''.join(f'\n  {name}' for name in sorted(survived)))
    return 1 if survived else 0


if __name__ == '__main__':
    sys.exit(main())
