#!/usr/bin/env python3
"""The life of a failure, as a user sees it: example_test.py PROGRAM, whose one property has a bug.

The search finds it and prints the verdict, the command, a story of at most 20 lines and the sizes; the token replays it every
time; a token that was changed is refused; a replay of another program's token says what is wrong.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile


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

# What else the tool can be asked for: each answer, and the status that goes with it.
with tempfile.TemporaryDirectory() as directory:
    place = pathlib.Path(directory)
    (place / 'calm').write_bytes(bytes(200))
    (place / 'token').write_text(token[1] + '\n')
    timeline = place / 'timeline.html'
    property_ = ('--only', 'a_message_comes_back')
    for status, part, arguments in [
            (0, 'a_message_comes_back\n', ['--list']),
            (2, 'no property "another": see --list', ['--only', 'another']),
            (2, 'no planted bug "one" in this program', ['canary', 'one']),
            (2, 'no planted bug "one" in this program', ['--plant', 'one']),
            (2, 'choices of one property', ['bytes', place / 'calm']),
            (0, 'does not fail here', ['bytes', place / 'calm', *property_]),
            (1, 'schema ', ['traces', '--runs', '20']),
            (0, '0 runs of 0 properties, 0 failures', ['--each-fault']),
            (2, 'its detector is "ghosts"', ['repro', token[1].replace(':any:', ':ghosts:')]),
            (2, 'it was found by tsan, which this build has not', ['repro', token[1].replace(':any:', ':tsan:')]),
            (None, 'at step ', ['repro', token[1], '--here']),  # with a leak sanitizer's status, where there is one
            (1, f'timeline: {timeline} and {timeline}.json', ['repro', place / 'token', '--timeline', timeline])]:
        if 'tsan' in part and run('repro', token[1].replace(':any:', ':tsan:'), '--times', '1')[0] != 2:
            continue  # a build that has it
        got, output = run(*arguments)
        check((got == status if status is not None else got != 0) and part in output, f'{arguments} ends with {status}, not {got}, and says "{part}"', output)
    check(timeline.read_text().startswith('<!') and json.loads(pathlib.Path(f'{timeline}.json').read_text()), 'the timeline is there', '')

    # A fuzzer's input that fails becomes a token; of some wild ones, one does.
    for seed in range(50):
        (place / 'wild').write_bytes(bytes(byte * (167 + seed) % 251 for byte in range(3000)))
        status, output = run('bytes', place / 'wild', *property_, '--tries', '20')
        if status != 0:
            break
    check(status == 1 and 'ci/repro acairo1:a_message_comes_back:' in output, 'a wild input is told of as a failure is', output)
