#!/usr/bin/env python3
"""Runs build.sh as OSS-Fuzz does, and looks at the result as OSS-Fuzz does before it takes it. Called by ci/oss-fuzz-check.

    check.py SOURCE [--program FILE] [--place DIRECTORY] [SANITIZER]...

SANITIZER: address, undefined, memory, coverage; the first two unless told. --program: with this program, which is built already
for the first of them, instead of building one: what is beside it, and how it runs, is looked at all the same. --place: where it
builds, instead of SOURCE/build/oss-fuzz.

Invariants:
  1. build.sh sees OSS-Fuzz's variables, and nothing else of this process's environment but where to find programs.
  2. What was built is moved before it runs: it may not know where it was built.

Exit codes: 0: OSS-Fuzz would take them; 1: not; 2: wrong usage; 4: a sanitizer is not supported here.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

RUNTIME = pathlib.Path('/usr/lib/llvm-19/lib')
FLAGS = '-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION'
UNDEFINED = 'array-bounds,bool,builtin,enum,function,integer-divide-by-zero,null,object-size,return,returns-nonnull-attribute,' \
            'shift,signed-integer-overflow,unreachable,vla-bound,vptr'
COVERAGE = '-fsanitize=fuzzer-no-link'
# The flags that OSS-Fuzz's images set, and the fewest calls of each sanitizer's runtime that its check wants to see.
SANITIZERS = {
    'address': (f'-fsanitize=address -fsanitize-address-use-after-scope {COVERAGE}', {'asan': (1000, None), 'ubsan': (0, 200)}),
    'undefined': (f'-fsanitize={UNDEFINED},unsigned-integer-overflow -fno-sanitize-recover={UNDEFINED} {COVERAGE}',
                  {'ubsan': (168, None), 'asan': (0, 0)}),
    'memory': (f'-fsanitize=memory -fsanitize-memory-track-origins {COVERAGE}', {'msan': (1000, None), 'asan': (0, 0)}),
    'coverage': ('-fprofile-instr-generate -fcoverage-mapping -pthread -Wl,--no-as-needed -Wl,-ldl -Wl,-lm '
                 '-Wno-unused-command-line-argument', {'asan': (0, 0)}),
}
# Where the targets run there is the C library, and little else. OSS-Fuzz's libFuzzer brings its own C++ library; Debian's wants
# libstdc++, which is therefore linked here, and only here; behind the other one: else exceptions are thrown by one library, and caught
# by what the other one knows of their types.
THERE = re.compile(r'lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+)\.so|ld-linux')
SETTINGS = {'ASAN_OPTIONS': 'detect_leaks=0:detect_stack_use_after_return=0', 'UBSAN_OPTIONS': 'silence_unsigned_overflow=1',
            'LLVM_PROFILE_FILE': '/dev/null', 'PATH': '/usr/bin:/bin'}


# MemorySanitizer takes for uninitialized what a library has written that was compiled without it.
PROBE = '''#include <string>
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, unsigned long size) {
    return (std::string(data, data + size) + std::to_string(size) + " are more than a short string").size() == 3;
}
'''


class Bad(Exception):
    pass


class Unsupported(Exception):
    pass


def run(command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', timeout=3000, **options)
    return done.returncode, done.stdout


def require(holds, what, output=''):
    if not holds:
        raise Bad(f'{what}\n{output[-4000:]}'.rstrip())


def require_instrumented(place, archives, flags):
    (place / 'probe.cpp').write_text(PROBE)
    status, output = run(['clang++-19', *flags.split(), '-stdlib=libc++', '-fsanitize=fuzzer', f'-L{archives}', '-fuse-ld=lld',
                          '-l:libstdc++.so.6', place / 'probe.cpp', '-o', place / 'probe'])
    if status == 0:
        status, output = run([place / 'probe', '-runs=4'], env=SETTINGS)
    if status != 0:
        wrong = re.search(r'WARNING: (MemorySanitizer.*\n.*)', output)
        raise Unsupported(f'the C++ library in {RUNTIME} is not instrumented: {" ".join(wrong[1].split()) if wrong else output[-500:]}; '
                          'ACAIRO_MSAN_LIBCXX may name a folder with libc++.a and libc++abi.a that are')


def built(source, place, sanitizer, program):
    """The folder that build.sh has filled."""
    folders = {name.upper(): place / name for name in ('src', 'work', 'out')}
    shutil.rmtree(folders['OUT'], ignore_errors=True)
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    (folders['WORK'] / 'acairo/CMakeCache.txt').unlink(missing_ok=True)  # the variables count once
    link = folders['SRC'] / 'acairo'
    if not link.is_symlink():
        link.symlink_to(source)
    shutil.copy(source / 'fuzz/oss-fuzz/build.sh', folders['SRC'])
    # In OSS-Fuzz's images libc++ is an archive only; here both are, and the linker must not see the other one.
    archives = place / 'archives'
    archives.mkdir(exist_ok=True)
    instrumented = os.environ.get('ACAIRO_MSAN_LIBCXX') if sanitizer == 'memory' else None
    for name in ('libc++.a', 'libc++abi.a', 'libunwind.a'):
        (archives / name).unlink(missing_ok=True)
        (archives / name).symlink_to(next(p / name for p in (pathlib.Path(instrumented or RUNTIME), RUNTIME) if (p / name).exists()))
    flags = f'{FLAGS} {SANITIZERS[sanitizer][0]}'
    if sanitizer == 'memory':
        require_instrumented(place, archives, flags)
    # It is a flag, or the path of an archive: one sanitizer sees the one, the others the other.
    engine = '-fsanitize=fuzzer'
    if sanitizer == 'undefined':
        engine = next(RUNTIME.glob('clang/19/lib/linux/libclang_rt.fuzzer-x86_64.a'), engine)
    environment = {'PATH': os.environ['PATH'], 'HOME': os.environ.get('HOME', '/root'), 'CC': 'clang-19', 'CXX': 'clang++-19',
                   'CFLAGS': flags, 'CXXFLAGS': f'{flags} -stdlib=libc++', 'LDFLAGS': f'-L{archives} -fuse-ld=lld -lc++ -lc++abi -l:libstdc++.so.6',
                   'LIB_FUZZING_ENGINE': str(engine), 'SANITIZER': sanitizer, 'FUZZING_ENGINE': 'libfuzzer',
                   'FUZZING_LANGUAGE': 'c++', 'ARCHITECTURE': 'x86_64', **{name: str(path) for name, path in folders.items()}}
    if program:
        environment['ACAIRO_FUZZ_TARGETS'] = str(program)
    status, output = run(['bash', '-eux', folders['SRC'] / 'build.sh'], cwd=link, env=environment)
    require(status == 0, f'build.sh ends with {status}', output)
    moved = place / 'moved'
    shutil.rmtree(moved, ignore_errors=True)
    folders['OUT'].rename(moved)
    return moved


def targets_in(out):
    """As OSS-Fuzz finds them: what can be executed, and has the name of the entry point in it."""
    return sorted(path.name for path in out.iterdir() if os.access(path, os.X_OK) and path.read_bytes()[:4] == b'\x7fELF'
                  and b'LLVMFuzzerTestOneInput' in path.read_bytes())


def check_program(path, sanitizer):
    _, code = run(['llvm-objdump-19', '-d', '--no-show-raw-insn', path])
    for runtime, (fewest, most) in SANITIZERS[sanitizer][1].items():
        calls = len(re.findall(rf'callq?\s+\S+ <__{runtime}', code))
        require(calls >= fewest, f'only {calls} calls of {runtime}: it is not compiled with the sanitizer')
        require(most is None or calls <= most, f'{calls} calls of {runtime}: sanitizers are mixed')
    _, needs = run(['llvm-readelf-19', '-d', path])
    missing = [name for name in re.findall(r'NEEDED.*\[(.*)\]', needs) if not THERE.match(name)]
    require(not missing, f'where the targets run there is no {", ".join(missing)}')


def check_target(out, name, sanitizer, scratch):
    for suffix in ('_seed_corpus.zip', '.dict', '.options'):
        require((out / (name + suffix)).is_file(), f'{name}{suffix} is missing')
    seeds = scratch / name
    shutil.rmtree(seeds, ignore_errors=True)
    with zipfile.ZipFile(out / f'{name}_seed_corpus.zip') as archive:
        archive.extractall(seeds)
    count = len(list(seeds.iterdir()))
    require(count > 0, f'{name}: no seed in its corpus')
    status, output = run([out / name, '-runs=0', '-timeout=25', '-rss_limit_mb=2560', f'-dict={out / name}.dict', seeds],
                         env=SETTINGS, cwd=scratch)
    require(status == 0, f'{name} ends with {status} over its seeds', output)
    if sanitizer == 'coverage':
        return count, 'coverage'
    status, output = run([out / name, '-seed=1337', '-runs=4'], env=SETTINGS, cwd=scratch)
    require(status == 0 and 'Done 4 runs' in output, f'{name} does not make 4 runs', output)
    edges = re.search(r'INFO: Loaded \d+ modules?\s+\((\d+) ', output)
    require(edges and int(edges[1]) >= 100, f'{name} has next to no coverage', output)
    return count, f'{edges[1]} edges'


def check(source, place, sanitizer, program):
    print(f'ci/oss-fuzz-check: {sanitizer}: building', file=sys.stderr, flush=True)
    out = built(source, place, sanitizer, program)
    wanted = sorted(path.stem for path in (source / 'fuzz').glob('*.cpp'))
    found = targets_in(out)
    require(found == wanted, f'it finds the targets {" ".join(found)} instead of {" ".join(wanted)}')
    seen = {}
    for name in found:
        digest = hashlib.sha256((out / name).read_bytes()).hexdigest()
        if digest not in seen:
            if not program:
                check_program(out / name, sanitizer)
            seen[digest] = True
        seeds, coverage = check_target(out, name, sanitizer, place)
        print(f'ci/oss-fuzz-check: {sanitizer}: {name}: {seeds} seeds, {coverage}', file=sys.stderr, flush=True)
    return f'{len(found)} targets'


def main():
    parser = argparse.ArgumentParser(prog='ci/oss-fuzz-check', add_help=False, allow_abbrev=False)
    parser.add_argument('source', type=pathlib.Path)
    parser.add_argument('sanitizers', nargs='*', metavar='SANITIZER')
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--place', type=pathlib.Path)
    chosen = parser.parse_args()
    for sanitizer in chosen.sanitizers:
        if sanitizer not in SANITIZERS:
            parser.error(f'no sanitizer "{sanitizer}": there are {", ".join(SANITIZERS)}')
    source = chosen.source.resolve()
    place = (chosen.place or source / 'build/oss-fuzz').resolve()
    results = {}
    for sanitizer in chosen.sanitizers or ['address', 'undefined']:
        try:
            results[sanitizer] = (True, check(source, place / sanitizer, sanitizer, chosen.program and chosen.program.resolve()))
        except Unsupported as unsupported:
            results[sanitizer] = (False, f'unsupported: {unsupported}')
        except Bad as bad:
            results[sanitizer] = (False, 'bad build')
            print(f'BAD BUILD: {sanitizer}: {bad}')
    print('; '.join(f'{name}: {text}' for name, (_, text) in results.items()))
    return 1 if any(text == 'bad build' for _, text in results.values()) else 0 if all(good for good, _ in results.values()) else 4


if __name__ == '__main__':
    sys.exit(main())
