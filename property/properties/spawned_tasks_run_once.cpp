// Tasks that several threads and other tasks spawn run exactly once, and each callable and frame is destroyed exactly once,
// before drain() has returned.
//
// It would have caught: a message lost in, or put twice into, a worker's inbox; a worker that sleeps although there is work; a
// callable that is freed before its coroutine.
// Covers: 4.71 a message is lost in the inbox, or twice in it; 4.59 a worker sleeps although there is work, or sees it too early
// Covers: 3.51 the event of the wake-up is taken for a socket's; 10.22 the callable goes before its coroutine; 10.38 drain looks at the queue only
#include "support.hpp"

namespace property {
namespace {

void spawned_tasks_run_once(Trial& trial) {
    Census census;
    platform::atomic<std::uint64_t> ran{0};
    acairo::Executor executor({.workers = 1 + static_cast<int>(trial.below(2))});
    const std::uint64_t each = 1 + trial.below(3);
    const bool nested = trial.below(2) == 1;
    const auto spawn_some = [&] {
        for (std::uint64_t i = 0; i < each; ++i) {
            executor.spawn([&, life = Census::Life(census)]() -> Task<void> {
                ran.fetch_add(1, std::memory_order_relaxed);
                if (nested) {
                    executor.spawn([&, inner = Census::Life(census)]() -> Task<void> {
                        ran.fetch_add(1, std::memory_order_relaxed);
                        co_return;
                    });
                }
                co_return;
            });
        }
    };
    platform::thread other(spawn_some);
    spawn_some();
    other.join();
    trial.require(executor.drain(std::chrono::seconds(100)), "tasks that end are waited for");
    trial.require(ran.load(std::memory_order_acquire) == 2 * each * (nested ? 2 : 1), "each task ran once");
    trial.require(census.empty(), "each callable is gone when drain() returns");
}

const acairo::Property registered{
    "spawned_tasks_run_once", spawned_tasks_run_once, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
