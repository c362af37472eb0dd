#!/usr/bin/env python3
"""ci/repro --bisect, in a repository of eight commits: bisect_test.py ROOT PLANTED.

What is built there is a call of PLANTED, which has the museum's bugs, with the bug that the commit has in a file. So it is found
which commit brought it: by the token where that is fresh, by searching where it is stale; past a commit that cannot be built.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, PLANTED = (pathlib.Path(path).resolve() for path in sys.argv[1:])
BUG, PROPERTY = 'closed_under_a_call', 'close_ends_both_waiters'
BUILD = f'''#!/bin/sh
set -e
! test -e broken || {{ echo 'error: no semicolon'; exit 1; }}
mkdir -p "build/$PRESET/property"
bug=$(cat bug)
printf '#!/bin/sh\\nexec "{PLANTED}" %s "$@"\\n' "${{bug:+--plant $bug}}" >"build/$PRESET/property/$TARGET"
chmod +x "build/$PRESET/property/$TARGET"
'''


def run(*words, at, status=0):
    done = subprocess.run([str(word) for word in words], cwd=at, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250)
    if done.returncode != status:
        sys.exit(f'FAILED: {words} ended with {done.returncode}, not {status}:\n{done.stdout}')
    return done.stdout


def expect(pattern, text):
    if not re.search(pattern, text, re.MULTILINE):
        sys.exit(f'FAILED: there is no {pattern!r} in\n{text}')


with tempfile.TemporaryDirectory() as directory:
    at = pathlib.Path(directory)
    # The user's own configuration is nobody's business here.
    os.environ.update(GIT_CONFIG_GLOBAL='/dev/null', GIT_CONFIG_NOSYSTEM='1', GIT_AUTHOR_NAME='A', GIT_AUTHOR_EMAIL='a@b',
                      GIT_COMMITTER_NAME='A', GIT_COMMITTER_EMAIL='a@b')
    run('git', 'init', '--quiet', '.', at=at)
    (at / '.gitignore').write_text('/build/\n')
    (at / 'build.sh').write_text(BUILD)
    commits = {}
    for subject, files in {'nothing yet': {'bug': ''}, 'a change': {'a': '1'}, 'another bug': {'bug': 'frames_abandoned'},
                           'without it': {'bug': ''}, 'a word is missing': {'broken': ''}, 'the word': {'broken': None},
                           'closing is faster': {'bug': BUG}, 'a late change': {'a': '2'}}.items():
        for name, text in files.items():
            (at / name).write_text(text) if text is not None else (at / name).unlink()
        run('git', 'add', '--all', at=at)
        run('git', 'commit', '--quiet', '--message', subject, at=at)
        commits[subject] = run('git', 'rev-parse', 'HEAD', at=at).strip()
    (at / 'a').write_text('not committed')
    before = [run('git', *words, at=at) for words in (['status', '--short'], ['rev-parse', 'HEAD'], ['branch'], ['worktree', 'list'])]

    found = run(PLANTED, '--plant', BUG, '--only', PROPERTY, '--runs', '1000', '--seconds', '200', at=at, status=1)
    token = re.search(r'ci/repro (\S+)', found)[1].replace('+' + BUG, '')

    def bisect(its_token, good, bad, status):
        return run('python3', '-B', ROOT / 'stress/bisecting.py', '.', its_token, commits[good], commits[bad], '--preset', 'clang-o2',
                   '--runs', '200', '--build-command', 'sh build.sh', at=at, status=status)

    output = bisect(token, 'nothing yet', 'a late change', 1)
    expect(r'BAD +built in \d+ s; replayed: misuse$', output)
    expect(r'good +built in \d+ s; replayed: does not fail$', output)
    expect(f'the first commit that fails, misuse:\n{commits["closing is faster"]}', output)

    # Stale at each commit: the recording, of another bug, finds nothing there, and the search does.
    found = run(PLANTED, '--plant', 'close_wakes_nobody', '--only', PROPERTY, '--runs', '1000', '--seconds', '200', at=at, status=1)
    other = re.search(r'ci/repro (\S+)', found)[1].replace('+close_wakes_nobody', '')
    output = bisect(re.sub(r':\w{8}:', ':00000000:', other), 'a change', 'a late change', 1)
    expect(r'BAD +built in \d+ s; replayed, though stale here: does not fail; searched from seed 1, \d+ runs: misuse$', output)
    expect(r'good +built in \d+ s; .*; searched from seed 1, 200 runs: no failure$', output)
    expect(f'the first commit that fails, misuse:\n{commits["closing is faster"]}', output)

    # What cannot be built is skipped, and named when it may be the one.
    run('git', 'checkout', '--quiet', '--force', commits['a word is missing'], at=at)
    (at / 'bug').write_text(BUG)
    run('git', 'commit', '--quiet', '--all', '--message', 'the bug, unbuilt', at=at)
    (at / 'broken').unlink()
    run('git', 'commit', '--quiet', '--all', '--message', 'built again', at=at)
    commits['built again'] = run('git', 'rev-parse', 'HEAD', at=at).strip()
    output = bisect(token, 'without it', 'built again', 4)
    expect(r'skipped +cannot be built: error: no semicolon$', output)
    expect(r'one of these.*\n.*(built again|the bug, unbuilt|a word is missing)', output)
    run('git', 'checkout', '--quiet', '--force', 'master' if 'master' in before[2] else 'main', at=at)
    (at / 'a').write_text('not committed')

    expect('does not fail in', bisect(token, 'nothing yet', 'without it', 0))
    expect('is not good: name an older commit', bisect(token, 'closing is faster', 'a late change', 2))
    expect('is no ancestor of', bisect(token, 'a late change', 'nothing yet', 2))

    after = [run('git', *words, at=at) for words in (['status', '--short'], ['rev-parse', 'HEAD'], ['branch'], ['worktree', 'list'])]
    if before != after:
        sys.exit(f'FAILED: the checkout is not as it was:\n{before}\n{after}')
