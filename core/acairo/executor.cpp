// The executor's state: who is alive, who is told to stop.
#include <acairo/executor.hpp>
#include <cstdio>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD {
namespace detail {
namespace {

int at_least_one(int value, const char* name) {
    if (value >= 1) return value;
    throw std::invalid_argument("acairo: ExecutorConfiguration." + std::string(name) + " is " + std::to_string(value) +
                                "; it must be at least 1");
}

void print(const char* what) noexcept { std::fprintf(stderr, "acairo: an exception left a spawned task: %s\n", what); }

}  // namespace

State::State(const ExecutorConfiguration& configuration)
    : budget(at_least_one(configuration.budget, "budget")), on_unhandled_(configuration.on_unhandled) {
    for (int left = at_least_one(configuration.workers, "workers"); left != 0; --left) workers_.emplace_back(*this);
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

bool State::on_worker() const noexcept {
    const Worker* const worker = Worker::current();
    return worker && &worker->state == this;
}

void State::admit() {
    const std::uint64_t refusing = on_worker() ? stopped : stopped | draining;
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    do {
        // In the same read-modify-write as the count: without this, a chain admitted while stop() looks at the count
        // would be posted to workers that have ended.
        if (word & refusing) throw Cancelled();
    } while (
        !word_.compare_exchange_weak(word, word + one_chain, std::memory_order_relaxed, std::memory_order_relaxed));
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
    try {
        if (failure) std::rethrow_exception(failure);
    } catch (const Cancelled&) {
        return;  // a task's normal end
    } catch (const std::exception& error) { on_unhandled_ ? handle(failure) : print(error.what()); } catch (...) {
        on_unhandled_ ? handle(failure) : print("not a std::exception");
    }
}

void State::handle(const std::exception_ptr& failure) const noexcept {
    try {
        on_unhandled_(failure);
    } catch (...) { print("and on_unhandled threw another one"); }
}

}  // namespace detail

Executor::Executor(ExecutorConfiguration configuration) : state_(std::make_shared<detail::State>(configuration)) {
    detail::State::start(state_);
}

Executor::~Executor() {
    state_->stop();
    state_->end_threads();
}

void Executor::stop() noexcept {
    // Its own reference: a task that stop() ends may own this executor.
    const std::shared_ptr<detail::State> state = state_;
    state->stop();
}

bool Executor::drain(std::chrono::nanoseconds duration) {
    refuse_on_worker("drain");
    const std::shared_ptr<detail::State> state = state_;
    return state->drain(duration);
}

void Executor::rethrow(const detail::State& state, std::exception_ptr thrown, bool may_be_stopped) {
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const Cancelled&) {
        if (!may_be_stopped || !state.stopping()) throw;
    }
}

void Executor::refuse_on_worker(const char* call) {
    if (!detail::Worker::current()) return;
    throw std::logic_error("acairo: Executor::" + std::string(call) +
                           " would wait for itself on a worker; call it on another thread");
}

}  // namespace acairo::inline ACAIRO_WORLD
