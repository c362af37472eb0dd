// Executor: worker threads that run tasks; and the state that it shares with them, with its streams and its callers. The
// state lives until the last of them is gone, so that an executor may be destroyed anywhere, its own workers included.
//
// Invariants (of State):
//   1. word_ holds the number of live chains and the flags stopped and draining. Whoever's read-modify-write makes it
//      {stopped, 0 chains} nudges the workers, which then end: none waits for a chain that no longer comes.
//   2. A chain is admitted before it is posted, and released after its frames and its callable are gone.
#pragma once
#include <acairo/timeout.hpp>
#include <functional>

namespace acairo::inline ACAIRO_WORLD {

struct ExecutorConfiguration {
    // Threads that run tasks; at least 1.
    int workers = static_cast<int>(platform::thread::hardware_concurrency());
    // Completions that a task may have without being suspended before it goes to the back of the queue; at least 1.
    int budget = 64;
    // Gets each exception, other than Cancelled, that leaves a spawned task, on the task's worker, after its frame is
    // gone. Null: one line on stderr. What it throws is reported there, too.
    void (*on_unhandled)(std::exception_ptr failure) = nullptr;
};
// g++ 12 destroys temporaries of aggregates with non-trivial members twice in an expression with co_await.
static_assert(std::is_trivially_destructible_v<ExecutorConfiguration>);

namespace detail {

class State : Pinned {
public:
    // Throws std::invalid_argument and std::system_error. Starts no thread.
    explicit State(const ExecutorConfiguration& configuration);
    // Starts one thread for each worker; when the system refuses one, ends those that run and throws std::system_error.
    static void start(const std::shared_ptr<State>& state);
    // Takes a new chain in: throws Cancelled after a stop, and, from outside, while draining.
    void admit();
    void release() noexcept;
    Worker& next_worker() noexcept {
        return workers_[dealt_.fetch_add(1, std::memory_order_relaxed) % workers_.size()];
    }
    void stop() noexcept;
    bool drain(std::chrono::nanoseconds duration);
    // Joins the workers; on one of them, which cannot wait for itself, leaves them alone.
    void end_threads() noexcept;
    // Acquire: what the stopping thread did before stop() is visible to a task that sees it.
    bool stopping() const noexcept { return (word_.load(std::memory_order_acquire) & stopped) != 0; }
    // Acquire: without this, the last worker could free what another one's last chain still wrote.
    bool ended() const noexcept { return (word_.load(std::memory_order_acquire) & ~draining) == stopped; }
    void report(const std::exception_ptr& failure) const noexcept;

    const int budget;
    // A thread outside waits for something that a worker changes.
    platform::mutex mutex;
    platform::condition_variable changed;

private:
    static constexpr std::uint64_t stopped = 1, draining = 2, one_chain = 4;
    bool on_worker() const noexcept { return Worker::current() && &Worker::current()->state == this; }

    void (*const on_unhandled_)(std::exception_ptr);
    platform::atomic<std::uint64_t> word_{0};
    platform::atomic<std::uint32_t> dealt_{0};
    std::deque<Worker> workers_;
    std::deque<platform::thread> threads_;
};

template <class F>
using TaskOf = std::invoke_result_t<F&>;
template <class F>
concept ReturnsTask = std::invocable<F&> && std::same_as<TaskOf<F>, Task<typename TaskOf<F>::value_type>>;

// A chain with its callable, which lives as long as its coroutine: the captures of a lambda coroutine live in it. When
// nothing of them is left, `end` gets the exception that left the task, and releases the chain.
template <class F, class End>
struct Root final : Chain {
    Root(Worker& its_worker, F&& its_callable, End&& its_end)
        : Chain(&its_worker), callable(std::move(its_callable)), end(std::move(its_end)) {}
    bool begin() noexcept override {
        try {
            task = callable();
            set_root(*startable(task.owner_.frame));
            return true;
        } catch (...) {
            failure = std::current_exception();
            return false;
        }
    }
    void finish() noexcept override {
        State& state = worker->state;
        std::exception_ptr thrown = std::exchange(failure, nullptr);
        End last = std::move(end);
        delete this;
        last(state, std::move(thrown));
    }

    F callable;
    End end;
    TaskOf<F> task;
};

// Its own reference to the state: the task may end, and with it the last owner of the executor, before this does.
template <class F, class End>  // NOLINTNEXTLINE(performance-unnecessary-value-param)
void launch(std::shared_ptr<State> state, F callable, End end) {
    auto root = std::make_unique<Root<F, End>>(state->next_worker(), std::move(callable), std::move(end));
    state->admit();
    root->worker->post(*root.release());
}

}  // namespace detail

// Runs tasks on its worker threads. Tasks that a worker has started stay on it: spawn deals them out in turn.
class Executor {
public:
    // Starts the workers. Throws std::invalid_argument (no worker, no budget), std::system_error (the system has no
    // descriptor or thread left; what was started is ended first) and std::bad_alloc.
    explicit Executor(ExecutorConfiguration configuration = {})
        : state_(std::make_shared<detail::State>(configuration)) {
        detail::State::start(state_);
    }
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    // Stops, and waits until every task has unwound and every worker has ended. On one of its own workers it cannot
    // wait: it stops, and the last worker frees what is left.
    ~Executor() {
        state_->stop();
        state_->end_threads();
    }

    // Calls `callable()` on a worker and runs the task that it returns. The callable is moved in and lives until the
    // task has ended. Any thread, any coroutine. Throws Cancelled after stop() (and, from outside, during drain());
    // std::bad_alloc. The callable is destroyed then.
    // `token`: a stop requested there ends the task's waits with Cancelled.
    template <detail::ReturnsTask F>
    void spawn(F callable, StopToken token = {}) {
        // Reported, then released: when drain() has returned, everything has been reported.
        const auto report = [](detail::State& state, const std::exception_ptr& failure) {
            state.report(failure);
            state.release();
        };
        if (token == StopToken()) return detail::launch(state_, std::move(callable), report);
        auto stoppable = [callable = std::move(callable), token]() mutable {
            return with_stop_token(token, callable());
        };
        detail::launch(state_, std::move(stoppable), report);
    }

    // As spawn(), and waits; returns the task's result, or throws its exception, when its frame is gone. When stop()
    // ended it: returns (T is void) or throws Cancelled. Any thread, several at once; on a worker it is a
    // std::logic_error, as it would wait for itself.
    template <detail::ReturnsTask F>
    auto sync_wait(F callable) -> typename detail::TaskOf<F>::value_type {
        using T = typename detail::TaskOf<F>::value_type;
        detail::Slot<T> result;
        const auto body = [&]() -> Task<void> {
            if constexpr (std::is_void_v<T>)
                co_await callable();
            else
                result.return_value(co_await callable());
        };
        run_and_wait(body, std::is_void_v<T>);
        return result.take();
    }

    // Requests that everything ends, and returns at once. From then on every wait ends with Cancelled, and each further
    // wait throws it without being suspended. Any thread, any coroutine, any number of times. Allocates nothing.
    void stop() noexcept {
        // Its own reference: a task that stop() ends may own this executor.
        std::shared_ptr(state_)->stop();
    }

    // Refuses tasks from outside and waits until none is left, `duration` at most; true when none is. Then stops. On a
    // worker it is a std::logic_error.
    bool drain(std::chrono::nanoseconds duration) {
        refuse_on_worker("drain");
        return std::shared_ptr(state_)->drain(duration);
    }

private:
    friend class TCPListener;
    friend class TCPStream;
    template <class F>
    void run_and_wait(F body, bool may_be_stopped) {
        refuse_on_worker("sync_wait");
        const std::shared_ptr<detail::State> state = state_;
        std::exception_ptr thrown;
        bool done = false;
        const auto end = [&](detail::State& shared, std::exception_ptr failure) {
            shared.release();
            // Under the lock: without this, the waiting thread could see `done` and return before notify_all() was
            // called, or could miss the notification between its test and its wait.
            const detail::Lock lock(shared.mutex);
            thrown = std::move(failure);
            done = true;
            shared.changed.notify_all();
        };
        try {
            detail::launch(state, std::move(body), end);
            {
                const detail::Lock lock(state->mutex);
                // NOLINTNEXTLINE(bugprone-infinite-loop): the task's end, on a worker, sets it
                while (!done) state->changed.wait(state->mutex);
            }
            if (thrown) std::rethrow_exception(std::move(thrown));
        } catch (const Cancelled&) {
            if (!may_be_stopped || !state->stopping()) throw;
        }
    }
    static void refuse_on_worker(const char* call);

    const std::shared_ptr<detail::State> state_;
};

}  // namespace acairo::inline ACAIRO_WORLD
