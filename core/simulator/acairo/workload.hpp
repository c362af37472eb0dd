// A workload that was chosen elsewhere, such as in a run with real threads: everything else comes from the producer.
//
// Threads: that of its Choices.
// Invariants:
//   1. The body's own choices are answered by the values in their order, modulo n; those that follow, and the weather, by the
//      producer.
#pragma once
#include <acairo/scheduler.hpp>
#include <acairo/strategy.hpp>

namespace acairo::simulator {

class Workload final : public Producer {
public:
    Workload(std::unique_ptr<Producer> producer, std::vector<std::uint64_t> values) noexcept
        : producer_(std::move(producer)), values_(std::move(values)) {}

    std::uint64_t below(std::uint64_t n, Tag tag) override {
        const bool given = tag == Tag::workload && Scheduler::running() != nullptr && used_ < values_.size();
        return given ? values_[used_++] % n : producer_->below(n, tag);
    }
    std::size_t thread(std::span<const Candidate> candidates) override { return producer_->thread(candidates); }

private:
    std::unique_ptr<Producer> producer_;
    std::vector<std::uint64_t> values_;
    std::size_t used_ = 0;
};

// `values` may be empty.
inline Strategy with_workload(Strategy strategy, std::vector<std::uint64_t> values) {
    if (values.empty()) return strategy;
    return [made = std::move(strategy), values = std::move(values)](std::uint64_t seed) {
        return std::make_unique<Workload>(made(seed), values);
    };
}

}  // namespace acairo::simulator
