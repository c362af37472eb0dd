// Where libFuzzer looks for more counters.
#include "fingerprint.hpp"

namespace fuzz {
namespace {

// libFuzzer finds the section by its name, and clears it before each run.
[[gnu::section("__libfuzzer_extra_counters")]] std::array<std::uint8_t, 1 << 14> counters;

void count(std::uint64_t what) noexcept {
    what *= 0x9e3779b97f4a7c15u;
    std::uint8_t& counter = counters[what >> (64 - 14)];
    if (counter != 255) ++counter;
}

std::uint64_t hash_of(const char* name) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (; *name != '\0'; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3u;
    return hash;
}

}  // namespace

void Fingerprint::stepped(const acairo::simulator::Step& step) {
    if (step.object == 0) return;
    Passage& last = last_[step.object % last_.size()];
    const std::uint64_t operation = hash_of(step.operation) ^ step.object;
    std::uint64_t pair = 0;
    if (last.operation != 0 && last.fiber != step.fiber) {
        pair = last.operation * 3 + operation;
        count(pair);
        if (last.before != 0) count(last.before * 5 + pair);
    }
    last = {pair, operation, step.fiber};
}

}  // namespace fuzz
