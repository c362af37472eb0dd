#!/usr/bin/env python3
"""What ci/mutate and plant.py promise: mutate_test.py SOURCE PROGRAM, the program with what is in stress/survivor planted.

A bug that changes nothing survives, and ci/mutate ends with 1 and names it; one that is found makes it end with 0, once from the
program and once from what was kept; what a canary prints is read as it was meant; a bug whose lines are not in the core, or twice,
or half inside another one's, is refused, and named.
"""
import pathlib
import subprocess
import sys
import tempfile

source, program = pathlib.Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(source / 'stress'))
import mutate  # noqa: E402


def check(holds, what, output=''):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output}')


def mutated(*arguments):
    done = subprocess.run([source / 'ci/mutate', '--museum', source / 'stress/survivor', '--program', f'any={program}', '--seeds', '3',
                           '--runs', '200', '--jobs', '2', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250)
    return done.returncode, done.stdout


status, output = mutated()
check(status == 1, f'a survivor makes it end with 1, not {status}', output)
check('changes_nothing  SURVIVED an_echo_comes_back, portfolio, 200 runs' in output, 'the survivor has its row', output)
check('2 bugs, 1 survived\n  changes_nothing' in output, 'the survivor is named', output)
check('found_at_once    found by an_echo_comes_back, portfolio, after 1 runs, shrunk to' in output, 'and so is the one that is found', output)
for time in ('first', 'second'):
    status, output = mutated('--only', 'found_at_once')
    check(status == 0, f'when all are found it ends with 0, not {status}, the {time} time', output)
status, output = mutated('--only', 'no_such_bug')
check(status == 2, f'a bug that there is not is refused with 2, not {status}', output)

found = 'x: found by p_q from each of 10 seeds, after 7 runs in the median and 12 at most; also "deadlock" 2 times\n'
small = '10 times of 10, with 44 choices (3 of them not calm): ci/repro acairo1:p_q+x:0:any:1.A\n'
row = mutate.parsed(small + found)
check(row == {'property': 'p_q', 'found': True, 'median': 7, 'choices': 44, 'not_calm': 3}, 'a finding is read', row)
row = mutate.parsed('x: NOT FOUND by p_q with /^a from 7 of/ from 6 of 10 seeds in 500 runs, 500 in the median; also "a" 1 times\n')
check(row == {'property': 'p_q', 'found': False, 'median': 500, 'choices': None, 'not_calm': None}, 'a miss is read', row)
check(mutate.parsed('x: no property "p_q"\n') is None, 'anything else is not')


def refused(*bugs):
    with tempfile.TemporaryDirectory() as directory:
        museum = pathlib.Path(directory) / 'museum'
        museum.mkdir()
        for number, edit in enumerate(bugs):
            (museum / f'bug_{number}.bug').write_text(f'property: p\noracle: .\nfile: core/acairo/worker.hpp\n{edit}\n')
        done = subprocess.run([sys.executable, '-B', source / 'stress/plant.py', source, museum, pathlib.Path(directory) / 'planted'],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.stdout if done.returncode != 0 else ''


check('bug_0.bug: 0 times' in refused('-        no such line;\n+        nothing();'), 'lines that are not in the core')
check('must be once' in refused('~ return ==> throw'), 'an expression that stands there often')
check('bug_0 overlaps' in refused('~ newest == this ? nullptr : newest ==> newest', '~ message.next = newest == ==> 0')
      or 'bug_1' in refused('~ newest == this ? nullptr : newest ==> newest', '~ message.next = newest == ==> 0'), 'half inside another one')
check(refused('~ newest == this ? nullptr : newest ==> newest', '~ nullptr : newest ==> nullptr : newest') == '', 'one place inside another one')
