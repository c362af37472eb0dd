"""What was reached, by position in the sources: the instantiations and copies of a function in several worlds and programs are joined.

clang's own summary counts one instantiation of each template, and each world's copy of an inline function for itself. Here:
  1. A line, a function, a branch and a condition is a position in a file, and is there once.
  2. It is reached when it is in any instantiation. A condition is reached (MC/DC) when in any of them it was shown to decide alone.
  3. A line is reached when all that stands on it is: `if (a) return b;` is not, as long as a was never true.
  4. What the compiler knows (`while (true)`, `if constexpr`) is neither a branch nor a condition.
"""
import collections
import dataclasses
import itertools
import json

CODE, CONDITION = 0, 6  # kinds of regions in llvm-cov's JSON


@dataclasses.dataclass
class File:
    """Positions are (line, column, last line, last column); a function's is that of its body."""
    lines: dict = dataclasses.field(default_factory=dict)  # number: count
    functions: dict = dataclasses.field(default_factory=dict)  # position: [name, count]
    branches: dict = dataclasses.field(default_factory=dict)  # position: [count of true, count of false]
    conditions: dict = dataclasses.field(default_factory=dict)  # position: whether it decided alone, once

    def items(self):
        """(kind, position, whether it was reached), of everything; a branch is two."""
        for line, count in sorted(self.lines.items()):
            yield 'line', (line,), count > 0
        for position, (_, count) in sorted(self.functions.items()):
            yield 'function', position, count > 0
        for position, counts in sorted(self.branches.items()):
            for way, count in zip(('true', 'false'), counts):
                yield f'branch {way}', position, count > 0
        for position, reached in sorted(self.conditions.items()):
            yield 'condition', position, reached


def lines_of(segments):
    """The count of each line that has code, as llvm-cov shows it."""
    counts, by_line = {}, collections.defaultdict(list)
    for segment in segments:
        by_line[segment[0]].append(segment)
    wrapped = None  # the last segment of the lines before
    for line in range(segments[0][0], segments[-1][0] + 1) if segments else ():
        here = by_line.get(line, [])
        entries = [s[2] for s in here if s[3] and s[4] and not s[5]]
        skipped = bool(here) and not here[0][3] and here[0][4]
        if not skipped and (entries or (wrapped and wrapped[3])) or any(s[3] and s[4] for s in here):
            counts[line] = max(entries + ([wrapped[2]] if wrapped and wrapped[3] else []), default=0)
        wrapped = here[-1] if here else wrapped
    return counts


def conditions_of(decision, branches):
    """(position, whether it was shown to decide alone) of each condition of a decision.

    What the compiler knows is among the conditions and not among the branches: what was reached is none of that; which of the rest is,
    is told only where it makes a difference to nobody."""
    begin, end, flags = tuple(decision[:2]), tuple(decision[2:4]), decision[6]
    inside = sorted(tuple(b[:4]) for b in branches if b[8] == CONDITION and begin <= tuple(b[:2]) and tuple(b[2:4]) <= end)
    known = len(flags) - len(inside)
    ways = [[flag for i, flag in enumerate(flags) if i not in left_out]
            for left_out in itertools.combinations([i for i, flag in enumerate(flags) if not flag], known)] if known >= 0 else []
    for place, position in enumerate(inside):
        yield position, bool(ways) and all(way[place] for way in ways)


def join(export, wanted):
    """Files by name, of what `llvm-cov export -format=text` says; only those for which wanted(name) is true."""
    files = collections.defaultdict(File)
    regions = collections.defaultdict(lambda: collections.defaultdict(int))
    for data in export['data']:
        for record in data['functions']:
            for file_id, name in enumerate(record['filenames']):
                if not wanted(name):
                    continue
                file, body = files[name], None
                for region in record['regions']:
                    if region[5] == file_id and region[7] == CODE:
                        position = tuple(region[:4])
                        regions[name][position] += region[4]
                        # What ends last: initializers stand before it, where the function is known to be called.
                        body = max(body or position, position, key=lambda p: (p[2:], -p[0], -p[1]))
                if body is None:
                    continue
                file.functions.setdefault(body, [record['name'], 0])[1] += record['count']
                branches = [b for b in record['branches'] if b[6] == file_id]
                for branch in branches:
                    ways = file.branches.setdefault(tuple(branch[:4]), [0, 0])
                    ways[0] += branch[4]
                    ways[1] += branch[5]
                for decision in record.get('mcdc_records', []):
                    for position, reached in conditions_of(decision, branches):
                        file.conditions[position] = file.conditions.get(position, False) or reached
        for one in data['files']:
            if wanted(one['filename']):
                lines = files[one['filename']].lines
                for line, count in lines_of(one['segments']).items():
                    lines[line] = max(lines.get(line, 0), count)
    for name, file in files.items():
        for (line, *_), count in regions[name].items():
            if count == 0 and line in file.lines:
                file.lines[line] = 0
    return {name: files[name] for name in sorted(files)}


def load(paths, wanted):
    """What llvm-cov says of each program. Of several at once it would take, for each function, the first one that it finds: that may be
    in a program which only knows that there is such a function, and has never compiled it."""
    return join({'data': [data for path in paths for data in json.loads(path.read_text(encoding='utf-8'))['data']]}, wanted)
