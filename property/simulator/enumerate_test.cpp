// Every run of a property within bounds, as the command line asks for it.
#include <acairo/child.hpp>
#include <acairo/platform.hpp>
#include <acairo/replay.hpp>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;

constexpr auto no_end = std::chrono::nanoseconds::max();
constexpr std::uint64_t any_number = ~std::uint64_t{0};

// Lost if one thread comes between the other's load and its store.
void counts_both(Trial& trial) {
    platform::atomic<int> counter(0);
    const auto increment = [&] { counter.store(counter.load(acquire) + 1, release); };
    platform::thread first(increment);
    platform::thread second(increment);
    first.join();
    second.join();
    trial.require(counter.load(acquire) == 2, "both are counted");
}

// With the default climate: what the weather draws is fine, and recorded all the same.
const Property update{"an_update_is_not_lost", counts_both};

void fails_without_a_thread(Trial& trial) {
    try {
        platform::thread([] {}).join();
    } catch (const std::system_error&) { trial.require(false, "a thread starts"); }
}
const Property starting{"threads_start", fails_without_a_thread};

TEST(Enumerate, finds_a_lost_update_with_one_preemption_and_not_with_none) {
    const sim::Enumerated none = sim::enumerate(update, {.preemptions = 0, .faults = 0}, any_number, no_end);
    EXPECT_FALSE(none.failed);
    EXPECT_TRUE(none.covered);
    EXPECT_GT(none.runs, 1u);
    const sim::Enumerated one = sim::enumerate(update, {.preemptions = 1, .faults = 0}, any_number, no_end);
    ASSERT_TRUE(one.failed);
    EXPECT_FALSE(one.covered);
    const auto replay = [&] { return std::make_unique<sim::Replay>(one.failing); };
    EXPECT_EQ(sim::run_in_child(update, replay, false).kind, "failed: both are counted");
}

TEST(Enumerate, says_when_there_are_more) {
    const sim::Enumerated some = sim::enumerate(update, {.preemptions = 0, .faults = 0}, 1, no_end);
    EXPECT_EQ(some.runs, 1u);
    EXPECT_FALSE(some.covered);
    EXPECT_EQ(sim::enumerate(update, {}, any_number, std::chrono::nanoseconds(0)).runs, 0u);
}

TEST(Enumerate, has_the_weather_change_where_faults_are_allowed) {
    const sim::Enumerated calm = sim::enumerate(starting, {.preemptions = 0, .faults = 0}, any_number, no_end);
    EXPECT_TRUE(calm.covered);
    EXPECT_FALSE(calm.failed);
    const sim::Enumerated faulty = sim::enumerate(starting, {.preemptions = 0, .faults = 1}, 100'000, no_end);
    EXPECT_TRUE(faulty.failed);
}

}  // namespace
