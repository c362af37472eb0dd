#!/usr/bin/env python3
"""Joins many sources into a few.

    join.py DIRECTORY NAME COUNT SOURCE...

writes DIRECTORY/NAME_0.cpp and so on. Each source alone compiles the core's headers again, which is most of what it costs.
"""
import pathlib
import re
import sys


def joined(sources, output, name, count):
    """The texts by their paths. What is in an unnamed namespace gets one with the source's name, so that two may have the same
    names; messages still name the source. It is inline only where something follows that may use it: else what one source says
    with `using` would hold for the next."""
    texts = {}
    for i in range(count):
        text = ''
        for path in sources[i::count]:
            inside = path.read_text()
            last = inside.count('\nnamespace {\n') == 1 and re.search(r'^\}  // namespace\n(\}  // namespace \w+\n)*\Z', inside, re.MULTILINE)
            own = 'namespace' if last else 'inline namespace'
            inside = re.sub(r'^namespace \{$', f'{own} of_{path.stem} {{', inside, flags=re.MULTILINE)
            text += f'#line 1 "{path}"\n{inside}\n'
        # Before all: without this, a later source would include within what an earlier one defines for itself.
        includes = sorted(set(re.findall(r'^#include .*$', text, re.MULTILINE)))
        text = re.sub(r'^#include .*$', '', text, flags=re.MULTILINE)
        texts[output / f'{name}_{i}.cpp'] = '\n'.join([*includes, text])
    return texts


def main(directory, name, count, *sources):
    for path, text in joined(sorted(map(pathlib.Path, sources)), pathlib.Path(directory), name, int(count)).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == '__main__':
    main(*sys.argv[1:])
