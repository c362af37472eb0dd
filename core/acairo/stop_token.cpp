// The state behind StopSource, StopToken and StopCallback: one mutex, one list.
#include <acairo/stop_token.hpp>

namespace acairo::inline ACAIRO_WORLD {
namespace detail {

void StopLink::subscribe(std::shared_ptr<StopState> to) {
    if (!to) return;
    state = std::move(to);
    {
        const Lock lock(state->mutex);
        // Under the lock: without this, a request between the test and the linking would never run the callback.
        if (!state->is_requested()) {
            next = state->waiting;
            place = &state->waiting;
            if (next) next->place = &next;
            state->waiting = this;
            return;
        }
    }
    run();
}

void StopLink::unsubscribe() noexcept {
    if (!state) return;
    const Lock lock(state->mutex);
    if (place) {
        *place = next;
        if (next) next->place = place;
        return;
    }
    // Inside the callback itself, waiting for its end would wait for ever.
    if (state->runner == platform::this_thread()) return;
    // Without this: the caller would free what the callback, on another thread, still uses.
    while (called && state->running == this) state->callback_ended.wait(state->mutex);
}

bool StopState::request() noexcept {
    const Lock lock(mutex);
    if (is_requested()) return false;
    requested.store(1, std::memory_order_release);
    runner = platform::this_thread();
    while (StopLink* const link = waiting) {
        running = link;
        waiting = link->next;
        if (waiting) waiting->place = &waiting;
        link->place = nullptr;
        link->called = true;
        mutex.unlock();
        link->run();  // which may destroy the link
        mutex.lock();
        running = nullptr;
        callback_ended.notify_all();
    }
    return true;
}

}  // namespace detail

bool StopSource::request_stop() const noexcept {
    // A copy: without this, a callback that destroys this source would free the state under request().
    const std::shared_ptr<detail::StopState> state = state_;
    return state && state->request();
}

}  // namespace acairo::inline ACAIRO_WORLD
