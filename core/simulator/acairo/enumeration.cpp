// Depth first: the last decision that has another answer takes it, and those after it begin again.
#include <acairo/enumeration.hpp>

namespace acairo::simulator {

std::uint64_t Enumeration::below(std::uint64_t n, Tag tag) {
    const bool fault = tag == Tag::fault || tag == Tag::allocation || tag == Tag::cancel || tag == Tag::clock;
    return decide({{tag, n, 0}, 0, fault ? 1u : 0u});
}

std::size_t Enumeration::thread(std::span<const Candidate> candidates) {
    const std::uint32_t preemption = candidates[0].runs_now ? 1 : 0;
    return static_cast<std::size_t>(decide({{Tag::schedule, candidates.size(), 0}, preemption, 0}));
}

std::uint64_t Enumeration::decide(const Decision& decision) {
    if (divergence_.has_value()) return 0;
    if (depth_ == path_.size()) {
        path_.push_back(decision);
        ++depth_;
        return 0;
    }
    const Choice& before = path_[depth_].choice;
    if (before.tag != decision.choice.tag || before.n != decision.choice.n) {
        divergence_ = Divergence{depth_, before, decision.choice};
        return 0;
    }
    return path_[depth_++].choice.value;
}

bool Enumeration::next() {
    if (divergence_.has_value()) return false;
    // A run that ended before the end of its path did not ask again what it asked when the path was made.
    if (depth_ < path_.size()) {
        divergence_ = Divergence{depth_, path_[depth_].choice, {path_[depth_].choice.tag, 0, 0}};
        return false;
    }
    depth_ = 0;
    for (; !path_.empty(); path_.pop_back()) {
        Decision& last = path_.back();
        const bool calm = last.choice.value == 0;
        const bool affordable =
            preemptions_ + last.preemptions <= bounds_.preemptions && faults_ + last.faults <= bounds_.faults;
        if (last.choice.value + 1 < last.choice.n && (!calm || affordable)) {
            if (calm) preemptions_ += last.preemptions, faults_ += last.faults;
            ++last.choice.value;
            ++runs_;
            return true;
        }
        if (!calm) preemptions_ -= last.preemptions, faults_ -= last.faults;
    }
    return false;
}

}  // namespace acairo::simulator
