// drain() of a long time returns when the last task has ended, and not when the time is over; and what the tasks wrote, without
// any order of their own, is seen then. Of what they threw nothing is left.
//
// It would have caught: a notification without the waiter's lock, which comes between its look and its wait; a count of tasks
// that orders nothing; an exception that is destroyed behind its task's end.
// Covers: 4.61 a flag is set and notified without the waiter's lock; 10.39 a lost notification in drain
#include "support.hpp"

namespace property {
namespace {

struct Failed {
    Census::Life life;
};

// By the task, or by the callable that should make it.
void spawn_one_that_fails(acairo::Executor& executor, Census& census, bool callable, const acairo::StopToken& token) {
    const auto in_the_task = [&census]() -> Task<void> {
        throw Failed{Census::Life(census)};
        co_return;
    };
    const auto at_the_call = [&census]() -> Task<void> { throw Failed{Census::Life(census)}; };
    callable ? executor.spawn(at_the_call, token) : executor.spawn(in_the_task, token);
}

// Who waits for it gets the exception, and is then the only one who has it.
void wait_for_one_that_fails(Trial& trial, acairo::Executor& executor) {
    Census thrown;
    bool caught = false;
    try {
        executor.sync_wait([&thrown]() -> Task<void> {
            throw Failed{Census::Life(thrown)};
            co_return;
        });
    } catch (const Failed&) { caught = true; }
    trial.require(caught, "who waits gets the exception");
    trial.require(thrown.empty(), "and nobody else keeps it");
}

void drain_returns_with_the_last_task(Trial& trial) {
    std::vector<std::uint64_t> written(1 + trial.below(3));
    const int workers = 1 + static_cast<int>(trial.below(2));
    const bool callable = trial.below(2) == 1;
    const acairo::StopSource source;
    const acairo::StopToken token = trial.below(2) == 1 ? source.get_token() : acairo::StopToken();
    Census thrown;
    acairo::Executor executor({.workers = workers, .on_unhandled = quiet});
    for (std::uint64_t& place : written) {
        executor.spawn([&place]() -> Task<void> {
            place = 1;
            co_return;
        });
    }
    spawn_one_that_fails(executor, thrown, callable, token);
    wait_for_one_that_fails(trial, executor);
    linger(trial.below(8));
    const auto begin = platform::now();
    trial.require(executor.drain(std::chrono::seconds(1000)), "tasks that end are waited for");
    trial.require(platform::now() - begin < std::chrono::seconds(500), "and no longer");
    for (const std::uint64_t place : written) trial.require(place == 1, "what they wrote is seen");
    trial.require(thrown.empty(), "what they threw is gone");
}

const acairo::Property registered{"drain_returns_with_the_last_task",
                                  drain_returns_with_the_last_task,
                                  {.interruptions = true, .shortages = false, .network = false, .clock = false}};

}  // namespace
}  // namespace property
