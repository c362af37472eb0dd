// Task<T>: a lazy coroutine that returns a T, and what its promise needs. T may be void, a reference, move-only, and need
// not be default-constructible.
//
// Threads: a task runs on the worker of its chain; a Task object that has started is moved and destroyed there too.
// Invariant: a task's frame is destroyed as soon as its awaiter has taken the result: a chain of completed tasks does not
// stand around to be destroyed recursively.
#pragma once
#include <acairo/foreign.hpp>
#include <concepts>
#include <optional>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD {

template <class T = void>
class Task;

namespace detail {

template <class T>
struct AwaitFromForeign;
template <class F, class End>
struct Root;

// What a task awaits to get the chain that it runs in.
struct ThisChain : std::suspend_never {
    Chain& await_resume() const noexcept { return *chain; }
    Chain* chain = nullptr;
};

// An operation that is awaited, by reference. Without this, g++ 12 keeps a second one in the frame.
template <class O>
struct Bound {
    bool await_ready() const { return operation.await_ready(); }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    decltype(auto) await_resume() const { return operation.await_resume(); }
    O& operation;
};

// Room for a T that comes later.
template <class T>
struct Slot {
    template <class U = T>
        requires std::constructible_from<T, U>
    void return_value(U&& from) {
        if constexpr (std::is_reference_v<T>)
            value = std::addressof(from);
        else
            value.emplace(std::forward<U>(from));
    }
    T take() { return static_cast<T&&>(*value); }

    std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, std::optional<T>> value{};
};
template <>
struct Slot<void> {
    void return_void() const noexcept {}
    void take() const noexcept {}
};

struct PromiseBase : Frame {
    using Frame::Frame;
    struct Final : std::suspend_always {
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            PromiseBase& promise = ended.promise();
            promise.chain->ascend(promise);
        }
    };

    std::suspend_always initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { chain->failure = std::current_exception(); }

    template <class T>
    auto await_transform(Task<T>&& task);
    template <class T>
    void await_transform(Task<T>&) = delete;  // a task is awaited once, as an rvalue: co_await std::move(task)
    ThisChain await_transform(ThisChain) noexcept { return {{}, chain}; }
    template <class A>
    auto await_transform(A&& awaitable) {
        if constexpr (std::derived_from<std::remove_cvref_t<A>, Operation>) {
            awaitable.bind(*chain);
            return Bound<std::remove_reference_t<A>>{awaitable};
        } else {
            return ForeignAwaiter<A&&>(*chain, std::forward<A>(awaitable));
        }
    }
};

template <class T>
struct Promise final : PromiseBase, Slot<T> {
    Promise() noexcept : PromiseBase(std::coroutine_handle<Promise>::from_promise(*this)) {}
    // Not inlined: clang -O2 would else put a child's frame into its parent's, and a frame that cannot be had would no
    // longer be an error that a test can see.
    [[gnu::noinline]] Task<T> get_return_object() noexcept { return Task<T>(*this); }
};

// Throws std::logic_error when there is no task, or it was awaited.
inline Frame* startable(Frame* task) {
    const char* const why = !task                 ? "was moved from, or has been awaited"
                            : task->handle.done() ? "has ended"
                            : task->chain         ? "is being awaited"
                                                  : nullptr;
    if (!why) return task;
    throw std::logic_error(std::string("acairo: this task ") + why + ": a task is awaited once");
}

// Destroys the owner's frame and rethrows its chain's exception, when there is one.
inline void rethrow(Chain& chain, TaskOwner& owner) {
    if (!chain.failure) return;
    std::exception_ptr failure = std::exchange(chain.failure, nullptr);
    owner.reset();
    std::rethrow_exception(std::move(failure));
}

// A task that awaits a task, in the frame of the one that awaits.
template <class T>
struct [[nodiscard]] AwaitTask final : Awaiting {
    explicit AwaitTask(Frame* task) { child = startable(task); }
    ~AwaitTask() {
        if (!child) return;
        // It has ended and nobody takes its result. Without this, it would know a chain that may be gone before it.
        child->chain = nullptr;
        child->awaiting = nullptr;
    }
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> waiting) noexcept {
        parent = &waiting.promise();
        parent->chain->descend(*this);
    }
    T await_resume() {
        if (!child) throw Cancelled();
        rethrow(*parent->chain, *child->owner);
        auto* const ended = static_cast<Promise<T>*>(std::exchange(child, nullptr));
        const TaskOwner destroyed_after_the_result = std::move(*ended->owner);
        return ended->take();
    }
};

}  // namespace detail

// A coroutine that starts when it is awaited, once: `co_await std::move(task)`. Awaiting a moved-from task is a
// std::logic_error. Destroying a task, unstarted, suspended or finished, destroys its frame and everything below it; a
// suspended one must be destroyed on the worker it runs on.
template <class T>
class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;
    using value_type = T;

    Task() = default;
    // For a foreign coroutine: the task runs on the thread that awaits it and has no executor, so the first read, write,
    // accept, sleep, timeout or stop token in it is a std::logic_error.
    auto operator co_await() && { return detail::AwaitFromForeign<T>(owner_.frame); }

private:
    friend promise_type;
    friend detail::PromiseBase;
    template <class, class>
    friend struct detail::Root;
    explicit Task(promise_type& promise) noexcept : owner_(promise) {}
    detail::TaskOwner owner_;
};

namespace detail {

template <class T>
auto PromiseBase::await_transform(Task<T>&& task) {
    return AwaitTask<T>(task.owner_.frame);
}

// A foreign coroutine that awaits a task, in its frame: the task's chain is here, and has no worker.
template <class T>
struct [[nodiscard]] AwaitFromForeign final : Chain {
    explicit AwaitFromForeign(Frame* task) : Chain(nullptr), root(startable(task)) { set_root(*root); }
    ~AwaitFromForeign() {
        if (leaf_) root->owner->reset();
    }
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        waiting = handle;
        return !run_tasks();
    }
    T await_resume() {
        rethrow(*this, *root->owner);
        return static_cast<Promise<T>*>(root)->take();
    }
    void finish() noexcept override { waiting.resume(); }

    Frame* const root;
    std::coroutine_handle<> waiting;
};

}  // namespace detail
}  // namespace acairo::inline ACAIRO_WORLD
