// Many runs in one child: how many they were, which one failed and with what, and that a run which is no function of its choices
// is told.
#include <acairo/bytes.hpp>
#include <acairo/child.hpp>
#include <acairo/platform.hpp>
#include <acairo/process.hpp>
#include <acairo/replay.hpp>
#include <new>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto no_end = std::chrono::nanoseconds::max();
constexpr std::uint64_t any_number = ~std::uint64_t{0};
constexpr sim::Climate fine{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};
constexpr sim::Climate one_fault{.interruptions = false,
                                 .older_loads = false,
                                 .shortages = false,
                                 .network = false,
                                 .clock = false,
                                 .one_fault = true};

sim::Batch batch_of(const Property& property, std::uint64_t runs, std::chrono::nanoseconds until = no_end) {
    return sim::run_batch(property, sim::strategy_of("random"), 7, runs, until);
}

std::string kind_of_replay(const Property& property, const sim::Recording& recording) {
    return sim::run_in_child(property, [&] { return std::make_unique<sim::Replay>(recording); }, false).kind;
}

// What the last run of the last child has said.
std::string said() { return sim::page().text.data(); }

// --- what is no function of its choices ---

// Of the process, which no run begins anew: what such bodies must not have.
int runs_before = 0;

void does_more_the_second_time(Trial&) {
    platform::atomic<int> word(0);
    if (++runs_before > 1) word.load(acquire);
}
void asks_another_question_the_second_time(Trial& trial) {
    trial.below(static_cast<std::uint64_t>(99 + ++runs_before));
}
void fails_the_second_time(Trial& trial) {
    does_more_the_second_time(trial);
    trial.require(runs_before == 1, "it is the first");
}
void asks_another_second_question(Trial& trial) {
    trial.below(2);
    trial.below(static_cast<std::uint64_t>(1 + ++runs_before));
}
void asks_less_the_second_time(Trial& trial) {
    trial.below(2);
    if (++runs_before == 1) trial.below(2);
}
void does_nothing(Trial&) {}

const Property more{"it_does_more_each_time", does_more_the_second_time, fine};
const Property another{"it_asks_another_question_each_time", asks_another_question_the_second_time, fine};
const Property failing{"it_fails_the_second_time", fails_the_second_time, fine};
const Property second{"its_second_question_is_another_each_time", asks_another_second_question, fine};
const Property less{"it_asks_less_each_time", asks_less_the_second_time, fine};
const Property nothing{"nothing_happens", does_nothing, fine};

TEST(Batch, tells_that_the_same_choices_gave_another_run) {
    const sim::Batch batch = batch_of(more, 5);
    EXPECT_TRUE(batch.failed);
    EXPECT_EQ(batch.kind, "nondeterminism");
    EXPECT_EQ(batch.runs, 1u);
    EXPECT_EQ(batch.failed_seed, 7u);
    EXPECT_THAT(said(), AllOf(HasSubstr("nondeterminism: the same choices gave another run"),
                              HasSubstr("memory that is read before it is written"), Not(HasSubstr("was recorded"))))
        << "it has asked no other question";
}

TEST(Batch, tells_the_first_question_that_was_another_one) {
    EXPECT_EQ(batch_of(another, 5).kind, "nondeterminism");
    EXPECT_THAT(said(),
                AllOf(HasSubstr("the same choices gave another run"),
                      HasSubstr("written. choice 0 was a workload choice below 100 when the run was recorded, and is "
                                "a workload choice below 101 now")));
}

// Its answer is the same: no call and no value of the two runs differs.
void asks_of_more_the_second_time(Trial& trial) { trial.below(static_cast<std::uint64_t>(2 + runs_before++)); }
const Property wider{"its_question_has_more_answers_each_time", asks_of_more_the_second_time, fine};

TEST(Batch, tells_another_question_that_has_the_same_answer) {
    const sim::Strategy calm = [](std::uint64_t) {
        return std::make_unique<sim::Bytes>(std::span<const std::uint8_t>());
    };
    const sim::Batch batch = sim::run_batch(wider, calm, 1, 1, no_end);
    EXPECT_EQ(batch.kind, "nondeterminism");
    EXPECT_THAT(said(), HasSubstr("is a workload choice below 3 now"));
}

TEST(Batch, has_the_failure_of_a_run_that_fails_when_it_is_repeated) {
    const sim::Batch batch = batch_of(failing, 5);
    EXPECT_TRUE(batch.failed);
    EXPECT_EQ(batch.kind, "failed: it is the first");
    EXPECT_EQ(batch.runs, 1u);
}

TEST(Batch, begins_no_run_when_its_time_is_over) {
    const sim::Batch none = batch_of(nothing, 3, 0ns);
    EXPECT_FALSE(none.failed);
    EXPECT_EQ(none.runs, 0u);
    EXPECT_EQ(batch_of(nothing, 3).runs, 3u);
}

// --- with each single fault ---

template <int error> void makes_a_counter(Trial& trial) {
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    trial.require(fd != error, "a counter is made");
    if (fd >= 0) platform::close(fd);
}
const Property first_error{"a_counter_is_made_at_the_limit", makes_a_counter<-EMFILE>, one_fault};
const Property second_error{"a_counter_is_made_at_the_systems_limit", makes_a_counter<-ENFILE>, one_fault};

TEST(EachFault, ends_at_the_first_that_a_property_does_not_survive) {
    for (const Property* const property : {&first_error, &second_error}) {
        const sim::Batch batch = sim::run_with_each_fault(*property, 1);
        EXPECT_TRUE(batch.failed);
        EXPECT_EQ(batch.kind, "failed: a counter is made");
        EXPECT_EQ(batch.runs, property == &first_error ? 1u : 2u);
        EXPECT_EQ(batch.interleavings, batch.runs);
        EXPECT_EQ(kind_of_replay(*property, batch.failing), batch.kind);
    }
}

// Of all calls, this one can fail in as many ways as a fault can say.
void accepts(Trial& trial) {
    const int listener = platform::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listener < 0) return;
    if (platform::listen(listener, 1) == 0) {
        const int accepted = platform::accept4(listener, 0);
        trial.require(accepted < 0, "nobody connects");
        trial.sometimes(accepted == -EINTR, "the first error comes");
        trial.sometimes(accepted == -ENETUNREACH, "the last error but one comes");
        trial.sometimes(accepted == -ETIMEDOUT, "the last error comes");
        trial.sometimes(accepted == -EAGAIN, "no error comes");
    }
    platform::close(listener);
}
const Property accepting{
    "every_error_of_accept_comes",
    accepts,
    one_fault,
    {"the first error comes", "the last error but one comes", "the last error comes", "no error comes"}};

TEST(EachFault, is_each_error_of_a_call_that_has_as_many_as_there_can_be) {
    const sim::Batch batch = sim::run_with_each_fault(accepting, 1);
    EXPECT_FALSE(batch.failed) << batch.kind;
    EXPECT_EQ(batch.reached[0], 1u);
    EXPECT_EQ(batch.reached[1], 1u);
    EXPECT_EQ(batch.reached[2], 1u);
    EXPECT_GT(batch.reached[3], 0u);
}

// One more than the places that a fault can say.
void allocates_often(Trial&) {
    for (std::uint64_t i = 0; i <= sim::OneFault::most_places; ++i) ::operator delete(::operator new(1, std::nothrow));
}
const Property allocating{"more_is_allocated_than_can_fail", allocates_often, one_fault};

// Without this, faults that were never tried out would count as survived.
TEST(EachFault, is_no_success_where_there_are_more_places_than_can_be_tried) {
    try {
        sim::run_with_each_fault(allocating, 1);
        ADD_FAILURE() << "it says that all were tried";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("more_is_allocated_than_can_fail has more than 1023 calls"));
    }
}

// --- every run ---

void draws(Trial& trial) { trial.require(trial.below(3) != 2, "two is not drawn"); }
void draws_anything(Trial& trial) { trial.below(3); }
const Property drawing{"two_is_not_drawn", draws};
const Property drawing_anything{"anything_is_drawn", draws_anything};

// The weather is fine, but the workload is the body's own.
TEST(Enumerated, draws_each_workload_in_fine_weather) {
    const sim::Enumerated all = sim::enumerate(drawing_anything, {.faults = 0}, any_number, no_end);
    EXPECT_FALSE(all.failed);
    EXPECT_TRUE(all.covered);
    EXPECT_EQ(all.runs, 3u) << "0, 1 and 2";
    const sim::Enumerated some = sim::enumerate(drawing, {.faults = 0}, any_number, no_end);
    EXPECT_TRUE(some.failed);
    EXPECT_EQ(some.runs, 3u);
    EXPECT_EQ(kind_of_replay(drawing, some.failing), "failed: two is not drawn");
}

TEST(Enumerated, tells_that_a_run_asked_another_question) {
    const sim::Enumerated all = sim::enumerate(second, {.faults = 0}, any_number, no_end);
    EXPECT_TRUE(all.failed);
    EXPECT_FALSE(all.covered);
    EXPECT_EQ(all.runs, 2u);
    EXPECT_THAT(said(), HasSubstr("nondeterminism: choice 1 was a workload choice below 2 when the run was recorded"));
}

TEST(Enumerated, does_not_claim_to_be_all_where_a_run_asked_less) {
    const sim::Enumerated some = sim::enumerate(less, {.faults = 0}, any_number, no_end);
    EXPECT_EQ(some.runs, 2u);
    EXPECT_FALSE(some.covered);
    EXPECT_TRUE(some.failed);
    EXPECT_THAT(sim::page().text.data(), testing::HasSubstr("nondeterminism"));
}

}  // namespace
