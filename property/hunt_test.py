"""ci/hunt over programs that only say what they have found: what it makes of their words, and how it ends."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

SOURCE = pathlib.Path(sys.argv[1])
FAILURE = '''FAILED: an_echo_comes_back: deadlock
  ci/repro acairo1:an_echo_comes_back:12345678:any:1.AA
      12  thread 0  close(3) = 0
  shrunk from 9 choices (2 of them not calm) to 4 (1), 30 steps
'''
QUIET = '''echo '[1/2] an_echo_comes_back: 1000 runs, 500 a second'
echo '[2/2] close_ends_both_waiters: 234 runs, 117 a second'
echo '1234 runs of 2 properties, 0 failures'
'''
LOUD = f'''echo '[1/2] an_echo_comes_back: 10 runs, 5 a second, and one fails'
cat <<'TEXT'
{FAILURE}TEXT
echo '[2/2] close_ends_both_waiters: 20 runs, 10 a second'
echo '30 runs of 2 properties, 1 failures'
exit 1
'''
FUZZER = '''printf '#128\\tNEW    cov: 10 ft: 20 corp: 3/9b\\n#256\\tREDUCE cov: 10 ft: 31 corp: 3/9b\\n'
'''


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\n' + text)
    path.chmod(0o755)


def hunt(programs, *arguments, fuzzer=FUZZER):
    """Exit code, what was printed, and the folder of the report."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        shutil.copytree(SOURCE / 'stress/hunt', root / 'stress/hunt', ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(SOURCE / 'CMakePresets.json', root)
        script(root / 'bin/cmake', 'exit 0\n')
        script(root / 'ci/repro', f"cat <<'TEXT'\n{FAILURE}TEXT\nexit 1\n")
        listing = 'case " $* " in *" --list "*) echo an_echo_comes_back; echo close_ends_both_waiters; exit 0 ;; esac\n'
        for preset in ('clang-o2', 'asan', 'tsan'):
            script(root / 'build' / preset / 'property/simulated_properties', listing + programs.get(preset, QUIET))
        (root / 'fuzz').mkdir()
        for target in ('partial_reads', 'tokens'):
            (root / f'fuzz/{target}.cpp').write_text('// What it does.\n')
            script(root / 'build/fuzz/fuzz' / target, fuzzer if target == 'partial_reads' else FUZZER)
        environment = {**os.environ, 'PATH': f'{root}/bin:{os.environ["PATH"]}'}
        done = subprocess.run([sys.executable, '-B', root / 'stress/hunt', '--seconds', '1', '--jobs', '2', *arguments],
                              env=environment, capture_output=True, text=True, timeout=100)
        report = root / 'build/hunt'
        files = {p.relative_to(report).as_posix(): p.read_text(errors='replace') for p in report.rglob('*') if p.is_file()}
        return done.returncode, done.stdout + done.stderr, files


def expect(condition, *what):
    if not condition:
        print('FAILED:', *what)
        sys.exit(1)


def a_quiet_hunt_ends_green():
    status, text, files = hunt({})
    expect(status == 0, status, text)
    last = text.strip().splitlines()[-1]
    expect('nothing found' in text and '2 properties and 2 fuzz targets' in text, last)
    expect('5,448 runs' in text, 'four programs of 1,234 runs and two of 256:', text)
    page = files['index.html']
    expect('<polyline points' in page and 'partial_reads 31' in page, 'the growth of a fuzz target is drawn')
    expect('close_ends_both_waiters' in page, 'each property is listed')
    suites = xml.fromstring(files['junit.xml'])
    expect(not suites.findall('.//failure') and len(suites.findall('.//testcase')) >= 8, files['junit.xml'])
    expect(json.loads(files['findings.sarif'])['runs'][0]['results'] == [], files['findings.sarif'])
    expect(json.loads(files['state.json'])['seed'] > 1, 'the next hunt goes on with other seeds')


def a_failure_is_told_once_and_kept():
    status, text, files = hunt({'tsan': LOUD, 'asan': LOUD})
    expect(status == 1, status, text)
    expect('1 failure found' in text, 'two programs that find the same have found one failure:', text)
    expect('ci/repro acairo1:an_echo_comes_back' in text, text)
    expect(any(name.startswith('findings/') and FAILURE.splitlines()[2] in body for name, body in files.items()), sorted(files))
    expect('<div class="finding">' in files['index.html'], 'the page shows it')
    failure = xml.fromstring(files['junit.xml']).find('.//failure')
    expect(failure is not None and failure.get('message') == 'deadlock', files['junit.xml'])
    found = json.loads(files['findings.sarif'])['runs'][0]
    expect([r['id'] for r in found['tool']['driver']['rules']] == ['deadlock'], found)


def what_a_fuzzer_died_of_becomes_a_token():
    died = FUZZER + 'for word; do case $word in -artifact_prefix=*) echo x > "${word#-artifact_prefix=}crash-1" ;; esac; done\nexit 77\n'
    status, text, _ = hunt({}, fuzzer=died)
    expect(status == 1 and 'found by fuzz partial_reads' in text, status, text)


def a_program_that_breaks_is_no_green_hunt():
    status, text, _ = hunt({'asan': 'echo cannot start; exit 9\n'})
    expect(status == 4 and 'cannot start' in text, status, text)


def only_what_was_asked_for_runs():
    status, text, files = hunt({}, '--only', 'partial_reads')
    expect(status == 0 and '0 properties and 1 fuzz targets' in text, status, text)
    status, text, _ = hunt({}, '--only', 'nothing_of_the_kind')
    expect(status == 2 and 'nothing_of_the_kind' in text, status, text)


for test in (a_quiet_hunt_ends_green, a_failure_is_told_once_and_kept, what_a_fuzzer_died_of_becomes_a_token,
             a_program_that_breaks_is_no_green_hunt, only_what_was_asked_for_runs):
    test()
    print('passed', test.__name__)
