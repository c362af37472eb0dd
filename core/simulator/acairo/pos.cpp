// Priorities of operations.
#include <acairo/pos.hpp>

namespace acairo::simulator {

std::size_t POS::thread(std::span<const Candidate> candidates) {
    constexpr std::uint64_t range = std::uint64_t{1} << 40;
    std::size_t best = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const std::uint32_t fiber = candidates[i].fiber;
        if (fiber >= priorities_.size()) priorities_.resize(fiber + std::size_t{1});
        std::uint64_t& priority = priorities_[fiber];
        if (priority == 0) priority = 1 + random_.below(range, Tag::workload);
        if (priority > priorities_[candidates[best].fiber]) best = i;
    }
    const Candidate& chosen = candidates[best];
    for (const Candidate& other : candidates)
        if (other.fiber == chosen.fiber || (other.object != 0 && other.object == chosen.object))
            priorities_[other.fiber] = 0;
    return best;
}

}  // namespace acairo::simulator
