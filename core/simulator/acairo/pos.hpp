// Partial order sampling: each pending operation has a random priority, the highest goes first, and then those that race with
// it, on the same object, draw again. So two operations that race come in either order with equal odds, whatever else runs
// (Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling", CAV 2018).
//
// Threads: that of its Choices.
// Invariants:
//   1. Equal seeds give equal choices; those that are not about threads are those of Seed.
//   2. An operation keeps its priority until it runs, or one that races with it has run.
#pragma once
#include <acairo/seed.hpp>
#include <vector>

namespace acairo::simulator {

class POS final : public Producer {
public:
    explicit POS(std::uint64_t seed) noexcept : random_(seed) {}
    std::uint64_t below(std::uint64_t n, Tag tag) override { return random_.below(n, tag); }
    std::size_t thread(std::span<const Candidate> candidates) override;

private:
    Seed random_;
    std::vector<std::uint64_t> priorities_;  // of each fiber's pending operation; 0: none drawn yet
};

}  // namespace acairo::simulator
