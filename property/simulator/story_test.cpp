// What is told of a failure: both stacks of a descriptor that was misused or left open, and every fault that was injected.
#include <acairo/platform.hpp>
#include <acairo/replay.hpp>
#include <acairo/seed.hpp>
#include <acairo/story.hpp>
#include <acairo/timeline.hpp>
#include <algorithm>
#include <stdexcept>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using sim::Climate;
using sim::Result;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr Climate calm{.interruptions = false, .shortages = false, .network = false, .clock = false};

// --- descriptors: what each function does is asked for after it, so that it stays on the stack ---

[[gnu::noinline]] int makes_it(Trial& trial) {
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    trial.require(fd >= 0, "a counter is made");
    return fd;
}

[[gnu::noinline]] void closes_it(Trial& trial, int fd) {
    const int result = platform::close(fd);
    trial.require(result == 0, "a counter is closed");
}

[[gnu::noinline]] void closes_it_again(Trial& trial, int fd) {
    const int result = platform::close(fd);
    trial.require(result == 0, "nobody comes here");
}

[[gnu::noinline]] void writes_to_it(Trial& trial, int fd) {
    const std::ptrdiff_t result = platform::write_counter(fd, 1);
    trial.require(result == 8 || result == 0, "a counter is written");
}

void closes_twice(Trial& trial) {
    const int fd = makes_it(trial);
    closes_it(trial, fd);
    platform::thread([&] { closes_it_again(trial, fd); }).join();
}

void writes_after_closing(Trial& trial) {
    const int fd = makes_it(trial);
    platform::thread([&] { closes_it(trial, fd); }).join();
    writes_to_it(trial, fd);
}

void leaves_it_open(Trial& trial) {
    const int fd = makes_it(trial);
    writes_to_it(trial, fd);
}

void uses_what_was_never_open(Trial& trial) { writes_to_it(trial, 5); }

const Property double_close{"no_descriptor_is_closed_twice", closes_twice, calm};
const Property use_after_close{"nothing_is_used_after_it_is_closed", writes_after_closing, calm};
const Property left_open{"nothing_is_left_open", leaves_it_open, calm};
const Property never_open{"what_is_used_was_opened", uses_what_was_never_open, calm};

Result explained(const Property& property) {
    return sim::run_in_child(property, [] { return std::make_unique<sim::Seed>(1); }, true);
}

TEST(Deeds, of_a_double_close_are_both_closes) {
    const Result result = explained(double_close);
    EXPECT_EQ(result.kind, "misuse");
    EXPECT_THAT(sim::deeds_of(result),
                AllOf(ContainsRegex("descriptor 0, close at step [0-9]+ by thread 0:.* closes_it\n.* closes_twice.*"
                                    "descriptor 0, close at step [0-9]+ by thread 1:.* closes_it_again\n"),
                      Not(HasSubstr("makes_it"))));
}

TEST(Deeds, of_a_use_after_close_are_the_close_and_the_use) {
    const Result result = explained(use_after_close);
    EXPECT_EQ(result.kind, "misuse");
    EXPECT_THAT(sim::deeds_of(result), ContainsRegex("close at step [0-9]+ by thread 1:.* closes_it\n.*"
                                                     "write at step [0-9]+ by thread 0:.* writes_to_it\n"));
}

TEST(Deeds, of_a_leak_are_the_making_and_the_last_use) {
    const Result result = explained(left_open);
    EXPECT_EQ(result.kind, "leaked descriptor");
    EXPECT_THAT(sim::deeds_of(result), ContainsRegex("eventfd at step [0-9]+ by thread 0:.* makes_it\n.*"
                                                     "write at step [0-9]+ by thread 0:.* writes_to_it\n"));
}

TEST(Deeds, of_a_descriptor_that_nobody_made_are_its_use) {
    const Result result = explained(never_open);
    EXPECT_EQ(result.kind, "misuse");
    ASSERT_EQ(result.deeds.size(), 1u);
    EXPECT_THAT(sim::deeds_of(result),
                ContainsRegex("descriptor 5, write at step [0-9]+ by thread 0:.* writes_to_it\n"));
}

TEST(Deeds, name_places_in_the_sources_and_none_of_the_simulator) {
    EXPECT_THAT(sim::deeds_of(explained(use_after_close)),
                AllOf(Not(HasSubstr("machine.cpp")), Not(HasSubstr("scheduler.cpp")), Not(HasSubstr("reporter.cpp")),
                      Not(HasSubstr("fiber.cpp")), Not(HasSubstr("acairo::simulator::")), Not(HasSubstr(".so"))));
}

// --- faults ---

[[gnu::noinline]] std::unique_ptr<int> allocates(Trial& trial) {
    auto made = std::make_unique<int>(1);
    trial.require(*made == 1, "it is made");
    return made;
}

void counts_to_ten(Trial&) {
    platform::atomic<int> count(0);
    platform::mutex mutex;
    platform::condition_variable changed;
    platform::thread other([&] {
        mutex.lock();
        changed.wait_until(mutex, platform::now() + 1ms);
        mutex.unlock();
    });
    for (int i = 0; i < 10; ++i) count.fetch_add(1, acq_rel);
    other.join();
}

void starts_a_thread(Trial&) {
    try {
        platform::thread([] {}).join();
    } catch (const std::system_error&) {}
}

void allocates_ten_times(Trial& trial) {
    try {
        for (int i = 0; i < 10; ++i) allocates(trial);
    } catch (const std::bad_alloc&) {}
}

void looks_at_what_another_stores(Trial&) {
    platform::atomic<int> word(0);
    platform::thread other([&] { word.store(1, relaxed); });
    for (int i = 0; i < 10; ++i) (void)word.load(relaxed);
    other.join();
}

const Property counting{"ten_are_counted", counts_to_ten, {.shortages = false}};
const Property looking{
    "loads_see_some_store", looks_at_what_another_stores, {.interruptions = false, .shortages = false}};
const Property starting{"threads_start_or_not", starts_a_thread};
const Property allocating{"there_is_memory_or_not", allocates_ten_times, {.interruptions = false, .allocations = true}};

// The story of the first run that has `what`, which happens in `where`; and the timeline tells of it, too.
void expect_told(const Property& property, const std::string& who, const std::string& what, const char* where) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        const Result result = sim::run_in_child(property, [&] { return std::make_unique<sim::Seed>(seed); }, true);
        ASSERT_TRUE(result.passed()) << result.text;
        const std::string story = sim::story_of(result);
        const std::size_t begin = story.find(who + what);
        if (begin == std::string::npos) continue;
        const std::string line = story.substr(begin, story.find('\n', begin) - begin);
        EXPECT_THAT(line, ContainsRegex(" <- injected +story_test.cpp:[0-9]+ "));
        EXPECT_THAT(line, HasSubstr(where));
        EXPECT_THAT(sim::timeline_of(property, result).page, HasSubstr(what));
        return;
    }
    FAIL() << "no seed gives a run of " << property.name << " with: " << who << what;
}

TEST(Story, tells_of_an_allocation_that_fails) {
    if (sim::has_thread_sanitizer()) GTEST_SKIP() << "this program has the sanitizer's operator new";
    expect_told(allocating, "operator new() = ", "ENOMEM", "allocates");
}

TEST(Story, tells_of_a_thread_that_does_not_start) {
    expect_told(starting, "thread.start ", "fails: no thread", "starts_a_thread");
}

TEST(Story, tells_of_a_load_that_sees_an_older_store) {
    expect_told(looking, "atomic.load ", "sees an older store", "looks_at_what_another_stores");
}

TEST(Story, tells_of_a_wait_that_ends_for_no_reason) {
    expect_told(counting, "condition.wait ", "wakes for no reason", "story_test.cpp:");
}

TEST(Story, tells_of_time_that_passes) {
    expect_told(counting, "time.passes ", "although threads could run", "counts_to_ten");
}

}  // namespace
