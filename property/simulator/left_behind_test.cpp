// What outlives its run: threads, mutexes and condition variables are new to the next one, and outside of a run there is one
// thread, for which all that need not wait works.
#include <optional>

#include "simulation.hpp"

namespace {

using namespace simulation;
using testing::HasSubstr;

template <class Body> std::string text_of_misuse(Body&& body) {
    const Ran one = calm_run(body);
    EXPECT_EQ(one.outcome.verdict, Verdict::misuse) << one.outcome.text;
    return one.outcome.text;
}

TEST(OutsideOfARun, atomics_do_what_their_instructions_do) {
    Atomic<int> word{1};
    int expected = 5;
    EXPECT_FALSE(word.compare_exchange_strong(expected, 9, acq_rel, acquire));
    EXPECT_EQ(expected, 1);
    EXPECT_TRUE(word.compare_exchange_weak(expected, 2, acq_rel));
    EXPECT_EQ(word.exchange(3, acq_rel), 2);
    word.store(4, release);
    EXPECT_EQ(word.load(acquire), 4);
    EXPECT_EQ(Atomic<int>{7}.load(relaxed), 7);
}

TEST(OutsideOfARun, there_is_one_thread_that_is_none_of_a_run) {
    const sim::ThreadId outside = sim::this_thread();
    EXPECT_EQ(outside, sim::this_thread());
    EXPECT_NE(outside, sim::ThreadId());
    EXPECT_EQ(Thread::hardware_concurrency(), 1u);
    Options options;
    options.processors = 3;
    const Ran one = calm_run(
        [&] {
            EXPECT_NE(sim::this_thread(), outside);
            EXPECT_EQ(Thread::hardware_concurrency(), 3u);
        },
        options);
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

TEST(OutsideOfARun, an_operation_is_no_step_and_nobody_is_notified) {
    const sim::Numbered object;
    EXPECT_EQ(object.point("test.step"), 0u);
    EXPECT_FALSE(object.is_new());
    EXPECT_EQ(object.number(), 0u);
    ConditionVariable condition;
    condition.notify_all();
    std::uint64_t number = 0;
    const Ran one = calm_run([&] { number = object.point("test.step"); });
    EXPECT_EQ(number, 1u) << "what is older than the run is numbered when it is first used";
    EXPECT_EQ(one.outcome.steps, 2u) << "the beginning of the body, and one";
}

TEST(AThreadObject, that_outlives_its_run_stands_for_nobody) {
    Thread left, other;
    const Ran first = calm_run([&] {
        left = Thread([] {});
        other = Thread([] {});
    });
    EXPECT_EQ(first.outcome.verdict, Verdict::passed) << first.outcome.text;
    EXPECT_TRUE(left.joinable());
    EXPECT_THAT(text_of_misuse([&] { left.join(); }),
                HasSubstr("thread.join of an object that stands for no thread of this run"));
    EXPECT_THAT(text_of_misuse([&] { left.detach(); }),
                HasSubstr("thread.detach of an object that stands for no thread"));
    int called = 0;
    const Ran second = calm_run([&] {
        left = Thread([&] { ++called; });
        left.join();
        const Thread ends_here(std::move(other));
    });
    EXPECT_EQ(second.outcome.verdict, Verdict::passed) << second.outcome.text;
    EXPECT_EQ(called, 1);
    EXPECT_FALSE(left.joinable());
    EXPECT_FALSE(other.joinable());
}

TEST(AThreadObjectDeathTest, is_joined_in_a_run_only) {
    Thread left;
    calm_run([&] { left = Thread([] {}); });
    EXPECT_DEATH(left.join(), "thread.join outside of a simulated run");
    EXPECT_DEATH(left.detach(), "thread.detach outside of a simulated run");
}

// Runs in which somebody waits for what nobody notifies.
template <class Body> std::string text_of_deadlock(Body&& body) {
    const Ran one = calm_run(body, without_faults());
    EXPECT_EQ(one.outcome.verdict, Verdict::deadlock) << one.outcome.text;
    return one.outcome.text;
}

TEST(AConditionVariable, has_forgotten_what_an_earlier_run_did_with_it) {
    Mutex mutex;
    ConditionVariable condition;
    const auto wait = [&] {
        mutex.lock();
        condition.wait(mutex);
    };
    EXPECT_THAT(text_of_deadlock(wait), HasSubstr("; nobody has notified it yet"));
    const auto notify_and_wait = [&] {
        condition.notify_all();
        wait();
    };
    EXPECT_THAT(text_of_deadlock(notify_and_wait), HasSubstr("when 0 waited: a lost wake-up?"))
        << "not even who waits for ever";
    EXPECT_THAT(text_of_deadlock(wait), HasSubstr("; nobody has notified it yet")) << "in this run";
    const Ran again = calm_run(
        [&] {
            Thread waiter([&] {
                wait();
                mutex.unlock();
            });
            sim::sleep_until(sim::now() + 1s);
            condition.notify_all();
            waiter.join();
        },
        without_faults());
    EXPECT_EQ(again.outcome.verdict, Verdict::passed) << again.outcome.text;
}

TEST(AConditionVariable, says_how_many_its_last_notification_has_woken) {
    EXPECT_THAT(text_of_deadlock([] {
                    Mutex mutex;
                    ConditionVariable condition;
                    const auto wait = [&] {
                        mutex.lock();
                        condition.wait(mutex);
                        mutex.unlock();
                    };
                    Thread one(wait), two(wait);
                    sim::sleep_until(sim::now() + 1s);
                    condition.notify_all();
                    wait();
                }),
                testing::AllOf(HasSubstr(", when 2 waited"), testing::Not(HasSubstr("a lost wake-up?"))));
}

TEST(WhatARunHasLeft, may_be_destroyed_in_the_next_and_outside) {
    for (const bool inside : {true, false}) {
        std::optional<Mutex> mutex;
        std::optional<ConditionVariable> condition;
        mutex.emplace();
        condition.emplace();
        text_of_deadlock([&] {
            Thread waiter([&] {
                mutex->lock();
                condition->wait(*mutex);
            });
            sim::sleep_until(sim::now() + 1s);
            mutex->lock();
            waiter.join();
        });
        const auto destroy = [&] {
            condition.reset();
            mutex.reset();
        };
        if (!inside) {
            destroy();
            continue;
        }
        const Ran next = calm_run(destroy);
        EXPECT_EQ(next.outcome.verdict, Verdict::passed) << next.outcome.text;
    }
}

TEST(AConditionVariable, that_nobody_waits_for_may_be_destroyed) {
    const Ran one = calm_run([] {
        ConditionVariable condition;
        condition.notify_all();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

// Each fault that can happen does.
struct Faulty : sim::Producer {
    std::uint64_t below(std::uint64_t, Tag tag) override { return tag == Tag::fault ? 1 : 0; }
};

TEST(AConditionVariable, that_wakes_for_no_reason_tells_whether_it_was_in_time) {
    Faulty faulty;
    Options options;
    options.spurious = 5;
    options.older_loads = 0;
    const Ran one = run(
        faulty,
        [] {
            Mutex mutex;
            ConditionVariable condition;
            const auto begin = sim::now();
            mutex.lock();
            EXPECT_TRUE(condition.wait_until(mutex, begin + 1s));
            EXPECT_FALSE(condition.wait_until(mutex, begin));
            EXPECT_EQ(sim::now(), begin) << "nobody has waited";
            mutex.unlock();
        },
        options);
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

// Without this, who joins it would wait for ever.
TEST(AThread, that_cannot_start_leaves_its_object_without_one) {
    Faulty faulty;
    Options options = without_faults();
    options.thread_failures = 1;
    const Ran one = run(
        faulty,
        [] {
            Thread thread;
            EXPECT_THROW(thread = Thread([] {}), std::system_error);
            EXPECT_FALSE(thread.joinable());
            thread = Thread([] {});
            thread.join();
        },
        options);
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

}  // namespace
