"""ci/coverage's own rules, each seen to fire: what is joined, over a program that is compiled here; what may stay unreached; the floor."""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / 'coverage'))

import joined  # noqa: E402
import rules  # noqa: E402
import second  # noqa: E402

# `both` is reached whole, but no instantiation is alone; each of the others has its gap.
PROGRAM = '''template <class T> int both(T a, T b) {
    if (a > 0 && b > 0) return 1;
    return 0;
}
template <class T> int half(T a, T b) {
    if (a > 0 && b > 0)
        return 1;
    return 0;
}
template <bool known> int folded(int a) {
    if (known || a > 1) return 1;
    while (true)
        if (++a > 3) return 2;
}
inline int unused() { return 3; }
struct Nested { int of(int a, int b, int c) { return (a && (b || c)) ? 1 : 0; } };
struct Made { explicit Made(int with) noexcept : a(with), b(a) {} int a, b; };
int on_one_line(int a) {
    if (a < 0) return 1;
    return 0;
}
enum class Way { there, back };
int named(Way way) {
    switch (way) {
        case Way::there: return 1;
        case Way::back: return 2;
    }
    return 0;
}
int main() {
    named(Way::there), named(Way::back);
    both<int>(1, 1), both<int>(0, 1), both<long>(1, 1), both<long>(1, 0);
    half<int>(1, 1), half<int>(0, 1), half<long>(1, 1);
    folded<true>(0), folded<false>(0), folded<false>(2);
    Nested().of(1, 1, 0), Nested().of(0, 1, 0), Nested().of(1, 0, 0);
    return on_one_line(Made(1).b);
}
'''
failures = []


def expect(what, found, wanted):
    if found != wanted:
        failures.append(f'{what}: {found!r}, and not {wanted!r}')


def reached(place):
    """The items of PROGRAM, as clang 19 counts them."""
    (place / 'a.cpp').write_text(PROGRAM)
    commands = [['clang++-19', '-O0', '-fprofile-instr-generate', '-fcoverage-mapping', '-fcoverage-mcdc', '-w', '-o', 'a', 'a.cpp'],
                ['./a'], ['llvm-profdata-19', 'merge', '-o', 'a.profdata', 'default.profraw'],
                ['llvm-cov-19', 'export', '-format=text', '-instr-profile=a.profdata', 'a']]
    for command in commands:
        said = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout
    name = str((place / 'a.cpp').resolve())
    export = json.loads(said)
    expect('files that nobody wants', joined.join(export, lambda _: False), {})
    # Where it is not called, clang knows a constructor by its body only, without the initializers before it.
    called = next(f for f in export['data'][0]['functions'] if f['regions'][0][0] == 17)
    expect('regions of a constructor', len(called['regions']), 3)
    body = max(called['regions'], key=lambda r: r[3])
    export['data'][0]['functions'].append({**called, 'name': 'elsewhere', 'count': 0, 'regions': [body[:4] + [0] + body[5:]]})
    return list(rules.items_of('a.cpp', joined.join(export, lambda n: n == name)[name], PROGRAM))


def check_join(items):
    def missing(first, last):
        return sorted(i.name() for i in items if first <= i.position[0] <= last and not i.reached)

    def count(kind, first, last):
        return sum(i.kind.startswith(kind) and first <= i.position[0] <= last for i in items)

    expect('two instantiations together', missing(1, 4), [])
    expect('conditions of a template, counted once', count('condition', 1, 4), 2)
    expect('branches of a template, counted once', count('branch', 1, 4), 4)
    expect('a condition that no instantiation shows', missing(5, 9), ['branch false of `b > 0`', 'condition `b > 0`'])
    expect('what the compiler knows', missing(10, 14), [])
    expect('branches that the compiler knows', count('branch', 10, 14), 4)
    expect('conditions that the compiler knows', count('condition', 10, 14), 1)
    expect('what is never called', missing(15, 15), ['function', 'line'])
    expect('a condition within others', missing(16, 16), ['branch true of `c`', 'condition `c`'])
    expect('a constructor, counted once', count('function', 17, 17), 1)
    expect('what stands on one line', missing(18, 21), ['branch true of `a < 0`', 'line'])
    unknown = joined.File(lines=dict.fromkeys(range(1, 6), 0))
    source = '// A comment.\n\nif constexpr (known)\n    else\n    return 1;\n'
    expect('what is no code', [i.position for i in rules.items_of('a.cpp', unknown, source)], [(5,)])
    expect('a switch that names all', missing(22, 29), ['line'])
    expect('percentages', rules.percentages(items), [91.6, 88.8, 87.5, 75.0])


def check_second(place):
    """The same program, as g++ counts it; it stands in the core."""
    (place / 'core/acairo').mkdir(parents=True)
    (place / 'core/acairo/a.cpp').write_text(PROGRAM)
    (place / 'other.cpp').write_text('int other() { return 1; }\n')
    for command in [['g++', '-O0', '--coverage', '-w', '-o', 'a', 'core/acairo/a.cpp', 'other.cpp'], ['./a']]:
        subprocess.run(command, cwd=place, capture_output=True, check=True)
    counts = second.counted(place.resolve(), place.resolve())
    expect('the files of the core', list(counts), ['core/acairo/a.cpp'])
    lines = counts['core/acairo/a.cpp']
    expect('instantiations together', (lines[2], lines[6], lines[7]), (4, 3, 2))
    expect('a line that did not run', lines[15], 0)

    def seen(line):
        return second.differences(counts, {'core/acairo/a.cpp': joined.File(lines={line: 1})})

    expect('clang and g++ differ', seen(15), [('core/acairo/a.cpp', 15)])
    expect('clang and g++ agree', seen(2), [])
    told = list(second.told(place, counts, {'core/acairo/a.cpp': joined.File(lines={15: 1})}))
    expect('what is told', told[1], 'clang saw it run, and g++ did not: core/acairo/a.cpp:15: inline int unused() { return 3; }')
    expect('what else is told', told[0], f'g++ 12 sees {len(lines) - 2} of the {len(lines)} lines of the core on which it has code run')


ENTRY = '''# what for
file: a.cpp
line: if (a > 0 && b > 0)
unreached: branch false of `b > 0`
unreached: condition `b > 0`
why: A reason.
'''


def check_unreached(items):
    def problem(text):
        found, problems = rules.excused(text, items)
        return problems[0] if problems else len(found)

    expect('a sound entry', problem(ENTRY), 2)
    for what, old, new, message in [
            ('an entry whose line has gone', 'a > 0 &&', 'a > 7 &&', 'stale: nothing in a.cpp begins'),
            ('an entry of another file', 'a.cpp', 'b.cpp', 'stale: nothing in b.cpp begins'),
            ('an entry whose condition has gone', 'condition `b', 'condition `c', 'stale: there is no condition'),
            ('an entry that is not needed', 'condition `b', 'condition `a', 'unneeded: condition `a > 0`'),
            ('an entry for what stands twice', 'if (a > 0 && b > 0)', 'return 0;', 'several lines of a.cpp'),
            ('an entry without a reason', 'why: A reason.\n', '', 'an entry has "file: "'),
            ('an entry with something else', 'A reason.', 'A reason\nof two lines', 'an entry has "file: "'),
            ('an entry for nothing', 'unreached: ', 'reached: ', 'an entry has "file: "')]:
        said = str(problem(ENTRY.replace(old, new)))
        if message not in said or 'unreached.txt:2: ' not in said:
            failures.append(f'{what} is told as: {said}')
    # The line before tells which one is meant.
    twice = 'file: a.cpp\nline: return 1;\nafter: if (a > 0 && b > 0)\nunreached: line\nwhy: A reason.\n'
    expect('the one that is meant', problem(twice).partition(': ')[2][:20], 'unneeded: line on `r')
    excused, _ = rules.excused(ENTRY, items)
    expect('what is excused does not count', rules.percentages(items, excused), [91.6, 88.8, 91.3, 85.7])


def check_floor():
    floors = rules.floors_of('# comment\ncore 100.0 90.0 80.0 70.0\n')
    expect('the floor', floors, {'core': [100.0, 90.0, 80.0, 70.0]})
    expect('as it was', rules.compare(floors, {'core': [100.0, 90.0, 80.0, 70.0]}), ([], []))
    under, over = rules.compare(floors, {'core': [99.9, 90.0, 80.1, None]})
    expect('under the floor', [text.partition(',')[0] for text in under], ['core: 99.9 % of lines reached'])
    expect('over the floor', [text.partition(',')[0] for text in over],
           ['core: 80.1 % of branches reached', 'core: 100.0 % of MC/DC reached'])
    text = rules.raised('# comment\ncore 100.0 90.0 80.0 70.0\nold 5.0 5.0 5.0 5.0\n', {'core': [99.9, 90.0, 80.1, None], 'new': [1.0] * 4})
    expect('it is only raised', rules.floors_of(text), {'core': [100.0, 90.0, 80.1, 100.0], 'old': [5.0] * 4, 'new': [1.0] * 4})
    expect('comments are kept', text.partition('\n')[0], '# comment')
    expect('nothing is rounded up', rules.percentages([rules.Item('a', (n,), 'line', '', '', '', n != 0) for n in range(1999)])[0], 99.9)


with tempfile.TemporaryDirectory() as directory:
    of_program = reached(pathlib.Path(directory))
    check_join(of_program)
    check_unreached(of_program)
    check_floor()
    check_second(pathlib.Path(directory) / 'second')
print('\n'.join(failures) or 'each rule fires')
sys.exit(1 if failures else 0)
