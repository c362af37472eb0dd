// The command line of a program that holds properties: it searches for a run that fails, and replays one.
//
//     PROGRAM [--only NAME] [--seconds N] [--runs N] [--seed TEXT] [--reach]  searches
//     PROGRAM --only NAME --workload N,N,... ...                       with a workload that was chosen elsewhere
//     PROGRAM [--only NAME] --each-fault [--schedules N]               one run for each single fault that there can be
//     PROGRAM --engine NAME ...                                        by one strategy (see strategy.hpp) instead of all in turn
//     PROGRAM --engine enumeration [--preemptions N] [--faults N] ...  searches all runs with so few switches and faults
//     PROGRAM --list
//     PROGRAM repro TOKEN|FILE [--times N] [--timeline FILE] [--gdb]
//     PROGRAM canary BUG [--seeds N] [--replays N]                     whether a planted bug is found; --plant BUG searches with it
//     PROGRAM kill BUG [--runs N] [--first NAME]... [--each-fault]     whether any property fails with it: 1: one does
//     PROGRAM bytes FILE --only NAME                                   tells of, and makes a token of, what a fuzzer found
//     PROGRAM traces                                                   hashes that are equal in every build
//
// Exit codes: 0 nothing found (repro: it does not fail here); 1 a failure was found, or reproduced each time; 2 wrong usage;
// 3 repetitions disagree; 4 the harness itself failed.
//
// Threads: the main one.
#pragma once

namespace acairo::simulator {

// For main() to return. The properties are those that are registered: see property.hpp.
int tool(int argc, char** argv);

}  // namespace acairo::simulator
