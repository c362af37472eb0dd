// One fault in a run, at each place where one can be: the k-th system call fails with each error that the catalogue has for it,
// the k-th allocation fails, alone or with all that follow; for k = 1, 2, ... until a run ends before it comes to its k-th.
//
// Threads: that of the run.
// Invariants:
//   1. The fault is drawn before everything else, and by choices: a token replays it, and a shrinker takes it away.
//   2. What is listed for a call may happen to a right program on a right kernel, and changes nothing that the simulated kernel
//      does not undo by itself: so no EAGAIN, after which an event is owed.
#pragma once
#include <acairo/operation.hpp>
#include <acairo/seed.hpp>
#include <acairo/weather.hpp>
#include <span>

namespace acairo::simulator {

struct OneFault {
    enum class Kind : std::uint8_t { none, call, allocation, allocations };
    static constexpr std::uint64_t place_bits = 10;
    static constexpr std::uint64_t most_places = std::uint64_t{1} << place_bits;
    static constexpr std::uint64_t most_error_bits = 4;
    static constexpr std::uint64_t most_errors = std::uint64_t{1} << most_error_bits;

    static OneFault draw(Choices& choices);
    void add_to(Weather& weather) const noexcept;

    Kind kind = Kind::none;
    std::uint64_t place = 0;  // from 1
    std::uint64_t error = 0;  // of a call: the k-th in the catalogue, from 0
};

// Empty: it does not fail by itself.
std::span<const int> catalogue(const Operation& call) noexcept;

// A run with this fault and no other, on a schedule from the seed; 0: the calm one.
class WithOneFault final : public Producer {
public:
    WithOneFault(const OneFault& fault, std::uint64_t seed) noexcept : fault_(fault), seed_(seed), random_(seed != 0) {}
    std::uint64_t below(std::uint64_t n, Tag tag) override;
    std::size_t thread(std::span<const Candidate> candidates) override;

private:
    const OneFault fault_;
    Seed seed_;
    const bool random_;
    unsigned drawn_ = 0;
};

}  // namespace acairo::simulator
