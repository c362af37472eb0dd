// Misuse that cannot be an exception is a failed check: it says what was wrong and where, and ends the process.
#include "support.hpp"

#include <chrono>
#include <memory>
#include <optional>
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
