// StopSource, StopToken, StopCallback: cancellation as std::stop_source, std::stop_token and std::stop_callback have it,
// over the platform seam (the standard's own use threads and atomics that no test could schedule).
//
// Threads: all of it may be used from any thread; one StopSource or StopToken object from one thread at a time.
// Invariants:
//   1. A callback runs at most once: on the thread of the request_stop() that won, or, when the stop was requested
//      before, in the StopCallback's own constructor.
//   2. ~StopCallback returns only when the callback does not run and will not; from inside the callback it returns
//      at once.
//   3. request_stop() allocates nothing and holds no lock while a callback runs.
#pragma once
#include <acairo/basics.hpp>

namespace acairo::inline ACAIRO_WORLD {
namespace detail {

// What a source, its tokens and its callbacks, the messages, share: one mutex, one ring.
struct StopState : Pinned {
    // Acquire: without this, a task that sees the request could miss what the requester wrote before it.
    bool is_requested() const noexcept { return requested.load(std::memory_order_acquire) != 0; }
    // False: a stop was requested already, and nobody will call `callback`.
    bool subscribe(Message& callback) noexcept {
        const Lock lock(mutex);
        // Under the lock: without this, a request between the test and the linking would never run the callback.
        return !is_requested() && (callback.link_before(callbacks), true);
    }
    void unsubscribe(Message& callback) noexcept {
        const Lock lock(mutex);
        callback.unlink();
        // Inside the callback itself, waiting for its end would wait for ever.
        if (runner == platform::this_thread()) return;
        // Without this: the caller would free what the callback, on another thread, still uses.
        while (running == &callback) callback_ended.wait(mutex);
    }
    bool request() noexcept {
        const Lock lock(mutex);
        if (is_requested()) return false;
        requested.store(1, std::memory_order_release);
        runner = platform::this_thread();
        while (!callbacks.alone()) {
            running = &callbacks.previous->unlink();
            mutex.unlock();
            static_cast<Message*>(running)->deliver();  // which may destroy it
            mutex.lock();
            running = nullptr;
            callback_ended.notify_all();
        }
        return true;
    }

    platform::mutex mutex;
    platform::condition_variable callback_ended;
    platform::atomic<std::uint32_t> requested{0};
    std::weak_ptr<const void> sources;  // expired when there is no source any more
    Link callbacks;
    Link* running = nullptr;
    decltype(platform::this_thread()) runner{};
};

}  // namespace detail

// Observes a stop request. A default token can never be stopped.
class StopToken {
public:
    StopToken() = default;
    // True from the first request_stop() on. What the requesting thread did before it is visible then.
    [[nodiscard]] bool stop_requested() const noexcept { return state_ && state_->is_requested(); }
    // False when no stop was requested and no StopSource is left that could.
    bool stop_possible() const noexcept { return state_ && (state_->is_requested() || !state_->sources.expired()); }
    friend bool operator==(const StopToken&, const StopToken&) = default;

private:
    friend class StopSource;
    template <class> friend class StopCallback;
    explicit StopToken(std::shared_ptr<detail::StopState> state) noexcept : state_(std::move(state)) {}
    std::shared_ptr<detail::StopState> state_;
};

// Requests a stop. Copies share one state.
class StopSource {
public:
    // Of a state of its own. Throws std::bad_alloc.
    StopSource() { state_->sources = alive_; }
    // A token that observes this source and its copies.
    [[nodiscard]] StopToken get_token() const noexcept { return StopToken(state_); }
    // As StopToken::stop_requested().
    [[nodiscard]] bool stop_requested() const noexcept { return state_ && state_->is_requested(); }
    // True when this call made the request: exactly one does. Runs the callbacks on this thread; never resumes a
    // coroutine on this thread's stack.
    bool request_stop() const noexcept {
        // A copy: without this, a callback that destroys this source would free the state under request().
        const std::shared_ptr<detail::StopState> state = state_;
        return state && state->request();
    }

private:
    std::shared_ptr<detail::StopState> state_ = std::make_shared<detail::StopState>();
    std::shared_ptr<const void> alive_ = std::make_shared<const char>();
};

// Runs `callback` when a stop is requested, see invariants 1 and 2. The callback must not throw.
template <class Callback> class StopCallback final : detail::Message {
public:
    // Runs it at once when the stop was requested before.
    template <class C> requires std::constructible_from<Callback, C> StopCallback(StopToken token, C&& callback)
        : callback_(std::forward<C>(callback)), state_(std::move(token.state_)) {
        if (!state_ || state_->subscribe(*this)) return;
        // Not in the list. Without this, the destructor would wait for a callback that stood at this address before.
        state_ = nullptr;
        deliver();
    }
    ~StopCallback() {
        if (state_) state_->unsubscribe(*this);
    }

private:
    void deliver() noexcept override { std::forward<Callback>(callback_)(); }
    Callback callback_;
    std::shared_ptr<detail::StopState> state_;
};
// StopCallback callback(token, [] { ... }): the type is that of the callable.
template <class Callback> StopCallback(StopToken, Callback) -> StopCallback<Callback>;

}  // namespace acairo::inline ACAIRO_WORLD
