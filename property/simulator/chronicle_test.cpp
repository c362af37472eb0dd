// What is asked of a scheduler and told about its fibers: stacks, moments, and a host that has nothing to say.
#include <acairo/chronicle.hpp>
#include <algorithm>

#include "simulation.hpp"

namespace {

using namespace simulation;
using sim::Chronicle;
using sim::Moment;

TEST(Chronicle, ignores_what_was_seen_before_any_step) {
    const auto memory = std::make_unique<Chronicle::Memory>();
    Chronicle chronicle(*memory);
    chronicle.saw(1);
    chronicle.faulted();
    EXPECT_EQ(memory->moments, 0u);
    EXPECT_TRUE(std::ranges::none_of(memory->moment, [](const Moment& it) { return it.has_value || it.faulty; }));
}

// A value belongs to the step that saw it: what is seen when something else has happened since is nobody's.
TEST(Chronicle, gives_a_value_to_a_step_and_to_nothing_else) {
    const auto memory = std::make_unique<Chronicle::Memory>();
    Chronicle chronicle(*memory);
    scheduler().tell(&chronicle);
    const Ran one = calm_run([&] {
        Scheduler& here = *Scheduler::running();
        sim::WaitQueue queue;
        Thread waiter([&] { Scheduler::running()->block({"test.wait", 1, sim::never, &queue}); });
        sim::sleep_until(sim::now() + 1s);
        here.point("test.step", 2);
        here.saw(5);
        here.wake_all(queue);
        here.saw(6);
        chronicle.faulted();
        waiter.join();
    });
    scheduler().tell(nullptr);
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    std::vector<Moment> with_value;
    const std::vector<Moment> moments = Chronicle::moments_of(*memory);
    std::ranges::copy_if(moments, std::back_inserter(with_value), &Moment::has_value);
    ASSERT_EQ(with_value.size(), 1u);
    EXPECT_EQ(with_value[0].value, 5);
    EXPECT_STREQ(with_value[0].operation, "test.step");
    EXPECT_TRUE(std::ranges::none_of(moments, &Moment::faulty));
    const auto woken = std::ranges::find(moments, Moment::Kind::wake, &Moment::kind);
    EXPECT_NE(woken, moments.end());
}

// Without this, a look at the stack of one that has ended would have it run once more.
TEST(Backtrace, is_of_who_has_begun_and_not_ended) {
    const Ran one = calm_run([] {
        Scheduler& here = *Scheduler::running();
        Atomic<int> began{0};
        Thread waits([&] {
            began.fetch_add(1, relaxed);
            sim::sleep_until(sim::now() + 2s);
        });
        Thread ends([&] { began.fetch_add(1, relaxed); });
        void* frames[8];
        EXPECT_EQ(here.backtrace_of(*here.fibers()[1], frames, 8), 0);
        EXPECT_EQ(here.backtrace_of(*here.fibers()[2], frames, 8), 0);
        EXPECT_EQ(began.load(relaxed), 0) << "nobody begins because somebody looks";
        sim::sleep_until(sim::now() + 1s);
        EXPECT_GT(here.backtrace_of(*here.fibers()[0], frames, 8), 2);
        EXPECT_GT(here.backtrace_of(*here.fibers()[1], frames, 8), 2);
        EXPECT_EQ(here.backtrace_of(*here.fibers()[2], frames, 8), 0);
        waits.join(), ends.join();
        EXPECT_EQ(began.load(relaxed), 2);
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

struct Silent : sim::Host {};

TEST(AHost, may_have_nothing_to_say) {
    Silent silent;
    const auto own = std::make_unique<Scheduler>(silent);
    sim::Bytes zeros({});
    sim::Choices choices(zeros);
    const Outcome slept = own->run(choices, {}, [] { sim::sleep_until(sim::now() + 3s); });
    EXPECT_EQ(slept.verdict, Verdict::passed) << slept.text;
    EXPECT_EQ(slept.time, Options().start + 3s);
    const Outcome waits = own->run(choices, {}, [] { Scheduler::running()->block({"test.wait", 1}); });
    EXPECT_EQ(waits.verdict, Verdict::deadlock);
    EXPECT_THAT(waits.text, testing::HasSubstr("fiber 0 (the body): waits in test.wait of object 1 since step 1"));
}

}  // namespace
