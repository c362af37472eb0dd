// Probabilistic concurrency testing: each thread has a random priority, the highest that can run does, and at a few random
// steps the one that runs falls below all others. A bug that needs `depth` ordered steps is found with a probability of at
// least 1 / (n k^(depth - 1)), for n threads and k steps (Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized
// Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
//
// Threads: that of its Choices.
// Invariants:
//   1. Equal seeds give equal choices; those that are not about threads are those of Seed.
//   2. How long a run will be is not known: the length for which the changes are drawn is itself drawn, its magnitude first.
#pragma once
#include <acairo/seed.hpp>
#include <vector>

namespace acairo::simulator {

class PCT final : public Producer {
public:
    explicit PCT(std::uint64_t seed, std::uint32_t depth = 3);
    std::uint64_t below(std::uint64_t n, Tag tag) override { return random_.below(n, tag); }
    std::size_t thread(std::span<const Candidate> candidates) override;

private:
    std::size_t highest(std::span<const Candidate> candidates);

    Seed random_;
    std::vector<std::uint64_t> priorities_;  // by fiber; 0: none drawn yet
    std::vector<std::uint64_t> changes_;     // the steps at which the one that runs falls, the last one first
    std::uint64_t step_ = 0;
};

}  // namespace acairo::simulator
