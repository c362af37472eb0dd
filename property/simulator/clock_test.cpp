// Virtual time that passes although threads could run: when, how often, and in which order.
#include <set>
#include <vector>

#include "simulation.hpp"

namespace {

using namespace simulation;

constexpr std::chrono::nanoseconds start = Options{}.start;

Options with_jumps(std::uint32_t jumps) {
    Options options = without_faults();
    options.clock_jumps = jumps;
    return options;
}

// Whom a deadline wakes, in order, and how many had gone to sleep by then.
struct Wakes final : sim::Sink {
    void started(const sim::Fiber&) override {}
    void chose(const sim::Fiber&, std::size_t, bool) override {}
    void stepped(const sim::Step&) override {}
    void saw(std::int64_t) override {}
    void faulted() override {}
    void blocked(const sim::Fiber& fiber) override { asleep += fiber.number != 0 && order.empty(); }
    void woken(const sim::Fiber& fiber, sim::Waker by) override {
        if (by == sim::Waker::deadline) order.push_back(fiber.number), done_before.insert(done);
    }
    void ended(const sim::Fiber&) override {}

    std::vector<std::uint32_t> order;  // of this run
    int asleep = 0;                    // before the first wake
    int done = 0;                      // by the body, in this run
    std::set<int> done_before;         // a wake, in any run
};

// Tells the scheduler of them as long as it lives.
struct Watched {
    Watched() { scheduler().tell(&wakes); }
    ~Watched() { scheduler().tell(nullptr); }
    Wakes wakes;
};

TEST(Clock, wakes_a_sleeper_before_any_operation) {
    Watched watched;
    sim::Enumeration all({.preemptions = 1, .faults = 1});
    do {
        watched.wakes.done = 0;
        const Ran ran = run(
            all,
            [&] {
                Atomic<int> atomic(0);
                Thread sleeper([] { sim::sleep_until(start + 1ms); });
                for (; watched.wakes.done < 5; ++watched.wakes.done) atomic.store(1, release);
                sleeper.join();
            },
            with_jumps(1));
        ASSERT_EQ(ran.outcome.verdict, Verdict::passed) << ran.outcome.text;
        ASSERT_EQ(ran.outcome.time, start + 1ms);
    } while (all.next());
    ASSERT_FALSE(all.divergence().has_value());
    // It can be asleep when the first one is under way, and the join is an operation, too.
    EXPECT_EQ(watched.wakes.done_before, (std::set{1, 2, 3, 4, 5}));
}

TEST(Clock, wakes_sleepers_in_the_order_of_their_deadlines) {
    Watched watched;
    bool both_before_the_end = false;
    sim::Enumeration all({.preemptions = 2, .faults = 2});
    do {
        watched.wakes.order.clear();
        watched.wakes.done = watched.wakes.asleep = 0;
        const Ran ran = run(
            all,
            [&] {
                Atomic<int> atomic(0);
                const auto sleep = [](std::chrono::nanoseconds time) {
                    return [=] {
                        sim::sleep_until(start + time);
                        if (sim::now() < start + time) scheduler().fail(Verdict::failed, "woken too early");
                    };
                };
                Thread later(sleep(2ms));
                Thread earlier(sleep(1ms));
                for (; watched.wakes.done < 3; ++watched.wakes.done) atomic.store(1, release);
                both_before_the_end = both_before_the_end || watched.wakes.order.size() == 2;
                later.join();
                earlier.join();
            },
            with_jumps(2));
        ASSERT_EQ(ran.outcome.verdict, Verdict::passed) << ran.outcome.text;
        if (watched.wakes.asleep == 2) { ASSERT_EQ(watched.wakes.order, (std::vector<std::uint32_t>{2, 1})); }
    } while (all.next());
    ASSERT_FALSE(all.divergence().has_value());
    EXPECT_TRUE(both_before_the_end);
}

// Wherever time may pass, it does.
struct Impatient final : sim::Producer {
    std::uint64_t below(std::uint64_t n, Tag tag) override {
        jumps += tag == Tag::clock;
        return tag == Tag::clock ? n - 1 : 0;
    }
    // Away from the one that runs, if possible.
    std::size_t thread(std::span<const sim::Candidate> candidates) override { return candidates.size() - 1; }
    std::uint32_t jumps = 0;
};

// A sleeper that sleeps again, for a millisecond each time, while the body makes steps.
void ticks(std::chrono::nanoseconds each) {
    Atomic<bool> stop(false);
    Thread ticker([&] {
        while (!stop.load(acquire)) sim::sleep_until(sim::now() + each);
    });
    Atomic<int> steps(0);
    for (int i = 0; i < 3000; ++i) steps.fetch_add(1, relaxed);
    stop.store(true, release);
    ticker.join();
}

TEST(Clock, passes_only_so_often) {
    Impatient producer;
    const Ran ran = run(producer, [] { ticks(1ms); }, with_jumps(7));
    EXPECT_EQ(ran.outcome.verdict, Verdict::passed) << ran.outcome.text;
    EXPECT_EQ(producer.jumps, 7u);
}

TEST(Clock, passes_only_by_so_much) {
    Impatient producer;
    Options options = with_jumps(1000);
    options.clock_jumped = 3ms;
    const Ran ran = run(producer, [] { ticks(1ms); }, options);
    EXPECT_EQ(ran.outcome.verdict, Verdict::passed) << ran.outcome.text;
    EXPECT_EQ(producer.jumps, 3u);
}

TEST(Clock, stands_still_where_choices_are_zero) {
    Watched watched;
    const Ran ran = calm_run(
        [&] {
            ticks(1h);
            scheduler().clear_up();
        },
        with_jumps(64));
    EXPECT_EQ(ran.outcome.verdict, Verdict::passed) << ran.outcome.text;
    EXPECT_EQ(ran.outcome.time, start + 1h);
    EXPECT_EQ(watched.wakes.order.size(), 1u);
}

TEST(Clock, stands_still_when_it_has_cleared_up) {
    Impatient producer;
    const Ran ran = run(
        producer,
        [] {
            scheduler().clear_up();
            ticks(1ms);
        },
        with_jumps(64));
    EXPECT_EQ(ran.outcome.verdict, Verdict::passed) << ran.outcome.text;
    EXPECT_EQ(producer.jumps, 0u);
}

}  // namespace
