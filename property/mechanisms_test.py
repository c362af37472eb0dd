#!/usr/bin/env python3
"""Each mechanism of a real bug has a property that would find it, or a reason why it cannot exist here.

    mechanisms_test.py ROOT          checks mechanisms.txt, the "// Covers:" lines and README's table; exit 1 with what to do
    mechanisms_test.py ROOT --write  writes the table that property/README.md shows
    mechanisms_test.py --self-test   breaks a small tree in each of these ways

In property/mechanisms.txt a line is one of
    SECTION.NUMBER  description
    SECTION.NUMBER  description -- cannot exist here: reason
    SECTION.NUMBER  description -- not yet covered: what is missing
under "# section title" lines; its first line begins with how many are not yet covered. In the header of a property, a fuzz target
or a test stand lines "// Covers: 3.41 words; 4.65 words".

Invariants:
  1. Each mechanism is in exactly one of three states: named by a property, not possible, or not yet covered.
  2. How many are not yet covered is written down, exactly: it can neither grow nor shrink unnoticed.
  3. Each message names the file and says what to do.
"""
import pathlib
import re
import sys
import tempfile

TEXT, README = 'property/mechanisms.txt', 'property/README.md'
BEGIN, END = '<!-- mechanisms: written by mechanisms_test.py -->\n', '<!-- the end of the mechanisms -->\n'
COMMAND = 'property/mechanisms_test.py . --write'
MECHANISM = re.compile(r'(\d+\.\d+)  (\S.*?)(?: -- (cannot exist here|not yet covered): (\S.*))?')


class Mechanism:
    def __init__(self, section, name, description, state, why):
        self.section, self.name, self.description, self.state, self.why = section, name, description, state, why
        self.properties = []  # the files that name it


def mechanisms_of(root, problems):
    """The mechanisms by name, in their order; and how many may be uncovered."""
    first, *lines = (root / TEXT).read_text(encoding='utf-8').splitlines()
    allowed = re.match(r'(\d+) not yet covered\b', first)
    if not allowed:
        problems.append(f'{TEXT}:1: begin it with "N not yet covered"')
    mechanisms, section = {}, None
    for number, line in enumerate(lines, 2):
        match = MECHANISM.fullmatch(line)
        if line.startswith('# '):
            section = line[2:]
        elif not line:
            continue
        elif not match or ' -- ' in match[2] or section is None:
            problems.append(f'{TEXT}:{number}: write "SECTION.NUMBER  description", with nothing, " -- cannot exist here: reason" or '
                            '" -- not yet covered: what is missing" after it, under a "# section title"')
        elif match[1] in mechanisms:
            problems.append(f'{TEXT}:{number}: {match[1]} is there twice; give this one a number of its own')
        else:
            mechanisms[match[1]] = Mechanism(section, *match.groups())
    return mechanisms, int(allowed[1]) if allowed else 0


def read_covers(root, mechanisms, problems):
    sources = sorted(root.glob('property/**/*.cpp')) + sorted(root.glob('fuzz/*.cpp'))
    # Properties first: they hold in any schedule.
    for source in sorted(sources, key=lambda path: path.parent.name != 'properties'):
        path = source.relative_to(root).as_posix()
        for number, line in enumerate(source.read_text(encoding='utf-8').splitlines(), 1):
            if not re.match(r'// *covers\b', line, re.IGNORECASE):
                continue
            for claim in line.partition(':')[2].split(';'):
                match = re.fullmatch(r' (\d+\.\d+) \S.*', claim)
                if not line.startswith('// Covers: ') or not match:
                    problems.append(f'{path}:{number}: write "// Covers: 3.41 words; 4.65 words" instead of "{claim.strip()}"')
                elif match[1] not in mechanisms:
                    problems.append(f'{path}:{number}: {match[1]} is not in {TEXT}; correct the number, or add the mechanism there')
                elif path not in mechanisms[match[1]].properties:
                    mechanisms[match[1]].properties.append(path)


def check_states(mechanisms, allowed, problems):
    for it in mechanisms.values():
        if it.state and it.properties:
            problems.append(f'{TEXT}: {it.name} "{it.state}", and {it.properties[0]} covers it; take one of the two away')
        elif not it.state and not it.properties:
            problems.append(f'{TEXT}: no property covers {it.name} ({it.description}); name it in the "// Covers:" line of one that '
                            'would find it, write such a property, or say why it cannot exist here')
    missing = sum(it.state == 'not yet covered' for it in mechanisms.values())
    if missing > allowed:
        problems.append(f'{TEXT}:1: {missing} mechanisms are not yet covered, and {allowed} may be; write the property that is missing')
    if missing < allowed:
        problems.append(f'{TEXT}:1: only {missing} mechanisms are not yet covered, and no longer {allowed}; lower the number there')


def link(path):
    name = pathlib.PurePath(path).stem
    return f'[{name}]({path.removeprefix("property/") if path.startswith("property/") else "../" + path})'


def table_of(mechanisms):
    table, section = '', None
    for it in mechanisms.values():
        if it.section != section:
            section = it.section
            table += f'\n### {section}\n\n| | mechanism | found by |\n|---|---|---|\n'
        found = ', '.join(map(link, it.properties)) or f'{it.state}: {it.why}'
        table += f'| {it.name} | {it.description.replace("|", chr(92) + "|")} | {found} |\n'
    return table + '\n'


def main(root, write=False):
    """What is wrong, a line each."""
    problems = []
    mechanisms, allowed = mechanisms_of(root, problems)
    read_covers(root, mechanisms, problems)
    check_states(mechanisms, allowed, problems)
    text = (root / README).read_text(encoding='utf-8')
    before, begin, rest = text.partition(BEGIN)
    shown, end, after = rest.partition(END)
    if not begin or not end:
        return problems + [f'{README}: put the lines {BEGIN.strip()} and {END.strip()} where the table is to stand']
    if write:
        (root / README).write_text(before + begin + table_of(mechanisms) + end + after, encoding='utf-8')
    elif shown != table_of(mechanisms):
        problems.append(f'{README}: its table is not what {TEXT} and the "// Covers:" lines say; run {COMMAND}')
    states = [it.state for it in mechanisms.values()]
    print(f'{states.count(None)} mechanisms are covered, {states.count("cannot exist here")} cannot exist here, '
          f'{states.count("not yet covered")} are not yet covered')
    return problems


# --- the test of the test --------------------------------------------------------------------------------------------

SOUND = {
    TEXT: '1 not yet covered\n\n# 1. One\n1.1  a bug\n1.2  a rare bug -- cannot exist here: no such call\n# 2. Two\n'
          '2.1  a new bug -- not yet covered: a property\n2.3  an old bug\n',
    'property/properties/a.cpp': '// What must hold.\n// Covers: 1.1 a bug; 2.3 the end\n',
    'fuzz/b.cpp': '// Covers: 1.1 a bug\n',
    README: 'Text.\n' + BEGIN + END + 'More.\n',
}
# (the file, what is replaced there, by what, a part of the message)
BROKEN = [
    (README, '[a]', '[c]', 'run property/mechanisms_test.py'),
    (README, END, '', 'put the lines'),
    ('property/properties/a.cpp', '1.1', '1.9', '1.9 is not in property/mechanisms.txt'),
    ('property/properties/a.cpp', '; ', ', 2.1 ; and ', 'write "// Covers: 3.41 words'),
    ('property/properties/a.cpp', '// Covers:', '// covers:', 'write "// Covers: 3.41 words'),
    ('property/properties/a.cpp', '; 2.3 the end', '', 'no property covers 2.3'),
    ('property/properties/a.cpp', '2.3', '1.2', '1.2 "cannot exist here", and property/properties/a.cpp covers it'),
    ('property/properties/a.cpp', '2.3', '2.1', '2.1 "not yet covered", and property/properties/a.cpp covers it'),
    (TEXT, '1 not yet', '0 not yet', 'write the property that is missing'),
    (TEXT, '1 not yet', '2 not yet', 'lower the number there'),
    (TEXT, '1 not yet', 'one not yet', 'begin it with'),
    (TEXT, '1.1  a bug', '1.1 a bug', 'write "SECTION.NUMBER  description"'),
    (TEXT, 'cannot exist here: no such call', 'cannot exist here:', 'write "SECTION.NUMBER  description"'),
    (TEXT, '# 1. One\n', '', 'under a "# section title"'),
    (TEXT, '2.3  an old bug', '1.1  an old bug', '1.1 is there twice'),
]


def self_test():
    failures = []
    for broken in [None, *BROKEN]:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for path, text in SOUND.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            problems = main(root, write=True)
            if broken:
                path, old, new, message = broken
                text = (root / path).read_text()
                if old not in text:
                    failures.append(f'{path} has no {old!r}')
                (root / path).write_text(text.replace(old, new, 1))
                if not any(message in problem for problem in main(root)):
                    failures.append(f'{path} with {new!r} instead of {old!r} is not told of as {message!r}')
            else:
                problems += main(root)
                text = (root / README).read_text()
                row = '| 1.1 | a bug | [a](properties/a.cpp), [b](../fuzz/b.cpp) |\n'
                if row not in text or not text.startswith('Text.\n') or not text.endswith('More.\n'):
                    failures.append(f'the table is written as\n{text}')
            failures += [f'a sound tree is refused: {problem}' for problem in problems]
    return failures


if __name__ == '__main__':
    if sys.argv[1:] == ['--self-test']:
        found = self_test()
    elif len(sys.argv) == 2 or sys.argv[2:] == ['--write']:
        found = main(pathlib.Path(sys.argv[1]), '--write' in sys.argv)
    else:
        sys.exit(__doc__)
    print('\n'.join(found))
    sys.exit(1 if found else 0)
