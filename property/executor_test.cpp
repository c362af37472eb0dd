// Executor: spawn, sync_wait, stop, drain, its destructor, exceptions that nobody awaits, fairness.
#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::Executor;
using acairo::ExecutorConfiguration;
using acairo::Task;
using namespace std::chrono_literals;

Task<void> nothing() { co_return; }
Task<void> forever() { co_await acairo::sleep_for(std::chrono::hours(10000)); }

// --- configuration ---

TEST(executor_configuration, has_defaults_that_serve) {
    const ExecutorConfiguration configuration;
    EXPECT_EQ(configuration.workers, static_cast<int>(std::thread::hardware_concurrency()));
    EXPECT_EQ(configuration.budget, 64);
    EXPECT_EQ(configuration.on_unhandled, nullptr);
    Executor work;
    EXPECT_EQ(work.sync_wait([]() -> Task<int> { co_return 7; }), 7);
}

TEST(executor_configuration, that_cannot_be_is_an_exception_that_names_the_value) {
    const auto message = [](ExecutorConfiguration configuration) -> std::string {
        try {
            Executor work(configuration);
            return "accepted";
        } catch (const std::invalid_argument& error) { return error.what(); }
    };
    for (const int bad : {0, -1, -1000}) {
        const std::string workers = message({.workers = bad});
        EXPECT_NE(workers.find("workers"), std::string::npos) << workers;
        EXPECT_NE(workers.find(std::to_string(bad)), std::string::npos) << workers;
        const std::string budget = message({.workers = 1, .budget = bad});
        EXPECT_NE(budget.find("budget"), std::string::npos) << budget;
        EXPECT_NE(budget.find(std::to_string(bad)), std::string::npos) << budget;
    }
}

TEST(an_executor, has_as_many_threads_as_it_was_given_workers) {
    constexpr int workers = 5;
    const auto work = executor(workers);
    std::set<std::thread::id> threads;
    for (int i = 0; i < 3 * workers; ++i) {
        work->sync_wait([&]() -> Task<void> {
            threads.insert(std::this_thread::get_id());
            co_return;
        });
    }
    EXPECT_EQ(threads.size(), static_cast<std::size_t>(workers));
    EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

// --- spawn ---

TEST(spawn, runs_the_task_on_a_worker) {
    const auto work = executor();
    std::thread::id worker;
    std::thread::id spawned;
    work->sync_wait([&]() -> Task<void> {
        worker = std::this_thread::get_id();
        co_return;
    });
    work->spawn([&]() -> Task<void> {
        spawned = std::this_thread::get_id();
        co_return;
    });
    settle(*work);
    EXPECT_EQ(spawned, worker);
}

TEST(spawn, may_be_called_from_many_threads_and_loses_nothing) {
    constexpr int threads = 4;
    constexpr int each = 500;
    std::atomic<int> ran{0};
    const auto work = executor(2);
    {
        std::vector<std::jthread> spawners;
        for (int i = 0; i < threads; ++i) {
            spawners.emplace_back([&] {
                for (int j = 0; j < each; ++j) {
                    work->spawn([&]() -> Task<void> {
                        ran.fetch_add(1, std::memory_order_relaxed);
                        co_return;
                    });
                }
            });
        }
    }
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ran.load(), threads * each);
}

TEST(spawn, may_be_called_from_a_coroutine) {
    constexpr int generations = 200;
    std::atomic<int> ran{0};
    const auto work = executor(2);
    std::function<Task<void>(int)> tree = [&](int left) -> Task<void> {
        ran.fetch_add(1, std::memory_order_relaxed);
        if (left > 0) work->spawn([&tree, left] { return tree(left - 1); });
        co_return;
    };
    work->spawn([&] { return tree(generations); });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ran.load(), generations + 1);
}

TEST(spawn, takes_a_callable_that_can_only_be_moved) {
    const auto work = executor();
    int got = 0;
    work->spawn([&got, number = std::make_unique<int>(7)]() -> Task<void> {
        co_await nothing();
        got = *number;
    });
    settle(*work);
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(got, 7);
}

TEST(spawn, takes_what_bind_makes) {
    const auto work = executor();
    int got = 0;
    const auto add = [](int& to, std::shared_ptr<int> number) -> Task<void> {
        to += *number;
        co_return;
    };
    work->spawn(std::bind(add, std::ref(got), std::make_shared<int>(7)));
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(got, 7);
}

TEST(spawn, takes_a_task_of_any_result_and_drops_the_result) {
    Census census;
    const auto work = executor();
    work->spawn([&]() -> Task<Counted> { co_return Counted(census); });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(census.alive(), 0);
    EXPECT_GE(census.made(), 1);
}

TEST(spawn, destroys_the_callable_when_its_coroutine_has_ended) {
    Census census;
    const auto work = executor();
    Event event;
    work->spawn([counted = Counted(census), &event]() -> Task<void> { co_await event; });
    settle(*work);
    EXPECT_EQ(census.alive(), 1);
    event.set();
    settle(*work);
    EXPECT_EQ(census.alive(), 0);
}

TEST(spawn, after_stop_throws_cancelled_and_destroys_the_callable) {
    Census census;
    const auto work = executor();
    work->stop();
    for (int i = 0; i < 3; ++i) {
        const std::string ended = ending_of([&] {
            work->spawn([counted = Counted(census)]() -> Task<void> {
                ADD_FAILURE() << "ran";
                co_return;
            });
        });
        EXPECT_EQ(ended, "Cancelled");
        EXPECT_EQ(census.alive(), 0);
    }
    EXPECT_GE(census.made(), 3);
}

TEST(spawn, after_stop_throws_cancelled_in_a_coroutine_too) {
    const auto work = executor();
    std::string ended;
    work->sync_wait([&]() -> Task<void> {
        work->stop();
        ended = ending_of([&] { work->spawn(nothing); });
        co_return;
    });
    EXPECT_EQ(ended, "Cancelled");
}

TEST(spawn, of_a_chain_keeps_it_on_one_worker_for_its_life) {
    const auto work = executor(3);
    std::atomic<int> moved{0};
    for (int i = 0; i < 30; ++i) {
        work->spawn([&]() -> Task<void> {
            const auto home = std::this_thread::get_id();
            for (int j = 0; j < 100; ++j) {
                co_await acairo::sleep_for(j % 10 == 0 ? 1us : 0us);
                co_await nothing();
                if (std::this_thread::get_id() != home) moved.fetch_add(1, std::memory_order_relaxed);
            }
        });
    }
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(moved.load(), 0);
}

// --- exceptions that leave a spawned task ---

std::vector<std::string>& unhandled() {
    static std::vector<std::string> names;
    return names;
}

std::shared_ptr<Executor> reporting() {
    unhandled().clear();
    ExecutorConfiguration configuration{.workers = 1};
    configuration.on_unhandled = [](std::exception_ptr thrown) { unhandled().push_back(name_of(thrown)); };
    return std::make_shared<Executor>(configuration);
}

template <class E> Task<void> throw_it(E thrown) {
    throw thrown;
    co_return;
}

TEST(an_exception_that_leaves_a_spawned_task, goes_to_on_unhandled) {
    const auto work = reporting();
    work->spawn([] { return throw_it(42); });
    work->spawn([] { return throw_it(std::logic_error("logic")); });
    work->spawn([] { return throw_it(acairo::TimedOut()); });
    work->spawn([]() -> Task<void> {
        co_await nothing();
        co_await throw_it(43);
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(unhandled(), (std::vector<std::string>{"int 42", "logic_error", "TimedOut", "int 43"}));
}

TEST(an_exception_that_leaves_a_spawned_task, goes_to_on_unhandled_when_the_callable_itself_throws) {
    const auto work = reporting();
    Census census;
    work->spawn([counted = Counted(census)]() -> Task<void> { throw 42; });
    work->spawn([] { return Task<void>(); });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(unhandled(), (std::vector<std::string>{"int 42", "logic_error"}));
}

TEST(an_exception_that_leaves_a_spawned_task, is_reported_after_its_frame_is_gone) {
    static std::atomic<int> alive{-1};
    static Census* watched = nullptr;
    Census census;
    watched = &census;
    ExecutorConfiguration configuration{.workers = 1};
    configuration.on_unhandled = [](std::exception_ptr) { alive = watched->alive(); };
    Executor work(configuration);
    work.spawn([&]() -> Task<void> {
        const Counted local(census);
        throw 42;
        co_return;
    });
    EXPECT_TRUE(work.drain(1h));
    EXPECT_EQ(alive, 0);
}

TEST(an_exception_that_leaves_a_spawned_task, is_not_reported_when_it_is_cancelled) {
    const auto work = reporting();
    work->spawn(forever);
    settle(*work);
    work->stop();
    EXPECT_TRUE(work->drain(1h));
    EXPECT_TRUE(unhandled().empty());
}

TEST(an_exception_that_leaves_a_spawned_task, leaves_the_other_tasks_alone) {
    const auto work = reporting();
    int ran = 0;
    for (int i = 0; i < 10; ++i) {
        work->spawn([] { return throw_it(1); });
        work->spawn([&]() -> Task<void> {
            ++ran;
            co_return;
        });
    }
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ran, 10);
    EXPECT_EQ(unhandled().size(), 10u);
}

TEST(an_exception_that_leaves_a_spawned_task, is_one_line_on_stderr_when_nobody_wants_it) {
    testing::internal::CaptureStderr();
    {
        const auto work = executor();
        work->spawn([] { return throw_it(std::runtime_error("what happened")); });
        EXPECT_TRUE(work->drain(1h));
    }
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_NE(printed.find("what happened"), std::string::npos) << printed;
    EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), 1) << printed;
}

TEST(an_exception_that_leaves_a_spawned_task, says_what_has_ended_the_wait) {
    testing::internal::CaptureStderr();
    {
        const auto work = executor();
        work->spawn([] { return throw_it(acairo::TimedOut()); });
        work->spawn([] { return throw_it(acairo::TCPListenerStoppedError()); });
        work->spawn([] { return throw_it(acairo::EndOfStream(std::make_shared<const std::vector<char>>())); });
        work->spawn([] { return throw_it(acairo::Cancelled()); });
        EXPECT_TRUE(work->drain(1h));
    }
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_NE(printed.find("the time is over\n"), std::string::npos) << printed;
    EXPECT_NE(printed.find("the listener was stopped\n"), std::string::npos) << printed;
    EXPECT_NE(printed.find("the peer ended the stream before all bytes came\n"), std::string::npos) << printed;
    // Cancelled is a task's normal end.
    EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), 3) << printed;
    EXPECT_STREQ(acairo::Cancelled().what(), "acairo: the wait was cancelled");
}

TEST(an_exception_that_leaves_a_spawned_task, is_one_line_on_stderr_even_when_it_is_no_standard_exception) {
    testing::internal::CaptureStderr();
    {
        const auto work = executor();
        work->spawn([] { return throw_it(42); });
        EXPECT_TRUE(work->drain(1h));
    }
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), 1) << printed;
}

TEST(an_exception_that_leaves_a_spawned_task, does_not_end_the_process_when_on_unhandled_throws_too) {
    testing::internal::CaptureStderr();
    {
        ExecutorConfiguration configuration{.workers = 1};
        configuration.on_unhandled = [](std::exception_ptr) { throw std::runtime_error("thrown by the handler"); };
        Executor work(configuration);
        work.spawn([] { return throw_it(42); });
        EXPECT_TRUE(work.drain(1h));
    }
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), 1) << printed;
}

// --- sync_wait ---

TEST(sync_wait, returns_the_result) {
    const auto work = executor();
    EXPECT_EQ(work->sync_wait([]() -> Task<int> { co_return 7; }), 7);
    EXPECT_EQ(work->sync_wait([]() -> Task<std::string> { co_return "text"; }), "text");
    EXPECT_EQ(*work->sync_wait([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); }), 7);
    static_assert(std::is_void_v<decltype(work->sync_wait(nothing))>);
    work->sync_wait(nothing);
}

TEST(sync_wait, rethrows_what_the_task_throws) {
    const auto work = executor();
    EXPECT_EQ(ending_of([&] { work->sync_wait([] { return throw_it(42); }); }), "int 42");
    EXPECT_EQ(ending_of([&] { work->sync_wait([] { return throw_it(acairo::TimedOut()); }); }), "TimedOut");
    EXPECT_EQ(ending_of([&] { work->sync_wait([]() -> Task<void> { throw 42; }); }), "int 42") << "no coroutine";
    EXPECT_EQ(ending_of([&] { work->sync_wait([] { return Task<int>(); }); }), "logic_error");
}

TEST(sync_wait, rethrows_a_cancelled_that_no_stop_has_caused) {
    const auto work = executor();
    EXPECT_EQ(ending_of([&] { work->sync_wait([] { return throw_it(acairo::Cancelled()); }); }), "Cancelled");
}

TEST(sync_wait, runs_the_callable_on_a_worker_too) {
    const auto work = executor();
    const auto here = std::this_thread::get_id();
    work->sync_wait([&] {
        EXPECT_NE(std::this_thread::get_id(), here);
        return nothing();
    });
}

TEST(sync_wait, returns_when_the_frame_is_gone) {
    const auto work = executor(2);
    for (int i = 0; i < 100; ++i) {
        Census census;
        work->sync_wait([&, counted = Counted(census)]() -> Task<void> {
            const Counted local(census);
            co_await nothing();
        });
        EXPECT_EQ(census.alive(), 0);
        const std::string ended = ending_of([&] {
            work->sync_wait([&]() -> Task<int> {
                const Counted local(census);
                throw 42;
                co_return 0;
            });
        });
        EXPECT_EQ(ended, "int 42");
        EXPECT_EQ(census.alive(), 0);
    }
}

TEST(sync_wait, may_be_called_by_several_threads) {
    const auto work = executor(2);
    std::atomic<int> right{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&, i] {
                for (int j = 0; j < 200; ++j) {
                    const int got = work->sync_wait([=]() -> Task<int> {
                        co_await acairo::sleep_for(1us);
                        co_return 1000 * i + j;
                    });
                    if (got == 1000 * i + j) right.fetch_add(1, std::memory_order_relaxed);
                }
            });
        }
    }
    EXPECT_EQ(right.load(), 800);
}

TEST(sync_wait, on_a_worker_is_a_logic_error) {
    const auto work = executor();
    const auto other = executor();
    work->sync_wait([&]() -> Task<void> {
        EXPECT_EQ(ending_of([&] { work->sync_wait(nothing); }), "logic_error");
        EXPECT_EQ(ending_of([&] { other->sync_wait(nothing); }), "logic_error") << "its worker waits all the same";
        co_return;
    });
    work->sync_wait(nothing);
}

TEST(sync_wait, of_void_returns_when_stop_ends_it) {
    const auto work = executor();
    bool unwound = false;
    work->sync_wait([&]() -> Task<void> {
        const std::shared_ptr<bool> at_end(&unwound, [](bool* flag) { *flag = true; });
        work->stop();
        co_await forever();
    });
    EXPECT_TRUE(unwound);
}

TEST(sync_wait, of_a_result_throws_cancelled_when_stop_ends_it) {
    const auto work = executor();
    const auto stopped = [&]() -> Task<int> {
        work->stop();
        co_await forever();
        co_return 7;
    };
    EXPECT_EQ(ending_of([&] { work->sync_wait(stopped); }), "Cancelled");
}

TEST(sync_wait, returns_a_result_that_came_in_spite_of_stop) {
    const auto work = executor();
    const auto result = [&]() -> Task<int> {
        work->stop();
        co_return 7;
    };
    EXPECT_EQ(work->sync_wait(result), 7);
}

TEST(sync_wait, after_stop_returns_or_throws_cancelled_and_runs_nothing) {
    const auto work = executor();
    work->stop();
    work->sync_wait([]() -> Task<void> {
        ADD_FAILURE() << "ran";
        co_return;
    });
    EXPECT_EQ(ending_of([&] { work->sync_wait([]() -> Task<int> { co_return 7; }); }), "Cancelled");
}

// --- drain ---

TEST(drain, returns_true_when_no_task_is_left_and_then_stops) {
    const auto work = executor(2);
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ending_of([&] { work->spawn(nothing); }), "Cancelled");
    EXPECT_TRUE(work->drain(1h)) << "again";
}

TEST(drain, waits_for_the_running_tasks) {
    const auto work = executor(2);
    std::atomic<int> ended{0};
    for (int i = 0; i < 20; ++i) {
        work->spawn([&, i]() -> Task<void> {
            co_await acairo::sleep_for(i * 100us);
            ended.fetch_add(1, std::memory_order_relaxed);
        });
    }
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ended.load(), 20);
}

TEST(drain, returns_false_when_the_time_is_over_and_then_stops) {
    std::string ended;
    const auto work = executor();
    work->spawn([&]() -> Task<void> { ended = co_await ending(forever()); });
    EXPECT_FALSE(work->drain(1ms));
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ended, "Cancelled");
}

TEST(drain, of_no_time_tells_whether_a_task_is_left) {
    for (const auto none : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        const auto busy = executor();
        busy->spawn(forever);
        EXPECT_FALSE(busy->drain(none));
        const auto idle = executor();
        EXPECT_TRUE(idle->drain(none));
    }
}

TEST(drain, of_the_longest_time_does_not_overflow) {
    const auto work = executor();
    work->spawn([]() -> Task<void> { co_await acairo::sleep_for(1ms); });
    EXPECT_TRUE(work->drain(std::chrono::nanoseconds::max()));
}

TEST(drain, refuses_spawns_from_outside_and_lets_running_tasks_spawn) {
    const auto work = executor();
    Event outside_was_refused;
    std::atomic<int> ran{0};
    const auto child = [&]() -> Task<void> {
        ran.fetch_add(1, std::memory_order_relaxed);
        co_return;
    };
    work->spawn([&]() -> Task<void> {
        co_await outside_was_refused;
        work->spawn([&]() -> Task<void> {
            work->spawn(child);
            return child();
        });
    });
    std::jthread outside([&] {
        while (ending_of([&] { work->spawn(nothing); }) != "Cancelled") std::this_thread::yield();
        EXPECT_EQ(ending_of([&] { work->sync_wait(nothing); }), "Cancelled");
        outside_was_refused.set();
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(ran.load(), 2);
}

TEST(drain, may_be_called_by_several_threads) {
    const auto work = executor(2);
    Event event;
    work->spawn([&]() -> Task<void> { co_await event; });
    std::atomic<int> drained{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                if (work->drain(1h)) drained.fetch_add(1, std::memory_order_relaxed);
            });
        }
        event.set();
    }
    EXPECT_EQ(drained.load(), 3);
}

TEST(drain, ends_when_stop_ends_the_tasks) {
    const auto work = executor();
    work->spawn(forever);
    std::jthread stopper([&] { work->stop(); });
    EXPECT_TRUE(work->drain(std::chrono::nanoseconds::max()));
}

TEST(drain, on_a_worker_is_a_logic_error_and_does_not_drain) {
    const auto work = executor();
    work->sync_wait([&]() -> Task<void> {
        EXPECT_EQ(ending_of([&] { work->drain(0ns); }), "logic_error");
        co_return;
    });
    work->spawn(nothing);
    EXPECT_TRUE(work->drain(1h));
}

// --- fairness ---

// Awaits what is ready at once until `go_on` is false; gives up after so often that it can only have been alone.
template <class Ready> Task<bool> busy_until(const bool& stop, Ready ready) {
    for (int i = 0; i < 1'000'000; ++i) {
        if (stop) co_return true;
        co_await ready();
    }
    co_return false;
}

TEST(a_task_whose_awaits_are_always_ready, lets_the_other_tasks_run) {
    bool other_ran = false;
    bool gave_way = false;
    const auto work = executor();
    work->spawn([&]() -> Task<void> { gave_way = co_await busy_until(other_ran, nothing); });
    work->spawn([&]() -> Task<void> {
        other_ran = true;
        co_return;
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_TRUE(gave_way);
}

TEST(a_task_whose_sleeps_are_over_at_once, lets_the_other_tasks_run) {
    bool other_ran = false;
    bool gave_way = false;
    const auto work = executor();
    work->spawn(
        [&]() -> Task<void> { gave_way = co_await busy_until(other_ran, [] { return acairo::sleep_for(0ns); }); });
    work->spawn([&]() -> Task<void> {
        other_ran = true;
        co_return;
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_TRUE(gave_way);
}

TEST(tasks_whose_awaits_are_always_ready, let_timers_expire) {
    bool woke = false;
    bool gave_way[2] = {};
    const auto work = executor();
    for (bool& mine : gave_way) {
        work->spawn([&]() -> Task<void> { mine = co_await busy_until(woke, nothing); });
    }
    work->spawn([&]() -> Task<void> {
        co_await acairo::sleep_for(1us);
        woke = true;
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_TRUE(gave_way[0]);
    EXPECT_TRUE(gave_way[1]);
}

TEST(tasks_whose_awaits_are_always_ready, let_sockets_be_read) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    bool got = false;
    work->spawn([&]() -> Task<void> {
        co_await streams.first->read(1);
        got = true;
    });
    work->spawn([&]() -> Task<void> {
        while (!got) {
            if (co_await busy_until(got, nothing)) break;
        }
    });
    work->spawn([&]() -> Task<void> {
        std::vector<char> one{'x'};
        co_await streams.second->write(std::move(one));
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_TRUE(got);
}

}  // namespace
}  // namespace property
