// What a search is made of, each piece alone: tokens, shrinking, the odds of a seed, an enumeration's bounds, a property's paths.
#include <acairo/child.hpp>
#include <acairo/recording.hpp>
#include <acairo/shrink.hpp>
#include <acairo/token.hpp>
#include <memory>
#include <set>
#include <stdexcept>

#include "program.hpp"
#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::Property;
using acairo::Trial;
using sim::Recording;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

constexpr sim::Climate calm{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};

// --- tokens ---

std::string why_no_token(const std::string& text) {
    try {
        sim::token_of(text);
    } catch (const std::invalid_argument& error) { return error.what(); }
    return "";
}

TEST(Token, says_what_it_lacks) {
    const std::string recording = sim::text_of(Recording{});
    EXPECT_EQ(why_no_token("acairo1:p:01234567:any:" + recording), "");
    EXPECT_THAT(why_no_token(""),
                HasSubstr("it has 1 parts of 5, which are version:property:schema:detector:recording"));
    EXPECT_THAT(why_no_token("acairo1:p:01234567:any"), HasSubstr("it has 4 parts of 5"));
    EXPECT_THAT(why_no_token("acairo9:p:01234567:any:" + recording), HasSubstr("it begins with \"acairo9\", not with"));
    EXPECT_THAT(why_no_token("acairo1::01234567:any:" + recording), HasSubstr("it names no property"));
    EXPECT_THAT(why_no_token("acairo1:p:01234567:msan:" + recording),
                HasSubstr("its detector is \"msan\", not any, asan or"));
    const std::string longer = "x123456789-123456789-123456789-123456789-123456789-12345678yz";
    ASSERT_EQ(longer.size(), 61u);
    EXPECT_THAT(why_no_token(longer), HasSubstr("not a token: \"" + longer.substr(0, 60) + "...\": "));
    EXPECT_THAT(why_no_token(longer.substr(0, 60)), HasSubstr("not a token: \"" + longer.substr(0, 60) + "\": "));
}

TEST(Token, names_who_sees_a_failure_of_its_kind) {
    EXPECT_STREQ(sim::detector_of("AddressSanitizer: heap-use-after-free"), "asan");
    EXPECT_STREQ(sim::detector_of("^AddressSanitizer: heap"), "asan") << "a regular expression for it";
    EXPECT_STREQ(sim::detector_of("UndefinedBehaviorSanitizer: x"), "asan");
    EXPECT_STREQ(sim::detector_of("LeakSanitizer: x"), "asan");
    EXPECT_STREQ(sim::detector_of("ThreadSanitizer: data race"), "tsan");
    EXPECT_STREQ(sim::detector_of("^failed"), "any");
    EXPECT_TRUE(sim::has_detector("any"));
    EXPECT_EQ(sim::has_detector("asan"), sim::has_address_sanitizer());
    EXPECT_EQ(sim::has_detector("tsan"), sim::has_thread_sanitizer());
}

// --- shrinking ---

// Five numbers of ten; what matters is one that is large, and one after it that is not zero.
void draws_five_numbers(Trial& trial) {
    bool large = false;
    bool after = false;
    for (int i = 0; i < 5; ++i) {
        const std::uint64_t drawn = trial.below(10);
        after = after || (large && drawn != 0);
        large = large || drawn >= 5;
    }
    trial.require(!after, "nothing is drawn after a large one");
}

struct Shrinking : Program {
    Property numbers{"five_numbers_are_drawn", draws_five_numbers, calm};
    sim::Result failing() {
        Recording recording;
        for (const std::uint64_t value : {3, 8, 0, 4, 9}) recording.push_back({Tag::workload, 10, value});
        return sim::run_in_child(numbers, [&] { return std::make_unique<sim::Edited>(recording); }, false);
    }
};

TEST_F(Shrinking, leaves_what_the_failure_needs) {
    const sim::Shrunk shrunk = sim::shrink(numbers, failing(), 3000, 1000s);
    EXPECT_EQ(shrunk.result.kind, "failed: nothing is drawn after a large one");
    std::vector<std::uint64_t> values;
    for (const sim::Choice& choice : shrunk.result.recording) values.push_back(choice.value);
    EXPECT_EQ(values.size(), 5u) << "it always draws five";
    std::erase(values, 0u);
    EXPECT_THAT(values, testing::ElementsAre(5, 1)) << "no smaller number fails";
    EXPECT_EQ(sim::nonzero(shrunk.result.recording), 2u);
    EXPECT_LT(shrunk.tries, 3000u);
}

void draws_zero(Trial& trial) { trial.require(trial.below(1'000'000) == 0, "zero is drawn"); }

TEST_F(Shrinking, halves_what_is_large) {
    const Property zero{"zero_is_drawn", draws_zero, calm};
    const Recording large{{Tag::workload, 1'000'000, 999'999}};
    sim::Result before = sim::run_in_child(zero, [&] { return std::make_unique<sim::Edited>(large); }, false);
    const sim::Shrunk shrunk = sim::shrink(zero, std::move(before), 60, 1000s);
    EXPECT_EQ(shrunk.result.recording, (Recording{{Tag::workload, 1'000'000, 1}}));
}

TEST_F(Shrinking, makes_no_more_runs_than_it_may) {
    for (const std::uint64_t tries : {0u, 1u, 2u, 6u})
        EXPECT_EQ(sim::shrink(numbers, failing(), tries, 1000s).tries, tries);
}

TEST_F(Shrinking, begins_no_run_after_its_time) {
    const sim::Result before = failing();
    const sim::Shrunk shrunk = sim::shrink(numbers, before, 3000, 0s);
    EXPECT_EQ(shrunk.tries, 0u);
    EXPECT_EQ(shrunk.result.recording, before.recording);
}

// Eight numbers in each of the first four runs, and two in all others.
void draws_less_later(Trial& trial) {
    for (int left = ++runs_of_all_processes() < 5 ? 8 : 2; left > 0; --left) trial.below(100);
    trial.require(false, "it holds");
}

TEST_F(Shrinking, takes_what_it_gets_from_a_program_that_is_no_function_of_its_choices) {
    const Property less{"less_is_drawn_later", draws_less_later, calm};
    const Recording nothing;
    sim::Result before = sim::run_in_child(less, [&] { return std::make_unique<sim::Edited>(nothing); }, false);
    ASSERT_EQ(before.recording.size(), 8u);
    // The fifth run is the first that is made without two choices from the middle: what is left is less than what is asked for next.
    const sim::Shrunk shrunk = sim::shrink(less, std::move(before), 100, 1000s);
    EXPECT_EQ(shrunk.result.recording, Recording(2, {Tag::workload, 100, 0}));
    EXPECT_LT(shrunk.tries, 20u);
}

// --- where choices come from ---

TEST(Choices, have_no_name_where_there_is_no_tag) { EXPECT_STREQ(sim::name_of(static_cast<Tag>(8)), "no tag"); }

TEST(Seed, has_odds_for_each_tag) {
    // Equally likely where nothing is calmer than something else.
    for (const Tag even : {Tag::schedule, Tag::workload}) {
        std::set<std::uint64_t> seen;
        sim::Seed producer(1);
        for (int i = 0; i < 200; ++i) seen.insert(producer.below(4, even));
        EXPECT_EQ(seen.size(), 4u);
    }
    for (const Tag rare : {Tag::fault, Tag::allocation, Tag::cancel, Tag::clock}) {
        int all = 0;
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            sim::Seed producer(seed);
            for (int i = 0; i < 100; ++i) all += producer.below(2, rare) != 0;
        }
        EXPECT_GT(all, 10'000 / 100) << sim::name_of(rare);
        EXPECT_LT(all, 10'000 / 12) << sim::name_of(rare);
    }
    sim::Seed producer(1);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(producer.below(4, static_cast<Tag>(8)), 0u) << "calm where there is no tag";
}

TEST(Seed, of_a_text_with_any_other_character_is_no_number) {
    for (const char* const text : {"12/", "1:2", "x1", "1 "}) {
        EXPECT_GT(sim::Seed::of(text), 1'000u) << text;
        EXPECT_EQ(sim::Seed::of(text), sim::Seed::of(std::string(text)));
    }
    EXPECT_EQ(sim::Seed::of("0123456789"), 123'456'789u);
}

TEST(Enumeration, counts_faults_of_each_tag) {
    for (const Tag tag : {Tag::fault, Tag::allocation, Tag::cancel, Tag::clock, Tag::order, Tag::transfer}) {
        sim::Enumeration calm_ones(sim::Enumeration::Bounds{.faults = 0});
        do calm_ones.below(2, tag);
        while (calm_ones.next());
        const bool free = tag == Tag::order || tag == Tag::transfer;
        EXPECT_EQ(calm_ones.runs(), free ? 2u : 1u) << sim::name_of(tag);
    }
}

TEST(Enumeration, is_calm_from_where_the_program_changed) {
    sim::Enumeration all;
    all.below(2, Tag::order), all.below(2, Tag::order);
    ASSERT_TRUE(all.next());
    EXPECT_EQ(all.below(2, Tag::order), 0u);
    EXPECT_EQ(all.below(2, Tag::fault), 0u) << "another tag, where 1 was next";
    ASSERT_TRUE(all.divergence().has_value());
    EXPECT_EQ(*all.divergence(), (sim::Divergence{1, {Tag::order, 2, 1}, {Tag::fault, 2, 0}}));
    EXPECT_EQ(all.below(2, Tag::order), 0u) << "what was planned for another question means nothing";
    EXPECT_FALSE(all.next());
}

// --- properties ---

TEST(PropertyPaths, have_a_place_and_others_have_the_place_after_all) {
    const Property* const others = Property::first;
    const acairo::Paths full{"a", "b", "c", "d", "e", "f", "g", "h"};
    {
        const Property two("two", [](Trial&) {}, {}, {"a", "b"});
        const Property eight("eight", [](Trial&) {}, {}, full);
        EXPECT_EQ(two.place_of("b"), 1u);
        EXPECT_EQ(two.place_of("c"), full.size());
        EXPECT_EQ(eight.place_of("h"), 7u);
        EXPECT_EQ(eight.place_of("i"), full.size());
        EXPECT_EQ(Property::find("two"), &two);
        EXPECT_EQ(Property::find("three"), nullptr);
    }
    Property::first = others;
}

// A trial of a world of one's own is destroyed as what it is.
TEST(PropertyTrial, is_destroyed_as_what_it_is) {
    struct OwnTrial : Trial {
        explicit OwnTrial(bool& told) : destroyed(&told) {}
        ~OwnTrial() override { *destroyed = true; }
        std::uint64_t below(std::uint64_t) override { return 0; }
        void require(bool, const char*) override {}
        void clear_up() override {}
        void sometimes(bool, const char*) override {}
        bool* destroyed;
    };
    bool destroyed = false;
    { const std::unique_ptr<Trial> trial = std::make_unique<OwnTrial>(destroyed); }
    EXPECT_TRUE(destroyed);
}

}  // namespace
