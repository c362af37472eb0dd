// What holds from the moment that a call has returned, before any worker has heard of it: a requested stop, a destroyed task, a wait
// that was refused.
#include <gtest/gtest.h>
#include <acairo/tcp.hpp>
#include <latch>
#include <thread>

namespace property {
namespace {

using acairo::Task;

Task<void> sleeps_for_no_time(std::latch& begun, std::latch& requested) {
    begun.count_down();
    // The worker is held here: what another thread posts to it is not delivered meanwhile.
    requested.wait();
    co_await acairo::sleep_for(std::chrono::nanoseconds(0));
}

TEST(AtOnceTest, a_wait_after_a_request_of_another_thread_is_cancelled_though_it_would_not_wait) {
    acairo::Executor executor({.workers = 1});
    acairo::StopSource source;
    std::latch begun(1), requested(1);
    std::thread requester([&] {
        begun.wait();
        source.request_stop();
        requested.count_down();
    });
    EXPECT_THROW(executor.sync_wait([&]() -> Task<void> {
        co_await acairo::with_stop_token(source.get_token(), sleeps_for_no_time(begun, requested));
    }),
                 acairo::Cancelled);
    requester.join();
}

// What a task that has not begun owns: it asks for the task's end once more.
struct EndsItsTask {
    explicit EndsItsTask(Task<void>& its) : task(&its) {}
    EndsItsTask(EndsItsTask&& other) noexcept : task(std::exchange(other.task, nullptr)) {}
    ~EndsItsTask() {
        if (task) *task = Task<void>();
    }
    Task<void>* task;
};

// By value, so that the frame owns it.
Task<void> never_begun(EndsItsTask) { co_return; }

TEST(AtOnceTest, a_task_that_is_destroyed_is_none_for_what_it_owns) {
    Task<void> task;
    task = never_begun(EndsItsTask(task));
    task = Task<void>();
    EXPECT_THROW(acairo::Executor({.workers = 1}).sync_wait([&]() -> Task<void> { co_await std::move(task); }),
                 std::logic_error);
}

struct ResumedByAThread {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        thread = std::thread([handle] { handle.resume(); });
    }
    void await_resume() { thread.join(); }
    std::thread thread;
};

// Without this, the worker would take what the thread resumes for the wake-up of a wait that never began.
TEST(AtOnceTest, a_wait_that_was_refused_is_none) {
    const auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    acairo::TCPListener listener({}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    listener.stop();
    const bool refused = executor->sync_wait([&]() -> Task<bool> {
        bool stopped = false;
        try {
            co_await listener.accept();
        } catch (const acairo::TCPListenerStoppedError&) { stopped = true; }
        co_await ResumedByAThread();
        co_return stopped;
    });
    EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace property
