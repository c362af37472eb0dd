"""What may stay unreached, and how much must be reached: coverage/unreached.txt and coverage/floor.txt.

An entry of unreached.txt is a paragraph:

    file: core/acairo/task.hpp
    line: void unhandled_exception() const noexcept { std::abort(); }
    unreached: function
    unreached: branch false of `frame`
    unreached: condition `frame`
    why: The language wants it; what the coroutine does cannot throw.

`line` is the whole line without its indentation; where it stands more than once in the file, `after` is the line before the one that
is meant. `unreached` may stand several times. Invariants:
  1. An entry is found by what the sources say, never by a number of a line.
  2. An entry that no line corresponds to, that more than one does, or whose thing is reached, is an error.
  3. The floor is only ever raised.
"""
import dataclasses
import math
import re

KINDS = ('lines', 'functions', 'branches', 'MC/DC')
KIND_OF = {'line': 0, 'function': 1, 'branch true': 2, 'branch false': 2, 'condition': 3}


@dataclasses.dataclass(frozen=True)
class Item:
    """Something that can be reached: where, and what the sources say there."""
    file: str
    position: tuple
    kind: str
    line: str
    before: str
    text: str
    reached: bool

    def name(self):
        if self.kind in ('line', 'function'):
            return self.kind
        return f'{self.kind}{" of" if self.kind.startswith("branch") else ""} `{self.text}`'

    def told(self):
        return f'{self.file}:{self.position[0]}: {self.name()}: {self.line}'


def text_at(lines, position):
    """What stands at (line, column, last line, last column), on one line."""
    if len(position) < 4:
        return ''
    first, column, last, end = position
    if first == last:
        return lines[first - 1][column - 1:end - 1]
    parts = [lines[first - 1][column - 1:], *lines[first:last - 1], lines[last - 1][:end - 1]]
    return ' '.join(part.strip() for part in parts)


def items_of(name, file, source):
    """All that can be reached in a file of joined.join(), whose text is `source`."""
    lines = source.split('\n')
    for kind, position, reached in file.items():
        number = position[0]
        before = next((lines[i].strip() for i in range(number - 2, -1, -1) if lines[i].strip()), '')
        text = text_at(lines, position)
        # A switch without a default has one for llvm-cov. -Wswitch lets no enumerator be left out: nothing can reach it.
        if kind.startswith('branch') and f'switch ({text}) {{' in lines[number - 1]:
            continue
        here = lines[number - 1].strip()
        # Of a function that a program has not compiled, llvm-cov takes these for code.
        if kind == 'line' and re.match(r'//|(else )?if constexpr\b|else$|$', here):
            continue
        yield Item(name, position, kind, here, before, text, reached)


def paragraphs(text):
    """(number of its first line, [(key, value)]) of each; a line that is no "key: value" has the key ''."""
    begun, found = 0, []
    for number, line in enumerate(text.split('\n') + [''], 1):
        if line.startswith('#'):
            continue
        if line.strip():
            begun = begun or number
            match = re.fullmatch(r'(file|line|after|unreached|why): (.*\S)', line)
            found.append(match.groups() if match else ('', line))
        elif found:
            yield begun, found
            begun, found = 0, []


def excused(text, items, name='coverage/unreached.txt'):
    """The items that `text` excuses, and what is wrong with it, a line each."""
    result, problems = set(), []
    for number, pairs in paragraphs(text):
        at, keys = f'{name}:{number}', dict(pairs)
        wanted = [value for key, value in pairs if key == 'unreached']
        if '' in keys or not {'file', 'line', 'why'} <= keys.keys() or not wanted:
            problems.append(f'{at}: an entry has "file: ", "line: ", "unreached: " and "why: ", each on a line of its own')
            continue
        here = [i for i in items if i.file == keys['file'] and i.line == keys['line'] and keys.get('after', i.before) == i.before]
        if not here:
            problems.append(f'{at}: stale: nothing in {keys["file"]} begins on the line `{keys["line"]}`; delete or correct the entry')
        elif len({i.position[0] for i in here}) > 1:
            problems.append(f'{at}: several lines of {keys["file"]} are `{keys["line"]}`; say "after: " and the line before the one you mean')
        else:
            for what in wanted:
                meant = [i for i in here if i.name() == what]
                if not meant:
                    there = ', '.join(sorted({i.name() for i in here}))
                    problems.append(f'{at}: stale: there is no {what} on `{keys["line"]}`, but: {there}')
                elif all(i.reached for i in meant):
                    problems.append(f'{at}: unneeded: {what} on `{keys["line"]}` is reached; delete that line of the entry')
                result.update(i for i in meant if not i.reached)
    return result, problems


def percentages(items, without=frozenset()):
    """Of KINDS, rounded down to a tenth: 100 means all. None where there is nothing to reach."""
    total, reached = [0] * 4, [0] * 4
    for item in items:
        if item not in without:
            total[KIND_OF[item.kind]] += 1
            reached[KIND_OF[item.kind]] += item.reached
    return [math.floor(1000 * r / t) / 10 if t else None for r, t in zip(reached, total)]


def floors_of(text):
    """The floor of each room: KINDS in percent."""
    floors = {}
    for line in text.split('\n'):
        if line.strip() and not line.startswith('#'):
            room, *numbers = line.split()
            floors[room] = [float(n) for n in numbers]
    return floors


def compare(floors, measured):
    """What is under its floor, and what is over it: a line each."""
    under, over = [], []
    for room, percents in measured.items():
        for kind, floor, percent in zip(KINDS, floors.get(room, [0] * 4), percents):
            percent = 100.0 if percent is None else percent
            if percent < floor:
                under.append(f'{room}: {percent:.1f} % of {kind} reached, and the floor is {floor:.1f} %: let a test reach what is missing, '
                             'or remove it')
            elif percent > floor:
                over.append(f'{room}: {percent:.1f} % of {kind} reached, over the floor of {floor:.1f} %: raise it by ci/coverage --raise')
    return under, over


def raised(text, measured):
    """The text of floor.txt with every floor at least what was measured, comments kept."""
    floors, lines = floors_of(text), [line for line in text.split('\n') if line.startswith('#')]
    for room in {**floors, **measured}:
        old, new = floors.get(room, [0] * 4), measured.get(room, [0] * 4)
        numbers = (max(a, 100.0 if b is None else b) for a, b in zip(old, new))
        lines.append(' '.join([f'{room:12}'] + [f'{n:9.1f}' for n in numbers]))
    return '\n'.join(lines) + '\n'
