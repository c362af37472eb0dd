// A random walk that is uniform over interleavings, not over steps: each thread is chosen with odds in proportion to the
// operations that it still has before it, as runs before this one have shown. Without the weights, a thread with few operations
// is nearly always done before one with many has begun (Zhao, Wolff, Mathur and Roychoudhury, "Selectively Uniform Concurrency
// Testing", ASPLOS 2025). Selective: only operations on one object, drawn for each run, count; between two of them
// whoever runs goes on.
//
// Threads: that of its Choices; a Profile belongs to the runs that share it.
// Invariants:
//   1. Equal seeds and equal profiles give equal choices; those that are not about threads are those of Seed.
//   2. Nobody has a weight of zero: what a run does may differ from what was seen.
#pragma once
#include <acairo/seed.hpp>
#include <map>
#include <vector>

namespace acairo::simulator {

class SURW final : public Producer {
public:
    // How many operations each fiber had on each object, in the run before.
    using Profile = std::map<std::uint64_t, std::vector<std::uint32_t>>;

    // What this run shows is in `profile` when this is destroyed. `profile` outlives it.
    SURW(std::uint64_t seed, Profile& profile);
    SURW(const SURW&) = delete;
    SURW& operator=(const SURW&) = delete;
    ~SURW() override { profile_ = std::move(seen_); }
    std::uint64_t below(std::uint64_t n, Tag tag) override { return random_.below(n, tag); }
    std::size_t thread(std::span<const Candidate> candidates) override;

private:
    std::uint64_t weight(std::uint32_t fiber) const noexcept;

    Seed random_;
    Profile& profile_;
    Profile seen_;
    std::uint64_t object_ = 0;              // whose operations count; 0: all
    std::vector<std::uint32_t> remaining_;  // by fiber, of those that count
};

}  // namespace acairo::simulator
