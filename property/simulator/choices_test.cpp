// The stream of choices, and each thing that choices may come from.
#include "simulation.hpp"

namespace {

using namespace simulation;
using sim::Candidate;
using sim::Choice;
using sim::Choices;
using sim::Recording;

std::vector<std::uint64_t> values(sim::Producer& producer, int count, std::uint64_t n, Tag tag) {
    std::vector<std::uint64_t> result;
    for (int i = 0; i < count; ++i) result.push_back(producer.below(n, tag));
    return result;
}

constexpr Candidate going_on[] = {{1, "a", 0, true}, {0, "b", 0}, {2, "c", 0}};
constexpr Candidate after_a_wait[] = {{0, "b", 0}, {2, "c", 0}};

struct Scripted : sim::Producer {
    std::uint64_t below(std::uint64_t, Tag) override { return ++asked, answer; }
    int asked = 0;
    std::uint64_t answer = 1;
};

TEST(Choices, one_answer_is_no_choice) {
    Scripted producer;
    Choices choices(producer);
    EXPECT_EQ(choices.below(1, Tag::fault), 0u);
    EXPECT_EQ(choices.thread(std::span(going_on).first(1)), 0u);
    EXPECT_EQ(producer.asked, 0);
    EXPECT_TRUE(choices.recording().empty());
}

TEST(Choices, record_tag_n_and_value) {
    Scripted producer;
    Choices choices(producer);
    EXPECT_EQ(choices.below(5, Tag::transfer), 1u);
    EXPECT_EQ(choices.thread(going_on), 1u);
    EXPECT_EQ(choices.recording(), (Recording{{Tag::transfer, 5, 1}, {Tag::schedule, 3, 1}}));
    choices.restart(producer);
    EXPECT_TRUE(choices.recording().empty());
}

TEST(Choices, refuse_what_is_no_choice) {
    Scripted producer;
    Choices choices(producer);
    EXPECT_THROW(choices.below(0, Tag::order), std::invalid_argument);
    producer.answer = 3;
    EXPECT_THROW(choices.below(3, Tag::order), std::logic_error);
    EXPECT_TRUE(choices.recording().empty());
}

TEST(Choices, each_tag_has_a_name) {
    EXPECT_STREQ(sim::name_of(Tag::schedule), "schedule");
    EXPECT_STREQ(sim::name_of(Tag::transfer), "transfer");
    EXPECT_STREQ(sim::name_of(Tag::fault), "fault");
    EXPECT_STREQ(sim::name_of(Tag::allocation), "allocation");
    EXPECT_STREQ(sim::name_of(Tag::cancel), "cancel");
    EXPECT_STREQ(sim::name_of(Tag::clock), "clock");
    EXPECT_STREQ(sim::name_of(Tag::order), "order");
    EXPECT_STREQ(sim::name_of(Tag::workload), "workload");
}

TEST(Bytes, take_the_fewest_bytes_little_endian) {
    const std::uint8_t bytes[] = {7, 0xfe, 0x02, 0x01, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 0x80};
    sim::Bytes producer(bytes);
    EXPECT_EQ(producer.below(5, Tag::order), 2u);
    EXPECT_EQ(producer.below(256, Tag::order), 0xfeu) << "255 fits in one byte";
    EXPECT_EQ(producer.below(257, Tag::order), 0x0102u % 257) << "256 does not";
    EXPECT_EQ(producer.below(65'536, Tag::order), 0xffffu);
    EXPECT_EQ(producer.used(), 6u);
    EXPECT_EQ(producer.below(~std::uint64_t{0}, Tag::order), 0x8007060504030201u);
    EXPECT_EQ(producer.used(), sizeof bytes);
}

TEST(Bytes, that_are_used_up_are_zeros) {
    const std::uint8_t bytes[] = {0x05};
    sim::Bytes producer(bytes);
    EXPECT_EQ(producer.below(1'000, Tag::order), 5u) << "half a number";
    EXPECT_THAT(values(producer, 3, 1'000, Tag::schedule), testing::Each(0u));
    EXPECT_EQ(producer.used(), 1u);
}

TEST(Seed, gives_the_same_choices_everywhere) {
    sim::Seed producer(42);
    // Computed once: another compiler, machine or library must not see other runs.
    EXPECT_THAT(values(producer, 6, 1'000, Tag::workload), testing::ElementsAre(583, 682, 290, 801, 321, 711));
}

TEST(Seed, comes_from_any_text) {
    EXPECT_EQ(sim::Seed::of("42"), 42u);
    EXPECT_EQ(sim::Seed::of("9999999999999999999"), 9'999'999'999'999'999'999u);
    const auto commit = sim::Seed::of("a79e2010f5b3d7c1e9a8b4f6d2c0e8a6b4f2d0c8");
    EXPECT_NE(commit, sim::Seed::of("a79e2010f5b3d7c1e9a8b4f6d2c0e8a6b4f2d0c9"));
    // A hash of digits only is no number: it would not fit.
    EXPECT_NE(sim::Seed::of("1234567890123456789012345678901234567890"), sim::Seed::of("1234567890123456789"));
    EXPECT_NE(sim::Seed::of("18446744073709551617"), sim::Seed::of("1")) << "2^64 + 1";
    EXPECT_NE(sim::Seed::of(""), 0u);
}

TEST(Seed, lets_a_fiber_go_on_for_some_four_steps_of_five) {
    int switches = 0, total = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        sim::Seed producer(seed);
        for (int i = 0; i < 100; ++i, ++total) switches += producer.thread(going_on) != 0;
    }
    EXPECT_GT(switches, total * 17 / 100);
    EXPECT_LT(switches, total * 23 / 100);
}

TEST(Seed, prefers_no_fiber_after_a_wait) {
    int second = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        sim::Seed producer(seed);
        for (int i = 0; i < 100; ++i) second += producer.thread(after_a_wait) == 1;
    }
    EXPECT_GT(second, 4'700);
    EXPECT_LT(second, 5'300);
}

TEST(Seed, draws_faults_seldom_and_in_some_runs_never) {
    int runs_without = 0, faults = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        sim::Seed producer(seed);
        int of_this_run = 0;
        for (int i = 0; i < 500; ++i) of_this_run += producer.below(3, Tag::fault) != 0;
        runs_without += of_this_run == 0;
        faults += of_this_run;
    }
    EXPECT_GT(runs_without, 30);
    EXPECT_LT(runs_without, 80);
    EXPECT_GT(faults, 1'000);
    EXPECT_LT(faults, 10'000);
}

TEST(Replay, gives_the_recorded_answers_and_then_zeros) {
    const Recording recording{{Tag::schedule, 3, 2}, {Tag::fault, 2, 1}};
    sim::Replay producer(recording);
    EXPECT_EQ(producer.thread(going_on), 2u);
    EXPECT_EQ(producer.below(2, Tag::fault), 1u);
    EXPECT_EQ(producer.below(2, Tag::fault), 0u);
    EXPECT_EQ(producer.used(), 2u);
    EXPECT_FALSE(producer.divergence().has_value()) << "a prefix of a recording is a recording";
}

TEST(Replay, remembers_the_first_other_question) {
    const Recording recording{{Tag::schedule, 3, 2}, {Tag::fault, 2, 1}, {Tag::fault, 2, 1}};
    for (const Choice& other : {Choice{Tag::order, 2, 0}, Choice{Tag::fault, 3, 0}}) {
        sim::Replay producer(recording);
        producer.thread(going_on);
        EXPECT_EQ(producer.below(other.n, other.tag), 0u);
        EXPECT_EQ(producer.below(2, Tag::fault), 0u) << "zeros from there on";
        EXPECT_EQ(producer.below(7, Tag::clock), 0u);
        ASSERT_TRUE(producer.divergence().has_value());
        EXPECT_EQ(*producer.divergence(), (sim::Divergence{1, {Tag::fault, 2, 1}, other}));
        EXPECT_THAT(
            producer.divergence()->text(),
            testing::AllOf(testing::HasSubstr("choice 1 was a fault choice below 2"),
                           testing::HasSubstr(sim::name_of(other.tag)), testing::HasSubstr("record a new run")));
    }
}

TEST(Enumeration, produces_each_recording_once) {
    sim::Enumeration all;
    std::vector<std::vector<std::uint64_t>> seen;
    do {
        std::vector<std::uint64_t> run{all.below(3, Tag::order)};
        if (run[0] == 1) run.push_back(all.below(2, Tag::transfer));
        seen.push_back(run);
    } while (all.next());
    EXPECT_THAT(seen, testing::ElementsAre(testing::ElementsAre(0), testing::ElementsAre(1, 0),
                                           testing::ElementsAre(1, 1), testing::ElementsAre(2)));
    EXPECT_EQ(all.runs(), 4u);
}

TEST(Enumeration, respects_its_bounds) {
    const auto count = [](sim::Enumeration::Bounds bounds) {
        sim::Enumeration all(bounds);
        do {
            for (int i = 0; i < 3; ++i) all.thread(going_on), all.below(2, Tag::fault);
            all.thread(after_a_wait);
        } while (all.next());
        return all.runs();
    };
    // 3 preemptions of 2 kinds, 3 faults; the switch after a wait is free.
    EXPECT_EQ(count({}), 27u * 8 * 2);
    EXPECT_EQ(count({.preemptions = 1}), (1u + 3 * 2) * 8 * 2);
    EXPECT_EQ(count({.preemptions = 0, .faults = 2}), (1u + 3 + 3) * 2);
    EXPECT_EQ(count({.preemptions = 0, .faults = 0}), 2u);
}

TEST(Enumeration, ends_at_a_program_that_changes) {
    sim::Enumeration longer;
    longer.below(2, Tag::order), longer.below(2, Tag::order);
    ASSERT_TRUE(longer.next());
    longer.below(2, Tag::order), longer.below(3, Tag::order);
    EXPECT_FALSE(longer.next());
    ASSERT_TRUE(longer.divergence().has_value());
    EXPECT_EQ(*longer.divergence(), (sim::Divergence{1, {Tag::order, 2, 1}, {Tag::order, 3, 0}}));

    sim::Enumeration shorter;
    shorter.below(2, Tag::order), shorter.below(2, Tag::order);
    ASSERT_TRUE(shorter.next());
    shorter.below(2, Tag::order);
    EXPECT_FALSE(shorter.next());
    ASSERT_TRUE(shorter.divergence().has_value());
    EXPECT_THAT(shorter.divergence()->text(), testing::HasSubstr("is not asked"));
}

}  // namespace
