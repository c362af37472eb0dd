// Asking, and recording the answer.
#include <acairo/choices.hpp>
#include <stdexcept>
#include <string>

namespace acairo::simulator {

const char* name_of(Tag tag) noexcept {
    switch (tag) {
        case Tag::schedule: return "schedule";
        case Tag::transfer: return "transfer";
        case Tag::fault: return "fault";
        case Tag::allocation: return "allocation";
        case Tag::cancel: return "cancel";
        case Tag::clock: return "clock";
        case Tag::order: return "order";
        case Tag::workload: return "workload";
    }
    return "no tag";
}

std::uint64_t Choices::below(std::uint64_t n, Tag tag) {
    if (n == 0) {
        throw std::invalid_argument(
            std::string("a ") + name_of(tag) +
            " choice among 0 answers: there must be at least one; do not ask where there is nothing");
    }
    return n == 1 ? 0 : record(n, tag, producer_->below(n, tag));
}

std::size_t Choices::thread(std::span<const Candidate> candidates) {
    if (candidates.size() <= 1) return 0;
    return static_cast<std::size_t>(record(candidates.size(), Tag::schedule, producer_->thread(candidates)));
}

void Choices::restart(Producer& producer) noexcept {
    producer_ = &producer;
    recording_.clear();
}

std::uint64_t Choices::record(std::uint64_t n, Tag tag, std::uint64_t value) {
    // Without this, a producer's mistake would be an index beyond an array, far from here.
    if (value >= n) {
        throw std::logic_error("the producer answered " + std::to_string(value) + " to a " + name_of(tag) +
                               " choice below " + std::to_string(n) + ": Producer::below must return less than n");
    }
    recording_.push_back({tag, n, value});
    return value;
}

}  // namespace acairo::simulator
