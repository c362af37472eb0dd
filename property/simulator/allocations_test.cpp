// What a simulated run allocates: found when it is left behind, by any form of operator new and delete; made to fail; and not
// confused with what others allocate.
#include <acairo/allocations.hpp>
#include <acairo/machine.hpp>
#include <cstdint>
#include <limits>
#include <new>

#include "simulation.hpp"

namespace {

using namespace simulation;
using sim::Climate;
using testing::HasSubstr;

constexpr Climate calm{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};

sim::Machine& machine() {
    static sim::Machine one;
    return one;
}

// Answers of the weather in their order, and then zero.
struct Answers final : sim::Producer {
    explicit Answers(std::vector<std::uint64_t> its) : answers(std::move(its)) {}
    std::uint64_t below(std::uint64_t n, Tag) override { return used == answers.size() ? 0 : answers[used++] % n; }
    std::vector<std::uint64_t> answers;
    std::size_t used = 0;
};

template <class Body> Outcome run(sim::Producer& producer, const sim::Setting& setting, Body&& body) {
    sim::Choices choices(producer);
    return machine().run(choices, setting, body);
}

template <class Body> Outcome calm_run_of_a_machine(Body&& body, bool leaks_are_failures = true) {
    sim::Bytes zeros({});
    sim::Setting setting;
    setting.climate = calm;
    setting.leaks_are_failures = leaks_are_failures;
    return run(zeros, setting, body);
}

// The k-th allocation fails, and with `all_after` each that follows.
template <class Body> Outcome failing_run(std::uint64_t k, bool all_after, Body&& body) {
    sim::Setting setting;
    setting.climate = calm;
    setting.climate.allocations = true;
    Answers weather({1, 0, k - 1, all_after ? 1u : 0u});
    return run(weather, setting, body);
}

constexpr std::size_t many = 5000;  // more than the census has room for at first
void* kept[many];

// In a variable, so that no compiler leaves out both.
[[gnu::noinline]] void* allocated(std::size_t size) { return ::operator new(size); }

struct Allocations : testing::Test {
    void SetUp() override {
        std::uint64_t counted = 0;
        calm_run_of_a_machine([&] {
            kept[0] = allocated(8);
            counted = sim::allocations::table.used;
            ::operator delete(kept[0]);
        });
        if (counted == 0) GTEST_SKIP() << "this program has the sanitizer's operator new";
    }
};

TEST_F(Allocations, that_are_left_behind_are_told_with_the_number_and_the_size_of_the_first) {
    const Outcome outcome = calm_run_of_a_machine([] {
        for (std::size_t i = 0; i != 4; ++i) kept[i] = allocated(i + 20);
        ::operator delete(kept[0]);
        ::operator delete(kept[2]);
    });
    EXPECT_EQ(outcome.verdict, Verdict::leaked_memory);
    EXPECT_EQ(outcome.text,
              "leaked memory: the run is over, and 2 of its allocations are still there; the first is its "
              "allocation number 2, of 21 bytes: free it, or destroy the frame that it is");
    ::operator delete(kept[1]);
    ::operator delete(kept[3]);
}

TEST_F(Allocations, that_are_left_behind_may_be_allowed_and_are_not_those_of_the_next_run) {
    EXPECT_EQ(calm_run_of_a_machine([] { kept[0] = allocated(8); }, false).verdict, Verdict::passed);
    EXPECT_EQ(calm_run_of_a_machine([] {}).verdict, Verdict::passed);
    ::operator delete(kept[0]);
}

TEST_F(Allocations, of_a_run_with_very_many_are_all_found) {
    std::uint64_t alive = 0;
    const Outcome outcome = calm_run_of_a_machine([&] {
        for (void*& place : kept) place = allocated(24);
        alive = sim::allocations::table.used;
        // In another order than they came.
        for (std::size_t i = 0; i != many; ++i) {
            const std::size_t turn = i * 7 % many;
            if (turn != 2500) ::operator delete(kept[turn]);
        }
    });
    EXPECT_EQ(alive, many);
    EXPECT_EQ(outcome.verdict, Verdict::leaked_memory);
    EXPECT_THAT(outcome.text,
                HasSubstr("1 of its allocations are still there; the first is its allocation number 2501,"));
    ::operator delete(kept[2500]);
}

TEST_F(Allocations, of_each_form_are_counted_and_freed_by_each_form_of_its_own) {
    constexpr std::align_val_t wide{256};
    std::uint64_t most = 0;
    const Outcome outcome = calm_run_of_a_machine([&] {
        void* const places[]{::operator new(5),         ::operator new(5),         ::operator new[](5),
                             ::operator new[](5),       ::operator new(5, wide),   ::operator new(5, wide),
                             ::operator new[](5, wide), ::operator new[](5, wide), ::operator new(0)};
        ::operator delete(nullptr);
        most = sim::allocations::table.used;
        for (std::size_t i = 4; i != 8; ++i) EXPECT_EQ(reinterpret_cast<std::uintptr_t>(places[i]) % 256, 0u) << i;
        ::operator delete(places[0]);
        ::operator delete(places[1], std::size_t{5});
        ::operator delete[](places[2]);
        ::operator delete[](places[3], std::size_t{5});
        ::operator delete(places[4], wide);
        ::operator delete(places[5], std::size_t{5}, wide);
        ::operator delete[](places[6], wide);
        ::operator delete[](places[7], std::size_t{5}, wide);
        ::operator delete(places[8]);
    });
    EXPECT_EQ(most, 9u);
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
}

// Which of three aligned allocations fail.
std::string failures_of_three(std::uint64_t k, bool all_after) {
    std::string told;
    const Outcome outcome = failing_run(k, all_after, [&] {
        for (int i = 0; i != 3; ++i) {
            void* place = nullptr;
            try {
                place = ::operator new(64, std::align_val_t{64});
            } catch (const std::bad_alloc&) {}
            const sim::Unseen unseen;
            told += place == nullptr ? '-' : '+';
            ::operator delete(place, std::align_val_t{64});
        }
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
    EXPECT_TRUE(outcome.fault_came);
    return told;
}

TEST_F(Allocations, fail_one_alone_or_with_all_that_follow) {
    EXPECT_EQ(failures_of_three(2, false), "+-+");
    EXPECT_EQ(failures_of_three(2, true), "+--");
}

TEST_F(Allocations, of_more_than_there_is_throw_and_are_not_counted) {
    if (sim::has_address_sanitizer() || sim::has_thread_sanitizer())
        GTEST_SKIP() << "it ends a process that asks for so much";
    bool thrown = false;
    const Outcome outcome = calm_run_of_a_machine([&] {
        try {
            kept[0] = allocated(std::numeric_limits<std::size_t>::max() / 4);
        } catch (const std::bad_alloc&) { thrown = true; }
    });
    EXPECT_TRUE(thrown);
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
    EXPECT_FALSE(outcome.fault_came);
}

TEST_F(Allocations, that_no_fiber_makes_do_not_fail_and_are_not_counted) {
    sim::allocations::begin_run(1, true, []() noexcept { ADD_FAILURE() << "told of one that is not the run's"; });
    kept[0] = allocated(8);
    const sim::allocations::Census census = sim::allocations::end_run();
    EXPECT_NE(kept[0], nullptr);
    EXPECT_EQ(census.made, 0u);
    EXPECT_EQ(census.alive, 0u);
    EXPECT_FALSE(census.failed);
    ::operator delete(kept[0]);
}

}  // namespace
