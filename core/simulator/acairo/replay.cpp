// The recorded answers, and the first question that differs.
#include <acairo/replay.hpp>

namespace acairo::simulator {

std::string Divergence::text() const {
    const auto question = [](const Choice& choice) {
        return std::string("a ") + name_of(choice.tag) + " choice below " + std::to_string(choice.n);
    };
    return "choice " + std::to_string(index) + " was " + question(expected) + " when the run was recorded, and is " +
           (found.n == 0 ? "not asked" : question(found)) +
           " now: either the program has changed since (record a new run), or it depends on something that is not a "
           "choice "
           "(an address, a real clock, a real thread, state left by an earlier run)";
}

std::uint64_t Replay::below(std::uint64_t n, Tag tag) {
    if (divergence_.has_value() || used_ == recording_->size()) return 0;
    const Choice& recorded = (*recording_)[used_];
    if (recorded.tag != tag || recorded.n != n) {
        divergence_ = Divergence{used_, recorded, {tag, n, 0}};
        return 0;
    }
    ++used_;
    return recorded.value;
}

}  // namespace acairo::simulator
