// A task that waits for a foreign awaitable is destroyed while another thread makes that ready: who awaited it goes on with
// Cancelled, and nobody resumes what is gone.
//
// It would have caught: a chain that stays in the inbox, or in the ready queue, when its leaf is destroyed.
// Covers: 5.77 gone between the start and the completion; 6.111 what waits is outlived by what wakes it; 3.45 a waker stays
#include "support.hpp"

namespace property {
namespace {

// Opened once, by one thread; whoever waits has gone, or is resumed.
struct Door : acairo::StopSource {};

struct WaitAtDoor {
    struct Resume {
        std::coroutine_handle<>* waiting;
        void operator()() const noexcept { waiting->resume(); }
    };
    explicit WaitAtDoor(const Door& its_door) noexcept : door(its_door) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> by) {
        waiting = by;
        callback.emplace(door.get_token(), Resume{&waiting});
    }
    void await_resume() const noexcept {}
    const Door& door;
    std::coroutine_handle<> waiting;
    std::optional<acairo::StopCallback<Resume>> callback;
};

Task<void> wait_at(const Door& door, bool& passed) {
    co_await WaitAtDoor(door);
    passed = true;
}

Task<void> await_it(Task<void>& task, bool& told) {
    try {
        co_await std::move(task);
    } catch (const acairo::Cancelled&) { told = true; }
}

void a_destroyed_foreign_wait_is_not_resumed(Trial& trial) {
    const Door door;
    bool passed = false;
    bool told = false;
    const std::uint64_t before = trial.below(6);
    acairo::Executor executor({.workers = 1});
    platform::thread opener([&] {
        linger(before);
        door.request_stop();
    });
    const auto destroy_it = [&]() -> Task<void> {
        Task<void> task = wait_at(door, passed);
        executor.spawn([&] { return await_it(task, told); });
        for (int i = 0; i < 3; ++i) co_await acairo::sleep_for(std::chrono::nanoseconds(1));
        task = Task<void>();
        // Whoever awaited it ends before what it refers to.
        while (!passed && !told) co_await acairo::sleep_for(std::chrono::nanoseconds(1));
    };
    executor.sync_wait(destroy_it);
    opener.join();
    trial.require(executor.drain(std::chrono::seconds(100)), "nobody waits on");
    trial.require(passed != told, "it has passed, or was told");
}

const acairo::Property registered{"a_destroyed_foreign_wait_is_not_resumed",
                                  a_destroyed_foreign_wait_is_not_resumed,
                                  {.interruptions = true, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
