// xoshiro256**, and the odds.
#include <acairo/seed.hpp>
#include <bit>

namespace acairo::simulator {

namespace {

constexpr std::uint64_t mixed(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

constexpr std::uint32_t percent(std::uint64_t of_a_hundred) noexcept {
    return static_cast<std::uint32_t>(of_a_hundred * 65'536 / 100);
}

}  // namespace

Seed::Seed(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = mixed(seed += 0x9e3779b97f4a7c15u);
    switches_ = percent(5 + uniform(31));
    // A quarter of all runs is free of each: without this, one fault would hide every failure that comes after it.
    const auto drawn = [this](std::uint64_t at_most) { return uniform(4) == 0 ? 0 : percent(1 + uniform(at_most)); };
    faults_ = drawn(8);
    transfers_ = drawn(60);
    orders_ = drawn(60);
    clocks_ = drawn(8);
}

std::uint64_t Seed::of(std::string_view text) noexcept {
    bool number = !text.empty() && text.size() <= 19;
    std::uint64_t value = 0;
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : text) {
        number = number && c >= '0' && c <= '9';
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
    return number ? value : mixed(hash);
}

std::uint64_t Seed::below(std::uint64_t n, Tag tag) {
    switch (tag) {
        case Tag::schedule:
        case Tag::workload: return uniform(n);
        case Tag::transfer: return seldom(n, transfers_);
        case Tag::order: return seldom(n, orders_);
        case Tag::clock: return seldom(n, clocks_);
        case Tag::fault:
        case Tag::allocation:
        case Tag::cancel: return seldom(n, faults_);
    }
    return 0;
}

std::size_t Seed::thread(std::span<const Candidate> candidates) {
    const std::size_t n = candidates.size();
    if (!candidates[0].runs_now) return static_cast<std::size_t>(uniform(n));
    return static_cast<std::size_t>(seldom(n, switches_));
}

std::uint64_t Seed::next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Seed::uniform(std::uint64_t n) noexcept {
    // A multiplication in place of the division, which would be the dearest instruction of a step.
    return n <= 0xffff'ffffu ? ((next() >> 32) * n) >> 32 : next() % n;
}

std::uint64_t Seed::seldom(std::uint64_t n, std::uint32_t odds) noexcept {
    return (next() >> 48) >= odds ? 0 : 1 + uniform(n - 1);
}

}  // namespace acairo::simulator
