// Makes a failing recording smaller, and keeps only what still fails in the same way: first whole kinds of faults are taken
// back, then switches of the thread, then delays and cuts, then the workload; then one choice after the other.
//
// Threads: one.
// Invariants:
//   1. What comes out has been run, and failed with the kind that was asked for; it is the recording of that very run.
//   2. It never has more choices that are not zero than what came in, nor, with as many of them, more choices.
#pragma once
#include <acairo/child.hpp>

namespace acairo::simulator {

// Answers each question with the next recorded answer of its tag, where that fits, else with zero: so a recording of which a
// part was taken away is still a run, and what follows keeps its meaning as far as it can.
class Edited final : public Producer {
public:
    explicit Edited(const Recording& recording);
    std::uint64_t below(std::uint64_t n, Tag tag) override;

private:
    struct Answers {
        std::vector<std::uint64_t> values;
        std::size_t next = 0;
    };
    std::array<Answers, 8> by_tag_;
};

struct Shrunk {
    Result result;
    std::uint64_t tries = 0;
};
// `failing` is a result that did not pass. At most `tries` runs, and no new one after `time` of real time.
Shrunk shrink(const Property& property, Result failing, std::uint64_t tries, std::chrono::seconds time);

std::size_t nonzero(const Recording& recording) noexcept;

}  // namespace acairo::simulator
