// spawn, sync_wait, stop and drain from several threads, in any order, then the destructor, against a model: a task that was
// taken in runs once and ends; one that was refused, because of a stop or a drain, never runs; a drain that says "none left" is
// right; nothing hangs.
//
// It would have caught: a task that is taken in by an executor that has ended; a notification that is lost between a look and a
// wait; workers that end while a task is on its way; a stop that counts something twice.
// Covers: 7.115 shutdown races, and a counter counts twice; 7.113 a task is scheduled at shutdown that nobody runs; 4.63 a waiter is lost
// Covers: 4.61 sync_wait notifies without the waiter's lock; 7.117 an executor dies before add returns; 10.37 stop from two threads
// Covers: 10.38 a task is taken in at the end, and never runs; 10.39 a notification goes to the wrong waiter
#include "support.hpp"

namespace property {
namespace {

struct Model {
    platform::atomic<std::uint64_t> taken{0};
    platform::atomic<std::uint64_t> begun{0};
    platform::atomic<std::uint64_t> ended{0};
};

Task<void> work(Model& model, std::uint64_t waits) {
    model.begun.fetch_add(1, std::memory_order_relaxed);
    for (std::uint64_t i = 0; i < waits; ++i) {
        try {
            co_await acairo::sleep_for(std::chrono::microseconds(1));
        } catch (const acairo::Cancelled&) {}
    }
    model.ended.fetch_add(1, std::memory_order_release);
}

void act(Trial& trial, acairo::Executor& executor, Model& model) {
    for (std::uint64_t steps = 1 + trial.below(4); steps != 0; --steps) {
        const std::uint64_t kind = trial.below(8);
        const std::uint64_t waits = trial.below(3);
        try {
            if (kind < 4) {
                executor.spawn([&model, waits] { return work(model, waits); });
                model.taken.fetch_add(1, std::memory_order_relaxed);
            } else if (kind < 6) {
                // When a stop is faster, it returns as well.
                bool begun = false;
                bool ended = false;
                executor.sync_wait([&]() -> Task<void> {
                    begun = true;
                    model.taken.fetch_add(1, std::memory_order_relaxed);
                    co_await work(model, waits);
                    ended = true;
                });
                trial.require(begun == ended, "sync_wait waits for the end");
            } else if (kind == 6) {
                executor.stop();
            } else {
                const bool none_left = executor.drain(std::chrono::microseconds(waits));
                trial.sometimes(none_left, "a drain that finds none left");
                trial.sometimes(!none_left, "a drain whose time is over");
            }
        } catch (const acairo::Cancelled&) { trial.sometimes(true, "a task that is refused"); }
    }
}

void an_executor_ends_in_any_order(Trial& trial) {
    Model model;
    auto executor = std::make_unique<acairo::Executor>(
        acairo::ExecutorConfiguration{.workers = 1 + static_cast<int>(trial.below(3))});
    platform::thread one([&] { act(trial, *executor, model); });
    platform::thread other([&] { act(trial, *executor, model); });
    act(trial, *executor, model);
    one.join();
    other.join();
    executor.reset();
    const std::uint64_t taken = model.taken.load(std::memory_order_acquire);
    trial.require(model.begun.load(std::memory_order_acquire) == taken,
                  "each task that was taken in begins, and no other");
    trial.require(model.ended.load(std::memory_order_acquire) == taken, "and ends");
}

const acairo::Property registered{
    "an_executor_ends_in_any_order",
    an_executor_ends_in_any_order,
    {.interruptions = true, .shortages = false},
    {"a drain that finds none left", "a drain whose time is over", "a task that is refused"}};

}  // namespace
}  // namespace property
