// sleep_for and timeout: TimedOut after the child has unwound, and never Cancelled by mistake.
#include "support.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::StopSource;
using acairo::Task;
using acairo::timeout;
using acairo::with_stop_token;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

Task<void> forever() { co_await acairo::sleep_for(ages); }
Task<int> seven() { co_return 7; }

// --- sleep_for ---

TEST(sleep_for, waits_at_least_so_long) {
    run([]() -> Task<void> {
        const auto start = std::chrono::steady_clock::now();
        co_await acairo::sleep_for(3ms);
        EXPECT_GE(std::chrono::steady_clock::now() - start, 3ms);
    });
}

TEST(sleep_for, of_no_time_returns_without_waiting) {
    run([]() -> Task<void> {
        co_await acairo::sleep_for(0ns);
        co_await acairo::sleep_for(-1ns);
        co_await acairo::sleep_for(std::chrono::nanoseconds::min());
    });
}

TEST(sleep_for, of_the_longest_time_does_not_overflow) {
    StopSource source;
    const auto work = executor();
    std::string ended;
    const auto longest = []() -> Task<void> { co_await acairo::sleep_for(std::chrono::nanoseconds::max()); };
    work->spawn([&]() -> Task<void> { ended = co_await ending(longest()); }, source.get_token());
    settle(*work);
    EXPECT_EQ(ended, "");
    source.request_stop();
    settle(*work);
    EXPECT_EQ(ended, "Cancelled");
}

TEST(sleep_for, wakes_in_the_order_of_the_times_and_loses_none) {
    using Clock = std::chrono::steady_clock;
    // Between what the clock showed before and after sleep_for() has read it, lies when the sleeper must wake.
    struct Sleeper {
        Clock::time_point earliest;
        Clock::time_point latest;
    };
    const auto work = executor(1);
    constexpr int count = 200;
    std::vector<Sleeper> sleepers(count);
    std::vector<int> woken;
    for (int i = 0; i < count; ++i) {
        const auto time = 50ms + (i * 37) % count * 200us;
        work->spawn([&, i, time]() -> Task<void> {
            const auto now = Clock::now();
            if (i != 0) sleepers[i - 1].latest += now.time_since_epoch();
            sleepers[i] = {now + time, Clock::time_point(time)};
            co_await acairo::sleep_for(time);
            woken.push_back(i);
        });
    }
    work->spawn([&]() -> Task<void> {
        sleepers[count - 1].latest += Clock::now().time_since_epoch();
        co_return;
    });
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(woken.size(), sleepers.size());
    for (std::size_t first = 0; first < woken.size(); ++first) {
        for (std::size_t then = first; then < woken.size(); ++then) {
            EXPECT_LE(sleepers[woken[first]].earliest, sleepers[woken[then]].latest);
        }
    }
}

TEST(sleep_for, without_an_executor_is_a_logic_error) {
    const auto sleep = []() -> Task<void> { co_await acairo::sleep_for(0ns); };
    const auto foreign = [&]() -> Foreign { co_await sleep(); };
    const Foreign in_a_task = foreign();
    EXPECT_EQ(ending_of([&] { in_a_task.rethrow(); }), "logic_error");
    const auto directly = []() -> Foreign { co_await acairo::sleep_for(0ns); };
    const Foreign without_a_task = directly();
    EXPECT_EQ(ending_of([&] { without_a_task.rethrow(); }), "logic_error");
}

// --- timeout ---

TEST(timeout, throws_timed_out_when_the_time_is_over) {
    EXPECT_EQ(run([] { return ending(timeout(1ms, forever())); }), "TimedOut");
    EXPECT_EQ(run([] { return ending(timeout(1ms, acairo::sleep_for(ages))); }), "TimedOut");
}

TEST(timeout, throws_after_the_child_has_unwound) {
    Census census;
    const auto child = [&](Counted) -> Task<void> {
        const Counted local(census);
        co_await forever();
    };
    run([&]() -> Task<void> {
        Task<void> limited = timeout(1ms, child(Counted(census)));
        bool caught = false;
        try {
            co_await std::move(limited);
        } catch (const acairo::TimedOut&) {
            caught = true;
            EXPECT_EQ(census.alive(), 0);
        }
        EXPECT_TRUE(caught);
    });
}

TEST(timeout, returns_a_result_that_came_first) {
    EXPECT_EQ(run([] { return timeout(ages, seven()); }), 7);
    EXPECT_EQ(run([] { return timeout(ages, timeout(ages, seven())); }), 7);
    int object = 0;
    const auto refer = [&]() -> Task<int&> { co_return object; };
    EXPECT_EQ(&executor()->sync_wait([&] { return timeout(ages, refer()); }), &object);
    EXPECT_EQ(*run([] {
        return timeout(ages, []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); }());
    }),
              7);
}

TEST(timeout, throws_what_the_child_throws) {
    const auto throws = []() -> Task<void> {
        throw 42;
        co_return;
    };
    EXPECT_EQ(run([&] { return ending(timeout(ages, throws())); }), "int 42");
    EXPECT_EQ(run([&] { return ending(timeout(0ns, throws())); }), "int 42");
}

TEST(timeout, of_no_time_ends_the_first_wait_and_not_what_needs_none) {
    for (const auto none : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        EXPECT_EQ(run([&] { return ending(timeout(none, forever())); }), "TimedOut");
        EXPECT_EQ(run([&] { return ending(timeout(none, acairo::sleep_for(0ns))); }), "TimedOut");
        EXPECT_EQ(run([&] { return timeout(none, seven()); }), 7);
    }
}

TEST(timeout, ends_the_waits_of_its_child_only) {
    run([]() -> Task<void> {
        EXPECT_EQ(co_await ending(timeout(1ms, forever())), "TimedOut");
        EXPECT_EQ(co_await ending(acairo::sleep_for(1us)), "returned");
        EXPECT_EQ(co_await ending(timeout(ages, acairo::sleep_for(1us))), "returned");
    });
}

TEST(timeout, ends_reads_and_accepts_and_the_stream_and_the_listener_go_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    work->sync_wait([&]() -> Task<void> {
        EXPECT_EQ(co_await ending(timeout(1ms, streams.first->read(2))), "TimedOut");
        EXPECT_EQ(co_await ending(timeout(1ms, listener.accept())), "TimedOut");
        std::vector<char> bytes{'a', 'b'};
        co_await streams.second->write(std::move(bytes));
        const std::vector<char> got = co_await timeout(ages, streams.first->read(2));
        EXPECT_EQ(got.at(1), 'b');
        const auto near = co_await acairo::TCPStream::connect(work, listener.local_address());
        const auto far = co_await timeout(ages, listener.accept());
        EXPECT_EQ(far->peer_address(), near->local_address());
    });
}

TEST(timeout, lets_the_child_clean_up_with_waits_that_throw_at_once) {
    std::string steps;
    const auto child = [&]() -> Task<void> {
        steps += co_await ending(forever()) + " ";
        steps += co_await ending(forever()) + " ";
        co_await forever();
    };
    EXPECT_EQ(run([&] { return ending(timeout(1ms, child())); }), "TimedOut");
    EXPECT_EQ(steps, "Cancelled Cancelled ");
}

TEST(timeout, waits_for_a_child_in_a_foreign_awaitable) {
    Event event;
    std::string steps;
    const auto work = executor();
    const auto child = [&]() -> Task<void> {
        co_await event;
        steps += "resumed ";
        co_await forever();
    };
    work->spawn([&]() -> Task<void> { steps += co_await ending(timeout(1us, child())); });
    work->sync_wait([&]() -> Task<void> { co_await acairo::sleep_for(1ms); });
    EXPECT_EQ(steps, "");
    event.set();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(steps, "resumed TimedOut");
}

// --- timeout and stop: each says who ended it ---

TEST(timeout, throws_cancelled_when_a_stop_came_first) {
    StopSource source;
    const auto work = executor();
    std::string ended;
    work->spawn([&]() -> Task<void> { ended = co_await ending(timeout(ages, forever())); }, source.get_token());
    settle(*work);
    source.request_stop();
    settle(*work);
    EXPECT_EQ(ended, "Cancelled");
    EXPECT_EQ(run([&] { return ending(with_stop_token(source.get_token(), timeout(ages, forever()))); }), "Cancelled");
}

TEST(timeout, throws_timed_out_when_a_stop_comes_while_the_child_unwinds) {
    StopSource source;
    const auto child = [&]() -> Task<void> {
        EXPECT_EQ(co_await ending(forever()), "Cancelled");
        source.request_stop();
        co_await forever();
    };
    EXPECT_EQ(run([&] { return ending(with_stop_token(source.get_token(), timeout(1ms, child()))); }), "TimedOut");
}

TEST(timeout, throws_cancelled_when_the_child_was_cancelled_by_something_else) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    std::string ended;
    work->spawn([&]() -> Task<void> { ended = co_await ending(timeout(ages, streams.first->read(1))); });
    settle(*work);
    streams.first->close();
    settle(*work);
    EXPECT_EQ(ended, "Cancelled");
}

TEST(timeout, within_a_token_within_a_timeout_tells_them_apart) {
    StopSource never;
    run([&]() -> Task<void> {
        const std::string outer =
            co_await ending(timeout(1ms, with_stop_token(never.get_token(), timeout(ages, forever()))));
        EXPECT_EQ(outer, "TimedOut");
        const auto inner = [&]() -> Task<std::string> {
            co_return co_await ending(with_stop_token(never.get_token(), timeout(1ms, forever())));
        };
        const std::string caught = co_await timeout(ages, inner());
        EXPECT_EQ(caught, "TimedOut") << "the inner one, and the outer one goes on";
    });
}

TEST(an_inner_timeout, sees_cancelled_and_the_outer_one_timed_out_when_the_outer_one_is_over) {
    run([]() -> Task<void> {
        std::string inner;
        const auto child = [&]() -> Task<void> {
            inner = co_await ending(timeout(ages, forever()));
            co_await forever();
        };
        const std::string outer = co_await ending(timeout(1ms, child()));
        EXPECT_EQ(inner, "Cancelled");
        EXPECT_EQ(outer, "TimedOut");
    });
}

TEST(an_outer_timeout, is_not_lost_when_its_time_comes_while_an_inner_one_unwinds) {
    const auto work = executor();
    Event both_are_over;
    std::string inner;
    const auto innermost = [&]() -> Task<void> {
        co_await both_are_over;  // not a wait that a timeout ends
        co_await forever();
    };
    const auto child = [&]() -> Task<void> {
        inner = co_await ending(timeout(0ns, innermost()));
        // Longer than anything here takes, and short enough for the test to end when the outer timeout is lost.
        co_await acairo::sleep_for(20s);
    };
    work->spawn([&]() -> Task<void> {
        co_await acairo::sleep_for(2ms);
        both_are_over.set();
    });
    EXPECT_EQ(work->sync_wait([&] { return ending(timeout(1ms, child())); }), "TimedOut");
    EXPECT_EQ(inner, "TimedOut");
}

TEST(an_outer_timeout, is_not_lost_when_an_inner_token_was_stopped) {
    StopSource inner_stop;
    const auto child = [&]() -> Task<void> {
        const auto wait = [&]() -> Task<void> {
            Event event;
            inner_stop.request_stop();
            std::jthread setter([&] {
                run([]() -> Task<void> { co_await acairo::sleep_for(3ms); });
                event.set();
            });
            co_await event;  // the outer time comes in here
        };
        co_await with_stop_token(inner_stop.get_token(), wait());
        co_await acairo::sleep_for(20s);
    };
    EXPECT_EQ(run([&] { return ending(timeout(1ms, child())); }), "TimedOut");
}

TEST(a_timeout_that_races_with_the_result, gives_one_of_the_two) {
    const auto work = executor();
    for (int i = 0; i < 300; ++i) {
        const std::string ended =
            work->sync_wait([&] { return ending(timeout(50us, acairo::sleep_for((20 + i % 60) * 1us))); });
        EXPECT_TRUE(ended == "returned" || ended == "TimedOut") << ended;
    }
}

TEST(a_timeout_that_races_with_a_stop, gives_one_of_the_two) {
    const auto work = executor();
    for (int i = 0; i < 300; ++i) {
        StopSource source;
        std::jthread stopper([&] { source.request_stop(); });
        const std::string ended = work->sync_wait(
            [&] { return ending(with_stop_token(source.get_token(), timeout((i % 60) * 1us, forever()))); });
        EXPECT_TRUE(ended == "Cancelled" || ended == "TimedOut") << ended;
    }
}

TEST(many_timeouts, at_once_all_end) {
    const auto work = executor(2);
    std::atomic<int> timed_out{0};
    for (int i = 0; i < 1000; ++i) {
        work->spawn([&, i]() -> Task<void> {
            if (co_await ending(timeout((i * 7919 % 1000) * 1us, forever())) == "TimedOut") {
                timed_out.fetch_add(1, std::memory_order_relaxed);
            }
        });
    }
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(timed_out.load(), 1000);
}

TEST(timeout, without_an_executor_is_a_logic_error) {
    const auto foreign = []() -> Foreign { co_await timeout(1ms, seven()); };
    const Foreign ran = foreign();
    EXPECT_EQ(ending_of([&] { ran.rethrow(); }), "logic_error");
}

}  // namespace
}  // namespace property
