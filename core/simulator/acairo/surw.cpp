// Weights, and what they are taken from.
#include <acairo/surw.hpp>
#include <algorithm>
#include <iterator>

namespace acairo::simulator {

SURW::SURW(std::uint64_t seed, Profile& profile) : random_(seed), profile_(profile) {
    if (profile_.empty()) return;
    // One run of four counts all operations.
    const bool selective = random_.below(4, Tag::workload) != 0;
    const auto index = static_cast<std::ptrdiff_t>(random_.below(profile_.size(), Tag::workload));
    if (selective) object_ = std::next(profile_.begin(), index)->first;
    for (const auto& [object, counts] : profile_) {
        if (object_ != 0 && object != object_) continue;
        if (remaining_.size() < counts.size()) remaining_.resize(counts.size());
        for (std::size_t fiber = 0; fiber < counts.size(); ++fiber) remaining_[fiber] += counts[fiber];
    }
}

std::uint64_t SURW::weight(std::uint32_t fiber) const noexcept {
    constexpr std::uint64_t one_operation = 64;
    return fiber < remaining_.size() ? 1 + one_operation * remaining_[fiber] : 1;
}

std::size_t SURW::thread(std::span<const Candidate> candidates) {
    const auto counts = [this](const Candidate& candidate) { return object_ == 0 || candidate.object == object_; };
    std::size_t chosen = 0;
    // What does not count goes on, whoever it is: it is not what this run is about.
    const auto free = std::ranges::find_if_not(candidates, counts);
    if (free != candidates.end()) {
        chosen = static_cast<std::size_t>(free - candidates.begin());
    } else {
        std::uint64_t sum = 0;
        for (const Candidate& candidate : candidates) sum += weight(candidate.fiber);
        std::uint64_t drawn = random_.below(sum, Tag::workload);
        while (drawn >= weight(candidates[chosen].fiber)) drawn -= weight(candidates[chosen++].fiber);
    }
    const Candidate& candidate = candidates[chosen];
    if (candidate.fiber < remaining_.size() && counts(candidate) && remaining_[candidate.fiber] != 0)
        --remaining_[candidate.fiber];
    std::vector<std::uint32_t>& seen = seen_[candidate.object];
    if (seen.size() <= candidate.fiber) seen.resize(candidate.fiber + std::size_t{1});
    ++seen[candidate.fiber];
    return chosen;
}

}  // namespace acairo::simulator
