// What runs in a child with real threads, watched by another one, and how it tells of its failure.
//
// Threads: `watched` is called on the child's only thread, which watches; `fail` on any.
// Invariants:
//   1. The first failure is told, and ends the process at once: other threads may be anywhere.
//   2. A deadlock is not a matter of time alone: all threads wait in the kernel, which has switched to none of them since the
//      last look, and so for some looks.
#pragma once
#include <acairo/process.hpp>
#include <mutex>

namespace stress {

// Into the page of the child's parent.
[[noreturn]] void fail(acairo::simulator::Verdict verdict, const std::string& text);
// The body, on a thread of its own. Fails when each thread waits at so many looks, a second apart, while page().runs stays as it is;
// and in the end when there is memory that nobody has.
void watched(int looks, const std::function<void()>& body);

// Held by the watching thread while it looks. Without it, who counts what the process has open and allocated would now and then count
// what the look takes, too.
extern std::mutex looking;

// The numbers in a directory of /proc: descriptors, threads.
std::vector<int> numbers_in(const char* place);

// Whether each thread but `others` waits in the kernel, how often the kernel has switched to and from them, and for how many ticks
// of the clock they have run.
struct Threads {
    explicit Threads(const std::vector<int>& others);
    bool all_wait = true;
    std::uint64_t switches = 0;
    std::uint64_t ticks = 0;
};

}  // namespace stress
