// Task<T>: a lazy coroutine that returns a T, and what its promise needs. T may be void, a reference, move-only, and need
// not be default-constructible. A task may await tasks, acairo's operations, and any other awaitable: a coroutine of another
// library, a callback's awaiter, a user's own. And sleep_for, timeout and with_stop_token: what a task waits for besides its
// sockets, and what ends its waits early.
//
// A foreign awaitable gets the handle of a bridge, a coroutine that does nothing but post the task's chain: so the task
// goes on where it belongs, on its worker, whoever calls resume(). A stop does not reach into a foreign awaitable: it must
// be told by other means (a StopCallback), else its task, and with it the executor's destructor, waits for it.
// A task that waits for one may be destroyed while another thread resumes the bridge, if what `operator co_await` returned
// withdraws the handle in its destructor.
//
// Threads: a task runs on the worker of its chain; a Task object that has started is moved and destroyed there too. A bridge
// may be resumed from any thread, once.
// Invariant: a task's frame is destroyed as soon as its awaiter has taken the result: a chain of completed tasks does not
// stand around to be destroyed recursively.
#pragma once
#include <acairo/chain.hpp>

namespace acairo::inline ACAIRO_WORLD {

template <class T = void> class Task;

namespace detail {

struct Bridge {
    // Is its own final awaiter.
    struct promise_type : std::suspend_always {
        explicit promise_type(Chain& bridged) noexcept : chain(bridged) {}
        [[gnu::noinline]] Bridge get_return_object() noexcept {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        // The chain is posted when the bridge is suspended for good: from then on the worker may destroy it, even while
        // this call is still on its way out.
        promise_type& final_suspend() noexcept { return *this; }
        void await_suspend(std::coroutine_handle<>) const noexcept { chain.resume_from_anywhere(); }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::abort(); }
        Chain& chain;
    };
    std::coroutine_handle<> frame;
};

// The bridge's whole body. May throw std::bad_alloc.
inline Bridge bridge_to(Chain&) { co_return; }

template <class A> decltype(auto) awaiter_of(A&& awaitable) {
    if constexpr (requires { std::forward<A>(awaitable).operator co_await(); })
        return std::forward<A>(awaitable).operator co_await();
    else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); })
        return operator co_await(std::forward<A>(awaitable));
    else
        return std::forward<A>(awaitable);
}
template <class A> using AwaiterOf = decltype(awaiter_of(std::declval<A>()));
template <class A> using AwaitResult = decltype(std::declval<std::remove_reference_t<AwaiterOf<A>>&>().await_resume());

// A base, and so destroyed after the foreign awaiter, which may hold its handle until then.
struct BridgeOwner : Pinned {
    ~BridgeOwner() {
        if (bridge) bridge.destroy();
    }
    std::coroutine_handle<> bridge;
};

// `A` is the awaitable as a reference, alive until the end of the full expression that awaits it.
template <class A> struct [[nodiscard]] ForeignAwaiter : BridgeOwner {
    ForeignAwaiter(Chain& its, A&& awaitable) : chain(its), awaiter(awaiter_of(std::forward<A>(awaitable))) {}
    bool await_ready() { return awaiter.await_ready() && !chain.yields(); }
    bool await_suspend(std::coroutine_handle<>) {
        // It was ready, and the chain has had its budget.
        if (!chain.alone()) return true;
        const std::coroutine_handle<> frame = bridge = bridge_to(chain).frame;
        // Nothing of this object is touched after a call that suspends: a chain without a worker may already be elsewhere.
        if constexpr (std::is_void_v<decltype(awaiter.await_suspend(frame))>) {
            return awaiter.await_suspend(frame), true;
        } else if constexpr (std::is_same_v<decltype(awaiter.await_suspend(frame)), bool>) {
            return awaiter.await_suspend(frame) || chain.yields();
        } else {
            const std::coroutine_handle<> next = awaiter.await_suspend(frame);
            return next == frame ? chain.yields() : (next.resume(), true);
        }
    }
    decltype(auto) await_resume() { return awaiter.await_resume(); }

    Chain& chain;
    AwaiterOf<A> awaiter;
};

// What a task awaits to get the chain that it runs in.
struct ThisChain : std::suspend_never {
    Chain& await_resume() const noexcept { return *chain; }
    Chain* chain = nullptr;
};

// An operation that is awaited, by reference. Without this, g++ 12 keeps a copy of it in the frame, even when it is awaited
// as an lvalue.
template <class O> struct Bound : std::suspend_always {
    bool await_ready() const { return operation.await_ready(chain); }
    decltype(auto) await_resume() const { return operation.await_resume(); }
    O& operation;
    Chain* const chain;
};

// Room for a T that comes later.
template <class T> struct Slot {
    template <class U = T> requires std::constructible_from<T, U> void return_value(U&& from) {
        if constexpr (std::is_reference_v<T>)
            value = std::addressof(from);
        else
            value.emplace(std::forward<U>(from));
    }
    T take() { return static_cast<T&&>(*value); }
    std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, std::optional<T>> value{};
};
template <> struct Slot<void> {
    void return_void() const noexcept {}
    void take() const noexcept {}
};

// Destroys the owner's frame and rethrows its chain's exception, when there is one.
inline void rethrow(Chain& chain, TaskOwner& owner) {
    if (!chain.failure) return;
    std::exception_ptr failure = std::exchange(chain.failure, nullptr);
    owner.reset();
    std::rethrow_exception(std::move(failure));
}

// A task that awaits a task, in the frame of the one that awaits.
template <class T> struct [[nodiscard]] AwaitTask final : Awaiting {
    using Awaiting::Awaiting;
    ~AwaitTask() {
        // It has ended and nobody takes its result. Without this, it would know a chain that may be gone before it.
        if (child) child->chain = nullptr, child->awaiting = nullptr;
    }
    void await_suspend(std::coroutine_handle<>) noexcept { parent.chain->descend(*this); }
    T await_resume() {
        if (!child) throw Cancelled();
        rethrow(*parent.chain, *child->owner);
        auto* const ended = static_cast<typename Task<T>::promise_type*>(std::exchange(child, nullptr));
        const TaskOwner destroyed_after_the_result = std::move(*ended->owner);
        return ended->take();
    }
};

// A foreign coroutine that awaits a task, in its frame: the task's chain is here, and has no worker.
template <class T> struct [[nodiscard]] AwaitFromForeign final : Chain, std::suspend_always {
    explicit AwaitFromForeign(Frame* task) : Chain(nullptr), root(task) { set_root(*root); }
    ~AwaitFromForeign() {
        if (leaf) root->owner->reset();
    }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        waiting = handle;
        return !run_tasks();
    }
    T await_resume() {
        rethrow(*this, *root->owner);
        return static_cast<typename Task<T>::promise_type*>(root)->take();
    }
    void finish() noexcept override { waiting.resume(); }
    Frame* const root;
    std::coroutine_handle<> waiting;
};

struct PromiseBase : Frame {
    struct Final : std::suspend_always {
        void await_suspend(auto ended) const noexcept { ended.promise().chain->ascend(ended.promise()); }
    };
    std::suspend_always initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { chain->failure = std::current_exception(); }

    // The task's frame. Throws std::logic_error when there is none, or it was awaited.
    template <class T> static Frame* startable(const Task<T>& task) {
        Frame* const frame = task.owner_.frame;
        if (!frame || frame->chain || frame->handle().done())
            misuse("this task was moved from, is being awaited, or has been awaited: a task is awaited once");
        return frame;
    }
    template <class T> auto await_transform(Task<T>&& task) { return AwaitTask<T>(*this, startable(task)); }
    // A task is awaited once, as an rvalue: co_await std::move(task).
    template <class T> void await_transform(Task<T>&) = delete;
    ThisChain await_transform(ThisChain) noexcept { return {{}, chain}; }
    template <class A> auto await_transform(A&& awaitable) {
        if constexpr (std::derived_from<std::remove_cvref_t<A>, Operation>) {
            return Bound<std::remove_reference_t<A>>{{}, awaitable, chain};
        } else {
            return ForeignAwaiter<A&&>(*chain, std::forward<A>(awaitable));
        }
    }
};

template <class T> struct Promise final : PromiseBase, Slot<T> {
    // Not inlined: clang -O2 would else put a child's frame into its parent's, and a frame that cannot be had would no
    // longer be an error that a test can see.
    [[gnu::noinline]] Task<T> get_return_object() noexcept {
        // Frame::handle() counts on it; and g++ 12 aligns no frame for more than that.
        static_assert(alignof(Promise) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return Task<T>(*this);
    }
};

struct [[nodiscard]] Sleep final : Operation {
    explicit Sleep(std::chrono::nanoseconds its_duration) noexcept : duration(its_duration) {}
    void await_resume() const { rethrow(); }
    void attempt(int) noexcept override {
        if (duration <= std::chrono::nanoseconds{0}) return complete();
        chain->arm(chain->worker->timers, deadline_after(duration));
        chain->park();
    }
    Outcome expired() const noexcept override { return Outcome::done; }
    const std::chrono::nanoseconds duration;
};

// A value where the awaitable gives a T&&: that is in the awaitable, which is gone when the result is looked at.
template <class A, class R = AwaitResult<A>> using TaskFor =
    Task<std::conditional_t<std::is_rvalue_reference_v<R>, std::remove_cvref_t<R>, R>>;

}  // namespace detail

// A coroutine that starts when it is awaited, once: `co_await std::move(task)`. Awaiting a moved-from task is a
// std::logic_error. Destroying a task, unstarted, suspended or finished, destroys its frame and everything below it; a
// suspended one must be destroyed on the worker it runs on.
template <class T> class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;
    // What awaiting it gives.
    using value_type = T;

    Task() = default;
    // For a foreign coroutine: the task runs on the thread that awaits it and has no executor, so the first read, write,
    // accept, sleep, timeout or stop token in it is a std::logic_error. Who completes a foreign awaitable runs it on, on its own
    // stack; when a task that it awaits is destroyed, it does not go on.
    auto operator co_await() && { return detail::AwaitFromForeign<T>(promise_type::startable(*this)); }

private:
    friend promise_type;
    friend detail::PromiseBase;
    explicit Task(promise_type& promise) noexcept : owner_(promise) {}
    detail::TaskOwner owner_;
};

// Waits for at least `duration`; does not wait when that is not positive. Throws Cancelled, std::logic_error without an
// executor.
inline detail::Sleep sleep_for(std::chrono::nanoseconds duration) noexcept { return detail::Sleep(duration); }

// Awaits `awaitable`, whose waits end when `duration` has passed; throws TimedOut then, after the awaitable has unwound.
// A result that came first is returned, and a stop that came first throws Cancelled. Not positive: the first wait times
// out. Throws what the awaitable throws; std::bad_alloc; std::logic_error without an executor.
template <class A> detail::TaskFor<A> timeout(std::chrono::nanoseconds duration, A awaitable) {
    detail::Scope scope(co_await detail::ThisChain{}, StopToken());
    duration.count() <= 0 ? scope.deliver() : scope.arm(scope.chain.worker->timers, detail::deadline_after(duration));
    try {
        co_return co_await std::move(awaitable);
    } catch (const Cancelled&) {
        if (scope.fired) throw TimedOut();
        throw;
    }
}

// Awaits `awaitable`, whose waits end with Cancelled when a stop is requested through `token`, or through a token
// further out. Throws what the awaitable throws; std::bad_alloc; std::logic_error without an executor.
template <class A> detail::TaskFor<A> with_stop_token(StopToken token, A awaitable) {
    detail::Scope scope(co_await detail::ThisChain{}, std::move(token));
    co_return co_await std::move(awaitable);
}

}  // namespace acairo::inline ACAIRO_WORLD
