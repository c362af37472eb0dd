// The executor's state: who is alive, who is told to stop.
#include <acairo/executor.hpp>

namespace acairo::inline ACAIRO_WORLD {
namespace detail {
namespace {

int at_least_one(int value, const char* name) {
    require(value >= 1, name, value, "it must be at least 1");
    return value;
}

void print(const char* what) noexcept { std::fprintf(stderr, "acairo: an exception left a spawned task: %s\n", what); }

}  // namespace

State::State(const ExecutorConfiguration& configuration)
    : budget(at_least_one(configuration.budget, "ExecutorConfiguration.budget")),
      on_unhandled_(configuration.on_unhandled) {
    for (int left = at_least_one(configuration.workers, "ExecutorConfiguration.workers"); left != 0; --left)
        workers_.emplace_back(*this);
}

void State::start(const std::shared_ptr<State>& state) {
    try {
        // Each thread keeps the state: the executor may be gone before it.
        for (Worker& worker : state->workers_) state->threads_.emplace_back([state, &worker] { worker.run(); });
    } catch (...) {
        state->stop();
        state->end_threads();
        throw;
    }
}

void State::admit() {
    const std::uint64_t refusing = on_worker() ? stopped : stopped | draining;
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    do {
        // In the same read-modify-write as the count: without this, a chain admitted while stop() looks at the count
        // would be posted to workers that have ended.
        if (word & refusing) throw Cancelled();
    } while (!word_.compare_exchange_weak(word, word + one_chain, std::memory_order_relaxed));
}

void State::release() noexcept {
    // Release and acquire: who sees that no chain is left sees everything that the chains did.
    const std::uint64_t left = word_.fetch_sub(one_chain, std::memory_order_acq_rel) - one_chain;
    if (left >= one_chain || left == 0) return;
    if (left & stopped) {
        for (const Worker& worker : workers_) worker.nudge();
    }
    // Under the lock: without this, drain() could miss the notification between its test and its wait.
    const Lock lock(mutex);
    changed.notify_all();
}

void State::stop() noexcept {
    if (word_.fetch_or(stopped, std::memory_order_acq_rel) & stopped) return;
    for (Worker& worker : workers_) worker.post_stop();
}

bool State::drain(std::chrono::nanoseconds duration) {
    const std::chrono::nanoseconds deadline = deadline_after(duration);
    word_.fetch_or(draining, std::memory_order_acq_rel);
    const auto none_left = [&] { return word_.load(std::memory_order_acquire) < one_chain; };
    {
        const Lock lock(mutex);
        while (!none_left() && changed.wait_until(mutex, deadline)) {}
    }
    const bool drained = none_left();
    stop();
    return drained;
}

void State::end_threads() noexcept {
    for (platform::thread& thread : threads_) on_worker() ? thread.detach() : thread.join();
}

void State::report(const std::exception_ptr& failure) const noexcept {
    if (!failure) return;
    try {
        try {
            std::rethrow_exception(failure);
        } catch (const Cancelled&) {  // a task's normal end
        } catch (...) {
            if (!on_unhandled_) throw;
            on_unhandled_(failure);
        }
    } catch (const std::exception& error) { print(error.what()); } catch (...) {
        print("not a std::exception");
    }
}

}  // namespace detail

void Executor::refuse_on_worker(const char* call) {
    if (!detail::Worker::current()) return;
    throw std::logic_error("acairo: Executor::" + std::string(call) +
                           " would wait for itself on a worker; call it on another thread");
}

}  // namespace acairo::inline ACAIRO_WORLD
