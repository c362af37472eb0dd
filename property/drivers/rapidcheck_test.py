#!/usr/bin/env python3
"""What RapidCheck finds has the life of every other failure: rapidcheck_test.py PROGRAM TOOL, both with planted bugs.

A bug that an oracle sees, and one that ends the process, are found; the minimum is printed as a command, small, with its story;
and its token fails each time.
"""
import re
import subprocess
import sys


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250)
    return done.returncode, done.stdout


def check(holds, what, output):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output[-5000:]}')


program, tool = sys.argv[1:]
for prop, bug, verdict in (('stop_ends_every_connection', 'stop_before_the_wait', 'deadlock'),
                           ('an_echo_comes_back', 'double_resume', 'check failed: ')):
    status, output = run(program, f'--gtest_filter=*/{prop}', f'--plant={bug}')
    check(status == 1, f'RapidCheck finds {bug}', output)
    check(re.search(f'^FAILED: {prop}: ({verdict})', output, re.MULTILINE), 'the verdict comes first', output)
    token = re.search(r'^  ci/repro (\S+)$', output, re.MULTILINE)
    check(token and f':{prop}+{bug}:' in token[1], 'then the command', output)
    check(re.search(r'^ +\d+  thread ', output, re.MULTILINE), 'then the story', output)
    sizes = re.search(r'shrunk from (\d+) choices \((\d+) of them not calm\) to (\d+) \((\d+)\)', output)
    check(sizes and int(sizes[4]) <= 5, 'then the sizes: few choices are left that are not calm', output)
    print(bug, sizes[0])
    status, output = run(tool, 'repro', token[1], '--times', '10')
    check(status == 1 and 'failed 10 times of 10' in output, 'the token fails each time', output)
