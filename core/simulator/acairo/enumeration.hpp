// Every run there is, one after the other: depth-first over all recordings, the calm run first.
//
//     Enumeration all({.preemptions = 2});
//     do {
//         choices.restart(all);
//         ... one run ...
//     } while (all.next());
//
// Threads: that of its Choices.
// Invariants:
//   1. Each recording that respects the bounds is produced exactly once, if the run is a function of its choices.
//   2. If it is not, the first question that differs from that of the run before is remembered in divergence(), and
//      next() ends the enumeration: a search over a program that changes would mean nothing.
//   3. A preemption is a switch away from a fiber that could have gone on; a fault is any choice but zero of the tags fault,
//      allocation, cancel and clock. Other choices are free.
#pragma once
#include <acairo/replay.hpp>
#include <limits>
#include <vector>

namespace acairo::simulator {

class Enumeration final : public Producer {
public:
    // Most bugs need few: two preemptions find most races, and the number of runs grows with the power of the bound.
    struct Bounds {
        std::uint32_t preemptions = std::numeric_limits<std::uint32_t>::max();
        std::uint32_t faults = std::numeric_limits<std::uint32_t>::max();
    };
    Enumeration() noexcept : Enumeration(Bounds{}) {}
    explicit Enumeration(Bounds bounds) noexcept : bounds_(bounds) {}

    std::uint64_t below(std::uint64_t n, Tag tag) override;
    std::size_t thread(std::span<const Candidate> candidates) override;

    // Goes on to the next recording; false when there is none. Call it after each run.
    bool next();
    // How many recordings have been produced, that of the run under way included.
    std::uint64_t runs() const noexcept { return runs_; }
    const std::optional<Divergence>& divergence() const noexcept { return divergence_; }

private:
    struct Decision {
        Choice choice;
        std::uint32_t preemptions;  // what choosing anything but zero here costs: 0 or 1
        std::uint32_t faults;
    };
    std::uint64_t decide(const Decision& decision);

    Bounds bounds_;
    std::vector<Decision> path_;
    std::size_t depth_ = 0;          // in path_, of the next decision of this run
    std::uint32_t preemptions_ = 0;  // spent on path_
    std::uint32_t faults_ = 0;
    std::uint64_t runs_ = 1;
    std::optional<Divergence> divergence_;
};

}  // namespace acairo::simulator
