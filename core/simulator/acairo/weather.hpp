// The weather of a run: which faults it may have, and how the simulated network behaves. Drawn first, so that a run with none
// of some kind is as likely as one full of it (swarm testing: Groce et al., ISSTA 2012), and so that a shrinker takes a whole
// kind of fault away with one choice.
//
// Threads: that of the run.
// Invariants:
//   1. All zeros is fine weather: every call succeeds, everything arrives at once and whole, nothing wakes without a reason.
//   2. What a run forbids is not drawn: a property that says `faults = false` has recordings without those choices.
#pragma once
#include <acairo/choices.hpp>
#include <cstddef>
#include <cstdint>

namespace acairo::simulator {

// What a run may have at worst.
struct Climate {
    bool interruptions = true;  // EINTR; waits that end, and weak exchanges that fail, for no reason
    bool older_loads = true;    // loads see another store than the newest, where their memory order allows it
    bool shortages = true;      // of memory in the kernel, of descriptors, of threads
    bool network = true;        // delays, fragments, small buffers, events in any order
    bool clock = true;          // time passes while threads could run: see Options::clock_jumps
    bool allocations = false;   // operator new fails: the k-th, once or from then on
    bool one_fault = false;     // at most one fault, at a place that is chosen: see one_fault.hpp
};

struct Weather {
    bool interruptions = false;
    bool older_loads = false;
    bool shortages = false;
    bool delays = false;
    bool fragments = false;
    bool reorders = false;
    bool clock_jumps = false;
    std::size_t buffer = 16384;            // of a socket, in bytes, in each direction
    std::uint64_t descriptors = 1024;      // a process may have so many
    std::uint64_t failing_allocation = 0;  // the k-th of the run, from 1; 0: none
    bool allocations_keep_failing = false;
    std::uint64_t failing_call = 0;   // the k-th system call of the run that can fail, from 1; 0: none
    std::uint64_t failing_error = 0;  // the k-th of those that it may fail with, from 0

    static Weather draw(Choices& choices, const Climate& climate);
};

}  // namespace acairo::simulator
