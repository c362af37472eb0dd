// What interleaving it was, as far as the fuzzer is concerned: pairs and triples of operations that different threads did one
// after the other to one object. Each is a counter beside those of the branches, which a race does not change: so an
// input that reaches a new order of two operations is kept, and changed further.
//
// Measured: where no branch tells of the order (interleavings.cpp), the planted order is found after 114 runs in the median of
// ten seeds, and after 627 without. For the core's planted races, of which its branches tell, it makes no difference
// (look_then_sleep 28 and 32, stop_before_the_wait 51 and 60, closed_under_a_call 59 and 62, of twenty seeds;
// unsubscribed_while_it_runs 691 and 555, of ten) and costs a tenth of the runs: so it is each target's choice. What does
// make a difference is libFuzzer's -len_control=0: without it, which begins with short inputs, these take twenty to a
// hundred times as many runs.
//
// Threads: those of the run, one at a time.
// Invariants:
//   1. Equal runs have equal fingerprints, whatever ran before in the process. No address is in one.
#pragma once
#include <acairo/scheduler.hpp>

namespace fuzz {

class Fingerprint final : public acairo::simulator::Sink {
public:
    // A new run: forgets what the objects went through. The counters are cleared by the fuzzer.
    void restart() noexcept { last_ = {}; }

    void started(const acairo::simulator::Fiber&) override {}
    void chose(const acairo::simulator::Fiber&, std::size_t, bool) override {}
    void stepped(const acairo::simulator::Step& step) override;
    void saw(std::int64_t) override {}
    void faulted() override {}
    void blocked(const acairo::simulator::Fiber&) override {}
    void woken(const acairo::simulator::Fiber&, acairo::simulator::Waker) override {}
    void ended(const acairo::simulator::Fiber&) override {}

private:
    struct Passage {
        std::uint64_t before = 0;  // the pair that the last step was the second of
        std::uint64_t operation = 0;
        std::uint32_t fiber = 0;
    };
    // Of the objects by number; two that share a place are taken for one.
    std::array<Passage, 256> last_{};
};

}  // namespace fuzz
