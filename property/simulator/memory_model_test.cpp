// Litmus tests: each small program is run in every schedule and with every store that its loads may see, and what it can then
// have seen is compared with what C++ allows. "-" is sequentially consistent: the loads see the newest store.
#include <acairo/platform.hpp>
#include <acairo/process.hpp>
#include <acairo/property.hpp>

#include "simulation.hpp"

namespace {

using namespace simulation;
using testing::UnorderedElementsAre;

constexpr auto seq_cst = std::memory_order_seq_cst;

// Store buffering: each stores, then looks at the other's.
template <std::memory_order Store, std::memory_order Load> void store_buffering(Notes& notes) {
    Atomic<int> x{0}, y{0};
    int seen = 0;
    Thread other([&] {
        x.store(1, Store);
        seen = y.load(Load);
    });
    y.store(1, Store);
    const int mine = x.load(Load);
    other.join();
    notes += digit(mine), notes += digit(seen);
}

TEST(a_stores_and_a_loads_order, is_not_kept_by_acquire_and_release) {
    EXPECT_THAT(outcomes_of(store_buffering<relaxed, relaxed>), UnorderedElementsAre("00", "01", "10", "11"));
    EXPECT_THAT(outcomes_of(store_buffering<release, acquire>), UnorderedElementsAre("00", "01", "10", "11"));
}

TEST(a_stores_and_a_loads_order, is_kept_when_both_are_sequentially_consistent) {
    EXPECT_THAT(outcomes_of(store_buffering<seq_cst, seq_cst>), UnorderedElementsAre("01", "10", "11"));
    // One of the two is not enough: see tokio #1768, whose load was, and whose store was not.
    EXPECT_THAT(outcomes_of(store_buffering<release, seq_cst>), UnorderedElementsAre("00", "01", "10", "11"));
}

TEST(a_stores_and_a_loads_order, is_kept_by_read_modify_writes) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0}, y{0};
        int seen = 0;
        Thread other([&] {
            x.exchange(1, acq_rel);
            seen = y.fetch_add(0, acq_rel);
        });
        y.exchange(1, acq_rel);
        const int mine = x.fetch_add(0, acq_rel);
        other.join();
        notes += digit(mine), notes += digit(seen);
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("01", "10", "11"));
}

TEST(a_stores_and_a_loads_order, is_kept_where_loads_see_the_newest_store) {
    EXPECT_THAT(outcomes_of(store_buffering<relaxed, relaxed>, 0), UnorderedElementsAre("01", "10", "11"));
}

// Message passing: data, then a flag. What the reader saw of both; the flag first.
template <std::memory_order Store, std::memory_order Load> void message_passing(Notes& notes) {
    Atomic<int> data{0}, flag{0};
    Thread writer([&] {
        data.store(1, relaxed);
        flag.store(1, Store);
    });
    notes += digit(flag.load(Load));
    notes += digit(data.load(relaxed));
    writer.join();
    // Whatever it saw: after the join there is one answer.
    notes += digit(data.load(relaxed));
}

TEST(a_message, may_be_announced_before_it_is_there_when_either_side_is_relaxed) {
    EXPECT_THAT(outcomes_of(message_passing<relaxed, acquire>), UnorderedElementsAre("001", "011", "101", "111"));
    EXPECT_THAT(outcomes_of(message_passing<release, relaxed>), UnorderedElementsAre("001", "011", "101", "111"));
}

TEST(a_message, is_there_when_a_load_acquires_what_was_released) {
    EXPECT_THAT(outcomes_of(message_passing<release, acquire>), UnorderedElementsAre("001", "011", "111"));
}

TEST(a_message, is_there_when_a_read_modify_write_has_released_it) {
    const auto passed_by = [](std::memory_order order) {
        return outcomes_of([order](Notes& notes) {
            Atomic<int> data{0}, flag{0};
            Thread writer([&] {
                data.store(1, relaxed);
                flag.fetch_add(1, order);
            });
            if (flag.load(acquire) == 1) notes += digit(data.load(relaxed));
            writer.join();
        });
    };
    for (const auto order : {release, acq_rel, seq_cst})
        EXPECT_THAT(passed_by(order), UnorderedElementsAre("", "1")) << static_cast<int>(order);
    for (const auto order : {relaxed, acquire})
        EXPECT_THAT(passed_by(order), UnorderedElementsAre("", "0", "1")) << static_cast<int>(order);
}

TEST(a_message, is_there_when_a_read_modify_write_has_acquired_it) {
    const auto taken_by = [](std::memory_order order) {
        return outcomes_of([order](Notes& notes) {
            Atomic<int> data{0}, flag{0};
            Thread writer([&] {
                data.store(1, relaxed);
                flag.store(1, release);
            });
            if (flag.fetch_add(0, order) == 1) notes += digit(data.load(relaxed));
            writer.join();
        });
    };
    for (const auto order : {acquire, acq_rel, seq_cst})
        EXPECT_THAT(taken_by(order), UnorderedElementsAre("", "1")) << static_cast<int>(order);
    for (const auto order : {relaxed, release})
        EXPECT_THAT(taken_by(order), UnorderedElementsAre("", "0", "1")) << static_cast<int>(order);
}

// The flag is set with release, then changed by a third thread's relaxed `change`.
template <class Change> Outcomes after_a_change(Change&& change) {
    return outcomes_of([&](Notes& notes) {
        Atomic<int> data{0}, flag{0};
        Thread writer([&] {
            data.store(1, relaxed);
            flag.store(1, release);
        });
        Thread third([&] { change(flag); });
        if (flag.load(acquire) == 2) notes += digit(data.load(relaxed));
        writer.join(), third.join();
    });
}

TEST(a_release, goes_on_through_another_threads_read_modify_write) {
    EXPECT_THAT(after_a_change([](Atomic<int>& flag) {
                    int one = 1;
                    flag.compare_exchange_strong(one, 2, relaxed, relaxed);
                }),
                UnorderedElementsAre("", "1"));
}

TEST(a_release, does_not_go_on_through_another_threads_store) {
    EXPECT_THAT(after_a_change([](Atomic<int>& flag) {
                    if (flag.load(relaxed) == 1) flag.store(2, relaxed);
                }),
                UnorderedElementsAre("", "0", "1"));
}

TEST(one_objects_stores, are_seen_in_their_order) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0};
        Thread writer([&] {
            x.store(1, relaxed);
            x.store(2, relaxed);
        });
        notes += digit(x.load(relaxed));
        notes += digit(x.load(relaxed));
        writer.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("00", "01", "02", "11", "12", "22"));
}

TEST(one_objects_stores, are_seen_in_their_order_by_who_is_told_what_was_seen) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0}, told{0};
        Thread writer([&] { x.store(1, relaxed); });
        Thread reader([&] {
            if (x.load(relaxed) == 1) told.store(1, release);
        });
        if (told.load(acquire) == 1) notes += digit(x.load(relaxed));
        writer.join(), reader.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("", "1"));
}

TEST(one_objects_stores, are_seen_in_their_order_by_who_is_told_of_the_first_of_two_looks) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0}, told{0};
        Thread writer([&] {
            x.store(1, relaxed);
            x.store(2, relaxed);
        });
        Thread reader([&] {
            if (x.load(relaxed) != 1) return;
            told.store(1, release);
            x.load(relaxed);
        });
        if (told.load(acquire) == 1) notes += digit(x.load(relaxed));
        writer.join(), reader.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("", "1", "2"));
}

TEST(one_objects_stores, are_seen_in_their_order_by_exchanges_that_fail_for_no_reason) {
    Options options = without_faults();
    options.spurious = options.older_loads = 2;
    sim::Enumeration all({.preemptions = 4});
    Outcomes outcomes;
    do {
        Notes notes;
        run(
            all,
            [&] {
                Atomic<int> x{0};
                Thread writer([&] { x.store(1, relaxed); });
                for (int i = 0; i < 2; ++i) {
                    int expected = 7;
                    x.compare_exchange_weak(expected, 8, relaxed, relaxed);
                    notes += digit(expected);
                }
                writer.join();
            },
            options);
        outcomes.insert(notes.text);
    } while (all.next());
    EXPECT_THAT(outcomes, UnorderedElementsAre("00", "01", "11"));
}

TEST(one_objects_stores, are_seen_at_once_by_who_made_them) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0};
        Thread other([&] { x.store(1, relaxed); });
        x.store(2, relaxed);
        // The other's, when it came later; never what was there before.
        notes += digit(x.load(relaxed));
        other.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("1", "2"));
}

// Independent reads of independent writes.
template <std::memory_order Store, std::memory_order Load> void two_readers_of_two_writers(Notes& notes) {
    Atomic<int> x{0}, y{0};
    int other_x = 0, other_y = 0;
    Thread writes_x([&] { x.store(1, Store); });
    Thread writes_y([&] { y.store(1, Store); });
    Thread reads_y_first([&] {
        other_y = y.load(Load);
        other_x = x.load(Load);
    });
    const int x_first = x.load(Load);
    const int then_y = y.load(Load);
    writes_x.join(), writes_y.join(), reads_y_first.join();
    if (x_first == 1 && then_y == 0 && other_y == 1 && other_x == 0) notes += '!';
}

TEST(two_readers, may_disagree_on_the_order_of_two_writers) {
    EXPECT_THAT(outcomes_of(two_readers_of_two_writers<release, acquire>, 2, 3), UnorderedElementsAre("", "!"));
    EXPECT_THAT(outcomes_of(two_readers_of_two_writers<release, acquire>, 0, 3), UnorderedElementsAre(""));
}

TEST(two_readers, agree_when_they_are_sequentially_consistent) {
    EXPECT_THAT(outcomes_of(two_readers_of_two_writers<release, seq_cst>, 2, 3), UnorderedElementsAre(""));
    EXPECT_THAT(outcomes_of(two_readers_of_two_writers<seq_cst, seq_cst>, 2, 3), UnorderedElementsAre(""));
}

TEST(a_store, is_seen_behind_the_mutex_that_was_held_after_it) {
    const auto body = [](Notes& notes) {
        Mutex mutex;
        bool left = false;
        Atomic<int> x{0};
        Thread writer([&] {
            x.store(1, relaxed);
            mutex.lock();
            left = true;
            mutex.unlock();
        });
        mutex.lock();
        if (left) notes += digit(x.load(relaxed));
        mutex.unlock();
        writer.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("", "1"));
}

TEST(a_store, is_seen_when_time_has_passed_since) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0};
        Thread writer([&] { x.store(1, relaxed); });
        sim::sleep_until(sim::now() + 1ns);
        notes += digit(x.load(relaxed));
        writer.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("1"));
}

void tells_through_the_kernel(acairo::Trial& trial) {
    using acairo::platform;
    platform::atomic<int> x{0};
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    const int epoll = platform::epoll_create1(0);
    platform::event event{.events = EPOLLIN, .data = {}};
    trial.require(platform::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "a counter is watched");
    platform::thread writer([&] {
        x.store(1, relaxed);
        platform::write_counter(fd, 1);
    });
    trial.require(platform::epoll_wait(epoll, &event, 1, -1) == 1, "who waits is told");
    trial.require(x.load(relaxed) == 1, "what was stored before it was told is seen");
    writer.join();
    platform::close(epoll);
    platform::close(fd);
}

const acairo::Property telling{"told_through_the_kernel_is_seen",
                               tells_through_the_kernel,
                               {.interruptions = false, .shortages = false, .network = false, .clock = false}};

TEST(a_store, is_seen_by_who_learns_of_it_from_the_kernel) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const sim::Result result = sim::run_in_child(telling, [&] { return std::make_unique<sim::Seed>(seed); }, false);
        ASSERT_TRUE(result.passed()) << result.text;
    }
}

TEST(a_store, is_seen_by_threads_that_are_started_after_it) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0};
        x.store(1, relaxed);
        Thread([&] { notes += digit(x.load(relaxed)); }).join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("1"));
}

// Runs in turn, and has each load see the oldest store that it may.
struct Oldest : sim::Producer {
    std::uint64_t below(std::uint64_t n, Tag tag) override { return tag == Tag::fault ? n - 1 : 0; }
    std::size_t thread(std::span<const sim::Candidate> candidates) override { return ++turn % candidates.size(); }
    std::size_t turn = 0;
};

TEST(a_store, is_seen_in_the_end_by_who_waits_for_nothing_else) {
    Options options;
    options.spurious = 0;
    Oldest oldest;
    int looks = 0;
    const auto body = [&] {
        Atomic<int> x{0};
        Thread writer([&] { x.store(1, relaxed); });
        writer.detach();
        while (x.load(relaxed) == 0) ++looks;
    };
    EXPECT_EQ(run(oldest, body, options).outcome.verdict, Verdict::passed);
    EXPECT_GE(looks, 2) << "without older loads";
}

TEST(a_store, is_seen_at_once_when_it_has_cleared_up) {
    Oldest oldest;
    const auto body = [] {
        Atomic<int> x{0};
        Thread writer([&] { x.store(1, relaxed); });
        Scheduler::running()->clear_up();
        // It is at its end then, but no join says so.
        for (int i = 0; i < 10; ++i) sim::now();
        EXPECT_EQ(x.load(relaxed), 1);
        writer.join();
    };
    EXPECT_EQ(run(oldest, body).outcome.verdict, Verdict::passed);
}

TEST(a_store, is_seen_by_everybody_when_there_are_more_threads_than_are_remembered) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        sim::Seed random(seed);
        const Ran one = run(random, [] {
            Atomic<int> x{0}, told{0};
            std::vector<Thread> threads;
            for (int i = 0; i < 40; ++i) {
                // Whoever is told by one that is not remembered sees what that one has seen.
                threads.emplace_back([&, i] {
                    if (i % 2 == 0 && told.load(acquire) != 0) { EXPECT_NE(x.load(relaxed), 0); }
                    x.store(1 + i, relaxed);
                    told.store(1 + i, release);
                });
            }
            for (Thread& thread : threads) thread.join();
        });
        EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    }
}

TEST(a_message, is_there_when_there_are_more_objects_than_are_remembered) {
    const auto body = [](Notes& notes) {
        // Numbered in the order of creation.
        for (std::uint32_t i = 0; i < sim::MemoryModel::most_objects; ++i) const Atomic<int> other{0};
        Atomic<int> data{0}, flag{0};
        Thread writer([&] {
            data.store(1, relaxed);
            flag.store(1, release);
        });
        if (flag.load(acquire) == 1) notes += digit(data.load(relaxed));
        writer.join();
    };
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("", "1"));
}

TEST(an_exchange_that_fails, sees_the_newest_store) {
    const auto body = [](Notes& notes) {
        Atomic<int> x{0};
        Thread writer([&] { x.store(1, relaxed); });
        writer.join();
        Thread other([&] { x.store(2, relaxed); });
        int expected = 7;
        x.compare_exchange_strong(expected, 8, relaxed, relaxed);
        const int then = x.load(relaxed);
        notes += digit(expected), notes += digit(then);
        other.join();
    };
    // Never 2, then 1.
    EXPECT_THAT(outcomes_of(body), UnorderedElementsAre("11", "12", "22"));
}

}  // namespace
