// Priorities, and the steps at which they change.
#include <acairo/pct.hpp>
#include <algorithm>
#include <functional>

namespace acairo::simulator {

namespace {
constexpr std::uint64_t shortest = 4, magnitudes = 11;  // of the runs for which changes are drawn: up to 2^14 steps
constexpr std::uint64_t drawn_priorities = std::uint64_t{1} << 40;
}  // namespace

PCT::PCT(std::uint64_t seed, std::uint32_t depth) : random_(seed) {
    const std::uint64_t length = std::uint64_t{1} << (shortest + random_.below(magnitudes, Tag::workload));
    for (std::uint32_t i = 1; i < depth; ++i) changes_.push_back(1 + random_.below(length, Tag::workload));
    std::ranges::sort(changes_, std::greater<>());
}

std::size_t PCT::thread(std::span<const Candidate> candidates) {
    ++step_;
    std::size_t chosen = highest(candidates);
    while (!changes_.empty() && changes_.back() <= step_) {
        // Below every priority that is drawn, and above those that have fallen later.
        priorities_[candidates[chosen].fiber] = changes_.size();
        changes_.pop_back();
        chosen = highest(candidates);
    }
    return chosen;
}

std::size_t PCT::highest(std::span<const Candidate> candidates) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const std::uint32_t fiber = candidates[i].fiber;
        if (fiber >= priorities_.size()) priorities_.resize(fiber + std::size_t{1});
        std::uint64_t& priority = priorities_[fiber];
        if (priority == 0) priority = drawn_priorities + random_.below(drawn_priorities, Tag::workload);
        if (priority > priorities_[candidates[best].fiber]) best = i;
    }
    return best;
}

}  // namespace acairo::simulator
