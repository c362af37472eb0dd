#!/usr/bin/env python3
"""Makes the copy of the core that holds every planted bug, each of them off until it is chosen by name at run time.

    plant.py SOURCE MUSEUM OUTPUT    reads SOURCE/core/acairo and MUSEUM/*.bug, writes OUTPUT/acairo/*
    plant.py --list MUSEUM           one line for each bug: NAME PROPERTY ORACLE

A bug is a file, NAME.bug:

    # What it does, and a reference: comments come first.
    property: which property must find it
    oracle: a regular expression for the kind of failure
    file: core/acairo/inbox.hpp
    -        return newest == sleeping();
    +        return false;

The lines with `-` stand exactly once in the file; they are whole statements, and declare nothing that is used after them. In
their place comes `if (bug is chosen) { + } else { - }`. Between two `file:` lines there may be several such places. A line
`~ old ==> new` is the same inside an expression: `old`, which stands once in the file, becomes `(bug is chosen ? new : old)`.

Invariants:
  1. With no bug chosen the copy does what the shipped core does, call by call: a test compares the traces.
  2. A bug whose lines are not found, or found twice, is an error that names it: the museum is kept in step with the core.
"""
import pathlib
import re
import sys


class Bug:
    def __init__(self, path):
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
                if not separator or key not in ('property', 'oracle', 'file', 'build'):
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


def place_of(text, old, bug, file):
    count = text.count(old)
    if count != 1:
        raise SystemExit(f'{bug.name}.bug: {count} times in {file}, and must be once: {old.strip()!r}; '
                         'the core has changed: bring the bug into step with it')
    return text.index(old)


def planted(text, file, edits):
    """`text` with the edits, which are (number, bug, kind, old, new), put in from the end."""
    places = {}
    for number, bug, kind, old, new in edits:
        at = place_of(text, old, bug, file)
        places.setdefault((at, at + len(old), kind), []).append((number, bug, new))
    spans = sorted(places)
    for first, second in zip(spans, spans[1:]):
        if second[0] < first[1]:
            names = {bug.name for span in (first, second) for _, bug, _ in places[span]}
            raise SystemExit(f'{file}: {" and ".join(sorted(names))} overlap without being the same place: make the lines equal')
    for begin, end, kind in reversed(spans):
        old = text[begin:end]
        result = old if kind == 'expression' else f'{{\n{old}\n}}'
        for number, _, new in reversed(places[begin, end, kind]):
            if kind == 'expression':
                result = f'(::acairo_planted_bug == {number} ? ({new}) : ({result}))'
            else:
                result = f'if (::acairo_planted_bug == {number}) {{\n{new}\n}} else {result}'
        # Braces around all of it: the place may be all that an `if` of the core governs.
        text = text[:begin] + (result if kind == 'expression' else f'{{ {result} }}') + text[end:]
    return text


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == '--list':
        for bug in museum(sys.argv[2]):
            print(bug.name, bug.fields['property'], bug.fields['oracle'])
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
        text = re.sub(r'^(?=#include|#pragma once)', '#include "planted.hpp"\n', text, count=1, flags=re.MULTILINE)
        write(output / 'acairo' / path.name, f'#line 1 "{path}"\n{text}')
    if edits:
        raise SystemExit(f'only files of core/acairo can hold bugs, not {", ".join(edits)}')
    write(output / 'acairo/planted.hpp', '// The bug that is chosen; 0: none.\n#pragma once\nextern int acairo_planted_bug;\n')
    rows = ''.join(f'    {{"{bug.name}", "{bug.fields["property"]}", R"({bug.fields["oracle"]})", {number}}},\n'
                   for number, bug in enumerate(bugs, 1))
    write(output / 'acairo/plants.cpp',
          '#include <acairo/planted.hpp>\n#include <acairo/plants.hpp>\n\nint acairo_planted_bug = 0;\n\n'
          'namespace {\n\nconst acairo::simulator::Plant plants[] = {\n' + rows +
          '};\nconst acairo::simulator::Plants registered{plants, &acairo_planted_bug};\n\n}  // namespace\n')


if __name__ == '__main__':
    main()
