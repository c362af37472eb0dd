// All properties with real threads and real sockets: what the simulator assumes of the world is asked of the world.
//
// Threads: a property's own.
// Invariants:
//   1. The workload comes from a seed, so that it can be had again; the schedule is the machine's.
//   2. A property has at least one run, and no new one after five seconds.
#include <gtest/gtest.h>

#include <acairo/property.hpp>
#include <chrono>
#include <mutex>
#include <random>

namespace {

class RealTrial final : public acairo::Trial {
public:
    RealTrial(const acairo::Property& property, std::uint64_t seed) : property_(property), random_(seed) {}
    std::uint64_t below(std::uint64_t n) override {
        const std::lock_guard lock(mutex_);
        return random_() % n;
    }
    void require(bool holds, const char* what) override { EXPECT_TRUE(holds) << what; }
    void clear_up() override {}
    // Whether the machine's schedule takes it, nobody can say.
    void sometimes(bool, const char* path) override {
        EXPECT_LT(property_.place_of(path), property_.paths.size()) << path << " is not in the property's list";
    }

private:
    const acairo::Property& property_;
    std::mutex mutex_;
    std::mt19937_64 random_;
};

class InTheRealWorld : public testing::TestWithParam<const acairo::Property*> {};

TEST_P(InTheRealWorld, holds) {
    // Some of them sleep for a second in each run.
    const auto enough = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (std::uint64_t seed = 1; seed <= 50 && !HasFailure(); ++seed) {
        if (std::chrono::steady_clock::now() > enough) break;
        SCOPED_TRACE("seed " + std::to_string(seed));
        RealTrial trial(*GetParam(), seed);
        GetParam()->body(trial);
    }
}

std::vector<const acairo::Property*> all() {
    std::vector<const acairo::Property*> properties;
    for (const acairo::Property* it = acairo::Property::first; it; it = it->next) properties.push_back(it);
    return properties;
}

INSTANTIATE_TEST_SUITE_P(Property, InTheRealWorld, testing::ValuesIn(all()),
                         [](const auto& property) { return std::string(property.param->name); });

}  // namespace
