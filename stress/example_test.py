#!/usr/bin/env python3
"""The example of stress/README.md shows what the commands say: example_test.py ROOT PLANTED [--write].

PLANTED has the museum's bugs; nothing is built (--program). Between two marks in README stand blocks: a line "$ COMMAND" and what
it says, "(gdb) COMMAND" within one and what gdb answers, "..." for lines that are left out. --write writes all of them anew, with a
token that is found first. What gdb says is passed over where there is none, or where it may not trace.
"""
import pathlib
import re
import subprocess
import sys

BEGIN, END = '<!-- the example: example_test.py writes it -->\n', '<!-- the end of the example -->\n'
BUG, PROPERTY = 'close_wakes_nobody', 'close_ends_both_waiters'
TOKEN = re.compile(r'acairo1:[^\s`]+')


def said_by(command, root, program, typed):
    """What the command says, and what gdb answers to each that is typed; None where there is no gdb."""
    words = command.split()
    words[1:1] = ['--program', str(program)]
    begun = ''.join(f'echo @@{at}@@\\n\n{line}\n' for at, line in enumerate(typed)) + ('kill\nquit\n' if typed else '')
    done = subprocess.run(words, cwd=root, input=begun, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250)
    output = re.sub(r'^\d+ of \d+\n', '', done.stdout, flags=re.MULTILINE)
    if not typed:
        return [output]
    if re.search(r'ptrace: Operation not permitted|Could not trace the inferior|Cannot trace|gdb: not found|no gdb', output):
        return None
    parts = [re.sub(r'\(gdb\) ', '', part) for part in re.split(r'(?:\(gdb\) )?@@\d+@@\n', output)]
    parts[-1] = re.sub(r'\[Inferior 1 .*killed\]\n?', '', parts[-1])
    return [re.sub(r'^Reading symbols.*\n', '', parts[0], flags=re.MULTILINE), *parts[1:]]


def plain(text, root):
    """Without what is this machine's, or this compiler's."""
    text = re.sub(r'/\S*/(\w+\.(?:h|[ch]pp):\d+)', r'\1', text.replace(str(root), ''))
    return [line.rstrip() for line in text.strip('\n').split('\n')]


def frames(lines):
    """g++ does not always know the line at which a coroutine waits."""
    return [re.sub(r'^(  #.*\.[ch]pp).*', r'\1', line) for line in lines]


def agree(shown, said):
    """Each shown line is there, in the order; "..." is any number of lines, and everywhere else none is left out."""
    at, free = 0, False
    for line in shown:
        if line == '...':
            free = True
            continue
        where = next((i for i in range(at, len(said)) if said[i] == line), None)
        if where is None or (where != at and not free):
            return f'README has\n    {line}\nwhere the command says\n    {said[at] if at < len(said) else "nothing more"}'
        at, free = where + 1, False
    return None if free or at == len(said) else f'the command says more:\n    {said[at]}'


def blocks(text):
    """Of each command: its place, itself, and its parts: what is typed into gdb (at first nothing), and what is shown of the answer."""
    for match in re.finditer(r'^    \$ (.*)\n((?:    .*\n|\n(?=    ))*)', text, re.MULTILINE):
        parts = [['', []]]
        for line in match[2].splitlines():
            line = line[4:]
            if line.startswith('(gdb) '):
                parts.append([line[6:], []])
            else:
                parts[-1][1].append(line)
        yield match, match[1], parts


def shortened(lines, shown):
    """What --write shows of an answer: all, but where "..." stood there are the lines before it, as many as there were."""
    if '...' not in shown:
        return lines
    before = shown.index('...')
    behind = len(shown) - before - 1
    return [*lines[:before], '...', *lines[len(lines) - behind:]]


def main(root, program, *options):
    readme = root / 'stress/README.md'
    before, text = readme.read_text().split(BEGIN)
    text, after = text.split(END)
    if options:
        found = subprocess.run([program, '--plant', BUG, '--only', PROPERTY, '--runs', '1000', '--seconds', '200'],
                               stdout=subprocess.PIPE, text=True).stdout
        token = TOKEN.search(found)[0]
        old = TOKEN.search(text)[0].replace(f'+{BUG}', '')
        text = text.replace(TOKEN.search(text)[0], token).replace(old, token.replace(f'+{BUG}', ''))
    problems, seen, written = [], 0, text
    for match, command, parts in blocks(text):
        seen += 1
        said = said_by(command, root, program, [typed for typed, _ in parts[1:]])
        if said is None:
            print(f'passed over, as gdb cannot trace here: {command}')
            continue
        block = f'    $ {command}\n'
        for (typed, shown), answer in zip(parts, said, strict=True):
            lines = plain(answer, root)
            if typed:
                block += f'    (gdb) {typed}\n'
            block += ''.join(f'    {line}'.rstrip() + '\n' for line in shortened(lines, shown))
            shown = shown[:-1] if shown and not shown[-1] else shown
            if not options and (problem := agree(frames(shown), frames(lines))):
                problems.append(f'{readme}: {command}{": " + typed if typed else ""}\n{problem}')
        written = written.replace(match[0], block)
    if seen < 4:
        problems.append(f'{readme}: there are {seen} commands between the marks: leave the example there')
    if options:
        readme.write_text(before + BEGIN + written + END + after)
    for problem in problems:
        print(f'{problem}\nwrite it anew: stress/example_test.py . build/clang-o2/property/planted_properties --write')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), *sys.argv[3:]))
