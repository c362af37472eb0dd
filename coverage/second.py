"""A second opinion: which lines of the core g++ has code on, and which of them ran.

Only lines, and only of the core: g++ counts hidden edges of exceptions and coroutines among its branches. It compiles the ordinary
tests, the scripted ones and the properties in the simulated world; a line that it has not seen run, and that clang has, is one of the
two compilers' mistakes, or of ours.
"""
import collections
import json
import os
import subprocess

import work

PRESET = 'coverage-gcc'
CORE = ('core/acairo/', 'core/linux/')
GROUPS = ('tests', 'scripted', 'simulated', 'faults')


def lines_in(said, directory, root, counts):
    """Adds what gcov says in JSON, a document a line, to counts[file][line]; of the files of the core, by their names in `root`."""
    for document in filter(None, said.split('\n')):
        for file in json.loads(document)['files']:
            name = os.path.relpath(os.path.join(directory, file['file']), root)
            if name.startswith(CORE):
                for line in file['lines']:
                    counts[name][line['line_number']] += line['count']


def counted(root, build):
    """How often each line ran, in all programs together, by file and number."""
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    data = sorted(build.rglob('*.gcda'))
    if not data:
        raise work.Failed(f'g++ has counted nothing: there is no .gcda file in {build}')
    for one in data:
        said = subprocess.run(['gcov-12', '--json-format', '--stdout', one], cwd=build, capture_output=True, text=True)
        if said.returncode:
            raise work.Failed(f'gcov-12 {one} failed: {said.stderr[-2000:]}')
        lines_in(said.stdout, build, root, counts)
    return counts


def differences(counts, files):
    """(file, line) where g++ has code that has never run, and clang's `files` (of joined.join()) say that it has."""
    return [(name, line) for name, lines in sorted(counts.items()) for line, count in sorted(lines.items())
            if count == 0 and name in files and files[name].lines.get(line, 0) > 0]


def opinion(root, place, jobs, again):
    """What g++ has counted, after it has built and run everything (again: of what ran last)."""
    build = place / 'gcc'
    if not again:
        work.build(root, place, jobs, PRESET, others=())
        for old in build.rglob('*.gcda'):
            old.unlink()
        runs = [run for run in work.runs_of(root, build) if run.group in GROUPS]
        failed = work.run_all(root, place / 'second', runs, jobs)
        if failed:
            raise work.Failed('with g++: ' + '\n'.join(failed))
    return counted(root, build)


def told(root, counts, files):
    """The lines to print, for people."""
    lines = [(name, line) for name, those in counts.items() for line in those]
    ran = sum(counts[name][line] > 0 for name, line in lines)
    sources = {name: (root / name).read_text().split('\n') for name in counts}
    yield f'g++ 12 sees {ran} of the {len(lines)} lines of the core on which it has code run'
    for name, line in differences(counts, files):
        yield f'clang saw it run, and g++ did not: {name}:{line}: {sources[name][line - 1].strip()}'
