// What the tests share: counted objects, an event that coroutines await, a number that threads wait for, an executor.
//
// Threads: everything here may be used from any thread.
#pragma once
#include <acairo/acairo.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace property {

// Counts the objects that were made over it, and expects in its destructor that each was destroyed, once.
class Census {
public:
    Census() = default;
    Census(const Census&) = delete;
    Census& operator=(const Census&) = delete;
    ~Census() { EXPECT_EQ(alive(), 0) << "objects that were not destroyed (or, negative, destroyed twice)"; }
    int alive() const { return alive_.load(std::memory_order_acquire); }
    int made() const { return made_.load(std::memory_order_acquire); }

private:
    friend class Counted;
    std::atomic<int> alive_{0};
    std::atomic<int> made_{0};
};

// Stands in a frame: as a parameter, a local, a capture, a result.
class Counted {
public:
    explicit Counted(Census& census) : census_(&census) { count(); }
    Counted(const Counted& other) : census_(other.census_) { count(); }
    Counted& operator=(const Counted&) = default;
    ~Counted() { census_->alive_.fetch_sub(1, std::memory_order_acq_rel); }

private:
    void count() {
        census_->alive_.fetch_add(1, std::memory_order_acq_rel);
        census_->made_.fetch_add(1, std::memory_order_acq_rel);
    }
    Census* census_;
};

// A foreign awaitable: one coroutine awaits it, set() resumes that coroutine's handle on the thread that calls it.
class Event {
public:
    void set() {
        void* const waiting = state_.exchange(this, std::memory_order_acq_rel);
        if (waiting && waiting != this) std::coroutine_handle<>::from_address(waiting).resume();
    }
    bool is_set() const { return state_.load(std::memory_order_acquire) == this; }

    class Awaiter {
    public:
        explicit Awaiter(Event& event) : event_(event) {}
        Awaiter(const Awaiter&) = delete;
        Awaiter& operator=(const Awaiter&) = delete;
        // The coroutine may be destroyed while it waits.
        ~Awaiter() {
            if (waiting_) event_.state_.compare_exchange_strong(waiting_, nullptr, std::memory_order_acq_rel);
        }
        bool await_ready() const { return event_.is_set(); }
        bool await_suspend(std::coroutine_handle<> waiting) {
            waiting_ = waiting.address();
            void* expected = nullptr;
            // Nothing here is touched afterwards: another thread may have resumed the coroutine.
            return event_.state_.compare_exchange_strong(expected, waiting.address(), std::memory_order_acq_rel);
        }
        void await_resume() const {}

    private:
        Event& event_;
        void* waiting_ = nullptr;
    };
    Awaiter operator co_await() { return Awaiter(*this); }

private:
    std::atomic<void*> state_{nullptr};  // null, the handle that waits, or this: set
};

// A number that only grows, and that threads wait for.
class Tally {
public:
    void add() {
        const std::lock_guard lock(mutex_);
        ++value_;
        changed_.notify_all();
    }
    void wait_for(int value) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return value_ >= value; });
    }
    int value() {
        const std::lock_guard lock(mutex_);
        return value_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int value_ = 0;
};

// A coroutine of somebody else: it starts at once, runs on whichever thread resumes it, and is destroyed with this object.
class Foreign {
public:
    struct promise_type {
        Foreign get_return_object() { return Foreign(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_always final_suspend() const noexcept { return {}; }
        void return_void() const {}
        void unhandled_exception() { failure = std::current_exception(); }
        std::exception_ptr failure;
    };
    Foreign(Foreign&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    Foreign& operator=(Foreign&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~Foreign() {
        if (frame_) frame_.destroy();
    }
    bool done() const { return frame_.done(); }
    void rethrow() const {
        if (frame_.promise().failure) std::rethrow_exception(frame_.promise().failure);
    }

private:
    explicit Foreign(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

inline std::shared_ptr<acairo::Executor> executor(int workers = 1, int budget = 64) {
    return std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = workers, .budget = budget});
}

// When it returns, each of the executor's `workers` has run what was spawned, posted or ready before, until it waited.
// (It asks each in turn, as spawn() deals; so nothing else may be spawned meanwhile, and nothing may yield for ever.)
inline void settle(acairo::Executor& executor, int workers = 1) {
    for (int i = 0; i < workers; ++i) {
        executor.sync_wait([]() -> acairo::Task<void> { co_return; });
    }
}

// Runs `callable` on a worker of an executor of its own, and returns its task's result.
template <class F> auto run(F callable) { return executor()->sync_wait(std::move(callable)); }

// Two ends of a connection, on `executor`.
using Streams = std::pair<std::shared_ptr<acairo::TCPStream>, std::shared_ptr<acairo::TCPStream>>;
inline acairo::Task<Streams> connected(std::shared_ptr<acairo::Executor> executor) {
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    auto near = co_await acairo::TCPStream::connect(executor, listener.local_address());
    auto far = co_await listener.accept();
    co_return Streams(std::move(near), std::move(far));
}

// How something ended: "returned", or the type of what was thrown.
inline std::string name_of(const std::exception_ptr& thrown) {
    if (!thrown) return "returned";
    try {
        std::rethrow_exception(thrown);
    } catch (const acairo::Cancelled&) { return "Cancelled"; } catch (const acairo::TimedOut&) {
        return "TimedOut";
    } catch (const acairo::EndOfStream&) { return "EndOfStream"; } catch (const acairo::TCPListenerStoppedError&) {
        return "TCPListenerStoppedError";
    } catch (const std::bad_alloc&) { return "bad_alloc"; } catch (const std::system_error& error) {
        return error.code() == std::errc::bad_file_descriptor ? "bad_file_descriptor" : "system_error";
    } catch (const std::invalid_argument&) { return "invalid_argument"; } catch (const std::logic_error&) {
        return "logic_error";
    } catch (int number) { return "int " + std::to_string(number); } catch (...) {
        return "something else";
    }
}

template <class F> std::string ending_of(F function) {
    try {
        static_cast<void>(function());
        return "returned";
    } catch (...) { return name_of(std::current_exception()); }
}

template <class A> acairo::Task<std::string> ending(A awaitable) {
    std::exception_ptr thrown;
    try {
        static_cast<void>(co_await std::move(awaitable));
    } catch (...) { thrown = std::current_exception(); }
    co_return name_of(thrown);
}

}  // namespace property
