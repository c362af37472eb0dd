// sleep_for, timeout and with_stop_token: what a task waits for besides its sockets, and what ends its waits early.
#pragma once
#include <acairo/stop_token.hpp>
#include <acairo/task.hpp>

namespace acairo::inline ACAIRO_WORLD {
namespace detail {

struct [[nodiscard]] Sleep final : Operation {
    explicit Sleep(std::chrono::nanoseconds its_duration) noexcept : Operation("sleep_for"), duration(its_duration) {}
    void await_resume() const { rethrow(); }
    bool attempt(int) noexcept override {
        if (duration <= std::chrono::nanoseconds{0}) return complete(Outcome::done);
        chain_->worker->timers.arm(*chain_, deadline_after(duration));
        chain_->park();
        return false;
    }
    Outcome expired() noexcept override { return Outcome::done; }
    const std::chrono::nanoseconds duration;
};

// Ends the waits below it when a stop is requested. Throws std::logic_error in a chain without a worker.
struct TokenScope final : Scope, Message {
    TokenScope(Chain& in, StopToken its_token) : Scope(with_worker(&in)), token(std::move(its_token)) {
        callback.emplace(token, Post{*this});
    }
    ~TokenScope() {
        callback.reset();
        // From here on nobody posts it. Without this, the inbox would keep a scope that is gone.
        if (posted && !delivered) chain.worker->inbox.deliver();
    }
    bool requested() const noexcept override { return token.stop_requested(); }
    void deliver() noexcept override {
        delivered = true;
        chain.cancel();
    }

    // On the worker it is delivered at once, else through the inbox: who requests a stop never resumes anything.
    struct Post {
        void operator()() const noexcept {
            scope.posted = true;
            scope.chain.worker->post(scope);
        }
        TokenScope& scope;
    };
    const StopToken token;
    bool posted = false;
    bool delivered = false;
    std::optional<StopCallback<Post>> callback;
};

// Ends the waits below it when the time is over. Throws std::logic_error in a chain without a worker.
struct TimeScope final : Scope, Timer {
    TimeScope(Chain& in, std::chrono::nanoseconds duration) : Scope(with_worker(&in)) {
        if (duration <= std::chrono::nanoseconds{0})
            expire();
        else
            chain.worker->timers.arm(*this, deadline_after(duration));
    }
    ~TimeScope() { Timers::withdraw(*this); }
    bool requested() const noexcept override { return fired; }
    void expire() noexcept override {
        // What is requested further in is not this scope's affair.
        fired = !chain.stop_requested_from(outer);
        chain.cancel();
    }
    bool fired = false;  // it was this scope that ended the wait, and not a stop that was requested before
};

template <class A>
struct ResultOf {
    using type = AwaitResult<A>;
};
template <class T>
struct ResultOf<Task<T>> {
    using type = T;
};
template <class A>
using TaskFor = Task<typename ResultOf<A>::type>;

}  // namespace detail

// Waits for at least `duration`; does not wait when that is not positive. Throws Cancelled, std::logic_error without an
// executor.
inline detail::Sleep sleep_for(std::chrono::nanoseconds duration) noexcept { return detail::Sleep(duration); }

// Awaits `awaitable`, whose waits end when `duration` has passed; throws TimedOut then, after the awaitable has unwound.
// A result that came first is returned, and a stop that came first throws Cancelled. Not positive: the first wait times
// out. Throws what the awaitable throws; std::bad_alloc; std::logic_error without an executor.
template <class A>
detail::TaskFor<A> timeout(std::chrono::nanoseconds duration, A awaitable) {
    detail::TimeScope scope(co_await detail::ThisChain{}, duration);
    try {
        co_return co_await std::move(awaitable);
    } catch (const Cancelled&) {
        if (scope.fired) throw TimedOut();
        throw;
    }
}

// Awaits `awaitable`, whose waits end with Cancelled when a stop is requested through `token`, or through a token
// further out. Throws what the awaitable throws; std::bad_alloc; std::logic_error without an executor.
template <class A>
detail::TaskFor<A> with_stop_token(StopToken token, A awaitable) {
    detail::TokenScope scope(co_await detail::ThisChain{}, std::move(token));
    co_return co_await std::move(awaitable);
}

}  // namespace acairo::inline ACAIRO_WORLD
