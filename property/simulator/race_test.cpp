// Which happens-before edges the simulator states to the thread sanitizer: for each, a program that relies on it is silent,
// and the same program without it is reported. In other builds there is nobody to report, and these tests are skipped.
#include <atomic>

#include "simulation.hpp"

namespace {

// The runtime calls it, for each race.
int reports = 0;

}  // namespace

extern "C" {
void __tsan_on_report(void*);
// Without the attribute, counting from a second thread is a race, whose report waits for the first one's to end.
[[gnu::no_sanitize_thread]] void __tsan_on_report(void*) { ++reports; }

// Without this, one of a thousand equal races is reported. Exit codes are GoogleTest's: the listener below counts. And the
// order of locks is what deadlock tests get wrong.
const char* __tsan_default_options();
const char* __tsan_default_options() {
    return "suppress_equal_stacks=0:suppress_equal_addresses=0:exitcode=0:detect_deadlocks=0:atexit_sleep_ms=0";
}
}

namespace simulation {

int take_reports() { return std::exchange(reports, 0); }

}  // namespace simulation

namespace {

using namespace simulation;

struct NoRaceIsMissed : testing::EmptyTestEventListener {
    void OnTestEnd(const testing::TestInfo&) override { EXPECT_EQ(take_reports(), 0) << "races; see above"; }
};
[[maybe_unused]] const bool listening =
    (testing::UnitTest::GetInstance()->listeners().Append(new NoRaceIsMissed), true);

struct Race : testing::Test {
    void SetUp() override {
        if (!sim::has_thread_sanitizer()) GTEST_SKIP() << "needs -fsanitize=thread";
    }
    // How many races are reported in the calm run, and in some that switch.
    template <class Body> static int races(Body&& body) {
        take_reports();
        EXPECT_EQ(calm_run(body).outcome.verdict, Verdict::passed);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            sim::Seed random(seed);
            EXPECT_EQ(run(random, body).outcome.verdict, Verdict::passed);
        }
        return take_reports();
    }
};

// `plain` is what races; every run has another one, so that no run orders the next.
template <class First, class Second> auto two_threads(First first, Second second) {
    return [=] {
        int plain = 0;
        Thread one([&] { first(plain); });
        Thread two([&] { second(plain); });
        one.join();
        two.join();
    };
}

TEST_F(Race, unlock_comes_before_the_next_lock) {
    const auto under = [](Mutex& mutex, int& plain) {
        mutex.lock();
        ++plain;
        mutex.unlock();
    };
    EXPECT_EQ(races([=] {
                  Mutex mutex;
                  two_threads([&](int& plain) { under(mutex, plain); }, [&](int& plain) { under(mutex, plain); })();
              }),
              0);
    EXPECT_GT(races([=] {
                  Mutex one, two;
                  two_threads([&](int& plain) { under(one, plain); }, [&](int& plain) { under(two, plain); })();
              }),
              10);
}

TEST_F(Race, a_lock_comes_after_unlocks_only) {
    // Written after the unlock: the next lock does not come after that.
    EXPECT_GT(races([] {
                  Mutex mutex;
                  two_threads(
                      [&](int& plain) {
                          mutex.lock();
                          mutex.unlock();
                          plain = 1;
                      },
                      [&](int& plain) {
                          sim::sleep_until(sim::now() + 1s);
                          mutex.lock();
                          mutex.unlock();
                          plain = 2;
                      })();
              }),
              10);
}

TEST_F(Race, a_thread_begins_after_its_start) {
    EXPECT_EQ(races([] {
                  int plain = 1;
                  Thread thread([&] { ++plain; });
                  thread.join();
              }),
              0);
    EXPECT_GT(races([] {
                  int plain = 1;
                  Thread thread([&] { ++plain; });
                  ++plain;
                  thread.join();
              }),
              10);
}

TEST_F(Race, a_join_comes_after_the_end) {
    EXPECT_EQ(races([] {
                  int plain = 0;
                  Thread thread([&] { plain = 1; });
                  thread.join();
                  plain = 2;
              }),
              0);
    EXPECT_GT(races([] {
                  int plain = 0;
                  Thread thread([&] { plain = 1; });
                  sim::sleep_until(sim::now() + 1s);
                  plain = 2;
                  thread.join();
              }),
              10);
}

TEST_F(Race, atomics_order_what_their_orders_say) {
    const auto with = [](std::memory_order store, std::memory_order load) {
        return [=] {
            Atomic<int> ready{0};
            two_threads(
                [&](int& plain) {
                    plain = 1;
                    ready.store(1, store);
                },
                [&](int& plain) {
                    while (ready.load(load) == 0) {}
                    plain = 2;
                })();
        };
    };
    EXPECT_EQ(races(with(release, acquire)), 0);
    EXPECT_GT(races(with(relaxed, acquire)), 10);
    EXPECT_GT(races(with(release, relaxed)), 10);
}

TEST_F(Race, exchanges_order_what_their_orders_say) {
    const auto with = [](std::memory_order success) {
        return [=] {
            Atomic<int> turn{0};
            two_threads(
                [&](int& plain) {
                    plain = 1;
                    turn.fetch_add(1, success);
                },
                [&](int& plain) {
                    for (int expected = 1; !turn.compare_exchange_weak(expected, 2, success, relaxed);) expected = 1;
                    plain = 2;
                })();
        };
    };
    EXPECT_EQ(races(with(acq_rel)), 0);
    EXPECT_GT(races(with(relaxed)), 10);
}

TEST_F(Race, a_condition_variable_orders_only_through_its_mutex) {
    const auto with = [](bool locked) {
        return [=] {
            Mutex mutex;
            ConditionVariable condition;
            two_threads(
                [&](int& plain) {
                    mutex.lock();
                    condition.wait_until(mutex, sim::now() + 10s);
                    mutex.unlock();
                    plain = 1;
                },
                [&](int& plain) {
                    sim::sleep_until(sim::now() + 1s);
                    if (locked) mutex.lock();
                    plain = 2;
                    condition.notify_all();
                    if (locked) mutex.unlock();
                })();
        };
    };
    // No wait may end early here: it would be no error, and a race.
    sim::Bytes zeros({});
    EXPECT_EQ((run(zeros, with(true), without_faults()), take_reports()), 0);
    EXPECT_GT((run(zeros, with(false), without_faults()), take_reports()), 0);
}

TEST_F(Race, the_switch_itself_orders_nothing) {
    EXPECT_GT(races([] {
                  Atomic<int> mine{0}, other{0};
                  two_threads(
                      [&](int& plain) {
                          mine.load(relaxed);
                          ++plain;
                          mine.load(relaxed);
                      },
                      [&](int& plain) {
                          other.load(relaxed);
                          ++plain;
                          other.load(relaxed);
                      })();
              }),
              10);
}

TEST_F(Race, what_follows_a_run_comes_after_it) {
    int plain = 0;
    for (int i = 0; i < 3; ++i) {
        calm_run([&] {
            ++plain;
            Thread detached([&] { ++plain; });
            detached.detach();
        });
        ++plain;
    }
    EXPECT_EQ(plain, 9);
    EXPECT_EQ(take_reports(), 0);
}

TEST_F(Race, what_follows_a_failed_run_comes_after_it) {
    int plain = 0;
    for (int i = 0; i < 3; ++i) {
        const Ran failed = calm_run([&] {
            Mutex mutex;
            Thread thread([&] {
                ++plain;
                mutex.lock();
                mutex.lock();
            });
            thread.join();
        });
        EXPECT_EQ(failed.outcome.verdict, Verdict::misuse);
        ++plain;
    }
    EXPECT_EQ(take_reports(), 0);
}

TEST_F(Race, hosts_are_not_seen) {
    const auto with = [](bool hidden) {
        return two_threads([](int& plain) { ++plain; },
                           [=](int& plain) {
                               if (!hidden) {
                                   ++plain;
                                   return;
                               }
                               const sim::Unseen unseen;
                               ++plain;
                           });
    };
    EXPECT_EQ(races(with(true)), 0);
    EXPECT_GT(races(with(false)), 10);
}

TEST_F(Race, a_published_place_orders_and_a_forgotten_one_does_not) {
    static char place;
    const auto with = [](bool forgotten) {
        return two_threads(
            [](int& plain) {
                plain = 1;
                sim::publish(&place);
            },
            [=](int& plain) {
                sim::sleep_until(sim::now() + 1s);
                if (forgotten) sim::forget(&place);
                sim::observe(&place);
                plain = 2;
            });
    };
    EXPECT_EQ(races(with(false)), 0);
    EXPECT_GT(races(with(true)), 10);
}

TEST_F(Race, shared_owners_are_counted_atomically) {
    EXPECT_EQ(races([] {
                  auto owned = std::make_shared<int>(1);
                  Atomic<int> point{0};
                  const auto copy = [&point, owned] {
                      for (int i = 0; i < 5; ++i) {
                          const std::shared_ptr<int> another = owned;
                          point.load(relaxed);
                      }
                  };
                  Thread one(copy), two(copy);
                  one.join();
                  two.join();
              }),
              0);
}

}  // namespace
