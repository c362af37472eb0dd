#!/usr/bin/env python3
"""The life of a failure, as a user sees it: example_test.py PROGRAM, whose one property has a bug.

The search finds it and prints the verdict, the command, a story of at most 20 lines and the sizes; the token replays it every
time; a token that was changed is refused; a replay of another program's token says what is wrong.
"""
import re
import subprocess
import sys


def run(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250)
    return done.returncode, done.stdout


def check(holds, what, output):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output}')


status, output = run('--seconds', '20')
check(status == 1, f'a search that finds something ends with 1, not {status}', output)
lines = output.splitlines()
start = next((i for i, line in enumerate(lines) if line.startswith('FAILED: a_message_comes_back: ')), None)
check(start is not None, 'the verdict comes first', output)
check(re.search('the answer is the message|deadlock', lines[start]), 'the verdict says what was required', output)
token = re.fullmatch(r'  ci/repro (acairo1:a_message_comes_back:\S+)', lines[start + 1])
check(token, 'then the command that reproduces it', output)
story = [line for line in lines[start + 2:] if re.match(r' +\d+  thread ', line)]
check(0 < len(story) <= 20, 'then a story of at most 20 lines', output)
check(any('simulated_handler.cpp:' in line for line in story), 'which names places in the sources', output)
check(re.search(r'shrunk from \d+ choices .* to \d+', output), 'then the sizes', output)

status, output = run('repro', token[1], '--times', '100')
check(status == 1, f'a failure that reproduces ends with 1, not {status}', output)
check('failed 100 times of 100' in output, 'it fails each time', output)

status, output = run('repro', token[1][:-1] + ('A' if token[1][-1] != 'A' else 'B'))
check(status == 2, f'a token that was changed is refused with 2, not {status}', output)
status, output = run('repro', token[1].replace('a_message', 'no_message'))
check(status == 2, f'a token of a property that is not here is refused with 2, not {status}', output)
check('no_message_comes_back' in output, 'and is named', output)
stale = re.sub(r':[0-9a-f]{8}:', ':00000000:', token[1])
status, output = run('repro', stale)
check('stale' in output, 'a token of other sources says that it is stale', output)

status, output = run('--engine', 'enumeration', '--preemptions', '0', '--runs', '50', '--seconds', '20')
check(status in (0, 1), f'an enumeration ends with 0 or 1, not {status}', output)
check(re.search(r'\d+ runs, .* (which are all|not yet all) with at most 0 preemptions and 0 faults', output),
      'an enumeration says how many runs it made, and whether these are all', output)
