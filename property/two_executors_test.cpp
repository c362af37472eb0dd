// A task of one executor that uses another one: to the other one it comes from outside, and its mistakes change nothing there.
#include "support.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::Task;

constexpr auto ages = std::chrono::hours(10000);

Task<void> nothing() { co_return; }

// What a thread was given is destroyed when it ends: behind its last task, a worker's thread is one like any other.
class WaitsElsewhere {
public:
    void at_the_end(acairo::Executor& work, std::string& ended) {
        work_ = &work;
        ended_ = &ended;
    }
    ~WaitsElsewhere() {
        if (work_) *ended_ = ending_of([&] { work_->sync_wait(nothing); });
    }

private:
    acairo::Executor* work_ = nullptr;
    std::string* ended_ = nullptr;
};
thread_local WaitsElsewhere waits_elsewhere;

TEST(the_thread_of_a_worker_that_has_ended, may_wait_for_another_executor) {
    const auto other = executor();
    std::string ended;
    run([&]() -> Task<void> {
        waits_elsewhere.at_the_end(*other, ended);
        co_return;
    });
    EXPECT_EQ(ended, "returned");
}

thread_local std::shared_ptr<void> kept_by_the_thread;

class the_thread_of_a_worker : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(workers, the_thread_of_a_worker, testing::Values(1, 3));

TEST_P(the_thread_of_a_worker, may_be_the_last_owner_of_its_executor_when_it_ends) {
    std::shared_ptr<acairo::Executor> work = executor(GetParam());
    const auto gone = std::make_shared<std::promise<void>>();
    std::promise<void> kept;
    std::promise<void> released;
    work->spawn([&, gone]() -> Task<void> {
        acairo::Executor& runs = *work;
        kept_by_the_thread = std::shared_ptr<void>(nullptr, [gone, owner = work](void*) mutable {
            owner.reset();
            gone->set_value();
        });
        kept.set_value();
        released.get_future().wait();
        runs.stop();
        co_return;
    });
    kept.get_future().wait();
    work.reset();
    released.set_value();
    gone->get_future().wait();
}

TEST(an_executor_that_drains, refuses_what_a_task_of_another_executor_spawns) {
    const auto work = executor();
    const auto other = executor();
    Event refused;
    work->spawn([&]() -> Task<void> { co_await refused; });
    std::jthread outside([&] {
        // Until it drains.
        while (ending_of([&] { work->spawn(nothing); }) != "Cancelled") std::this_thread::yield();
        other->sync_wait([&]() -> Task<void> {
            EXPECT_EQ(ending_of([&] { work->spawn(nothing); }), "Cancelled");
            co_return;
        });
        refused.set();
    });
    EXPECT_TRUE(work->drain(ages));
}

TEST(a_stream, goes_on_after_tasks_of_another_executor_have_used_it_by_mistake) {
    const auto work = executor();
    const auto other = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    const auto read = [&] { return ending(streams.first->read(1)); };
    const auto write = [&] { return ending(streams.second->write(std::vector<char>{'a'})); };
    EXPECT_EQ(other->sync_wait(read), "logic_error");
    EXPECT_EQ(other->sync_wait(write), "logic_error");
    EXPECT_EQ(work->sync_wait(write), "returned");
    EXPECT_EQ(work->sync_wait(read), "returned");
}

TEST(a_listener, goes_on_after_a_task_of_another_executor_has_used_it_by_mistake) {
    const auto work = executor();
    const auto other = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    EXPECT_EQ(other->sync_wait([&] { return ending(listener.accept()); }), "logic_error");
    work->sync_wait([&]() -> Task<void> {
        const auto near = co_await acairo::TCPStream::connect(work, listener.local_address());
        const auto far = co_await listener.accept();
        EXPECT_EQ(near->local_address(), far->peer_address());
    });
}

}  // namespace
}  // namespace property
