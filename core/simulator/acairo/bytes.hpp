// Choices from bytes: what a coverage-guided fuzzer feeds.
//
// Threads: that of its Choices.
// Invariants:
//   1. A choice below n takes the fewest bytes that hold n - 1, little-endian, and is their value modulo n. So a byte that a
//      fuzzer changes changes one choice, and zero bytes are the calm run.
//   2. What the bytes lack is zero: any input is a run, the empty one is the calm run.
#pragma once
#include <acairo/choices.hpp>

namespace acairo::simulator {

class Bytes final : public Producer {
public:
    // `bytes` must outlive it.
    explicit Bytes(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

    std::uint64_t below(std::uint64_t n, Tag tag) override;
    // How many bytes have been asked for, those beyond the end not counted: a fuzzer's input needs no more.
    std::size_t used() const noexcept { return used_; }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t used_ = 0;
};

}  // namespace acairo::simulator
