// The scheduler: a run is a function of its recording; calm ends; time; every schedule once; what failures say.
#include "simulation.hpp"

namespace {

using namespace simulation;
using testing::AllOf;
using testing::HasSubstr;

// Something of everything.
void mixed_body() {
    Mutex mutex;
    ConditionVariable changed;
    Atomic<int> word{0};
    int ready = 0;
    const auto work = [&] {
        for (int i = 0; i < 4; ++i) {
            for (int seen = word.load(acquire); !word.compare_exchange_weak(seen, seen + 1, acq_rel, acquire);) {}
            mutex.lock();
            ++ready;
            changed.notify_all();
            changed.wait_until(mutex, sim::now() + 1ms);
            mutex.unlock();
        }
    };
    Thread one(work), two(work), three(work);
    mutex.lock();
    while (ready < 12) changed.wait(mutex);
    mutex.unlock();
    one.join(), two.join(), three.join();
    EXPECT_EQ(word.load(relaxed), 12);
}

TEST(Scheduler, makes_a_run_a_function_of_its_recording) {
    std::uint64_t different = 0, before = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        sim::Seed random(seed), again(seed);
        const Ran first = run(random, mixed_body);
        ASSERT_EQ(first.outcome.verdict, Verdict::passed) << first.outcome.text;
        const Ran second = run(again, mixed_body);
        EXPECT_EQ(second.recording, first.recording);
        sim::Replay replay(first.recording);
        const Ran third = run(replay, mixed_body);
        EXPECT_FALSE(replay.divergence().has_value());
        EXPECT_EQ(replay.used(), first.recording.size());
        EXPECT_EQ(third.recording, first.recording);
        for (const Ran& other : std::vector<Ran>{second, third}) {
            EXPECT_EQ(other.outcome.trace_hash, first.outcome.trace_hash);
            EXPECT_EQ(other.outcome.steps, first.outcome.steps);
            EXPECT_EQ(other.outcome.time, first.outcome.time);
        }
        different += std::exchange(before, first.outcome.trace_hash) != first.outcome.trace_hash;
    }
    EXPECT_EQ(different, 200u) << "equal traces for different schedules";
}

TEST(Scheduler, has_the_same_trace_in_every_build) {
    std::uint64_t all = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        sim::Seed random(seed);
        all = all * 31 + run(random, mixed_body).outcome.trace_hash;
    }
    EXPECT_EQ(all, 9'980'257'732'584'107'365u) << "change this only when the meaning of recordings was meant to change";
}

TEST(Scheduler, follows_a_prefix_of_a_recording) {
    sim::Seed random(3);
    const Ran whole = run(random, mixed_body);
    sim::Recording half = whole.recording;
    half.resize(half.size() / 2);
    sim::Replay replay(half);
    const Ran other = run(replay, mixed_body);
    EXPECT_EQ(other.outcome.verdict, Verdict::passed) << other.outcome.text;
    ASSERT_GE(other.recording.size(), half.size());
    EXPECT_TRUE(std::equal(half.begin(), half.end(), other.recording.begin()));
    for (std::size_t i = half.size(); i < other.recording.size(); ++i) EXPECT_EQ(other.recording[i].value, 0u);
}

TEST(Scheduler, records_nothing_while_one_thread_runs) {
    const Ran alone = calm_run([] {
        Atomic<int> word{0};
        Mutex mutex;
        for (int i = 0; i < 50; ++i) word.store(i, relaxed), mutex.lock(), mutex.unlock();
    });
    EXPECT_TRUE(alone.recording.empty());
    EXPECT_EQ(alone.outcome.steps, 151u);
}

TEST(Scheduler, is_calm_where_choices_are_zero) {
    Notes order;
    const Ran calm = calm_run([&] {
        Atomic<int> word{0};
        Thread thread([&] { order += 'b'; });
        for (int i = 0; i < 100; ++i) word.load(relaxed);
        order += 'a';
        thread.join();
    });
    EXPECT_EQ(order.text, "ab") << "the thread that runs goes on until it waits";
    for (const sim::Choice& choice : calm.recording) EXPECT_EQ(choice.value, 0u);
}

TEST(Scheduler, ends_a_spin_loop_although_all_choices_are_zero) {
    Options options;
    options.step_limit = 20'000;
    const Ran spins = calm_run(
        [] {
            Atomic<int> turn{0};
            const auto spin = [&](int mine) {
                while (turn.load(acquire) != mine) {}
                turn.store(mine + 1, release);
            };
            Thread third([&] { spin(2); }), second([&] { spin(1); }), first([&] { spin(0); });
            spin(3);
            first.join(), second.join(), third.join();
        },
        options);
    EXPECT_EQ(spins.outcome.verdict, Verdict::passed) << spins.outcome.text;
    EXPECT_LT(spins.outcome.steps, 10'000u);
}

TEST(Scheduler, lets_nobody_starve_although_all_choices_are_zero) {
    // Two that hand a turn to and fro would always be chosen before the third.
    const Ran pair = calm_run([] {
        Mutex mutex;
        ConditionVariable changed;
        int turn = 0;
        bool over = false;
        const auto play = [&](int mine) {
            mutex.lock();
            while (!over) {
                while (!over && turn != mine) changed.wait(mutex);
                turn = 1 - mine;
                changed.notify_all();
            }
            mutex.unlock();
        };
        Thread one([&] { play(0); }), two([&] { play(1); });
        Thread ender([&] {
            mutex.lock();
            over = true;
            changed.notify_all();
            mutex.unlock();
        });
        one.join(), two.join(), ender.join();
    });
    EXPECT_EQ(pair.outcome.verdict, Verdict::passed) << pair.outcome.text;
}

TEST(Scheduler, lets_time_pass_for_those_who_only_ask_for_it) {
    const Ran asks = calm_run([] {
        Atomic<int> woken{0};
        Thread sleeper([&] {
            sim::sleep_until(sim::now() + 5s);
            woken.store(1, relaxed);
        });
        const auto begin = sim::now();
        while (woken.load(relaxed) == 0) {}
        EXPECT_EQ(sim::now() - begin, 5s);
        Thread other([&] { sim::sleep_until(sim::now() + 5s); });
        while (sim::now() - begin < 10s) {}
        sleeper.join(), other.join();
    });
    EXPECT_EQ(asks.outcome.verdict, Verdict::passed) << asks.outcome.text;
    EXPECT_LT(asks.outcome.steps, 40'000u);
}

TEST(Scheduler, moves_time_only_when_everybody_waits) {
    Notes order;
    const Ran timed = calm_run([&] {
        const auto begin = sim::now();
        EXPECT_EQ(begin, Options().start);
        const auto sleep = [&](char name, std::chrono::nanoseconds duration) {
            sim::sleep_until(begin + duration);
            EXPECT_EQ(sim::now() - begin, duration);
            order += name;
        };
        Thread c([&] { sleep('c', 300h); }), a([&] { sleep('a', 1ns); }), b([&] { sleep('b', 2ms); });
        for (int i = 0; i < 500; ++i) EXPECT_EQ(sim::now(), begin);
        a.join(), b.join(), c.join();
    });
    EXPECT_EQ(order.text, "abc");
    EXPECT_EQ(timed.outcome.time, Options().start + 300h);
}

TEST(Scheduler, asks_the_host_what_comes_next) {
    static sim::WaitQueue queue;
    static std::chrono::nanoseconds woken_at, timed_out_at;
    host.next = Options().start + 3s;
    host.event = [] { Scheduler::running()->wake_all(queue); };
    const Ran external = calm_run([] {
        Scheduler& here = *Scheduler::running();
        EXPECT_TRUE(here.block({"test.wait", 1, here.now() + 4s, &queue}));
        woken_at = here.now();
        EXPECT_FALSE(here.block({"test.wait", 1, here.now() + 4s, &queue}));
        timed_out_at = here.now();
        EXPECT_TRUE(queue.empty()) << "it left the queue at its deadline";
    });
    host.event = nullptr;
    EXPECT_EQ(external.outcome.verdict, Verdict::passed) << external.outcome.text;
    EXPECT_EQ(woken_at, Options().start + 3s);
    EXPECT_EQ(timed_out_at, Options().start + 7s);
}

TEST(Scheduler, wakes_one_by_a_choice) {
    for (std::uint8_t chosen = 0; chosen < 3; ++chosen) {
        sim::WaitQueue queue;
        Notes woken;
        struct Chosen : sim::Producer {
            std::uint64_t below(std::uint64_t, Tag tag) override {
                return tag == Tag::order ? std::exchange(answer, 0u) : 0;
            }
            std::uint64_t answer = 0;
        } producer;
        producer.answer = chosen;
        const Ran one = run(producer, [&] {
            const auto wait = [&](char name) {
                Scheduler::running()->block({"test.wait", 1, sim::never, &queue});
                woken += name;
            };
            Thread a([&] { wait('a'); }), b([&] { wait('b'); }), c([&] { wait('c'); });
            sim::sleep_until(sim::now() + 1s);
            EXPECT_EQ(Scheduler::running()->waiting(queue), 3u);
            for (int left = 3; left > 0; --left) {
                Scheduler::running()->wake_one(queue);
                sim::sleep_until(sim::now() + 1s);
            }
            Scheduler::running()->wake_one(queue);
            a.join(), b.join(), c.join();
        });
        EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
        const char* const orders[] = {"abc", "bac", "cab"};
        EXPECT_EQ(woken.text, orders[chosen]);
    }
}

// --- every schedule, once --------------------------------------------------------------------------------------------

std::uint64_t choose(std::uint64_t n, std::uint64_t k) { return k == 0 ? 1 : choose(n - 1, k - 1) * n / k; }

// The schedules of a body with `mine` operations and a thread with `others`, counted by the scheduler.
std::uint64_t schedules(int mine, int others, sim::Enumeration::Bounds bounds = {}) {
    sim::Enumeration all(bounds);
    do {
        const Ran one = run(all, [=] {
            Atomic<int> word{0};
            Thread thread([&] {
                for (int i = 0; i < others; ++i) word.load(relaxed);
            });
            for (int i = 0; i < mine; ++i) word.load(relaxed);
            thread.join();
        });
        EXPECT_EQ(one.outcome.verdict, Verdict::passed);
    } while (all.next());
    EXPECT_FALSE(all.divergence().has_value());
    return all.runs();
}

// The same, counted on paper: the body's steps are its operations and the join, the thread's its beginning and its operations.
std::uint64_t paths(int mine, int others, int at, std::uint32_t preemptions) {
    if (mine == 0 || others == 0) return 1;
    const std::uint64_t stay =
        at == 0 ? paths(mine - 1, others, 0, preemptions) : paths(mine, others - 1, 1, preemptions);
    if (preemptions == 0) return stay;
    return stay + (at == 0 ? paths(mine, others - 1, 1, preemptions - 1) : paths(mine - 1, others, 0, preemptions - 1));
}

TEST(Enumeration, runs_every_schedule_once) {
    for (int mine = 0; mine <= 4; ++mine) {
        for (int others = 0; others <= 4; ++others) {
            const auto a = static_cast<std::uint64_t>(mine) + 1, b = static_cast<std::uint64_t>(others) + 1;
            EXPECT_EQ(schedules(mine, others), choose(a + b, a)) << mine << " and " << others;
        }
    }
}

TEST(Enumeration, runs_every_schedule_of_few_preemptions_once) {
    for (std::uint32_t preemptions = 0; preemptions <= 4; ++preemptions) {
        EXPECT_EQ(schedules(4, 3, {.preemptions = preemptions}), paths(5, 4, 0, preemptions)) << preemptions;
    }
}

TEST(Enumeration, finds_each_lost_update_of_a_counter) {
    sim::Enumeration all;
    int lost = 0, kept = 0;
    do {
        const Ran one = run(
            all,
            [&] {
                Atomic<int> counter{0};
                const auto increment = [&] { counter.store(counter.load(relaxed) + 1, relaxed); };
                Thread thread(increment);
                increment();
                thread.join();
                ++(counter.load(relaxed) == 2 ? kept : lost);
            },
            without_faults());
        EXPECT_EQ(one.outcome.verdict, Verdict::passed);
    } while (all.next());
    EXPECT_EQ(all.runs(), choose(6, 3));
    // On paper, with the body's load, store and join and the thread's begin, load and store: kept where the body's store
    // precedes the thread's load (4 with the join before that load, 6 with it after), and where the thread ends first (1).
    EXPECT_EQ(kept, 4 + 6 + 1);
    EXPECT_EQ(lost, 20 - 11);
    // One preemption is enough to find it, none is not.
    for (const std::uint32_t preemptions : {0u, 1u}) {
        sim::Enumeration bounded({.preemptions = preemptions});
        int found = 0;
        do {
            run(
                bounded,
                [&] {
                    Atomic<int> counter{0};
                    const auto increment = [&] { counter.store(counter.load(relaxed) + 1, relaxed); };
                    Thread thread(increment);
                    increment();
                    thread.join();
                    found += counter.load(relaxed) != 2;
                },
                without_faults());
        } while (bounded.next());
        EXPECT_EQ(found > 0, preemptions == 1);
    }
}

// --- failures --------------------------------------------------------------------------------------------------------

TEST(Failure, of_two_mutexes_names_both_threads_and_both_mutexes) {
    sim::Enumeration all({.preemptions = 1});
    std::string text;
    do {
        const Ran one = run(all, [] {
            Mutex a, b;
            Thread thread([&] { b.lock(), a.lock(), a.unlock(), b.unlock(); });
            a.lock(), b.lock(), b.unlock(), a.unlock();
            thread.join();
        });
        if (one.outcome.verdict == Verdict::deadlock) text = one.outcome.text;
    } while (text.empty() && all.next());
    EXPECT_EQ(host.told, Verdict::deadlock);
    EXPECT_THAT(text,
                AllOf(HasSubstr("deadlock at step "), HasSubstr("nothing can run, and nothing is due"),
                      HasSubstr("fiber 0 (the body): waits in mutex.lock of object 2 since step "),
                      HasSubstr("; held by fiber 1 since step "), HasSubstr("fiber 1 (started by fiber 0 at "),
                      HasSubstr("scheduler_test.cpp:"), HasSubstr("): waits in mutex.lock of object 1 since step "),
                      HasSubstr("; held by fiber 0 since step "), HasSubstr("the last steps:"),
                      HasSubstr(" fiber 1 mutex.lock of object 2")));
}

TEST(Failure, says_where_each_thread_waits) {
    const Ran one = calm_run([] {
        Mutex mutex;
        mutex.lock();
        Thread thread([&] { mutex.lock(); });
        thread.join();
    });
    ASSERT_EQ(one.outcome.verdict, Verdict::deadlock);
    // Two stacks of return addresses in a module: enough for any symbolizer.
    const std::string& text = one.outcome.text;
    const auto body = text.begin() + static_cast<std::ptrdiff_t>(text.find("fiber 0"));
    const auto thread = text.begin() + static_cast<std::ptrdiff_t>(text.find("fiber 1 (started"));
    EXPECT_GE(std::count(body, thread, '['), 4) << text;
    EXPECT_GE(std::count(thread, text.end(), '['), 3) << text;
    EXPECT_THAT(text, HasSubstr("(+0x"));
}

TEST(Failure, of_a_lost_wake_up_names_the_notification) {
    // The notification comes between the look at the flag and the wait.
    sim::Enumeration all({.preemptions = 2});
    std::string text;
    do {
        const Ran one = run(
            all,
            [] {
                Mutex mutex;
                ConditionVariable condition;
                Atomic<int> flag{0};
                Thread waiter([&] {
                    mutex.lock();
                    if (flag.load(acquire) == 0) condition.wait(mutex);
                    mutex.unlock();
                });
                flag.store(1, release);
                condition.notify_all();
                waiter.join();
            },
            without_faults());
        if (one.outcome.verdict == Verdict::deadlock) text = one.outcome.text;
    } while (text.empty() && all.next());
    EXPECT_THAT(text, AllOf(HasSubstr("waits in condition.wait of object 2 since step "),
                            HasSubstr("last notified at step "), HasSubstr("when 0 waited: a lost wake-up?"),
                            HasSubstr("fiber 0 (the body): waits in thread.join of fiber 1")));
}

TEST(Failure, of_threads_that_the_body_leaves_says_so) {
    const Ran one = calm_run([] {
        static Mutex mutex;
        mutex.lock();
        Thread([] { mutex.lock(); }).detach();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::deadlock);
    EXPECT_THAT(one.outcome.text, AllOf(HasSubstr("the body has ended"), HasSubstr("fiber 0 (the body): has ended")));
}

TEST(Failure, at_the_limit_of_steps_is_a_livelock) {
    Options options;
    options.step_limit = 5'000;
    const Ran one = calm_run(
        [] {
            Atomic<int> never_set{0};
            Thread thread([&] {
                while (never_set.load(acquire) == 0) {}
            });
            while (never_set.load(acquire) == 0) {}
        },
        options);
    EXPECT_EQ(one.outcome.verdict, Verdict::livelock);
    EXPECT_EQ(one.outcome.steps, 5'000u);
    EXPECT_THAT(one.outcome.text,
                AllOf(HasSubstr("Options::step_limit"), HasSubstr("runs, last step atomic.load of object 1"),
                      HasSubstr("could run, next step atomic.load of object 1")));
}

TEST(Failure, of_a_host_whose_events_wake_nobody_is_a_livelock) {
    host.next = Options().start + 1s;
    host.event = [] { host.next = Scheduler::running()->now() + 1s; };
    Options options;
    options.step_limit = 500;
    const Ran one = calm_run(
        [] {
            Mutex mutex;
            mutex.lock();
            Thread([&] { mutex.lock(); }).join();
        },
        options);
    host.event = nullptr;
    host.next = sim::never;
    EXPECT_EQ(one.outcome.verdict, Verdict::livelock);
}

TEST(Failure, of_an_exception_that_leaves_a_thread) {
    const Ran one = calm_run([] { Thread([] { throw std::runtime_error("no bread"); }).join(); });
    EXPECT_EQ(one.outcome.verdict, Verdict::exception);
    EXPECT_THAT(one.outcome.text, HasSubstr("an exception, \"no bread\", left a thread"));
    const Ran other = calm_run([] { throw 1; });
    EXPECT_EQ(other.outcome.verdict, Verdict::exception);
    EXPECT_THAT(other.outcome.text, HasSubstr("an exception that is no std::exception left a thread"));
}

TEST(Failure, ends_the_run_there_and_leaves_the_next_one_alone) {
    sim::Seed random(1);
    const std::uint64_t hash = run(random, mixed_body).outcome.trace_hash;
    for (int i = 0; i < 20; ++i) {
        bool reached = false, destroyed = false;
        struct Destroyed {
            ~Destroyed() { flag = true; }
            bool& flag;
        };
        const Ran one = calm_run([&] {
            const Destroyed local{destroyed};
            Thread thread([] { sim::sleep_until(sim::now() + 1s); });
            Scheduler::running()->fail(Verdict::failed, "an oracle says no");
            reached = true;
        });
        EXPECT_EQ(one.outcome.verdict, Verdict::failed);
        EXPECT_THAT(one.outcome.text, HasSubstr("an oracle says no"));
        EXPECT_FALSE(reached);
        EXPECT_FALSE(destroyed) << "nothing is unwound";
        sim::Seed again(1);
        EXPECT_EQ(run(again, mixed_body).outcome.trace_hash, hash);
    }
}

TEST(Failure, of_a_run_within_a_run) {
    const Ran one = calm_run([] { calm_run([] {}); });
    EXPECT_EQ(one.outcome.verdict, Verdict::misuse);
    EXPECT_THAT(one.outcome.text, HasSubstr("started within a run"));
}

TEST(Failure, of_more_threads_than_a_run_may_have) {
    const auto start = [](int threads) {
        return [=] {
            for (int i = 0; i < threads; ++i) Thread([] {}).join();
        };
    };
    EXPECT_EQ(calm_run(start(999)).outcome.verdict, Verdict::passed) << "the body is one";
    const Ran one = calm_run(start(1'000));
    EXPECT_EQ(one.outcome.verdict, Verdict::misuse);
    EXPECT_THAT(one.outcome.text, HasSubstr("1,000 threads"));
}

}  // namespace
