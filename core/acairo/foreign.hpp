// What lets a task await any awaitable: a coroutine of another library, a callback's awaiter, a user's own.
//
// The foreign awaitable gets the handle of a bridge, a coroutine that does nothing but post the task's chain: so the task
// goes on where it belongs, on its worker, whoever calls resume(). A stop does not reach into a foreign awaitable: it must
// be told by other means (a StopCallback), else its task, and with it the executor's destructor, waits for it.
//
// Threads: the awaiter is used on the chain's worker; the bridge may be resumed from any thread, once.
#pragma once
#include <acairo/chain.hpp>

namespace acairo::inline ACAIRO_WORLD::detail {

struct Bridge {
    struct promise_type {
        explicit promise_type(Chain& bridged) noexcept : chain(&bridged) {}
        [[gnu::noinline]] Bridge get_return_object() noexcept {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        // The chain is posted when the bridge is suspended for good: from then on the worker may destroy it, even while
        // this call is still on its way out.
        auto final_suspend() const noexcept {
            struct Post : std::suspend_always {
                void await_suspend(std::coroutine_handle<promise_type> bridge) const noexcept {
                    bridge.promise().chain->resume_from_anywhere();
                }
            };
            return Post{};
        }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { impossible(); }
        Chain* chain;
    };

    std::coroutine_handle<> frame;
};

// The bridge's whole body. May throw std::bad_alloc.
inline Bridge bridge_to(Chain&) { co_return; }

template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
    if constexpr (requires { std::forward<A>(awaitable).operator co_await(); })
        return std::forward<A>(awaitable).operator co_await();
    else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); })
        return operator co_await(std::forward<A>(awaitable));
    else
        return std::forward<A>(awaitable);
}
template <class A>
using AwaiterOf = decltype(awaiter_of(std::declval<A>()));
template <class A>
using AwaitResult = decltype(std::declval<std::remove_reference_t<AwaiterOf<A>>&>().await_resume());

// `A` is the awaitable as a reference, alive until the end of the full expression that awaits it.
template <class A>
struct [[nodiscard]] ForeignAwaiter : Pinned {
    ForeignAwaiter(Chain& its_chain, A&& awaitable)
        : chain(its_chain), awaiter(awaiter_of(std::forward<A>(awaitable))) {}
    ~ForeignAwaiter() {
        if (bridge) bridge.destroy();
    }
    bool await_ready() { return awaiter.await_ready(); }
    bool await_suspend(std::coroutine_handle<>) {
        const std::coroutine_handle<> frame = bridge = bridge_to(chain).frame;
        using Suspended = decltype(awaiter.await_suspend(frame));
        // Nothing of this object is touched after the call: a chain without a worker may already be elsewhere.
        if constexpr (std::is_void_v<Suspended>) {
            awaiter.await_suspend(frame);
        } else if constexpr (std::is_same_v<Suspended, bool>) {
            return awaiter.await_suspend(frame);
        } else {
            const std::coroutine_handle<> next = awaiter.await_suspend(frame);
            if (next == frame) return false;
            next.resume();
        }
        return true;
    }
    decltype(auto) await_resume() { return awaiter.await_resume(); }

    Chain& chain;
    AwaiterOf<A> awaiter;
    std::coroutine_handle<> bridge;
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
