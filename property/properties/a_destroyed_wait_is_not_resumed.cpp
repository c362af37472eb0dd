// A task that waits for a foreign awaitable may be destroyed while another thread completes it, when the awaitable's destructor
// withdraws under the lock that completing holds: it is resumed or destroyed, and who awaits it goes on, once.
//
// It would have caught: a chain that is posted while its frames are destroyed, and so stands in the inbox and the ready queue.
// Covers: 6.111 who completes a wait uses what was destroyed with it; 5.77 gone between the start and the completion
// Covers: 4.71 a message that stands in two lists; 4.73 who notifies uses a waiter that has gone
#include "support.hpp"

namespace property {
namespace {

class Event {
public:
    void set() {
        mutex_.lock();
        set_ = true;
        if (waiting_) std::exchange(waiting_, nullptr).resume();
        mutex_.unlock();
    }
    class Awaiter {
    public:
        explicit Awaiter(Event& event) noexcept : event_(event) {}
        Awaiter(const Awaiter&) = delete;
        Awaiter& operator=(const Awaiter&) = delete;
        ~Awaiter() {
            event_.mutex_.lock();
            event_.waiting_ = nullptr;
            event_.mutex_.unlock();
        }
        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> waiting) const {
            event_.mutex_.lock();
            const bool suspended = !event_.set_;
            if (suspended) event_.waiting_ = waiting;
            event_.mutex_.unlock();
            return suspended;
        }
        void await_resume() const noexcept {}

    private:
        Event& event_;
    };
    Awaiter operator co_await() noexcept { return Awaiter(*this); }

private:
    platform::mutex mutex_;
    bool set_ = false;
    std::coroutine_handle<> waiting_;
};

Task<void> wait_for(Event& event) { co_await event; }

void a_destroyed_wait_is_not_resumed(Trial& trial) {
    Event event;
    Task<void> waiting = wait_for(event);
    std::uint64_t ended = 0;
    acairo::Executor executor(acairo::ExecutorConfiguration{.workers = 1});
    executor.spawn([&]() -> Task<void> {
        try {
            co_await std::move(waiting);
        } catch (const acairo::Cancelled&) {}
        ++ended;
        co_await acairo::sleep_for(std::chrono::seconds(1));
        ++ended;
    });
    platform::thread other([&] { event.set(); });
    executor.sync_wait([&]() -> Task<void> {
        waiting = Task<void>();
        co_return;
    });
    other.join();
    trial.require(executor.drain(std::chrono::seconds(100)), "who awaits the task goes on");
    trial.require(ended == 2, "once");
}

const acairo::Property registered{
    "a_destroyed_wait_is_not_resumed", a_destroyed_wait_is_not_resumed, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
