// What a callable captures, given to spawn or sync_wait, with or without a token: it is there until its task has ended, however
// often that waits, and is gone before sync_wait or drain return. A callable that spawn refuses is destroyed.
//
// It would have caught: a callable that is destroyed at its coroutine's first wait; a result or a flag that is used after the
// waiting caller has gone; captures that outlive what they refer to.
// Covers: 5.81 the completer touches the waiter's stack after waking it; 5.83 a lambda dies before its coroutine's cleanup
// Covers: 7.117 the executor dies while add runs; 10.22 a capturing lambda coroutine is used after free
#include "support.hpp"

namespace property {
namespace {

struct Cleanup {
    const std::vector<std::uint64_t>& values;
    std::uint64_t& sum;
    ~Cleanup() {
        for (const std::uint64_t value : values) sum += value;
    }
};

void a_callable_lives_as_long_as_its_task(Trial& trial) {
    Census census;
    const std::uint64_t waits = trial.below(4);
    const std::uint64_t stops_at = trial.below(12);
    const bool with_token = trial.below(2) == 1;
    const acairo::StopSource source;
    std::uint64_t sum = 0;
    bool refused = false;
    auto executor = std::make_unique<acairo::Executor>(
        acairo::ExecutorConfiguration{.workers = 1 + static_cast<int>(trial.below(2))});
    const auto task = [&, waits, life = Census::Life(census),
                       values = std::vector<std::uint64_t>{1, 2, 3}]() -> Task<void> {
        // Runs in the frame's destruction, whatever ended it.
        const Cleanup cleanup{values, sum};
        for (std::uint64_t i = 0; i < waits; ++i) co_await acairo::sleep_for(std::chrono::microseconds(1));
    };
    platform::thread stopper([&] {
        linger(stops_at);
        with_token ? static_cast<void>(source.request_stop()) : executor->stop();
    });
    try {
        executor->spawn(task, with_token ? source.get_token() : acairo::StopToken());
    } catch (const acairo::Cancelled&) { refused = true; }
    stopper.join();
    trial.require(executor->drain(std::chrono::seconds(100)), "it ends");
    const std::uint64_t once = sum;
    try {
        executor->sync_wait(task);
    } catch (const acairo::Cancelled&) { refused = true; }
    executor.reset();
    trial.require(once % 6 == 0 && sum == once,
                  "the captures are there when the frame is destroyed, and a stopped executor runs nothing");
    trial.sometimes(refused, "a callable that is refused");
    trial.sometimes(once == 6 && waits > 0, "a task that ran");
    // The original stands here still.
    trial.require(census.alive() == 1, "no other is left");
}

const acairo::Property registered{"a_callable_lives_as_long_as_its_task",
                                  a_callable_lives_as_long_as_its_task,
                                  {.interruptions = true, .shortages = false},
                                  {"a callable that is refused", "a task that ran"}};

}  // namespace
}  // namespace property
