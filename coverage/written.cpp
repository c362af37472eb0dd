// Profiles of processes that end early: linked into every program that is instrumented for coverage, by clang or by g++. The
// profile's runtime writes at exit() only; a child that makes simulated runs ends by _exit, and a failed check by abort().
//
// Threads: whichever ends the process. A child has one.
// Invariants:
//   1. What the parent had counted before the fork is written by the parent, not again by each child.
//   2. What a process that a signal ends had counted is lost: what is reached only there counts as not reached.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

extern "C" {
// The names are those of clang's runtime, or of g++'s: see CMakeLists.txt.
void write_profile();
void forget_profile();

// In the place of the C library's, for whoever calls them from outside of it.
void _exit(int status) {
    write_profile();
    for (;;) ::syscall(SYS_exit_group, status);
}

void abort() {
    write_profile();
    ::signal(SIGABRT, SIG_DFL);
    ::raise(SIGABRT);
    for (;;) ::syscall(SYS_exit_group, 134);
}

[[gnu::constructor]] static void watch_forks() { ::pthread_atfork(nullptr, nullptr, forget_profile); }
}
