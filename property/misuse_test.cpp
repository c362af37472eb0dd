// Misuse that cannot be an exception is a failed check: it says what was wrong and where, and ends the process.
#include "support.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <coroutine>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::Task;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

class a_failed_check : public testing::Test {
protected:
    // Each in a process of its own that is started anew: a copy of this one would lack its other threads.
    a_failed_check() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using a_failed_check_DeathTest = a_failed_check;

Task<void> sleep_for_ages() { co_await acairo::sleep_for(ages); }

TEST_F(a_failed_check_DeathTest, meets_who_destroys_a_suspended_task_on_a_foreign_thread) {
    EXPECT_DEATH(
        {
            const auto work = executor();
            Task<void> task = sleep_for_ages();
            work->spawn([&]() -> Task<void> { co_await std::move(task); });
            settle(*work);
            task = Task<void>();
        },
        "check failed: a suspended task is destroyed on the worker");
}

TEST_F(a_failed_check_DeathTest, meets_who_destroys_a_suspended_task_on_another_worker) {
    EXPECT_DEATH(
        {
            const auto work = executor();
            const auto other = executor();
            Task<void> task = sleep_for_ages();
            work->spawn([&]() -> Task<void> { co_await std::move(task); });
            settle(*work);
            other->sync_wait([&]() -> Task<void> {
                task = Task<void>();
                co_return;
            });
        },
        "check failed: a suspended task is destroyed on the worker");
}

TEST_F(a_failed_check_DeathTest, meets_the_task_that_destroys_what_awaits_it) {
    EXPECT_DEATH(
        {
            Task<void> outer;
            const auto inner = [&]() -> Task<void> {
                outer = Task<void>();
                co_return;
            };
            const auto await_inner = [&]() -> Task<void> { co_await inner(); };
            outer = await_inner();
            run([&]() -> Task<void> { co_await std::move(outer); });
        },
        "check failed: a task is not destroyed by the chain that it runs in");
}

TEST_F(a_failed_check_DeathTest, meets_the_thread_that_destroys_what_awaits_who_waits_for_it) {
    EXPECT_DEATH(
        {
            Task<void> outer;
            const auto inner = [&]() -> Task<void> {
                std::thread([&] { outer = Task<void>(); }).join();
                co_return;
            };
            const auto await_inner = [&]() -> Task<void> { co_await inner(); };
            outer = await_inner();
            run([&]() -> Task<void> { co_await std::move(outer); });
        },
        // The first of two reasons: on its own thread it would be as wrong.
        "check failed: a task is not destroyed by the chain that it runs in");
}

// What the handler of SIGABRT stops, and what it waits for.
acairo::Executor* sleeps_there = nullptr;
std::future<void>* woken = nullptr;

void stop_and_wait(int) {
    sleeps_there->stop();
    // The limit is for a broken core only.
    const bool whole = woken->wait_for(30s) == std::future_status::ready;
    const std::string_view told = whole ? "the task was whole\n" : "nobody wakes the task\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, told.data(), told.size());
}

void destroy_on_a_foreign_thread_and_handle_SIGABRT() {
    const auto work = executor();
    std::promise<void> cancelled;
    std::future<void> ended = cancelled.get_future();
    Task<void> task = sleep_for_ages();
    work->spawn([&]() -> Task<void> {
        try {
            co_await std::move(task);
        } catch (const acairo::Cancelled&) { cancelled.set_value(); }
    });
    settle(*work);
    sleeps_there = work.get();
    woken = &ended;
    std::signal(SIGABRT, stop_and_wait);
    task = Task<void>();
}

TEST_F(a_failed_check_DeathTest, comes_before_anything_is_changed) {
    EXPECT_DEATH(destroy_on_a_foreign_thread_and_handle_SIGABRT(),
                 testing::AllOf(testing::HasSubstr("check failed: a suspended task is destroyed on the worker"),
                                testing::HasSubstr("the task was whole")));
}

TEST_F(a_failed_check_DeathTest, meets_who_destroys_a_stream_that_is_being_read) {
    EXPECT_DEATH(
        {
            const auto work = executor();
            Streams streams = work->sync_wait([&] { return connected(work); });
            work->spawn([&]() -> Task<void> { co_await streams.first->read(1); });
            settle(*work);
            work->sync_wait([&]() -> Task<void> {
                streams.first.reset();
                co_return;
            });
        },
        "check failed: .*outlives its operations");
}

TEST_F(a_failed_check_DeathTest, meets_who_destroys_a_stream_that_is_being_written) {
    EXPECT_DEATH(
        {
            const std::vector<char> more_than_fits(std::size_t{64} << 20, 'x');
            const auto work = executor();
            Streams streams = work->sync_wait([&] { return connected(work); });
            work->spawn([&]() -> Task<void> { co_await streams.first->write_all(more_than_fits); });
            settle(*work);
            work->sync_wait([&]() -> Task<void> {
                streams.first.reset();
                co_return;
            });
        },
        "check failed: .*outlives its operations");
}

TEST_F(a_failed_check_DeathTest, meets_who_awaits_an_operation_twice) {
    EXPECT_DEATH(run([]() -> Task<void> {
                     auto sleep = acairo::sleep_for(0ns);
                     co_await sleep;
                     co_await sleep;
                 }),
                 "check failed: an operation is awaited once");
}

// What a stop has ended before it began was awaited, too.
TEST_F(a_failed_check_DeathTest, meets_who_awaits_a_cancelled_operation_again) {
    EXPECT_DEATH(run([]() -> Task<void> {
                     auto sleep = acairo::sleep_for(0ns);
                     const auto await_it = [&]() -> Task<void> { co_await sleep; };
                     acairo::StopSource source;
                     source.request_stop();
                     try {
                         co_await acairo::with_stop_token(source.get_token(), await_it());
                     } catch (const acairo::Cancelled&) {}
                     co_await await_it();
                 }),
                 "check failed: an operation is awaited once");
}

TEST_F(a_failed_check_DeathTest, meets_who_awaits_an_operation_that_waits_in_another_task) {
    EXPECT_DEATH(
        {
            const auto work = executor();
            const Streams streams = work->sync_wait([&] { return connected(work); });
            auto read = streams.first->read(1);
            const auto await_it = [&]() -> Task<void> { co_await read; };
            work->spawn(await_it);
            settle(*work);
            work->sync_wait(await_it);
        },
        "check failed: an operation is awaited once");
}

TEST_F(a_failed_check_DeathTest, meets_who_asks_for_a_result_that_nobody_has_awaited) {
    EXPECT_DEATH(acairo::sleep_for(ages).await_resume(),
                 "check failed: an operation is complete when its task goes on");
}

// It resumes the task, and says that it did not suspend it: the task goes on twice.
class ResumesTwice {
public:
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) const {
        waiting.resume();
        return false;
    }
    void await_resume() const {}
};

TEST_F(a_failed_check_DeathTest, meets_the_foreign_awaitable_that_resumes_a_task_twice) {
    EXPECT_DEATH(
        {
            const auto work = executor();
            const Streams streams = work->sync_wait([&] { return connected(work); });
            work->sync_wait([&]() -> Task<void> {
                co_await ResumesTwice();
                co_await streams.first->read(1);
            });
        },
        "check failed: a parked chain does not run");
}

TEST_F(a_failed_check_DeathTest, names_its_place) {
    EXPECT_DEATH(
        {
            const auto work = executor();
            Task<void> task = sleep_for_ages();
            work->spawn([&]() -> Task<void> { co_await std::move(task); });
            settle(*work);
            task = Task<void>();
        },
        "at .*\\.[ch]pp:[0-9]+");
}

}  // namespace
}  // namespace property
