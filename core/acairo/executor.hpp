// Executor: worker threads that run tasks; and the state that it shares with them, with its streams and its callers. The
// state lives until the last of them is gone, so that an executor may be destroyed anywhere, its own workers included.
//
// Invariants (of State):
//   1. `word` holds the number of live chains and the flags stopped and draining. Whoever's read-modify-write makes it
//      {stopped, 0 chains} nudges the workers, which then end: none waits for a chain that no longer comes.
//   2. A chain is admitted before it is posted, and released after its frames and its callable are gone.
#pragma once
#include <acairo/task.hpp>
#include <functional>

namespace acairo::inline ACAIRO_WORLD {

// How many threads an executor has, and how it treats its tasks.
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

struct State final : Lifetime {
    // Throws std::invalid_argument and std::system_error. Starts no thread.
    explicit State(const ExecutorConfiguration& its) : Lifetime(its.budget), on_unhandled(its.on_unhandled) {
        require(budget >= 1, "ExecutorConfiguration.budget", budget, "it must be at least 1");
        require(its.workers >= 1, "ExecutorConfiguration.workers", its.workers, "it must be at least 1");
        for (int i = 0; i < its.workers; ++i) workers.emplace_back(*this);
    }
    bool on_worker() const noexcept { return Worker::current() && &Worker::current()->executor == this; }
    // Takes a new chain in: throws Cancelled after a stop, and, from outside, while draining.
    void admit() {
        const std::uint64_t refusing = on_worker() ? stopped : stopped | draining;
        // Acquire, here and below: who is refused sees what the stopping or draining thread did before.
        std::uint64_t old = word.load(std::memory_order_acquire);
        // In the same read-modify-write as the count: without this, a chain admitted while stop() looks at the count
        // would be posted to workers that have ended.
        while ((old & refusing) == 0)
            if (word.compare_exchange_weak(old, old + one_chain, std::memory_order_acquire)) return;
        throw Cancelled();
    }
    void release() noexcept {
        // Release and acquire: who sees that no chain is left sees everything that the chains did.
        const std::uint64_t left = word.fetch_sub(one_chain, std::memory_order_acq_rel) - one_chain;
        if (left >= one_chain || left == 0) return;
        if (left & stopped)
            for (const Worker& worker : workers) worker.nudge();
        // Under the lock: without this, drain() could miss the notification between its test and its wait.
        const Lock lock(mutex);
        changed.notify_all();
    }
    Worker& next_worker() noexcept { return workers[dealt.fetch_add(1, std::memory_order_relaxed) % workers.size()]; }
    void stop() noexcept {
        if (word.fetch_or(stopped, std::memory_order_release) & stopped) return;
        for (Worker& worker : workers) worker.post(worker);
    }
    // A thread outside waits for something that a worker changes; until `deadline` at most, when there is one: true when it came.
    bool wait(const auto& over, std::optional<std::chrono::nanoseconds> deadline = {}) {
        const Lock lock(mutex);
        while (!over() && (deadline ? changed.wait_until(mutex, *deadline) : (changed.wait(mutex), true))) {}
        return over();
    }
    void report(const std::exception_ptr& failure) const noexcept try {
        try {
            if (failure) std::rethrow_exception(failure);
        } catch (const Cancelled&) {
            return;  // a task's normal end
        } catch (...) {
            if (!on_unhandled) throw;
            on_unhandled(failure);
        }
    } catch (const std::exception& error) { print(error.what()); } catch (...) {
        print("not a std::exception");
    }
    static void print(const char* what) noexcept {
        std::fprintf(stderr, "acairo: an exception left a spawned task: %s\n", what);
    }

    void (*const on_unhandled)(std::exception_ptr);
    platform::atomic<std::uint32_t> dealt{0};
    std::deque<Worker> workers;
    std::deque<platform::thread> threads;
    platform::mutex mutex;
    platform::condition_variable changed;
};

template <class F> using TaskOf = std::invoke_result_t<F&>;
template <class F>
concept ReturnsTask = std::invocable<F&> && std::same_as<TaskOf<F>, Task<typename TaskOf<F>::value_type>>;

// A chain with its callable, which lives as long as its coroutine: the captures of a lambda coroutine live in it. When
// nothing of them is left, `end` gets the exception that left the task, and releases the chain.
template <class F, class End> struct Root final : Chain {
    Root(Worker& on, F&& called, End&& last) : Chain(&on), callable(std::move(called)), end(std::move(last)) {}
    void run() noexcept override {
        // Behind the handler, which has the exception, too.
        try {
            if (!leaf) task = callable(), set_root(*PromiseBase::startable(task));
        } catch (...) { failure = std::current_exception(); }
        leaf ? Chain::run() : finish();
    }
    void finish() noexcept override {
        auto& state = static_cast<State&>(worker->executor);
        std::exception_ptr thrown = std::exchange(failure, nullptr);
        End last = std::move(end);
        delete this;
        // Its only owner from now on (libc++ does not move one): without this, it could be destroyed behind the release.
        last(state, std::exchange(thrown, nullptr));
    }

    F callable;
    [[no_unique_address]] End end;
    TaskOf<F> task;
};

// Its own reference to the state: the task may end, and with it the last owner of the executor, before this does.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
template <class F, class End> void launch(std::shared_ptr<State> state, F callable, End end) {
    auto root = std::make_unique<Root<F, End>>(state->next_worker(), std::move(callable), std::move(end));
    state->admit();
    root->worker->post(*root.release());
}

}  // namespace detail

// Runs tasks on its worker threads. Tasks that a worker has started stay on it: spawn deals them out in turn.
class Executor : detail::Pinned {
public:
    // Starts the workers. Throws std::invalid_argument (no worker, no budget), std::system_error (the system has no
    // descriptor or thread left; what was started is ended first) and std::bad_alloc.
    explicit Executor(ExecutorConfiguration configuration = {})
        : Executor(std::make_shared<detail::State>(configuration)) {
        // Each thread keeps the state: the executor may be gone before it. When the system refuses one, the destructor
        // ends those that run.
        for (detail::Worker& worker : state_->workers)
            state_->threads.emplace_back([state = state_, &worker] { worker.run(); });
    }
    // Stops, and waits until every task has unwound and every worker has ended. On one of its own workers it cannot
    // wait: it stops, and the last worker frees what is left.
    ~Executor() {
        state_->stop();
        // Behind run(), too, a worker's thread may be the last owner: what is thread_local there is destroyed then.
        for (platform::thread& thread : state_->threads)
            state_->on_worker() || thread.get_id() == platform::this_thread() ? thread.detach() : thread.join();
    }

    // Calls `callable()` on a worker and runs the task that it returns. The callable is moved in and lives until the
    // task has ended. Any thread, any coroutine. Throws Cancelled after stop() (and, from outside, during drain());
    // std::bad_alloc. The callable is destroyed then.
    // `token`: a stop requested there ends the task's waits with Cancelled.
    template <detail::ReturnsTask F> void spawn(F callable, StopToken token = {}) {
        // Reported, destroyed, then released: when drain() has returned, nothing of it is left.
        const auto report = [](detail::State& state, std::exception_ptr failure) {
            state.report(std::exchange(failure, nullptr));
            state.release();
        };
        if (token == StopToken()) return detail::launch(state_, std::move(callable), report);
        auto stoppable = [f = std::move(callable), token]() mutable { return with_stop_token(token, f()); };
        detail::launch(state_, std::move(stoppable), report);
    }

    // As spawn(), and waits; returns the task's result, or throws its exception, when its frame is gone. When stop()
    // ended it: returns (T is void) or throws Cancelled. Any thread, several at once; on a worker it is a
    // std::logic_error, as it would wait for itself.
    template <detail::ReturnsTask F> auto sync_wait(F callable) -> typename detail::TaskOf<F>::value_type {
        refuse_on_worker("Executor::sync_wait");
        using T = typename detail::TaskOf<F>::value_type;
        const std::shared_ptr<detail::State> state = state_;
        detail::Slot<T> result;
        std::exception_ptr thrown;
        bool done = false;
        const auto body = [&]() -> Task<void> {
            if constexpr (std::is_void_v<T>)
                co_await callable();
            else
                result.return_value(co_await callable());
        };
        const auto end = [&](detail::State& shared, std::exception_ptr failure) {
            shared.release();
            // Under the lock: without this, the waiting thread could see `done` and return before notify_all() was
            // called, or could miss the notification between its test and its wait.
            const detail::Lock lock(shared.mutex);
            std::swap(thrown, failure);
            done = true;
            shared.changed.notify_all();
        };
        try {
            detail::launch(state, body, end);
            state->wait([&] { return done; });
            if (thrown) std::rethrow_exception(std::move(thrown));
        } catch (const Cancelled&) {
            if (!std::is_void_v<T> || !state->stopping()) throw;
        }
        return result.take();
    }

    // Requests that everything ends, and returns at once. From then on every wait ends with Cancelled, and each further
    // wait throws it without being suspended. Any thread, any coroutine, any number of times. Allocates nothing.
    // With its own reference: a task that it ends may own this executor.
    void stop() noexcept { std::shared_ptr(state_)->stop(); }

    // Refuses tasks from outside and waits until none is left, `duration` at most; true when none is. Then stops. On a
    // worker it is a std::logic_error.
    bool drain(std::chrono::nanoseconds duration) {
        refuse_on_worker("Executor::drain");
        const std::shared_ptr<detail::State> state = state_;
        state->word.fetch_or(detail::State::draining, std::memory_order_release);
        // Acquire: as release() has it.
        const auto none_left = [&] { return state->word.load(std::memory_order_acquire) < detail::State::one_chain; };
        const bool drained = state->wait(none_left, detail::deadline_after(duration));
        state->stop();
        return drained;
    }

private:
    friend class TCPListener;
    friend class TCPStream;
    explicit Executor(std::shared_ptr<detail::State> state) noexcept : state_(std::move(state)) {}
    static void refuse_on_worker(const std::string& call) {
        if (detail::Worker::current()) detail::misuse(call + " would wait for itself; call it on another thread");
    }
    const std::shared_ptr<detail::State> state_;
};

}  // namespace acairo::inline ACAIRO_WORLD
