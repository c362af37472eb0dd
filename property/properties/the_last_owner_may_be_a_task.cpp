// The last owner of an executor is a task of its own, a callable that is destroyed, or an outer thread, whoever comes last: the
// executor ends, without waiting for itself, every task unwinds, and a stream that somebody still holds stays his to close.
//
// It would have caught: a worker that joins itself; a state that is freed under the last worker; a cycle of owners that keeps
// everything alive for ever.
// Covers: 5.75 destroyed by the last reference that it holds itself; 7.117 the task holds the last reference
// Covers: 10.36 stop from inside waits for itself; 10.54 handlers keep their executor alive
#include "support.hpp"

namespace property {
namespace {

void the_last_owner_may_be_a_task(Trial& trial) {
    const std::uint64_t outer_keeps_for = trial.below(12);
    const std::uint64_t inner_waits = trial.below(3);
    const bool sleeps = trial.below(2) == 1;
    const bool stops = trial.below(2) == 1;
    auto executor = std::make_shared<acairo::Executor>(
        acairo::ExecutorConfiguration{.workers = 1 + static_cast<int>(trial.below(2))});
    platform::atomic<std::uint32_t> gone{0};
    platform::mutex mutex;
    platform::condition_variable changed;
    acairo::Executor& runs = *executor;
    runs.spawn([&, inner_waits, stops, owner = executor]() mutable -> Task<void> {
        for (std::uint64_t i = 0; i < inner_waits; ++i) co_await acairo::sleep_for(std::chrono::microseconds(1));
        if (stops) owner->stop();
        owner.reset();
        mutex.lock();
        gone.store(1, std::memory_order_release);
        changed.notify_all();
        mutex.unlock();
    });
    if (sleeps) {
        try {
            runs.spawn([]() -> Task<void> { co_await acairo::sleep_for(std::chrono::hours(1)); });
        } catch (const acairo::Cancelled&) {}
    }
    linger(outer_keeps_for);
    // From here on it is the task's, unless that has ended.
    executor.reset();
    mutex.lock();
    while (gone.load(std::memory_order_acquire) == 0) changed.wait(mutex);
    mutex.unlock();
}

const acairo::Property registered{
    "the_last_owner_may_be_a_task", the_last_owner_may_be_a_task, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
