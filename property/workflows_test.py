#!/usr/bin/python3
"""Hosted CI calls what is there: its workflows, and the files that OSS-Fuzz and ClusterFuzzLite read, held against the project.

    workflows_test.py ROOT | --self-test

A workflow's step either calls a script of ci/, with options that its --help names, or uses an action of the list below, with inputs
that this has. The one other command is what installs git before there are sources.
"""
import ast
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ACTIONS = {
    'actions/checkout@v4': {'fetch-depth', 'ref'},
    'actions/cache/restore@v4': {'path', 'key', 'restore-keys'},
    'actions/cache/save@v4': {'path', 'key'},
    'actions/upload-artifact@v4': {'name', 'path', 'if-no-files-found', 'retention-days'},
    'actions/download-artifact@v4': {'name', 'pattern', 'path', 'merge-multiple'},
    'actions/github-script@v7': {'script'},
    'github/codeql-action/upload-sarif@v3': {'sarif_file', 'category'},
}
FIRST = 'apt-get update && apt-get install --yes --no-install-recommends ca-certificates git'
CONTEXTS = {'github', 'matrix', 'env', 'runner', 'steps', 'needs', 'secrets'}
TRIGGERS = {'pull_request', 'push', 'schedule', 'workflow_dispatch'}


class Workflow:
    def __init__(self, root, path):
        self.root, self.path, self.wrong = root, path, []
        try:
            self.content = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            self.content = {}
            self.say('no YAML', str(error))

    def say(self, where, what):
        self.wrong.append(f'{self.path.relative_to(self.root)}: {where}: {what}')

    def check(self):
        triggers = self.content.get(True, self.content.get('on'))  # YAML 1.1 takes "on" for a truth
        if not triggers or not set(triggers) <= TRIGGERS:
            self.say('on', f'{triggers} is none of {", ".join(sorted(TRIGGERS))}')
        if 'permissions' not in self.content:
            self.say('permissions', 'without them the token may do anything: say contents: read')
        jobs = self.content.get('jobs') or {}
        if not jobs:
            self.say('jobs', 'there are none')
        for name, job in jobs.items():
            self.check_job(name, job, jobs)
        return self.wrong

    def check_job(self, name, job, jobs):
        for key in ('runs-on', 'timeout-minutes', 'steps'):
            if key not in job:
                self.say(name, f'no {key}')
        needs = job.get('needs', [])
        for needed in [needs] if isinstance(needs, str) else needs:
            if needed not in jobs:
                self.say(name, f'needs {needed}, and there is no such job')
        container = job.get('container')
        if not isinstance(container, dict) or container.get('image') != 'debian:12':
            self.say(name, 'its container is not debian:12, which ci/setup knows')
        matrix = job.get('strategy', {}).get('matrix', {})
        written = set()
        for number, step in enumerate(job.get('steps', []), 1):
            where = f'{name}, step {number}'
            for key in re.findall(r'\bmatrix\.([\w-]+)', str(step)):
                if key not in matrix:
                    self.say(where, f'matrix.{key} is none of the matrix')
            for expression in re.findall(r'\$\{\{(.*?)\}\}', str(step)):
                for root in re.findall(r'(?<![\w.\'/-])([a-z]+)\.[a-z]', expression):
                    if root not in CONTEXTS:
                        self.say(where, f'{root} is no context: {", ".join(sorted(CONTEXTS))}')
            if ('run' in step) == ('uses' in step):
                self.say(where, 'it neither runs nor uses something, or both')
            elif 'uses' in step:
                self.check_action(where, step, written)
            elif step['run'] == FIRST:
                if number != 1:
                    self.say(where, 'git is installed first')
            else:
                known = {*self.content.get('env', {}), *job.get('env', {}), *step.get('env', {})}
                for values in itertools.product(*matrix.values()) if matrix else [()]:
                    self.check_command(where, step['run'], dict(zip(matrix, values)), known, written)

    def check_action(self, where, step, written):
        inputs = ACTIONS.get(step['uses'])
        if inputs is None:
            self.say(where, f'{step["uses"]} is none of the actions that are known here: {", ".join(ACTIONS)}')
            return
        for key in set(step.get('with', {})) - inputs:
            self.say(where, f'{step["uses"]} has no input {key}')
        given = step.get('with', {})
        for path in re.sub(r'\$\{\{.*?\}\}', 'x', f'{given.get("path", "")} {given.get("sarif_file", "")}').split():
            if not path.lstrip('!').startswith('build/') and path not in written:
                self.say(where, f'{path} is not in build/, and no step writes it')

    def check_command(self, where, command, values, known, written):
        command = re.sub(r'\$\{\{ *matrix\.([\w-]+) *\}\}', lambda found: str(values.get(found[1])), command)
        command, _, output = command.partition(' | tee ')
        if output:
            written.add(output.strip())
        words = command.split()
        for name in re.findall(r'\$(\w+)', command):
            if name not in known:
                self.say(where, f'${name} is set nowhere')
        script = self.root / words[0]
        if not words[0].startswith('ci/') or not script.is_file():
            self.say(where, f'{words[0]} is no script of ci/')
            return
        usage = subprocess.run([script, '--help'], capture_output=True, text=True).stdout
        accepted = set(re.findall(r'(?<![\w-])--?[a-z][\w-]*', usage))
        presets = set(re.findall(r'"name": "([\w-]+)", "configurePreset"', self.presets()))
        for word, value in zip(words[1:], words[2:] + ['']):
            if word.startswith('-') and word not in accepted:
                self.say(where, f'{words[0]} has no option {word}: see {words[0]} --help')
            if word == '--preset' and value not in presets:
                self.say(where, f'there is no preset {value}')
            if words[0] == 'ci/oss-fuzz-check' and word not in usage:
                self.say(where, f'{words[0]} knows nothing of {word}')

    def presets(self):
        return (self.root / 'CMakePresets.json').read_text()


def sanitizers(root):
    """Those that check.py knows."""
    for node in ast.parse((root / 'fuzz/oss-fuzz/check.py').read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == 'SANITIZERS':
            return {key.value for key in node.value.keys}
    return set()


def fuzzing(root):
    """What is wrong in the files of OSS-Fuzz and ClusterFuzzLite."""
    for folder, context in (('.clusterfuzzlite', root), ('fuzz/oss-fuzz', root / 'fuzz/oss-fuzz')):
        text = (root / folder / 'Dockerfile').read_text()
        if not re.search(r'^FROM gcr\.io/oss-fuzz-base/base-builder', text, re.MULTILINE):
            yield f'{folder}/Dockerfile: it is not built on the base-builder'
        for source in re.findall(r'^COPY (\S+) ', text, re.MULTILINE):
            if not (context / source).exists():
                yield f'{folder}/Dockerfile: COPY {source}: there is no such file'
        if not re.search(r'build\.sh \$SRC/$', text, re.MULTILINE) or 'WORKDIR $SRC/acairo' not in text:
            yield f'{folder}/Dockerfile: build.sh goes to $SRC, and starts in $SRC/acairo'
        project = yaml.safe_load((root / folder / 'project.yaml').read_text())
        if project.get('language') != 'c++':
            yield f'{folder}/project.yaml: its language is c++'
        if unknown := set(project.get('sanitizers', [])) - sanitizers(root):
            yield f'{folder}/project.yaml: ci/oss-fuzz-check does not know {", ".join(unknown)}'


def violations(root):
    workflows = sorted((root / '.github/workflows').glob('*.y*ml'))
    if not workflows:
        yield '.github/workflows: there are none'
    for path in workflows:
        yield from Workflow(root, path).check()
    yield from fuzzing(root)


GOOD = '''on: {pull_request: null}
permissions: {contents: read}
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    container: {image: 'debian:12'}
    strategy: {matrix: {preset: [asan]}}
    steps:
      - run: FIRST
      - uses: actions/checkout@v4
      - run: ci/script --preset ${{ matrix.preset }} --seed "$SEED" | tee text.txt
        env: {SEED: '${{ github.sha }}'}
      - uses: actions/upload-artifact@v4
        with: {name: one, path: text.txt}
'''.replace('FIRST', FIRST)
# (what stands in the good one, what comes in its place, what is said then)
PLANTS = [
    ('on: {pull_request: null}', 'on: {pull_requests: null}', 'is none of'),
    ('permissions: {contents: read}', '', 'the token may do anything'),
    ('timeout-minutes: 5', '', 'no timeout-minutes'),
    ("image: 'debian:12'", "image: 'debian:11'", 'not debian:12'),
    ('timeout-minutes: 5', 'timeout-minutes: 5\n    needs: two', 'there is no such job'),
    ('actions/checkout@v4', 'actions/checkout@v99', 'none of the actions'),
    ('path: text.txt', 'path: text.txt, branch: x', 'has no input branch'),
    ('path: text.txt', 'path: other.txt', 'no step writes it'),
    ('ci/script --preset', 'ci/absent --preset', 'ci/absent is no script'),
    ('ci/script --preset', 'make --preset', 'make is no script'),
    ('--seed "$SEED"', '--seeds "$SEED"', 'has no option --seeds'),
    ('"$SEED"', '"$SEEDS"', '$SEEDS is set nowhere'),
    ('preset: [asan]', 'preset: [asan, msan]', 'no preset msan'),
    ('matrix.preset }}', 'matrix.presets }}', 'matrix.presets is none'),
    ('github.sha', 'git.sha', 'git is no context'),
    ('- uses: actions/checkout@v4', f'- run: {FIRST}', 'git is installed first'),
    ('jobs:', 'jobs: [', 'no YAML'),
]


def self_test():
    failures = []
    for old, new, said in [('', '', None), *PLANTS]:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / 'ci').mkdir()
            (root / 'ci/script').write_text('#!/bin/sh\necho "ci/script [--preset NAME] [--seed TEXT]"\n')
            (root / 'ci/script').chmod(0o755)
            (root / 'CMakePresets.json').write_text('{"name": "asan", "configurePreset": "asan"}')
            (root / 'workflow.yml').write_text(GOOD.replace(old, new, 1) if old else GOOD)
            wrong = Workflow(root, root / 'workflow.yml').check()
            if said is None and wrong:
                failures.append(f'the good one: {wrong}')
            if said and not any(said in line for line in wrong):
                failures.append(f'{new!r} instead of {old!r}: "{said}" is not in {wrong}')
    print('\n'.join(failures + [f'{len(PLANTS)} violations planted, {len(failures)} failures']))
    return 1 if failures else 0


def main(arguments):
    if arguments == ['--self-test']:
        return self_test()
    found = list(violations(pathlib.Path(arguments[0]).resolve()))
    print('\n'.join(found + [f'{len(found)} violations']))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
