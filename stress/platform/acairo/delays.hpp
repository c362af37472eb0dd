// What makes a real machine's schedule less ordinary: yields, short spins, now and then a short nap, and calls that are
// interrupted, cut short or refused. Drawn from a seed, with one stream of numbers for each thread.
//
// Threads: any. A Climate is set while no thread of a run is there; everything else belongs to the thread that calls.
// Invariants:
//   1. Equal seeds draw equal numbers on a thread with the same ancestors, each of which has made as many draws before it: the
//      streams are a function of the seed, the interleaving is not.
//   2. Nothing here orders what two threads of a run do: no lock, and nothing shared is written but at a thread's end. Else a
//      delay would hide the race that it is there for.
//   3. A thread naps for no longer than `longest_naps` in all, and yields `most_yields` times at most, so that a run ends soon.
//   4. What is injected could have been the kernel's doing: see platform.hpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace acairo::stress {

// What a run may have.
struct Climate {
    std::uint64_t seed = 0;
    bool delays = false;
    bool interruptions = false;  // EINTR; waits that end, and weak exchanges that fail, for no reason
    bool shortages = false;      // of descriptors, and of memory in the kernel
    bool network = false;        // transfers that are cut, events in any order and one by one
};

// For the run that begins. The calling thread's stream begins anew.
void set_climate(const Climate& climate) noexcept;
// Shortages end: see Trial::clear_up.
void end_shortages() noexcept;

// The stream of a thread that the calling one starts, and its beginning there.
std::uint64_t split() noexcept;
void begin_thread(std::uint64_t stream) noexcept;

// Of a thread, from before it is started until what it ran is destroyed.
class Life {
public:
    Life() noexcept;
    Life(Life&& other) noexcept : counts_(std::exchange(other.counts_, false)) {}
    ~Life();

private:
    bool counts_ = true;
};
// Returns when no thread is left. What they did comes before.
void wait_for_threads() noexcept;

void delay() noexcept;
// Each of them false, or as it was, most of the time, and always when the climate has it not.
bool wakes_for_nothing() noexcept;
int error_of(std::span<const int> errors) noexcept;  // 0: none
std::size_t cut(std::size_t size) noexcept;          // at least 1, when that was
// Less than `n`; 0 without network.
std::size_t pick(std::size_t n) noexcept;

}  // namespace acairo::stress
