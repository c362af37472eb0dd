#!/usr/bin/python3
"""What ci/mutate --mutants promises, over a small source of its own: mutants_test.py SOURCE. Ends with 77 without libclang's bindings.

The generator makes the mutants that it should, and of what must be constant none; names stay when lines are inserted before, and
change with what they change; the copy compiles, does what the source does until a mutant is chosen, and then something else; one
that does not compile is found and left out; a survivor is told, and so is an exception that is killed, stale, or without a reason.
"""
import pathlib
import subprocess
import sys
import tempfile

source = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(source / 'stress'))
try:
    import killing
    import mutants
except ModuleNotFoundError as missing:
    print(f'{missing}: install Debian\'s python3-clang-19, and run this with /usr/bin/python3')
    sys.exit(77)

SAMPLE = '''#include <atomic>
#include <utility>

enum class Way { there, back };
static constexpr int limit = 3;
static_assert(limit > 2);
struct Lock {
    explicit Lock(int& to) : count(to) { ++count; }
    ~Lock() { --count; }
    int& count;
};
struct Sample {
    bool few(int n) noexcept { return n < limit && n != 1; }
    int taken() noexcept { return std::exchange(held, 0); }
    int& place() noexcept { return held; }
    void put(int n, Way way) {
        const Lock lock(locks);
        if (n > 5) return;
        held = n;
        done.store(true, std::memory_order_release);
        if (way == Way::there) held += locks;
    }
    int held = 0, locks = 0;
    std::atomic<bool> done{false};
};
'''
MAIN = '''#include <cstdio>
int main() {
    Sample sample;
    sample.put(2, Way::there);
    std::printf("%d %d %d", sample.taken(), sample.taken(), sample.few(2));
}
'''
EXPECTED = {
    ('operator', 'n < limit', 'n <= limit'), ('operator', 'n != 1', 'n == 1'), ('operand', 'n != 1', 'true'),
    ('constant', '1', '1 + 1'), ('constant', '0', '1'), ('never', 'n > 5', 'false'), ('always', 'n > 5', 'true'),
    ('negate', 'n > 5', '!(n > 5)'), ('removed', 'return;', ';'), ('removed', 'held = n;', ';'),
    ('exchange', 'std::exchange(held, 0)', 'held'), ('order', 'std::memory_order_release', 'std::memory_order_relaxed'),
    ('enumerator', 'Way::there', 'Way::back'), ('operator', 'held += locks', 'held -= locks'), ('constant', 'true', 'false'),
    ('operator', 'n > 5', 'n >= 5'), ('answer', 'held', '0'), ('removed', '++count;', ';'), ('operator', '++count', '--count'),
}
FORBIDDEN = ('limit = 3', 'limit > 2', 'there, back', 'const Lock lock(locks);')


def check(holds, what, output=''):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output}')


def made_of(directory, text):
    path = directory / 'core/acairo/sample.hpp'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return mutants.loaded(directory, 'core/acairo/sample.hpp', ())


def triple(m):
    told = m.told()
    return told['kind'], told['old'], told['new']


with tempfile.TemporaryDirectory() as name:
    directory = pathlib.Path(name)
    made, fixed = made_of(directory, SAMPLE)
    triples = {triple(m) for m in made}
    check(EXPECTED <= triples, 'the generator makes what it should', EXPECTED - triples)
    check(any(m.kind == 'unlocked' and m.old.startswith('const Lock') and 'lock(' not in m.new for m in made), 'a block without its lock')
    check(any(m.kind == 'lock_later' and m.new.startswith('if (n > 5)') for m in made) is False, 'a lock behind a jump would be none')
    check(any(m.kind == 'swapped' and m.new.startswith('done.store') for m in made), 'statements that change places')
    check(not [m for m in made if m.old in FORBIDDEN or m.line in (4, 5, 6)], 'what is constant has no mutant', triples)
    check(fixed['a constant expression'] >= 2 and sum(fixed.values()) >= 3, 'and is counted', fixed)
    check(len({m.name for m in made}) == len(made), 'each has a name of its own')

    names = {m.name for m in made}
    moved = {m.name for m in made_of(directory, SAMPLE.replace('struct Sample', '// A line.\n\nint other;\nstruct Sample'))[0]}
    check(moved == names, 'names stay when lines are inserted before', moved ^ names)
    changed = {m.name for m in made_of(directory, SAMPLE.replace('n > 5', 'n > 6'))[0]}
    check(0 < len(names - changed) < 10, 'the names of what has changed, and no others, change', names - changed)

    # The copy: with none chosen what it was, with one what that one makes of it; and what does not compile is blamed.
    made, _ = made_of(directory, SAMPLE)
    broken = next(m for m in made if triple(m) == ('removed', 'held = n;', ';'))
    broken.new = 'no_such_name();'
    wrong = [m for m in made if m.function == 'Sample.place']
    output = directory / 'copy'

    def compiled():
        mutants.copied(directory, output, [m for m in made if m not in left_out])
        (output / 'main.cpp').write_text('#include "acairo/chosen.cpp"\n#include "acairo/sample.hpp"\n' + MAIN)
        return subprocess.run(['clang++-19', '-std=c++20', '-w', '-I', output, output / 'main.cpp', '-o', output / 'main'],
                              stderr=subprocess.PIPE, text=True)

    left_out = []
    done = compiled()
    numbers = mutants.blamed(output, done.stderr)
    check(done.returncode != 0 and numbers == {m.number for m in [broken, *wrong]}, 'who does not compile is blamed, and nobody else',
          f'{numbers}\n{done.stderr}')
    left_out = [m for m in made if m.number in numbers]
    done = compiled()
    check(done.returncode == 0, 'the others compile', done.stderr)

    def printed(number):
        return subprocess.run([output / 'main'], env={'ACAIRO_MUTANT': str(number)}, stdout=subprocess.PIPE, text=True).stdout

    check(printed(0) == '3 0 1', 'with none chosen the copy does what it did', printed(0))
    for what, result in ((('exchange', 'std::exchange(held, 0)', 'held'), '3 3 1'), (('operator', 'held += locks', 'held -= locks'), '1 0 1'),
                         (('operand', 'n != 1', 'false'), None), (('enumerator', 'Way::there', 'Way::back'), '2 0 1'),
                         (('always', 'n < limit && n != 1', 'true'), '3 0 1'), (('never', 'n < limit && n != 1', 'false'), '3 0 0')):
        for m in (m for m in made if triple(m) == what):
            check(printed(m.number) == result, f'{m.name} does what it says', printed(m.number))

    # Who is asked: what is on Linux only where Linux is; weaker orders not by AddressSanitizer, which cannot see them, and by
    # ThreadSanitizer over real threads, too.
    order, other = (next(m for m in made if (m.kind == 'order') == so) for so in (True, False))
    asked_of = lambda m: [stage for stage in killing.STAGES if killing.is_asked(stage, m)]
    check(asked_of(order) == [stage for stage in killing.STAGES if stage != 'asan'], 'a weaker order is asked at each stage but asan',
          asked_of(order))
    check(asked_of(other) == list(killing.STAGES[:-1]) and killing.STAGES[-1] == 'threads', 'others not at the last', asked_of(other))
    order.file = other.file = 'core/linux/acairo/platform.hpp'
    check(asked_of(order) == ['property', 'counts', 'stack', 'threads'], 'of the seam, too, but not in other worlds', asked_of(order))
    check(asked_of(other) == ['property', 'counts', 'stack'], 'and others of the seam where Linux is', asked_of(other))

    # What is alive must be listed, and what is listed must be alive.
    dead = {'killed': {'who': 'a_property', 'stage': 'runs'}, 'alive': {}}
    one, two = made[0], made[1]
    known = {m.name: dead for m in made}
    known[one.name] = {'killed': None, 'alive': {'runs': ''}}
    everybody = {m.name for m in made}
    file = directory / 'survivors.txt'

    def judged(text):
        file.write_text(text)
        return killing.judged(made, known, set(), killing.Listed(file), everybody)

    def row(m):
        return f'    {m.name}  {m.told()["old"]} ==> {m.told()["new"]}\n'

    check(judged('') == ([], [one]), 'a survivor is told')
    check(judged('equivalent: So it is.\n' + row(one)) == ([], []), 'but not when it is listed')
    check('is killed by a_property' in str(judged('equivalent: So it is.\n' + row(one) + row(two))[0]), 'who is listed and killed is told')
    check('no such mutant' in str(judged(f'needs weak memory: So.\n{row(one)}    gone.mutant  a ==> b\n')[0]), 'and who is listed and is gone')
    check('another text' in str(judged(f'equivalent: So.\n    {one.name}  a ==> b\n')[0]), 'and who is listed with another text')
    for text in (f'{row(one)}', f'equivalent:\n{row(one)}', f'because: So.\n{row(one)}', f'equivalent: So.\n{row(one)}{row(one)}'):
        try:
            judged(text)
        except SystemExit:
            continue
        check(False, 'an exception without a reason, or twice, is refused', text)
