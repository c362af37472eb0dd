#!/usr/bin/env python3
"""How ci/repro ends, and what it says when something is wrong: repro_test.py ROOT PLANTED COIN.

PLANTED has the museum's bugs; COIN is coin.cpp beside this. Nothing is built: --program.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, PLANTED, COIN = (pathlib.Path(path).resolve() for path in sys.argv[1:])


def run(*words, at=ROOT, path=None):
    environment = {**os.environ, 'PATH': f'{path}:{os.environ["PATH"]}'} if path else None
    done = subprocess.run([str(word) for word in words], cwd=at, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=250, env=environment)
    return done.returncode, done.stdout


def expect(status, texts, *words, **how):
    """ci/repro with these words ends so, and says this."""
    got, output = run(ROOT / 'ci/repro', *words, **how)
    for text in texts:
        if got != status or text not in output:
            sys.exit(f'FAILED: ci/repro {" ".join(str(word) for word in words)[:300]}\nended with {got}, not {status}, or said no "{text}":\n{output}')
    return output


def token_of(program, *words, at=ROOT):
    _, output = run(program, *words, '--seconds', '200', at=at)
    found = re.search(r'^  ci/repro (\S+)$', output, re.MULTILINE)
    if not found:
        sys.exit(f'FAILED: {program} {words} finds nothing:\n{output}')
    return found[1]


BUG = ['--plant', 'close_wakes_nobody', '--only', 'close_ends_both_waiters', '--runs', '1000']
token = token_of(PLANTED, *BUG)
sound = token.replace('+close_wakes_nobody', '')
here = ['--program', PLANTED]

# 0 and 1: as it is, and with the bug; 3: now so, now so.
expect(0, ['close_ends_both_waiters: failed 0 times of 1'], sound, *here)
expect(1, ['FAILED: close_ends_both_waiters: failed: both waiters end', '\n      worker.hpp:', 'failed 5 times of 5'], token, '--times', '5', *here)
outputs = (run(COIN, '--only', 'a_coin_shows_heads', '--runs', '100', '--tries', '1')[1] for _ in range(60))
coin = next(found[0] for found in (re.findall(r'^  ci/repro (\S+)$', output, re.MULTILINE) for output in outputs) if found)
expect(3, ['repetitions disagree'], coin, '--times', '60', '--program', COIN)

# A token of other sources says so, and is replayed all the same.
stale = re.sub(r':[0-9a-f]{8}:', ':00000000:', token)
expect(1, ['stale: the token is of schema 00000000', '(stale) close_ends_both_waiters: failed 1 times of 1'], stale, *here)

# A long one is a file, from where it was made.
with tempfile.TemporaryDirectory() as directory:
    file = token_of(COIN, '--only', 'all_are_zero', '--runs', '10', '--tries', '1', at=directory)
    if not re.fullmatch(r'build/failures/all_are_zero-\d+\.token', file):
        sys.exit(f'FAILED: a token of 3,000 numbers is no file: {file[:200]}')
    expect(1, ['FAILED: all_are_zero', 'failed 1 times of 1'], file, '--program', COIN, at=directory)
    # What a fuzzer wrote down: any bytes are choices.
    (pathlib.Path(directory) / 'crash-of-partial_reads').write_bytes(bytes(range(64)))
    expect(0, ['reads_give_what_was_sent: does not fail here'], 'crash-of-partial_reads', *here, at=directory)
    (pathlib.Path(directory) / 'some.bytes').write_bytes(b'?')
    expect(2, ['say --target NAME'], 'some.bytes', at=directory)

    # 4: the build fails, and what it said is shown.
    tools = pathlib.Path(directory) / 'tools'
    tools.mkdir()
    (tools / 'cmake').write_text('#!/bin/sh\necho no such compiler\nexit 1\n')
    (tools / 'cmake').chmod(0o755)
    expect(4, ['no such compiler', 'cannot build simulated_properties in build/clang-o2'], sound, path=tools)

# 2: each says what is wrong, and what to do.
expect(2, ['no token'])
expect(2, ['not a token', 'copy it whole'], 'nonsense')
expect(2, ['5', 'copy it whole'], 'acairo1:close_ends_both_waiters', *here)
expect(2, ['no property, or no planted bug, "no_such_property"', 'see --list'], re.sub(r':\w+\+\w+:', ':no_such_property:', token), *here)
expect(2, ['found by tsan, which this build has not'], token.replace(':any:', ':tsan:'), *here)
expect(2, ["no preset 'no-such'", 'asan'], token, '--preset', 'no-such')
expect(2, ['no program'], token, '--program', '/no/such/program')
expect(2, ['two commits'], token, '--bisect', 'HEAD')
expect(2, ['no commit "no-such-commit"'], token, '--bisect', 'no-such-commit', 'HEAD')
expect(2, ['unknown option'], token, '--no-such-option')
expect(0, ['close_ends_both_waiters'], '--list', *here)
