#!/usr/bin/env python3
"""A failure in the debugger, as a user sees it: gdb_test.py HANDLER [PLANTED].

HANDLER is core/examples/simulated_handler, PLANTED the program with the museum's bugs. For each, `repro TOKEN --gdb` stops before
the step that fails, and each of the commands of core/simulator/gdb/acairo.py tells what it should. Skipped (77) where there is
no gdb, or where it may not trace.
"""
import re
import shutil
import subprocess
import sys


def run(program, *arguments, commands=''):
    done = subprocess.run([program, *arguments], input=commands, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=250)
    return done.returncode, done.stdout


def check(holds, what, output):
    if not holds:
        sys.exit(f'FAILED: {what}\n{output}')


def expect(pattern, output):
    """Finds it in the output of one command, or ends with a message."""
    found = re.search(pattern, output, re.MULTILINE)
    check(found, f'there is no {pattern!r} in', output)
    return found


class Debugger:
    """What gdb answers to each command, by the command; the first is what it says before any."""

    def __init__(self, program, token, *commands):
        typed = ''.join(f'echo @@{at}@@\\n\n{command}\n' for at, command in enumerate(commands)) + 'kill\nquit\n'
        _, self.all = run(program, 'repro', token, '--gdb', commands=typed)
        if re.search(r'ptrace: Operation not permitted|Could not trace the inferior|Cannot trace', self.all):
            print('skipped: this machine does not let gdb trace')
            sys.exit(77)
        check('Python Exception' not in self.all and 'Traceback' not in self.all and 'warning:' not in self.all,
              'the commands work', self.all)
        parts = re.split(r'(?:\(gdb\) )?@@\d+@@\n', self.all)
        check(len(parts) == len(commands) + 1, 'gdb answers each command', self.all)
        self.begin, self.answers = parts[0], [part.replace('(gdb) ', '') for part in parts[1:]]


def token_of(output):
    found = re.search(r'ci/repro (acairo1:\S+)', output)
    check(found, 'the search finds the bug', output)
    return found[1]


def the_handler(program):
    _, output = run(program, '--seconds', '100', '--runs', '1000')
    token = token_of(output)
    status, output = run(program, 'repro', token, '--here')
    check(status == 1, f'it fails in the process itself, too: 1, not {status}', output)

    commands = ('acairo threads', 'acairo tasks', 'acairo kernel', 'acairo waits', 'acairo thread 0', 'frame', 'backtrace',
                'acairo step', 'acairo goto 100', 'acairo threads', 'frame', 'acairo step', 'acairo step -1', 'acairo goto 100',
                'acairo thread 7', 'acairo goto x', 'acairo help')
    gdb = Debugger(program, token, *commands)
    threads, tasks, kernel, waits, thread, frame, backtrace, step, at_100, threads_100, frame_100, at_101, back, again, no_thread, \
        no_number, told = gdb.answers
    last = expect(r'^FAILED: a_message_comes_back: .*, after step (\d+)$', gdb.begin)[1]
    expect(rf'^before step {last}: thread \d, \w+', gdb.begin)

    expect(r'^  0  the body  waits: condition.wait of object \d+ +since step \d+ .*< simulated_handler.cpp:2[0-9] a_message_comes_back$', threads)
    check(len(re.findall(r'^[* ] [12]  a worker ', threads, re.MULTILINE)) == 2, 'both workers are listed', threads)
    check(len(re.findall(r'^\* ', threads, re.MULTILINE)) == 1, 'one of the threads runs', threads)
    # From the leaf to the root: the bug's coroutine, and who awaits it; and the other side.
    expect(r'^chain \d, of thread [12], waits: \w+ of descriptor \d$', tasks)
    # Of optimized code of g++, some places are not to be had.
    expect(r'^  #0    handle +simulated_handler.cpp:1[245]\n  #1    a_message_comes_back::lambda +simulated_handler.cpp(?:, somewhere after line |:)24$', tasks)
    expect(r'^  #0    a_message_comes_back::lambda +simulated_handler.cpp:2[78]\n  #1    sync_wait::lambda +executor.hpp(?:, somewhere after line |:)\d+$', tasks)
    expect(r'^0   epoll +at step \d+ +watches 1 \(IN\|ET\)', kernel)
    expect(r'^1   eventfd +at step \d+ +its count is \d$', kernel)
    expect(r'^4   listener +at step \d+ +127.0.0.1:\d+, 0 of 4096 wait to be accepted$', kernel)
    expect(r'^5   socket +established +at step \d+ +127.0.0.1:\d+ -> 127.0.0.1:\d+, \d to read "h', kernel)
    expect(r'^thread 0 +condition.wait of object \d+ +since step \d+ +was never notified; no deadline$', waits)
    expect(r'^chain \d +\w+ of descriptor \d .*, in handle at simulated_handler.cpp:1[245]$', waits)
    # A stack that does not run is gdb's, too.
    expect(r'^  #\d+ +a_message_comes_back at simulated_handler.cpp:25$', thread)
    expect(r'executor.hpp:\d+', frame)
    expect(r'a_message_comes_back \(trial=|a_message_comes_back\(acairo::Trial', backtrace)
    expect(r'FiberEntry::enter', backtrace)
    # Forwards until it fails; backwards by the same run again.
    expect(r'Breakpoint \d+, .*acairo::simulator::Scheduler::fail', step)
    expect(r'^before step 100: thread \d, ', at_100)
    expect(r'before step 100, ', threads_100)
    expect(r'\.[hc]pp:\d+', frame_100)
    expect(r'^before step 101: thread \d, ', at_101)
    check(back == at_100 and again == at_100, 'the same run again is the same', at_100 + back + again)
    expect('there are the threads 0 to 2', no_thread)
    expect('wants a number, not "x"', no_number)
    for word in ('threads', 'thread N', 'tasks', 'kernel', 'waits', 'step', 'goto N'):
        expect(rf'acairo {re.escape(word)}', told)


def the_planted_bug(program):
    """Nobody wakes who waits for a socket that is closed."""
    _, output = run(program, '--plant', 'close_wakes_nobody', '--only', 'close_ends_both_waiters', '--runs', '1000', '--seconds',
                    '200')
    token = token_of(output)
    commands = ('acairo threads', 'acairo tasks', 'acairo kernel', 'acairo waits', 'continue')
    threads, tasks, kernel, waits, failed = Debugger(program, token, *commands).answers
    expect(r'^\* 0  the body .* close_ends_both_waiters.cpp:\d+ close_ends_both_waiters$', threads)
    # Descriptor 6 is closed, and its reader still waits; the number is another socket's by now.
    expect(r'^chain \d, of thread \d, waits: read_exactly of descriptor 6, which is closed$', tasks)
    expect(r'^  #0    read_for_ever +close_ends_both_waiters.cpp(?:, somewhere after line |:)23\n  #1    expect_end +close_ends_both_waiters.cpp(?:, somewhere after line |:)1[35]$', tasks)
    expect(r'^6   socket +established +at step \d+ +127.0.0.1:\d+ -> 127.0.0.1:\d+, nothing to read$', kernel)
    expect(r'^chain \d +read_exactly of descriptor 6, which is closed .*, in read_for_ever at close_ends_both_waiters.cpp.*23$', waits)
    expect('Breakpoint \\d+, .*acairo::simulator::Scheduler::fail', failed)


if not shutil.which('gdb'):
    print('skipped: no gdb; install Debian\'s package gdb')
    sys.exit(77)
the_handler(sys.argv[1])
if len(sys.argv) > 2:
    the_planted_bug(sys.argv[2])
