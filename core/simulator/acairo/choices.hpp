// The stream of choices: every decision that a run does not make by itself is drawn from one Choices object, which asks a
// Producer and records the answers. So a run is a function of its recording, whoever produced it: libFuzzer's bytes, a seed,
// an enumeration, or the recording of an earlier run.
//
// Threads: one Choices belongs to one run, which is one OS thread.
// Invariants:
//   1. A choice is in [0, n). Where n is 1 there is no choice: the answer is 0, the producer is not asked, nothing is recorded.
//   2. Zero is the calm choice: this fiber goes on, everything is transferred, no fault. A producer that has run out of choices
//      answers 0, so every prefix of a recording is a recording.
//   3. The recording is the canonical form: a token, the shrinker and a replay use nothing else.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace acairo::simulator {

// What a choice is about. A shrinker knows them: it takes faults back first, then switches of the thread.
enum class Tag : std::uint8_t { schedule, transfer, fault, allocation, cancel, clock, order, workload };

// The tag's name, as tokens, traces and reports have it.
const char* name_of(Tag tag) noexcept;

struct Choice {
    Tag tag;
    std::uint64_t n;      // at least 2
    std::uint64_t value;  // less than n
    bool operator==(const Choice&) const = default;
};
using Recording = std::vector<Choice>;

// A fiber that could run next, what it would do, and to which object. Numbers are given out in order of creation, never taken
// from addresses: without this, two builds would choose differently.
struct Candidate {
    std::uint32_t fiber;
    const char* operation;  // a literal, such as "mutex.lock"
    std::uint64_t object;   // 0: none
    bool runs_now = false;  // it ran until now, and could go on: to choose another one is a preemption
};

// Where choices come from. Each is a small file: see producers.hpp.
class Producer {
public:
    virtual ~Producer() = default;
    // A value less than `n`, which is at least 2.
    virtual std::uint64_t below(std::uint64_t n, Tag tag) = 0;
    // The index of the candidate that runs next. The one that runs now, when it still can, comes first; then by number.
    virtual std::size_t thread(std::span<const Candidate> candidates) {
        return below(candidates.size(), Tag::schedule);
    }
};

class Choices {
public:
    explicit Choices(Producer& producer) : producer_(&producer) {}

    std::uint64_t below(std::uint64_t n, Tag tag);
    std::size_t thread(std::span<const Candidate> candidates);
    const Recording& recording() const noexcept { return recording_; }
    // For the next run: forgets the recording, but not its memory.
    void restart(Producer& producer) noexcept;

private:
    std::uint64_t record(std::uint64_t n, Tag tag, std::uint64_t value);

    Producer* producer_;
    Recording recording_;
};

}  // namespace acairo::simulator
