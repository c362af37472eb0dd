// Choices from the recording of an earlier run. A run is a function of its recording, so the same program asks the same
// questions; where it asks another one, either the program is not the one that was recorded (the recording is stale) or
// something decides in it that is not a choice (an address, a clock, a real thread).
//
// Threads: that of its Choices.
// Invariants:
//   1. Answers are the recorded ones as long as each question (tag, n) is the recorded one.
//   2. The first difference is remembered, and from there on the answer is zero: what was recorded for another question
//      means nothing.
//   3. The end of the recording is no difference: a prefix of a recording is a recording.
#pragma once
#include <acairo/choices.hpp>
#include <optional>
#include <string>

namespace acairo::simulator {

// Where a run first asked for something else than what was recorded.
struct Divergence {
    std::size_t index;  // of the choice in the recording, from 0
    Choice expected;    // as recorded
    Choice found;       // what was asked, and the answer 0; n is 0 where nothing was asked
    bool operator==(const Divergence&) const = default;
    // One sentence, with what to do about it.
    std::string text() const;
};

class Replay final : public Producer {
public:
    // `recording` must outlive it.
    explicit Replay(const Recording& recording) noexcept : recording_(&recording) {}

    std::uint64_t below(std::uint64_t n, Tag tag) override;
    const std::optional<Divergence>& divergence() const noexcept { return divergence_; }
    // How many recorded choices were asked for again. Less than all of them is a run that ended earlier: it is another run.
    std::size_t used() const noexcept { return used_; }

private:
    const Recording* recording_;
    std::size_t used_ = 0;
    std::optional<Divergence> divergence_;
};

}  // namespace acairo::simulator
