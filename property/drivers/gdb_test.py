#!/usr/bin/env python3
"""A failure in the debugger, as a user sees it: gdb_test.py PROGRAM, whose one property has a bug.

`repro TOKEN --gdb` stops where the run fails, on the stack of the fiber that failed. Skipped (77) where there is no gdb, or
where it may not trace.
"""
import re
import shutil
import subprocess
import sys


def run(*arguments, commands=''):
    done = subprocess.run([sys.argv[1], *arguments], input=commands, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=250)
    return done.returncode, done.stdout


def check(holds, what, output):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output}')


if not shutil.which('gdb'):
    print('skipped: no gdb; install Debian\'s package gdb')
    sys.exit(77)
_, output = run('--seconds', '20')
token = re.search(r'ci/repro (acairo1:\S+)', output)
check(token, 'the search finds the bug', output)

status, output = run('repro', token[1], '--here')
check(status == 1, f'it fails in the process itself, too: 1, not {status}', output)

_, output = run('repro', token[1], '--gdb', commands='backtrace\nkill\nquit\n')
if re.search(r'ptrace: Operation not permitted|Could not trace the inferior|Cannot trace', output):
    print('skipped: this machine does not let gdb trace')
    sys.exit(77)
check(re.search(r'Breakpoint \d+, .*acairo::simulator::Scheduler::fail', output), 'gdb stops where the run fails', output)
stack = output[output.index('Scheduler::fail'):]
check('a_message_comes_back' in stack or 'Scheduler::block' in stack or 'next_after_wait' in stack,
      'on the stack of the fiber that fails', output)
