// What it costs to give a worker something to do.
#include <gtest/gtest.h>
#include <acairo/executor.hpp>
#include <atomic>
#include <latch>

#include "counted.hpp"

namespace {

using acairo::Task;
using counts::Counts;

TEST(PostCountsTest, a_task_for_a_worker_that_is_awake_costs_no_system_call_and_no_lock) {
    acairo::Executor executor({.workers = 1});
    std::latch held(1);
    std::atomic<bool> go = false;
    executor.spawn([&]() -> Task<void> {
        held.count_down();
        while (!go.load()) {}
        co_return;
    });
    held.wait();
    counts::Tally tally;
    counts::tally = &tally;
    for (int i = 0; i < 100; ++i) executor.spawn([]() -> Task<void> { co_return; });
    counts::tally = nullptr;
    go = true;
    EXPECT_TRUE(executor.drain(std::chrono::hours(1)));
    const Counts counted(tally);
    EXPECT_EQ(counted.system_calls(), 0) << counted.text();
    EXPECT_EQ(counted.locks, 0);
}

}  // namespace
