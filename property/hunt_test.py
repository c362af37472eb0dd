"""ci/hunt over programs that only say what they have found: what it makes of their words, and how it ends."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

SOURCE = pathlib.Path(sys.argv[1])
FAILURE = '''FAILED: an_echo_comes_back: deadlock
  ci/repro acairo1:an_echo_comes_back:12345678:any:1.AA
      12  thread 0  close(3) = 0                              tcp.cpp:84 bind < an_echo_comes_back.cpp:34 an_echo_comes_back
  shrunk from 9 choices (2 of them not calm) to 4 (1), 30 steps
'''
QUIET = '''echo '[1/2] an_echo_comes_back: 1000 runs, 500 a second, 400 interleavings'
echo '[2/2] close_ends_both_waiters: 234 runs, 117 a second, 34 interleavings'
echo '1234 runs of 2 properties, 0 failures'
'''
LOUD = f'''echo '[1/2] an_echo_comes_back: 10 runs, 5 a second, 9 interleavings, and one fails'
cat <<'TEXT'
{FAILURE}TEXT
echo '[2/2] close_ends_both_waiters: 20 runs, 10 a second, 20 interleavings'
echo '30 runs of 2 properties, 1 failures'
exit 1
'''
FUZZER = '''printf '#128\\tNEW    cov: 10 ft: 20 corp: 3/9b\\n#256\\tREDUCE cov: 10 ft: 31 corp: 3/9b\\n'
'''


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\n' + text)
    path.chmod(0o755)


LISTING = 'case " $* " in *" --list "*) echo an_echo_comes_back; echo close_ends_both_waiters; echo planted: a_bug; exit 0 ;; esac\n'
THREADS = 'echo "[1/1] an_echo_comes_back: 10 runs, 5 a second"\n'
LOAD = 'echo "[1/1] a_crowd_leaves: 2 runs"\n'
SILENT_REPRO = 'case " $* " in *" repro "*) exit ${REPRO-1} ;; esac\n'


class Ground:
    """A folder in which a hunt can be called: the real scripts, and programs that only say what they have found."""

    def __init__(self, programs, fuzzer=FUZZER):
        self.directory = tempfile.TemporaryDirectory()
        root = self.root = pathlib.Path(self.directory.name)
        shutil.copytree(SOURCE / 'stress/hunt', root / 'stress/hunt', ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(SOURCE / 'CMakePresets.json', root)
        script(root / 'bin/cmake', 'exit 0\n')
        script(root / 'ci/repro', 'echo "an_echo_comes_back: failed ${TIMES-100} times of 100"; exit 1\n')
        for name in ('core/acairo/tcp.cpp', 'property/properties/an_echo_comes_back.cpp', 'fuzz/partial_reads.cpp', 'fuzz/tokens.cpp'):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text('// What it does.\n')
        for preset in ('clang-o2', 'asan', 'tsan'):
            for program in ('simulated_properties', 'planted_properties'):
                script(root / 'build' / preset / 'property' / program, LISTING + SILENT_REPRO + programs.get(preset, QUIET))
        for program, said in (('stress_properties', THREADS), ('load', LOAD)):
            script(root / 'build/tsan/stress' / program, programs.get(program, said))
        script(root / 'build/fuzz/property/simulated_properties', f"cat <<'TEXT'\n{FAILURE}TEXT\nexit 1\n")
        for target in ('partial_reads', 'tokens'):
            about = 'case " $* " in *" --about "*) echo an_echo_comes_back a_bug; exit 0 ;; esac\n'
            script(root / 'build/fuzz/fuzz' / target, about + (fuzzer if target == 'partial_reads' else FUZZER))

    def hunt(self, *arguments, **environment):
        """Exit code, what was printed, and the folder of the report."""
        environment = {**{name: value for name, value in os.environ.items() if not name.startswith('GITHUB')},
                       'PATH': f'{self.root}/bin:{os.environ["PATH"]}', **environment}
        done = subprocess.run([sys.executable, '-B', self.root / 'stress/hunt', '--seconds', '1', '--jobs', '2', *arguments],
                              cwd=self.root, env=environment, capture_output=True, text=True, timeout=100)
        report = self.root / 'build/hunt'
        files = {p.relative_to(report).as_posix(): p.read_text(errors='replace') for p in report.rglob('*') if p.is_file()}
        return done.returncode, done.stdout + done.stderr, files


def hunt(programs, *arguments, fuzzer=FUZZER, **environment):
    return Ground(programs, fuzzer).hunt(*arguments, **environment)


def expect(condition, *what):
    if not condition:
        print('FAILED:', *what)
        sys.exit(1)


def a_quiet_hunt_ends_green():
    status, text, files = hunt({})
    expect(status == 0, status, text)
    last = text.strip().splitlines()[-1]
    expect('nothing found' in text and '2 properties, 1 scenario of load and 2 fuzz targets' in text, last)
    expect('15,356 runs' in text, 'four programs of 1,234 runs in three rounds each, two of 256, and those of 10 and of 2 in three:', text)
    expect('5,208 interleavings' in text, text)
    page = files['index.html']
    expect(page.count('<polyline points') == 6 and 'partial_reads 31' in page, 'the growth of each program is drawn')
    expect('close_ends_both_waiters' in page, 'each property is listed')
    suites = xml.fromstring(files['junit.xml'])
    expect(not suites.findall('.//failure') and len(suites.findall('.//testcase')) >= 8, files['junit.xml'])
    expect(json.loads(files['findings.sarif'])['runs'][0]['results'] == [], files['findings.sarif'])
    expect(json.loads(files['state.json'])['seed'] > 1, 'the next hunt goes on with other seeds')


def a_failure_is_told_once_and_kept():
    ground = Ground({'tsan': LOUD, 'asan': LOUD})
    status, text, files = ground.hunt()
    expect(status == 1, status, text)
    expect('1 failure found' in text and text.count('found by') == 1, 'two programs that find the same have found one failure:', text)
    expect('ci/repro acairo1:an_echo_comes_back' in text, text)
    expect(any(name.startswith('findings/') and FAILURE.splitlines()[2] in body for name, body in files.items()), sorted(files))
    expect('<div class="card finding">' in files['index.html'], 'the page shows it')
    expect('::error' not in text, 'annotations are for hosted CI')
    failure = xml.fromstring(files['junit.xml']).find('.//failure')
    expect(failure is not None and failure.get('message') == 'deadlock', files['junit.xml'])
    found = json.loads(files['findings.sarif'])['runs'][0]
    rules = [rule['id'] for rule in found['tool']['driver']['rules']]
    result = found['results'][0]
    expect(result['ruleId'] == 'deadlock' and rules[result['ruleIndex']] == 'deadlock' and 'race' in rules, found)
    place = result['locations'][0]['physicalLocation']
    expect(place['artifactLocation']['uri'] == 'core/acairo/tcp.cpp' and place['region']['startLine'] == 84, place)

    _, _, files = hunt({'tsan': LOUD.replace('deadlock', 'failed: the echo is what was sent')})
    required = json.loads(files['findings.sarif'])['runs'][0]['results'][0]
    place = required['locations'][0]['physicalLocation']
    expect(required['ruleId'] == 'requirement' and place['artifactLocation']['uri'] == 'property/properties/an_echo_comes_back.cpp' and
           place['region']['startLine'] == 34, required)

    # The next hunt knows it, whatever that finds itself; and forgets it when it no longer fails.
    for preset in ('tsan', 'asan'):
        script(ground.root / 'build' / preset / 'property/simulated_properties', LISTING + SILENT_REPRO + QUIET)
    status, text, _ = ground.hunt()
    expect(status == 1 and 'by an earlier hunt' in text, status, text)
    status, text, files = ground.hunt(REPRO='0')
    expect(status == 0 and 'no longer fails' in text, status, text)
    expect(not any(name.startswith('findings/') for name in files), sorted(files))


def hosted_ci_is_told_where():
    with tempfile.NamedTemporaryFile('r') as step:
        status, text, _ = hunt({'tsan': LOUD}, GITHUB_ACTIONS='true', GITHUB_STEP_SUMMARY=step.name)
        expect(status == 1 and '::error file=core/acairo/tcp.cpp,line=84,title=an_echo_comes_back%3A deadlock::FAILED' in text, text)
        markdown = step.read()
    expect('ci/repro acairo1:' in markdown and '| TSan, portfolio |' in markdown, markdown)


def a_planted_hunt_ends_when_it_has_found():
    status, text, files = hunt({'clang-o2': LOUD.replace('exit 1', 'exec sleep 60'), 'tsan': 'exec sleep 60\n', 'asan': 'exec sleep 60\n'},
                               '--plant', 'a_bug', '--seconds', '80')
    expect(status == 1 and '1 failure found' in text, status, text)
    expect('planted/index.html' in files and 'index.html' not in files, 'what was planted is none of the core\'s', sorted(files))


def the_museum_wants_tokens_that_hold():
    status, text, files = hunt({'clang-o2': LOUD}, '--museum')
    expect(status == 0 and '1 bugs: 1 are found' in text and '| a_bug | an_echo_comes_back: deadlock |' in files['museum.md'], status, text)
    status, text, files = hunt({'clang-o2': LOUD}, '--museum', TIMES='99')
    expect(status == 1 and 'NOT SO: a_bug' in text and '**no**' in files['museum.md'], status, text)
    status, text, files = hunt({}, '--museum')
    expect(status == 1 and 'NOT SO: a_bug: not found in' in text, status, text)


def shards_are_joined():
    says_its_words = 'echo "[1/1] an_echo_comes_back: 10 runs, 5 a second, 9 interleavings"; echo "$*" >>"$SAID"\n'
    grounds = [Ground({preset: says_its_words for preset in ('clang-o2', 'asan', 'tsan', 'stress_properties', 'load')}) for _ in range(2)]
    said = []
    for number, ground in enumerate(grounds, 1):
        log = ground.root / 'said'
        status, text, files = ground.hunt('--shard', f'{number}/2', '--seed', 'a commit', SAID=str(log))
        expect(status == 0 and '1 fuzz targets' in text, status, text)
        (ground.root / 'build/hunt/corpus/tokens').mkdir(parents=True, exist_ok=True)
        (ground.root / 'build/hunt/corpus/tokens' / f'input{number}').write_text('x')
        said += log.read_text().splitlines()
    seeds = [line.split('--seed ')[1].split()[0] for line in said]
    expect(len(seeds) == 36 and len(set(seeds)) == 36, 'no two parts have the same seeds:', sorted(seeds))
    enumerated = [line for line in said if 'enumeration' in line]
    expect(sum('--only an_echo_comes_back' in line for line in enumerated) == 3, 'one shard enumerates it, in three parts:', enumerated)

    # One more finds something, and is merged with them.
    loud = Ground({'tsan': LOUD})
    loud.hunt('--shard', '2/2')
    status, text, files = grounds[0].hunt('--merge', *(str(ground.root / 'build/hunt') for ground in (*grounds, loud)))
    expect(status == 1 and '1 failure found' in text and '2 properties, 2 scenarios of load and 2 fuzz targets' in text, status, text)
    expect({'corpus/tokens/input1', 'corpus/tokens/input2'} <= set(files), sorted(files))
    status, text, _ = grounds[0].hunt('--merge', '/nowhere')
    expect(status == 2 and '/nowhere is not the folder of a hunt' in text, status, text)
    status, text, _ = grounds[0].hunt('--shard', '3/2')
    expect(status == 2 and '3/2' in text, status, text)


def interrupted_it_keeps_what_it_has():
    ground = Ground({'clang-o2': LOUD.replace('exit 1', 'exec sleep 60'), 'tsan': 'exec sleep 60\n', 'asan': 'exec sleep 60\n'})
    running = subprocess.Popen([sys.executable, '-B', ground.root / 'stress/hunt', '--seconds', '80', '--jobs', '2'], text=True,
                               cwd=ground.root, env={**os.environ, 'PATH': f'{ground.root}/bin:{os.environ["PATH"]}'},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in running.stderr:
        if line.startswith('found by'):
            break
    running.send_signal(signal.SIGINT)
    text = running.communicate(timeout=60)[0]
    expect(running.returncode == 1 and text.strip().splitlines()[-1].startswith('interrupted: '), running.returncode, text)
    expect((ground.root / 'build/hunt/index.html').exists() and 'an_echo_comes_back' in (ground.root / 'build/hunt/hunt.json').read_text())


def what_a_fuzzer_died_of_becomes_a_token():
    died = FUZZER + 'for word; do case $word in -artifact_prefix=*) echo x > "${word#-artifact_prefix=}crash-1" ;; esac; done\nexit 77\n'
    status, text, _ = hunt({}, fuzzer=died)
    expect(status == 1 and 'found by fuzz partial_reads' in text, status, text)


def a_program_that_breaks_is_no_green_hunt():
    status, text, _ = hunt({'asan': 'echo cannot start; exit 9\n'})
    expect(status == 4 and 'cannot start' in text, status, text)
    # Without an input there is nothing to make a token of; that is no green hunt either.
    status, text, _ = hunt({}, fuzzer='echo cannot fuzz; exit 9\n')
    expect(status == 4 and 'cannot fuzz' in text, status, text)


def only_what_was_asked_for_runs():
    status, text, files = hunt({}, '--only', 'partial_reads')
    expect(status == 0 and '0 properties and 1 fuzz targets' in text, status, text)
    status, text, _ = hunt({}, '--only', 'nothing_of_the_kind')
    expect(status == 2 and 'nothing_of_the_kind' in text, status, text)


def corpora_are_pruned():
    keeps_one = 'case " $* " in *" -merge=1 "*) for word; do before=$last last=$word; done; cp "$last/a" "$before"; exit ${MERGED-0} ;; esac\n'
    ground = Ground({}, fuzzer=keeps_one + FUZZER)
    corpus = ground.root / 'build/hunt/corpus/partial_reads'
    for status in ('1', '0'):
        corpus.mkdir(parents=True, exist_ok=True)
        for name in 'abc':
            (corpus / name).write_text(name)
        ended, text, files = ground.hunt('--prune', '--only', 'partial_reads', MERGED=status)
        kept = sorted(name for name in files if name.startswith('corpus/partial_reads/'))
        wanted = 'abc' if status == '1' else 'a'
        expect(ended == (4 if status == '1' else 0) and kept == [f'corpus/partial_reads/{name}' for name in wanted], ended, text, kept)


def what_real_threads_find_is_told_without_a_token():
    failure = 'FAILED: an_echo_comes_back: deadlock\n  with real threads, from seed 77, with fine weather: the machine\'s schedule cannot be replayed\n'
    ground = Ground({'stress_properties': f"cat <<'TEXT'\n{failure}TEXT\nexit 1\n"})
    again = 'build/tsan/stress/stress_properties --only an_echo_comes_back --seed 77'
    status, text, files = ground.hunt()
    expect(status == 1 and again in text and 'ci/repro ' not in text, status, text)
    expect(again in files['index.html'] and again in files['findings.sarif'], files['index.html'])
    # The next hunt does not claim that it is still there, nor that it is gone.
    script(ground.root / 'build/tsan/stress/stress_properties', THREADS)
    status, text, files = ground.hunt()
    expect(status == 0 and 'no longer fails' not in text and any(name.startswith('findings/') for name in files), status, text)
    # When the simulator has found it, it has one.
    token = FAILURE.splitlines()[1]
    script(ground.root / 'build/tsan/stress/stress_properties', f"cat <<'TEXT'\n{failure}{token}\nTEXT\nexit 1\n")
    status, text, _ = ground.hunt()
    expect(status == 1 and token in text and again not in text, status, text)


def so_many_runs_are_made_of_each():
    says_its_words = 'echo "[1/1] an_echo_comes_back: 50 runs, 5 a second, 9 interleavings"; echo "$*" >>"$SAID"\n'
    ground = Ground({'clang-o2': says_its_words})
    status, text, _ = ground.hunt('--runs', '50', SAID=str(ground.root / 'said'))
    said = (ground.root / 'said').read_text().splitlines()
    expect(status == 0 and len(said) == 2 and all('--runs 50 ' in line for line in said), status, text, said)
    expect(any('--only an_echo_comes_back' in line for line in said) and '100 %' in text, said, text)


def what_differs_is_hunted():
    ground = Ground({})

    def git(*words):
        subprocess.run(['git', '-c', 'user.name=x', '-c', 'user.email=x', *words], cwd=ground.root, check=True, capture_output=True)

    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'x')
    for path, wanted in (('README.md', 'nothing that is hunted'), ('fuzz/tokens.cpp', '0 properties and 1 fuzz targets'),
                         ('core/acairo/tcp.cpp', '2 properties, 1 scenario of load and 2 fuzz targets')):
        (ground.root / path).write_text('// Changed.\n')
        git('add', path)
        git('commit', '-q', '-m', 'x')
        status, text, _ = ground.hunt('--changed', 'HEAD~1')
        expect(status == 0 and wanted in text, path, status, text)
    status, text, _ = ground.hunt('--changed', '0' * 40)
    expect(status == 0 and '2 properties, 1 scenario of load and 2 fuzz targets' in text, status, text)
    status, text, _ = ground.hunt('--changed', 'no_such_commit')
    expect(status == 2 and 'no_such_commit' in text, status, text)


for test in (a_quiet_hunt_ends_green, a_failure_is_told_once_and_kept, hosted_ci_is_told_where, a_planted_hunt_ends_when_it_has_found,
             the_museum_wants_tokens_that_hold, shards_are_joined, interrupted_it_keeps_what_it_has,
             what_a_fuzzer_died_of_becomes_a_token, a_program_that_breaks_is_no_green_hunt, only_what_was_asked_for_runs,
             what_real_threads_find_is_told_without_a_token, corpora_are_pruned, so_many_runs_are_made_of_each, what_differs_is_hunted):
    test()
    print('passed', test.__name__)
