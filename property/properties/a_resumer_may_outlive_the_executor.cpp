// A task awaits something that another thread completes. That thread is still on its way out of resuming it when the task has ended
// already, because the worker was awake for another reason, and the executor is gone: it touches nothing of it any more.
//
// It would have caught: a worker that is woken by who posted, after what was posted has run and the last owner has gone.
// Covers: 5.77 gone between the start and the completion; 7.117 the executor dies before the call returns
#include "gate.hpp"
#include "support.hpp"

namespace property {
namespace {

void a_resumer_may_outlive_the_executor(Trial& trial) {
    const std::uint64_t opens_at = trial.below(6);
    const std::uint64_t spawns_at = trial.below(6);
    Gate gate;
    auto executor = std::make_unique<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    bool resumed = false;
    platform::thread opener([&] {
        linger(opens_at);
        resumed = gate.open();
    });
    // What wakes the worker meanwhile.
    platform::thread spawner([&] {
        linger(spawns_at);
        executor->spawn([]() -> Task<void> { co_await acairo::sleep_for(std::chrono::microseconds(1)); });
    });
    executor->sync_wait([&]() -> Task<void> { co_await gate; });
    spawner.join();
    executor.reset();
    opener.join();
    trial.sometimes(resumed, "a task is resumed by the other thread");
}

const acairo::Property registered{"a_resumer_may_outlive_the_executor",
                                  a_resumer_may_outlive_the_executor,
                                  {.interruptions = true, .shortages = false},
                                  {"a task is resumed by the other thread"}};

}  // namespace
}  // namespace property
