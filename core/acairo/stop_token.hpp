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
#include <acairo/errors.hpp>
#include <concepts>

namespace acairo::inline ACAIRO_WORLD {
namespace detail {

struct StopLink;

// What a source, its tokens and its callbacks share: one mutex, one list.
struct StopState : Pinned {
    // Acquire: without this, a task that sees the request could miss what the requester wrote before it.
    bool is_requested() const noexcept { return requested.load(std::memory_order_acquire) != 0; }
    bool request() noexcept;

    platform::mutex mutex;
    platform::condition_variable callback_ended;
    platform::atomic<std::uint32_t> requested{0};
    std::weak_ptr<const void> sources;  // expired when there is no source any more
    StopLink* waiting = nullptr;
    StopLink* running = nullptr;
    decltype(platform::this_thread()) runner{};
};

// A callback's place in its state's list.
struct StopLink : Pinned {
    virtual void run() noexcept = 0;
    void subscribe(std::shared_ptr<StopState> to);
    void unsubscribe() noexcept;

    std::shared_ptr<StopState> state;
    StopLink* next = nullptr;
    StopLink** place = nullptr;  // what points at this link while it waits; null before and after
    bool called = false;         // by request(): another link may have stood at this address before
};

}  // namespace detail

// Observes a stop request. A default token can never be stopped.
class StopToken {
public:
    StopToken() = default;
    // True from the first request_stop() on. What the requesting thread did before it is visible then.
    [[nodiscard]] bool stop_requested() const noexcept { return state_ && state_->is_requested(); }
    // False when no stop was requested and no StopSource is left that could.
    [[nodiscard]] bool stop_possible() const noexcept {
        return stop_requested() || (state_ && !state_->sources.expired());
    }
    friend bool operator==(const StopToken&, const StopToken&) = default;

private:
    friend class StopSource;
    template <class>
    friend class StopCallback;
    explicit StopToken(std::shared_ptr<detail::StopState> state) noexcept : state_(std::move(state)) {}
    std::shared_ptr<detail::StopState> state_;
};

// Requests a stop. Copies share one state.
class StopSource {
public:
    StopSource() { state_->sources = alive_; }
    [[nodiscard]] StopToken get_token() const noexcept { return StopToken(state_); }
    [[nodiscard]] bool stop_requested() const noexcept { return state_ && state_->is_requested(); }
    // True when this call made the request: exactly one does. Runs the callbacks on this thread; never resumes a
    // coroutine on this thread's stack.
    bool request_stop() const noexcept;

private:
    std::shared_ptr<detail::StopState> state_ = std::make_shared<detail::StopState>();
    std::shared_ptr<const void> alive_ = std::make_shared<const char>();
};

// Runs `callback` when a stop is requested, see invariants 1 and 2. The callback must not throw.
template <class Callback>
class StopCallback final : detail::StopLink {
public:
    template <class C>
        requires std::constructible_from<Callback, C>
    StopCallback(const StopToken& token, C&& callback) : callback_(std::forward<C>(callback)) {
        subscribe(token.state_);
    }
    ~StopCallback() { unsubscribe(); }

private:
    void run() noexcept override { std::forward<Callback>(callback_)(); }
    Callback callback_;
};
template <class Callback>
StopCallback(StopToken, Callback) -> StopCallback<Callback>;

}  // namespace acairo::inline ACAIRO_WORLD
