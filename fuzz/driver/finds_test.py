#!/usr/bin/env python3
"""A fuzz target can fail: finds_test.py NAME FUZZER TOOL, both with planted bugs.

The fuzzer, with the target's bug planted, ends with a failure and an input within a bounded number of runs; in a fresh process
the tool makes a token of that input, and the token fails each time.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

RUNS = 200_000


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=110)
    return done.returncode, done.stdout.decode(errors='replace')


def check(holds, what, output):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output[-5000:]}')


name, fuzzer, tool = sys.argv[1:]
status, output = run(fuzzer, f'--target={name}', '--about')
check(status == 0, 'a target tells about itself', output)
prop, bug = output.split()

with tempfile.TemporaryDirectory() as directory:
    status, output = run(fuzzer, f'--target={name}', '--plant', f'-runs={RUNS}', '-seed=1', '-len_control=0', '-max_len=256',
                         '-detect_leaks=0', '-timeout=20',
                         f'-artifact_prefix={directory}/')
    found = list(pathlib.Path(directory).iterdir())
    check(status != 0 and len(found) == 1, f'{name} finds {bug} in {RUNS} runs, and writes it down', output)
    runs = re.findall(r'^#(\d+)', output, re.MULTILINE)
    print(f'{name}: {bug} found after more than {runs[-1] if runs else 0} runs: {found[0].name}, {found[0].stat().st_size} bytes')
    if bug != 'itself':  # of which the tool knows nothing
        status, output = run(tool, 'bytes', str(found[0]), '--only', prop, '--plant', bug, '--tries', '60')
        token = re.search(r'^  ci/repro (\S+)$', output, re.MULTILINE)
        check(status == 1 and token, 'the tool makes a token of it', output)
        check(f':{prop}+{bug}:' in token[1] or os.path.exists(token[1]), 'which names property and bug', output)
        print(output)
        status, output = run(tool, 'repro', token[1], '--times', '10')
        check(status == 1 and 'failed 10 times of 10' in output, 'which fails each time', output)
