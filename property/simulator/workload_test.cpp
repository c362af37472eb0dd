// What runs are made of: a workload that was chosen elsewhere, the errors that calls may fail with, and what is said of
// a run that stands still.
#include <acairo/machine.hpp>
#include <acairo/one_fault.hpp>
#include <acairo/platform.hpp>
#include <acairo/workload.hpp>
#include <cerrno>
#include <vector>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

sim::Machine& machine() {
    static sim::Machine one;
    return one;
}

// The last of everything.
struct Last final : sim::Producer {
    std::uint64_t below(std::uint64_t n, Tag) override { return n - 1; }
    std::size_t thread(std::span<const sim::Candidate> candidates) override { return candidates.size() - 1; }
};

TEST(A_workload, answers_the_body_until_it_is_used_up_and_nobody_else) {
    const sim::Strategy last = [](std::uint64_t) { return std::make_unique<Last>(); };
    EXPECT_EQ(dynamic_cast<sim::Workload*>(sim::with_workload(last, {})(1).get()), nullptr) << "there is none";
    const auto producer = sim::with_workload(last, {7, 12})(1);
    sim::Choices choices(*producer);
    sim::Setting setting;
    setting.climate = {.interruptions = false, .older_loads = false, .shortages = false, .clock = false};
    std::vector<std::uint64_t> drawn;
    Notes order;
    const Outcome outcome = machine().run(choices, setting, [&] {
        Scheduler& its = machine().scheduler();
        for (const Tag tag : {Tag::fault, Tag::workload, Tag::workload, Tag::workload}) {
            const std::uint64_t answer = its.below(5, tag);
            const sim::Unseen unseen;
            drawn.push_back(answer);
        }
        platform::thread other([&] { order += 'b'; });
        platform::atomic<int>(0).load(relaxed);
        order += 'a';
        other.join();
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
    EXPECT_THAT(drawn, ElementsAre(4, 7 % 5, 12 % 5, 4));
    EXPECT_EQ(order.text, "ba") << "the threads are the producer's";
    EXPECT_TRUE(machine().weather().delays) << "so is the weather";
}

TEST(The_catalogue, has_the_errors_of_each_call_that_can_fail_and_no_other) {
    EXPECT_THAT(sim::catalogue("listen"), ElementsAre(EADDRINUSE));
    EXPECT_THAT(sim::catalogue("epoll_ctl"), ElementsAre(ENOMEM, ENOSPC));
    EXPECT_EQ(sim::catalogue("accept4").size(), sim::OneFault::most_errors) << "the longest one, to its end";
    EXPECT_TRUE(sim::catalogue("mutex.lock").empty());
}

TEST(A_deadlock, is_no_lost_wake_up_where_the_last_notification_woke_somebody) {
    const Ran one = calm_run(
        [] {
            Mutex mutex;
            ConditionVariable changed, told;
            bool waits = false;
            Thread waiter([&] {
                mutex.lock();
                waits = true;
                told.notify_all();
                changed.wait(mutex);
                changed.wait(mutex);
            });
            mutex.lock();
            while (!waits) told.wait(mutex);
            changed.notify_all();
            mutex.unlock();
            waiter.join();
        },
        without_faults());
    EXPECT_EQ(one.outcome.verdict, Verdict::deadlock);
    EXPECT_THAT(one.outcome.text,
                AllOf(ContainsRegex("last notified at step [0-9]+, when 1 waited"), Not(HasSubstr("a lost wake-up?"))));
}

}  // namespace
