// Each primitive of the simulated threads: what it does, and what is refused.
#include <set>

#include "simulation.hpp"

namespace {

using namespace simulation;
using testing::HasSubstr;

// Runs `body` in every schedule of few preemptions and faults, and returns how many there were.
template <class Body> std::uint64_t everywhere(Body&& body,
                                               sim::Enumeration::Bounds bounds = {.preemptions = 2, .faults = 1},
                                               const Options& options = {}) {
    sim::Enumeration all(bounds);
    do {
        const Ran one = run(all, body, options);
        EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
        if (one.outcome.verdict != Verdict::passed) break;
    } while (all.next());
    EXPECT_FALSE(all.divergence().has_value());
    return all.runs();
}

template <class Body> std::string misuse(Body&& body) {
    const Ran one = calm_run(body);
    EXPECT_EQ(one.outcome.verdict, Verdict::misuse) << one.outcome.text;
    return one.outcome.text;
}

TEST(SimulatedMutex, lets_one_thread_in) {
    EXPECT_GT(everywhere([] {
                  Mutex mutex;
                  Atomic<int> inside{0};
                  int entered = 0;
                  const auto enter = [&] {
                      mutex.lock();
                      EXPECT_EQ(inside.fetch_add(1, relaxed), 0);
                      ++entered;
                      EXPECT_EQ(inside.fetch_sub(1, relaxed), 1);
                      mutex.unlock();
                  };
                  Thread one(enter), two(enter);
                  enter();
                  one.join(), two.join();
                  EXPECT_EQ(entered, 3);
              }),
              100u);
}

TEST(SimulatedMutex, is_taken_in_every_order) {
    std::set<std::string> orders;
    everywhere([&] {
        Mutex mutex;
        std::string order;
        const auto enter = [&](char name) {
            mutex.lock();
            order += name;
            mutex.unlock();
        };
        Thread a([&] { enter('a'); }), b([&] { enter('b'); }), c([&] { enter('c'); });
        a.join(), b.join(), c.join();
        orders.insert(order);
    });
    EXPECT_EQ(orders.size(), 6u);
}

TEST(SimulatedMutex, refuses_what_is_undefined) {
    EXPECT_THAT(misuse([] {
                    Mutex mutex;
                    mutex.lock(), mutex.lock();
                }),
                HasSubstr("mutex 1 is locked by the thread that holds it since step 2"));
    EXPECT_THAT(misuse([] {
                    Mutex mutex;
                    mutex.unlock();
                }),
                HasSubstr("mutex.unlock of mutex 1, which nobody holds"));
    EXPECT_THAT(misuse([] {
                    Mutex mutex;
                    mutex.lock();
                    Thread([&] { mutex.unlock(); }).join();
                }),
                HasSubstr("mutex.unlock of mutex 1, which fiber 0 holds"));
    EXPECT_THAT(misuse([] {
                    Mutex mutex;
                    mutex.lock();
                }),
                HasSubstr("mutex 1 is destroyed while a thread holds it (fiber 0)"));
}

TEST(SimulatedMutex, of_an_abandoned_run_is_free_in_the_next) {
    static Mutex older;
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(calm_run([] {
                      older.lock();
                      Thread([] { older.lock(); }).join();
                  }).outcome.verdict,
                  Verdict::deadlock);
    }
    older.lock();
    older.unlock();
}

TEST(SimulatedCondition, wakes_all_that_wait) {
    EXPECT_GT(everywhere(
                  [] {
                      Mutex mutex;
                      ConditionVariable condition;
                      bool ready = false;
                      const auto wait = [&] {
                          mutex.lock();
                          while (!ready) condition.wait(mutex);
                          mutex.unlock();
                      };
                      Thread one(wait), two(wait);
                      mutex.lock();
                      ready = true;
                      condition.notify_all();
                      mutex.unlock();
                      one.join(), two.join();
                  },
                  {.preemptions = 2, .faults = 2}),
              100u);
}

TEST(SimulatedCondition, wakes_for_no_reason_by_a_choice_and_not_for_ever) {
    std::set<int> wakes;
    everywhere(
        [&] {
            Mutex mutex;
            ConditionVariable condition;
            bool ready = false;
            int woken = 0;
            Thread thread([&] {
                mutex.lock();
                while (!ready) condition.wait(mutex), ++woken;
                mutex.unlock();
            });
            sim::sleep_until(sim::now() + 1s);
            mutex.lock();
            ready = true;
            condition.notify_all();
            mutex.unlock();
            thread.join();
            wakes.insert(woken);
        },
        {.preemptions = 0, .faults = 5});
    EXPECT_EQ(wakes, (std::set<int>{1, 2, 3})) << "as often as Options::spurious says";
}

TEST(SimulatedCondition, gives_up_at_its_deadline) {
    const Ran one = calm_run([] {
        Mutex mutex;
        ConditionVariable condition;
        mutex.lock();
        const auto begin = sim::now();
        EXPECT_FALSE(condition.wait_until(mutex, begin + 3s));
        EXPECT_EQ(sim::now(), begin + 3s);
        EXPECT_FALSE(condition.wait_until(mutex, begin)) << "an instant that has passed";
        Thread notifier([&] {
            sim::sleep_until(begin + 4s);
            mutex.lock(), condition.notify_all(), mutex.unlock();
        });
        EXPECT_TRUE(condition.wait_until(mutex, begin + 5s));
        EXPECT_EQ(sim::now(), begin + 4s);
        mutex.unlock();
        notifier.join();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

TEST(SimulatedCondition, refuses_what_is_undefined) {
    EXPECT_THAT(misuse([] {
                    Mutex mutex;
                    ConditionVariable condition;
                    condition.wait(mutex);
                }),
                HasSubstr("condition.wait of mutex 1, which nobody holds"));
    EXPECT_THAT(misuse([] {
                    Mutex mutex;
                    auto condition = std::make_unique<ConditionVariable>();
                    Thread thread([&, waited = condition.get()] { mutex.lock(), waited->wait(mutex); });
                    sim::sleep_until(sim::now() + 1s);
                    condition.reset();
                }),
                HasSubstr("condition variable 2 is destroyed while a thread waits for it"));
}

TEST(SimulatedAtomic, does_what_its_instructions_do) {
    const Ran one = calm_run(
        [] {
            Atomic<std::uint32_t> word{5};
            EXPECT_EQ(word.load(acquire), 5u);
            word.store(6, release);
            EXPECT_EQ(word.exchange(7, acq_rel), 6u);
            EXPECT_EQ(word.fetch_add(3, relaxed), 7u);
            EXPECT_EQ(word.fetch_sub(2, acq_rel), 10u);
            EXPECT_EQ(word.fetch_or(0x10, acq_rel), 8u);
            EXPECT_EQ(word.fetch_and(0x11, release), 0x18u);
            std::uint32_t expected = 1;
            EXPECT_FALSE(word.compare_exchange_weak(expected, 2, acq_rel, acquire));
            EXPECT_EQ(expected, 0x10u);
            EXPECT_TRUE(word.compare_exchange_weak(expected, 2, acq_rel, acquire));
            EXPECT_EQ(word.load(relaxed), 2u);
            int values[3] = {};
            Atomic<int*> pointer{values};
            EXPECT_EQ(pointer.fetch_add(2, relaxed), values);
            EXPECT_EQ(pointer.load(relaxed), values + 2);
            constinit static Atomic<int> constant{3};
            EXPECT_EQ(constant.load(relaxed), 3);
        },
        without_faults());
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

TEST(SimulatedAtomic, exchanges_fail_for_no_reason_by_a_choice_and_not_for_ever) {
    std::set<int> failures;
    everywhere(
        [&] {
            Atomic<int> word{1};
            int expected = 1, failed = 0;
            while (!word.compare_exchange_weak(expected, 2, acq_rel, acquire)) {
                ++failed;
                EXPECT_EQ(expected, 1);
            }
            failures.insert(failed);
        },
        {.preemptions = 0, .faults = 5});
    EXPECT_EQ(failures, (std::set<int>{0, 1, 2}));
}

TEST(SimulatedAtomic, works_outside_of_a_run) {
    Atomic<int> word{1};
    Mutex mutex;
    mutex.lock();
    word.fetch_add(1, acq_rel);
    mutex.unlock();
    EXPECT_EQ(word.load(relaxed), 2);
    EXPECT_EQ(sim::now(), 0ns);
    sim::thread_slot() = &word;
    EXPECT_EQ(sim::thread_slot(), &word);
    sim::thread_slot() = nullptr;
}

TEST(SimulatedThread, may_fail_to_start_by_a_choice) {
    std::set<int> started;
    Options options;
    options.thread_failures = 1;
    everywhere(
        [&] {
            int count = 0;
            const auto start = [&] {
                try {
                    Thread thread([&] { ++count; });
                    thread.join();
                } catch (const std::system_error& error) {
                    EXPECT_EQ(error.code(), std::errc::resource_unavailable_try_again);
                }
            };
            start(), start();
            started.insert(count);
        },
        {}, options);
    EXPECT_EQ(started, (std::set<int>{1, 2})) << "at most one fails";
}

TEST(SimulatedThread, is_moved_joined_and_detached) {
    const Ran one = calm_run([] {
        Atomic<int> ended{0};
        Thread none;
        EXPECT_FALSE(none.joinable());
        Thread first([&] { ended.fetch_add(1, relaxed); });
        EXPECT_TRUE(first.joinable());
        Thread moved(std::move(first));
        EXPECT_FALSE(first.joinable());
        none = std::move(moved);
        none.join();
        EXPECT_FALSE(none.joinable());
        EXPECT_EQ(ended.load(relaxed), 1);
        Thread second([&] { ended.fetch_add(1, relaxed); });
        second.detach();
        EXPECT_FALSE(second.joinable());
        while (ended.load(relaxed) != 2) {}
        struct MoveOnly {
            std::unique_ptr<int> value;
            void operator()() && { EXPECT_EQ(*value, 3); }
        };
        Thread third(MoveOnly{std::make_unique<int>(3)});
        third.join();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

TEST(SimulatedThread, refuses_what_ends_a_program) {
    EXPECT_THAT(misuse([] { Thread thread([] {}); }),
                HasSubstr("a thread object is destroyed while it stands for fiber 1"));
    EXPECT_THAT(misuse([] {
                    Thread thread([] {});
                    thread = Thread();
                }),
                HasSubstr("a thread object is assigned to while it stands for fiber 1"));
    EXPECT_THAT(misuse([] { Thread().join(); }), HasSubstr("thread.join of an object that stands for no thread"));
    EXPECT_THAT(misuse([] {
                    Thread thread([] {});
                    thread.detach();
                    thread.detach();
                }),
                HasSubstr("thread.detach of an object that stands for no thread"));
    EXPECT_THAT(misuse([] {
                    Thread thread;
                    thread = Thread([&] { thread.join(); });
                    sim::sleep_until(sim::now() + 1s);
                }),
                HasSubstr("fiber 1 joins itself"));
}

TEST(SimulatedThread, has_an_identity_and_a_slot) {
    const Ran one = calm_run([] {
        int here = 0, there = 0;
        const sim::ThreadId mine = sim::this_thread();
        EXPECT_EQ(mine, sim::this_thread());
        EXPECT_NE(mine, sim::ThreadId());
        EXPECT_EQ(sim::thread_slot(), nullptr);
        sim::thread_slot() = &here;
        Thread thread([&] {
            EXPECT_NE(sim::this_thread(), mine);
            EXPECT_EQ(sim::thread_slot(), nullptr);
            sim::thread_slot() = &there;
            sim::sleep_until(sim::now() + 1s);
            EXPECT_EQ(sim::thread_slot(), &there);
        });
        sim::sleep_until(sim::now() + 500ms);
        EXPECT_EQ(sim::thread_slot(), &here);
        thread.join();
        EXPECT_EQ(Thread::hardware_concurrency(), 2u);
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    EXPECT_EQ(calm_run([] { EXPECT_EQ(sim::thread_slot(), nullptr) << "a new run"; }).outcome.verdict, Verdict::passed);
}

TEST(SimulatedThreadDeathTest, waits_for_nothing_outside_of_a_run) {
    EXPECT_DEATH(Thread([] {}), "thread.start outside of a simulated run");
    Mutex mutex;
    ConditionVariable condition;
    EXPECT_DEATH(condition.wait(mutex), "condition.wait outside of a simulated run");
    EXPECT_DEATH(sim::sleep_until(1s), "sleep_until outside of a simulated run");
}

}  // namespace
