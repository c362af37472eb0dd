// Tasks that always have something ready (awaits of ready tasks, sleeps of no length, limits, foreign awaitables) on one worker,
// until others have had their turn: those come, and a byte that arrives meanwhile is not kept waiting for ever either.
//
// It would have caught: a loop of completions that never goes back to the queue; a queue that is worked off until it is empty,
// while tasks keep refilling it; a poll for events that only happens when there is nothing else to do.
// Covers: 8.129 the first one is always polled first; 8.131 inline resumption starves the queue; 4.65 a loop that never ends
// Covers: 10.48 what is always ready keeps its worker for itself
#include "support.hpp"

namespace property {
namespace {

Task<void> nothing() { co_return; }

// Foreign awaitables that do not suspend: each says so in its own way.
struct Ready : std::suspend_always {
    bool await_ready() const { return true; }
};
struct NotSuspended : std::suspend_always {
    bool await_suspend(std::coroutine_handle<>) const { return false; }
};
struct TransfersBack : std::suspend_always {
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const { return waiting; }
};

Task<void> spin(std::uint64_t kind, const platform::atomic<std::uint32_t>& turns, std::uint32_t wanted) {
    while (turns.load(std::memory_order_acquire) < wanted) {
        if (kind == 0) co_await nothing();
        if (kind == 1) co_await acairo::sleep_for(std::chrono::nanoseconds(0));
        if (kind == 2) co_await acairo::timeout(std::chrono::hours(1), nothing());
        if (kind == 3) co_await Ready();
        if (kind == 4) co_await NotSuspended();
        if (kind == 5) co_await TransfersBack();
    }
}

void a_busy_task_lets_others_run(Trial& trial) {
    platform::atomic<std::uint32_t> turns{0};
    const std::uint64_t kind = trial.below(6);
    const std::uint64_t spinners = 1 + trial.below(2);
    const int budget = 1 + static_cast<int>(trial.below(64));
    Listening server(1, {}, budget);
    acairo::Executor& executor = *server.executor;
    Peer peer(server.listener.local_address());
    trial.require(peer.connected(), "a listening server is connected to");
    for (std::uint64_t i = 0; i < spinners; ++i) executor.spawn([&] { return spin(kind, turns, 3); });
    executor.spawn([&]() -> Task<void> {
        turns.fetch_add(1, std::memory_order_release);
        co_return;
    });
    executor.spawn([&]() -> Task<void> {
        const auto stream = co_await server.listener.accept();
        co_await stream->read(1);
        turns.fetch_add(1, std::memory_order_release);
    });
    executor.sync_wait([&]() -> Task<void> {
        turns.fetch_add(1, std::memory_order_release);
        co_return;
    });
    trial.require(peer.send("!") == 1, "a peer that is there takes a byte");
    // Without a limit of time, which passes while threads run. When somebody has no turn, this never ends.
    executor.sync_wait([&] { return spin(kind, turns, 3); });
}

// Without delays: a spinning worker looks like a busy loop while a byte is under way.
const acairo::Property registered{"a_busy_task_lets_others_run",
                                  a_busy_task_lets_others_run,
                                  {.interruptions = true, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
