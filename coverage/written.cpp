// Profiles of processes that end early: linked into every program of the preset `coverage`. The profile's runtime writes at
// exit() only; a child that makes simulated runs ends by _exit, and a failed check by abort().
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
int __llvm_profile_write_file();
void __llvm_profile_reset_counters();

// In the place of the C library's, for whoever calls them from outside of it.
void _exit(int status) {
    __llvm_profile_write_file();
    for (;;) ::syscall(SYS_exit_group, status);
}

void abort() {
    __llvm_profile_write_file();
    ::signal(SIGABRT, SIG_DFL);
    ::raise(SIGABRT);
    for (;;) ::syscall(SYS_exit_group, 134);
}
}

namespace {

[[gnu::constructor]] void watch_forks() { ::pthread_atfork(nullptr, nullptr, __llvm_profile_reset_counters); }

}  // namespace
