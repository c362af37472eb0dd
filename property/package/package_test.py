#!/usr/bin/env python3
"""The package, as its users get it: package_test.py SOURCE INSTALLED COMPILER WHAT

WHAT is one of:
  headers      each installed header alone, and twice, with the flags that pkg-config tells and the developers' warnings
  pkg_config   a program over the real world and one over the simulated one, without CMake; the version is the project's
  plain        the library alone, with g++ and nothing else of the machine: it is built, installed and used; and who asks it
               for the simulator, and each configuration that lacks something, is told what to install
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

source, installed, compiler = (pathlib.Path(argument) for argument in sys.argv[1:4])
# As acairo_warnings() has them.
WARNINGS = '-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-dangling-pointer -Werror'.split()


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250, **options)
    return done.returncode, done.stdout


def check(holds, what, output=''):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output}')


def succeed(*command, **options):
    status, output = run(*command, **options)
    check(status == 0, ' '.join(map(str, command)), output)
    return output


def flags(prefix, name, *which):
    found = list(prefix.rglob(f'{name}.pc'))
    check(len(found) == 1, f'one {name}.pc is installed in {prefix}, not {len(found)}')
    return succeed('pkg-config', *which, name, env={**os.environ, 'PKG_CONFIG_PATH': str(found[0].parent)}).split()


def headers():
    include = installed / 'include/acairo'
    worlds = [('acairo', include), ('acairo', include / 'core/linux/acairo'), ('acairo-simulator', include / 'core/simulator/acairo')]
    names = [(world, path.name) for world, directory in worlds for path in sorted(directory.glob('*.hpp'))]
    shipped = [path for room in ('acairo', 'linux/acairo', 'simulator/acairo') for path in (source / 'core' / room).glob('*.hpp')]
    check(len(names) == len(shipped), f'{len(names)} headers are installed of {len(shipped)}')
    options = {world: flags(installed, world, '--cflags') for world in ('acairo', 'acairo-simulator')}

    def compiled(world, name):
        text = f'#include <acairo/{name}>\n' * 2
        return world, name, *run(compiler, '-fsyntax-only', '-x', 'c++', *WARNINGS, *options[world], '-', input=text)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for world, name, status, output in pool.map(lambda each: compiled(*each), names):
            check(status == 0, f'{name} compiles alone, with the flags of {world}', output)


def pkg_config():
    version = re.search(r'^project\(acairo VERSION (\S+)', (source / 'CMakeLists.txt').read_text(), re.M)[1]
    programs = {'acairo': (source / 'property/package/user.cpp', []), 'acairo-simulator': (source / 'core/examples/simulated_handler.cpp', ['--list'])}
    with tempfile.TemporaryDirectory() as directory:
        for name, (program, arguments) in programs.items():
            check(flags(installed, name, '--modversion') == [version], f'{name} has version {version}')
            built = pathlib.Path(directory) / name
            succeed(compiler, '-o', built, program, *flags(installed, name, '--cflags', '--libs'))
            succeed(built, *arguments)


def plain():
    with tempfile.TemporaryDirectory() as made:
        directory = pathlib.Path(made)
        # No clang, no Python, no pkg-config; and no library but the compiler's own.
        tools = directory / 'tools'
        tools.mkdir()
        for tool in ('g++', 'gcc', 'as', 'ld', 'ar', 'ranlib', 'ninja'):
            (tools / tool).symlink_to(shutil.which(tool))
        alone = {'env': {'PATH': str(tools), 'HOME': made}}
        cmake = shutil.which('cmake')

        def configure(*options, root=source, build=directory / 'build'):
            return run(cmake, '-S', root, '-B', build, '-G', 'Ninja', '-DCMAKE_CXX_COMPILER=g++', '-DCMAKE_IGNORE_PREFIX_PATH=/;/usr;/usr/local',
                       '-DACAIRO_EXAMPLES=OFF', *options, **alone)

        def refused(*options, because, **where):
            status, output = configure(*options, **where)
            # CMake breaks lines where it likes.
            output = ' '.join(output.split())
            check(status != 0, f'{options} is refused', output)
            for text in because:
                check(text in output, f'{options} is refused because of {text}', output)

        status, output = configure()
        check(status == 0, 'the library is configured', output)
        succeed(cmake, '--build', directory / 'build', **alone)
        prefix = directory / 'prefix'
        succeed(cmake, '--install', directory / 'build', '--prefix', prefix, **alone)
        check(not list(prefix.rglob('*simulat*')), 'nothing of the simulator is installed')
        succeed(tools / 'g++', '-o', directory / 'user', source / 'property/package/user.cpp', *flags(prefix, 'acairo', '--cflags', '--libs'))
        succeed(directory / 'user')
        refused(f'-DCMAKE_PREFIX_PATH={prefix}', root=source / 'property/package', build=directory / 'use',
                because=['without its component simulator', '-DACAIRO_SIMULATOR=ON'])

        refused('-DACAIRO_SIMULATOR=ON', because=['libboost-context-dev', 'libcli11-dev', 'ACAIRO_SIMULATOR to OFF'])
        (directory / 'boost').mkdir()
        (directory / 'boost/version.hpp').write_text('#define BOOST_LIB_VERSION "1_66"\n')
        refused('-DACAIRO_SIMULATOR=ON', '-DACAIRO_BOOST_CONTEXT=/some/libboost_context.so', f'-DACAIRO_BOOST_INCLUDE={directory}',
                '-DACAIRO_CLI11_INCLUDE=/some', because=['Boost.Context is version 1.66', '1.74 or newer', 'libboost-context-dev'])
        refused('-DACAIRO_SIMULATOR=OFF', '-DACAIRO_TESTS=ON', '-DACAIRO_GOOGLETEST=/nowhere', because=['package googletest', 'ACAIRO_TESTS to OFF'])
        (directory / 'CMakeLists.txt').write_text('set(GOOGLETEST_VERSION 1.8.1)\n')
        refused('-DACAIRO_TESTS=ON', f'-DACAIRO_GOOGLETEST={directory}', because=['GoogleTest is version 1.8.1', '1.12.1 or newer'])
        refused('-DACAIRO_TESTS=OFF', '-DACAIRO_EXAMPLES=ON', because=['libspdlog-dev', 'ACAIRO_EXAMPLES to OFF'])


{'headers': headers, 'pkg_config': pkg_config, 'plain': plain}[sys.argv[4]]()
