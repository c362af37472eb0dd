// Strategies: which thread each would run, asked without a scheduler.
#include "simulation.hpp"

#include <acairo/pct.hpp>
#include <acairo/pos.hpp>
#include <acairo/strategy.hpp>
#include <acairo/surw.hpp>
#include <set>

namespace {

using namespace simulation;
using sim::Candidate;

// Threads that each do `length` operations, one after the other, on an object of their own or on one that all share.
struct Thread {
    std::uint32_t fiber;
    std::uint64_t object;
    std::size_t length;
};

// The order in which `producer` runs them all, as a text: "0110".
std::string order(sim::Producer& producer, std::vector<Thread> threads) {
    std::string order;
    std::uint32_t running = ~0u;
    for (;;) {
        std::vector<Candidate> candidates;
        std::vector<std::size_t> whose;
        for (std::size_t i = 0; i < threads.size(); ++i) {
            if (threads[i].length == 0) continue;
            const bool runs_now = threads[i].fiber == running;
            const auto place = runs_now ? candidates.begin() : candidates.end();
            whose.insert(runs_now ? whose.begin() : whose.end(), i);
            candidates.insert(place, {threads[i].fiber, "step", threads[i].object, runs_now});
        }
        if (candidates.empty()) return order;
        const std::size_t chosen = candidates.size() == 1 ? 0 : producer.thread(candidates);
        Thread& thread = threads[whose.at(chosen)];
        --thread.length;
        running = thread.fiber;
        order += static_cast<char>('0' + thread.fiber);
    }
}

std::size_t switches(const std::string& order) {
    std::size_t count = 0;
    for (std::size_t i = 1; i < order.size(); ++i) count += order[i] != order[i - 1];
    return count;
}

TEST(Strategy, equal_seeds_give_equal_orders) {
    for (const std::string& name : sim::strategy_names()) {
        std::set<std::string> different;
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            const std::vector<Thread> threads{{0, 1, 5}, {1, 1, 5}, {2, 2, 5}};
            const std::string first = order(*sim::strategy_of(name)(seed), threads);
            EXPECT_EQ(order(*sim::strategy_of(name)(seed), threads), first) << name;
            different.insert(first);
        }
        EXPECT_GT(different.size(), 5u) << name;
    }
}

TEST(Strategy, an_unknown_name_is_an_error_that_lists_the_others) {
    try {
        sim::strategy_of("rondom");
        FAIL();
    } catch (const std::invalid_argument& error) {
        EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("\"rondom\""), testing::HasSubstr("pct pos surw")));
    }
}

TEST(PCT, of_depth_1_runs_each_thread_to_its_end) {
    std::set<std::string> different;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        sim::PCT producer(seed, 1);
        different.insert(order(producer, {{0, 1, 10}, {1, 1, 10}, {2, 1, 10}}));
    }
    EXPECT_EQ(different.size(), 6u) << "each order of three threads";
    for (const std::string& one : different) EXPECT_EQ(switches(one), 2u) << one;
}

TEST(PCT, of_depth_d_switches_at_most_d_less_one_times_more) {
    bool all = false;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        sim::PCT producer(seed, 3);
        const std::string one = order(producer, {{0, 1, 30}, {1, 1, 30}});
        EXPECT_LE(switches(one), 3u) << one;
        all = all || switches(one) == 3;
    }
    EXPECT_TRUE(all);
}

// Two operations on one object come in either order with equal odds, however many others there are around them.
TEST(POS, a_race_ends_either_way_with_equal_odds) {
    constexpr std::uint64_t runs = 4000;
    std::uint64_t second_first = 0;
    for (std::uint64_t seed = 0; seed < runs; ++seed) {
        sim::POS producer(seed);
        const std::string one = order(producer, {{0, 1, 1}, {1, 1, 1}, {2, 2, 50}, {3, 3, 50}});
        if (one.find('1') < one.find('0')) ++second_first;
    }
    EXPECT_NEAR(static_cast<double>(second_first), runs / 2.0, runs * 0.03);
}

// Where one operation of a thread falls among nine of another: with the weights of an earlier run, anywhere with equal odds.
TEST(SURW, one_operation_falls_anywhere_among_many) {
    constexpr std::uint64_t runs = 10'000;
    sim::SURW::Profile profile{{1, {1, 9}}};
    std::array<std::uint64_t, 10> places{};
    for (std::uint64_t seed = 0; seed < runs; ++seed) {
        sim::SURW::Profile known = profile;
        sim::SURW producer(seed, known);
        ++places.at(order(producer, {{0, 1, 1}, {1, 1, 9}}).find('0'));
    }
    for (const std::uint64_t count : places)
        EXPECT_NEAR(static_cast<double>(count), runs / 10.0, runs * 0.015) << testing::PrintToString(places);
}

TEST(SURW, learns_from_the_run_before) {
    sim::SURW::Profile profile;
    { order(*std::make_unique<sim::SURW>(1, profile), {{0, 7, 3}, {1, 7, 5}, {2, 9, 4}}); }
    ASSERT_TRUE(profile.contains(7));
    EXPECT_TRUE(profile.contains(9));
    std::uint32_t operations = 0;
    for (const auto& [object, counts] : profile)
        for (const std::uint32_t count : counts) operations += count;
    EXPECT_GE(operations, 12u - 5) << "of the last thread alone there is no choice";
    EXPECT_LE(operations, 12u);
}

TEST(Portfolio, takes_each_strategy_in_turn) {
    const std::vector<Thread> threads{{0, 1, 20}, {1, 1, 20}, {2, 2, 20}};
    const sim::Strategy portfolio = sim::strategy_of("portfolio");
    std::uint64_t seed = 0;
    for (const std::string& name : sim::strategy_names()) {
        if (name == "portfolio") break;
        EXPECT_EQ(order(*portfolio(seed), threads), order(*sim::strategy_of(name)(seed), threads)) << name;
        ++seed;
    }
}

}  // namespace
