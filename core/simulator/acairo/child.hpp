// One run of a property in a process of its own, so that whatever it does (fail a check, a sanitizer's report, a crash, a loop
// that never ends) is a result.
//
// Threads: one; the simulation's own process must have no other threads while it forks.
// Invariants:
//   1. What the run chose is known even when it died: each choice is in shared memory before the run goes on.
//   2. Two failures are of one kind when their `kind` is equal: the verdict, the sanitizer's finding, the check's text, or the
//      signal. No address, number or name of a thread is in it.
#pragma once
#include <acairo/chronicle.hpp>
#include <acairo/enumeration.hpp>
#include <acairo/machine.hpp>
#include <acairo/one_fault.hpp>
#include <acairo/property.hpp>
#include <acairo/strategy.hpp>
#include <functional>
#include <memory>
#include <string>

namespace acairo::simulator {

struct Result {
    std::string kind;  // empty: the run passed
    std::string text;  // what the run said of its failure, or what was on its stderr
    Recording recording;
    std::vector<Event> events;  // the newest, when there were too many
    std::vector<Stack> stacks;  // of the events
    std::vector<Deed> deeds;    // of a descriptor that was misused, or left open
    // For a timeline: the newest, how many are missing, and the threads by number.
    std::vector<Moment> moments;
    std::uint64_t moments_left_out = 0;
    std::vector<ThreadStart> threads;
    std::uint64_t trace_hash = 0;
    std::uint64_t steps = 0;
    bool passed() const noexcept { return kind.empty(); }
};

using MakeProducer = std::function<std::unique_ptr<Producer>()>;

// Runs it in a forked child. `explain`: with events, stacks and moments. Ends it with kind "hang" when it has not ended after `patience`
// of real time.
Result run_in_child(const Property& property, const MakeProducer& make, bool explain,
                    std::chrono::seconds patience = std::chrono::seconds(30));

// Runs in this process: for those who know that it does not die.
Outcome run_here(const Property& property, Choices& choices, Observer* observer = nullptr, Sink* sink = nullptr);

// Makes `runs` runs in one child, from the seeds first, first + 1, ..., and ends at the first that fails. `until`: no new run
// begins after this instant of CLOCK_MONOTONIC.
using Reached = std::array<std::uint64_t, Paths().size()>;
struct Batch {
    std::uint64_t runs = 0;
    std::uint64_t steps = 0;
    std::uint64_t interleavings = 0;  // how many traces the runs had: as many as runs, or fewer
    std::uint64_t failed_seed = 0;
    Recording failing;       // what that run chose
    std::uint64_t hash = 0;  // over the traces of all runs, in their order
    bool failed = false;
    std::string kind;   // of the failure, see Result
    Reached reached{};  // how often each of the property's paths was
};
Batch run_batch(const Property& property, const Strategy& strategy, std::uint64_t first, std::uint64_t runs,
                std::chrono::nanoseconds until);
// A run for each fault that there can be, on each of the schedules 0 (the calm one) to `schedules` - 1. For a property whose
// climate has them.
Batch run_with_each_fault(const Property& property, std::uint64_t schedules);

// Makes every run within the bounds in one child, one after the other, the calm one first, and at most `runs`. The weather is
// fine unless faults are allowed.
struct Enumerated {
    std::uint64_t runs = 0;
    bool failed = false;
    bool covered = false;  // there are no others
    Recording failing;     // the last run's, if it failed
};
Enumerated enumerate(const Property& property, Enumeration::Bounds bounds, std::uint64_t runs,
                     std::chrono::nanoseconds until);

}  // namespace acairo::simulator
