// Random choices from a seed. The odds are drawn first, once for each seed: so some runs switch often and others let queues
// grow, and a fault that is rare in one run is common in the next.
//
// Threads: that of its Choices.
// Invariants:
//   1. Equal seeds give equal choices, on every compiler and machine: xoshiro256** and splitmix64, written out here, and no
//      distribution of the standard, which each library implements as it likes.
//   2. The fiber that runs goes on with a probability between 65 % and 95 %, about 80 % over all seeds. Without this, a
//      switch at each point would leave no fiber alone for long enough to fill a queue.
//   3. Where no fiber runs, and for the workload, each answer is equally likely; elsewhere zero, the calm answer, is likely.
#pragma once
#include <acairo/choices.hpp>
#include <array>
#include <string_view>

namespace acairo::simulator {

class Seed final : public Producer {
public:
    explicit Seed(std::uint64_t seed) noexcept;
    // The seed of a text: a decimal number of at most 19 digits is that number, and anything else (a commit's hash, a name)
    // is hashed.
    static std::uint64_t of(std::string_view text) noexcept;

    std::uint64_t below(std::uint64_t n, Tag tag) override;
    std::size_t thread(std::span<const Candidate> candidates) override;

private:
    std::uint64_t next() noexcept;
    std::uint64_t uniform(std::uint64_t n) noexcept;
    // Not zero in `odds` of 65,536 cases.
    std::uint64_t seldom(std::uint64_t n, std::uint32_t odds) noexcept;

    std::array<std::uint64_t, 4> state_;
    std::uint32_t switches_ = 0;  // odds, of 65,536
    std::uint32_t faults_ = 0;
    std::uint32_t transfers_ = 0;
    std::uint32_t orders_ = 0;
    std::uint32_t clocks_ = 0;
};

}  // namespace acairo::simulator
