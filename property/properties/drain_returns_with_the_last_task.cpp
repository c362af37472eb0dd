// drain() of a long time returns when the last task has ended, and not when the time is over; and what the tasks wrote, without
// any order of their own, is seen then.
//
// It would have caught: a notification without the waiter's lock, which comes between its look and its wait; a count of tasks
// that orders nothing.
// Covers: 4.61 a flag is set and notified without the waiter's lock; 10.39 a lost notification in drain
#include "support.hpp"

namespace property {
namespace {

void drain_returns_with_the_last_task(Trial& trial) {
    std::vector<std::uint64_t> written(1 + trial.below(3));
    const int workers = 1 + static_cast<int>(trial.below(2));
    acairo::Executor executor({.workers = workers});
    for (std::uint64_t& place : written) {
        executor.spawn([&place]() -> Task<void> {
            place = 1;
            co_return;
        });
    }
    linger(trial.below(8));
    const auto begin = platform::now();
    trial.require(executor.drain(std::chrono::seconds(1000)), "tasks that end are waited for");
    trial.require(platform::now() - begin < std::chrono::seconds(500), "and no longer");
    for (const std::uint64_t place : written) trial.require(place == 1, "what they wrote is seen");
}

const acairo::Property registered{"drain_returns_with_the_last_task",
                                  drain_returns_with_the_last_task,
                                  {.interruptions = true, .shortages = false, .network = false, .clock = false}};

}  // namespace
}  // namespace property
