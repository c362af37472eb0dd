#!/usr/bin/env python3
"""Makes the copy of the core that holds every planted bug, each of them off until it is chosen by name at run time.

    plant.py SOURCE MUSEUM OUTPUT    reads SOURCE/core/acairo and MUSEUM/*.bug, writes OUTPUT/acairo/*
    plant.py --list MUSEUM           one line for each bug: NAME PROPERTY[,PROPERTY]... ORACLE

A bug is a file, NAME.bug:

    # What it does, and a reference: comments come first.
    property: which property must find it; or several, with a space between: each of them must
    oracle: a regular expression for the kind of failure
    oracle-canary: yes               only in those that stand for an oracle: they are tested from more seeds than the others
    file: core/acairo/inbox.hpp
    -        return newest == sleeping();
    +        return false;

The lines with `-` stand exactly once in the file; they are whole statements, and declare nothing that is used after them. In
their place comes `if (bug is chosen) { + } else { - }`. Between two `file:` lines there may be several such places. A line
`~ old ==> new` is the same inside an expression: `old`, which stands once in the file, becomes `(bug is chosen ? new : old)`.
Where `old` stands more than once, what stands around it is written, too, and `old` itself between two backquotes.
The places of two bugs may be equal, or one of them inside the other.

Invariants:
  1. With no bug chosen the copy does what the shipped core does, call by call: a test compares the traces.
  2. A bug whose lines are not found, or found twice, is an error that names it: the museum is kept in step with the core.
"""
import pathlib
import re
import sys


class Bug:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.fields = {}
        self.edits = []  # (file, kind, old, new)
        old, new, file = [], [], None

        def flush():
            if old or new:
                if not old:
                    raise SystemExit(f'{path}: a `+` without a `-` before it: say what is replaced')
                self.edits.append((file, 'statement', '\n'.join(old), '\n'.join(new)))
            old.clear()
            new.clear()

        for line in path.read_text().splitlines():
            if line.startswith('#') or not line.strip():
                flush()
            elif line.startswith('-'):
                if new:
                    flush()
                old.append(line[1:])
            elif line.startswith('+'):
                new.append(line[1:])
            elif line.startswith('~ '):
                flush()
                before, separator, after = line[2:].partition(' ==> ')
                if not separator:
                    raise SystemExit(f'{path}: `{line}` is not `~ old ==> new`')
                self.edits.append((file, 'expression', before, after))
            else:
                flush()
                key, separator, value = line.partition(': ')
                if not separator or key not in ('property', 'oracle', 'oracle-canary', 'file'):
                    raise SystemExit(f'{path}: `{line}` is no line of a bug: see plant.py')
                if key == 'file':
                    file = value
                else:
                    self.fields[key] = value
        flush()
        for key in ('property', 'oracle'):
            if key not in self.fields:
                raise SystemExit(f'{path}: `{key}: ` is missing')
        if not self.edits:
            raise SystemExit(f'{path}: it changes nothing')


def museum(directory):
    return [Bug(path) for path in sorted(pathlib.Path(directory).glob('*.bug'))]


def place_of(text, kind, old, bug, file):
    around = old.split('`') if kind == 'expression' else [old]  # before, itself, behind; or itself alone
    if len(around) not in (1, 3):
        raise SystemExit(f'{bug.name}.bug: no backquotes, or two: {old!r}')
    old = ''.join(around)
    count = text.count(old)
    if count != 1:
        raise SystemExit(f'{bug.name}.bug: {count} times in {file}, and must be once: {old.strip()!r}; '
                         'the core has changed: bring the bug into step with it')
    begin = text.index(old)
    if len(around) == 1:
        return begin, begin + len(old)
    return begin + len(around[0]), begin + len(around[0]) + len(around[1])


def nested(text, file, places, choice):
    """`text` with a choice in each of the places, which are (begin, -end, rank): [what can be chosen]; one may be inside another."""
    spans = sorted(places)  # a place comes before those inside it

    def inside(begin, end):
        result = ''
        while spans and spans[0][0] < end:
            first, minus_last, _ = span = spans.pop(0)
            if -minus_last > end or first < begin:
                names = ' and '.join(sorted({one.name for one in places[span]}))
                raise SystemExit(f'{file}: the place of {names} overlaps that of another bug: make the lines equal, or put one inside the other')
            result += text[begin:first]
            result += choice(span, inside(first, -minus_last), places[span])
            begin = -minus_last
        return result + text[begin:end]

    return inside(0, len(text))


class Edit:
    def __init__(self, number, bug, new):
        self.number, self.name, self.new = number, bug.name, new


def chosen(span, old, edits):
    is_expression = span[2]
    choice = old if is_expression else f'{{\n{old}\n}}'
    for edit in reversed(edits):
        if is_expression:
            choice = f'(::acairo_planted_bug == {edit.number} ? ({edit.new}) : ({choice}))'
        else:
            choice = f'if (::acairo_planted_bug == {edit.number}) {{\n{edit.new}\n}} else {choice}'
    # Braces around all of it: the place may be all that an `if` of the core governs.
    return choice if is_expression else f'{{ {choice} }}'


def planted(text, file, edits):
    """`text` with the edits, which are (number, bug, kind, old, new)."""
    places = {}
    for number, bug, kind, old, new in edits:
        begin, end = place_of(text, kind, old, bug, file)
        places.setdefault((begin, -end, kind == 'expression'), []).append(Edit(number, bug, new))
    return nested(text, file, places, chosen)


def headed(text):
    return re.sub(r'^(?=#include|#pragma once)', '#include <acairo/planted.hpp>\n', text, count=1, flags=re.MULTILINE)


PLANTED = '// The bug that is chosen; 0: none.\n#pragma once\nextern int acairo_planted_bug;\n'


def registered(rows):
    return ('#include <acairo/planted.hpp>\n#include <acairo/plants.hpp>\n\nint acairo_planted_bug = 0;\n\n'
            'namespace {\n\nconst acairo::simulator::Plant plants[] = {\n' + rows +
            '};\nconst acairo::simulator::Plants registered{plants, &acairo_planted_bug};\n\n}  // namespace\n')


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == '--list':
        for bug in museum(sys.argv[2]):
            print(bug.name, ','.join(bug.fields['property'].split()), bug.fields['oracle'])
        return
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    source, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[3])
    bugs = museum(sys.argv[2])
    edits = {}
    for number, bug in enumerate(bugs, 1):
        for file, kind, old, new in bug.edits:
            if file is None or not (source / file).is_file():
                raise SystemExit(f'{bug.name}.bug: no file {file}')
            edits.setdefault(file, []).append((number, bug, kind, old, new))
    for path in sorted((source / 'core/acairo').iterdir()):
        file = path.relative_to(source).as_posix()
        text = planted(path.read_text(), file, edits.pop(file, []))
        write(output / 'acairo' / path.name, f'#line 1 "{path}"\n{headed(text)}')
    if edits:
        raise SystemExit(f'only files of core/acairo can hold bugs, not {", ".join(edits)}')
    write(output / 'acairo/planted.hpp', PLANTED)
    rows = ''.join(f'    {{"{bug.name}", "{property}", R"~({bug.fields["oracle"]})~", {number}}},\n'
                   for number, bug in enumerate(bugs, 1) for property in bug.fields['property'].split())
    write(output / 'acairo/plants.cpp', registered(rows))


if __name__ == '__main__':
    main()
