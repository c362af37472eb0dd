#!/usr/bin/env python3
"""A failure with real threads is handed to the simulator, whose token replays it; and the report says what came out.

    handover_test.py STRESS SIMULATOR OTHER

STRESS and SIMULATOR are programs with the same planted bugs, OTHER is a simulator's program without any.
"""
import re
import subprocess
import sys

# The bug, who finds it, and what it is called in both worlds. The race is seen by the thread sanitizer only.
BUGS = [('leaked_descriptor', 'spawned_tasks_run_once', 'leaked descriptor'),
        ('lost_wake_up', 'close_ends_both_waiters', 'deadlock'),
        ('unordered_publication', 'spawned_tasks_run_once', 'ThreadSanitizer: data race')]


def run(*command):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors='replace')
    return done.returncode, done.stdout


def require(holds, what, output):
    if not holds:
        raise SystemExit(f'{what}:\n{output}')


def main():
    stress, simulator, other = sys.argv[1:]
    for bug, name, kind in BUGS:
        if kind.startswith('ThreadSanitizer') and not detects_races(stress):
            continue
        status, output = run(stress, '--plant', bug, '--only', name, '--seconds', '60', '--simulator', simulator)
        require(status == 1, f'{bug}: exit {status}, and must be 1', output)
        require(f'FAILED: {name}: {kind}\n' in output, f'{bug} is not called "{kind}"', output)
        require('it has found the same failure' in output, f'{bug}: the simulator has not found the same', output)
        token = re.search(r'^  ci/repro (\S+)$', output, re.MULTILINE)
        require(token, f'{bug}: no token', output)
        status, replayed = run(simulator, 'repro', token[1])
        require(status == 1, f'{bug}: the token does not fail again (exit {status})', replayed)
        require(f'FAILED: {name}: {kind}\n' in replayed, f'{bug}: the token is of another failure', replayed)
        print(f'{bug}: {kind}: {token[1][:60]}...')

    # Nobody is told of a failure that was not found.
    command = (stress, '--plant', 'leaked_descriptor', '--only', BUGS[0][1])
    status, output = run(*command)
    require(status == 1 and 'not handed to the simulator' in output, 'without a simulator', output)
    status, output = run(*command, '--simulator', '/bin/true')
    require(status == 1 and 'it has not found the failure there' in output, 'with a simulator that finds nothing', output)
    status, output = run(*command, '--simulator', other)
    require(status == 1 and 'it has ended with 2: no planted bug' in output, 'with a simulator without the bug', output)


def detects_races(program):
    with open(program, 'rb') as contents:
        return b'__tsan_init' in contents.read()


if __name__ == '__main__':
    main()
