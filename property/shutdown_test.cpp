// Shutdown from anywhere at any time: everything unwinds, on a worker, and nothing is left.
#include "support.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::Executor;
using acairo::Task;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

Task<void> nothing() { co_return; }
Task<void> forever() { co_await acairo::sleep_for(ages); }

// Everything that may be in flight: accepts, reads, writes, connects, sleeps, timeouts, tokens, spawns, always-ready tasks.
class Traffic {
public:
    // (Without owning the executor: the tasks never outlive it, and its owner's release shall be the last.)
    Traffic(const std::shared_ptr<Executor>& work, Census& census)
        : work_(std::shared_ptr<void>(), work.get()), census_(census) {
        listener_.emplace(acairo::TCPListenerConfiguration(), work_);
        listener_->bind("127.0.0.1:0");
        listener_->listen();
        const std::string address = listener_->local_address();
        start([this, &counted = census_]() -> Task<void> {
            for (;;) {
                auto stream = co_await listener_->accept();
                work_->spawn([stream, mine = Counted(counted)]() -> Task<void> {
                    std::array<char, 64> buffer;
                    while (const std::size_t size = co_await stream->read_some(buffer)) {
                        co_await stream->write_all(std::span(buffer).first(size));
                    }
                });
            }
        });
        for (int i = 0; i < 4; ++i) {
            // Sends and receives for ever.
            start([this, address]() -> Task<void> {
                const auto stream = co_await acairo::TCPStream::connect(work_, address);
                for (;;) {
                    std::vector<char> message(27, 'x');
                    co_await stream->write(std::move(message));
                    co_await stream->read(27);
                }
            });
        }
        // Waits for bytes that never come, and for a peer that never reads.
        start([this, address]() -> Task<void> {
            const auto stream = co_await acairo::TCPStream::connect(work_, address);
            co_await stream->read(1);
        });
        start([this, address]() -> Task<void> {
            const auto stream = co_await acairo::TCPStream::connect(work_, address);
            const std::vector<char> much(std::size_t{32} << 20, 'x');
            co_await stream->write_all(much);
            co_await stream->read(1);
        });
        start([] { return forever(); });
        start([] { return acairo::timeout(ages, forever()); });
        start([this] { return acairo::with_stop_token(source_.get_token(), forever()); });
        start([]() -> Task<void> {
            for (;;) co_await acairo::sleep_for(0ns);
        });
        start([this]() -> Task<void> {
            for (;;) {
                work_->spawn(nothing);
                co_await acairo::sleep_for(1us);
            }
        });
    }

private:
    template <class F> void start(F callable) {
        work_->spawn([mine = Counted(census_), callable = std::move(callable)] { return callable(); });
    }

    const std::shared_ptr<Executor> work_;
    Census& census_;
    std::optional<acairo::TCPListener> listener_;
    acairo::StopSource source_;
};

// --- from where stop() may be called ---

class shutdown_in_the_middle_of_everything : public testing::TestWithParam<int> {
protected:
    ~shutdown_in_the_middle_of_everything() override {
        // The tasks use the traffic's listener until they have unwound.
        if (work_) work_->drain(0ns);
        if (work_) work_->drain(ages);
        traffic_.reset();
        work_.reset();
        EXPECT_EQ(census_.alive(), 0);
        EXPECT_GE(census_.made(), 10);
    }
    Census census_;
    std::shared_ptr<Executor> work_ = executor(GetParam());
    std::optional<Traffic> traffic_{std::in_place, work_, census_};
};
INSTANTIATE_TEST_SUITE_P(workers, shutdown_in_the_middle_of_everything, testing::Values(1, 3));

TEST_P(shutdown_in_the_middle_of_everything, from_another_thread) {
    settle(*work_, GetParam());
    work_->stop();
    EXPECT_TRUE(work_->drain(ages));
}

TEST_P(shutdown_in_the_middle_of_everything, before_anything_has_happened) {
    work_->stop();
    EXPECT_TRUE(work_->drain(ages));
}

TEST_P(shutdown_in_the_middle_of_everything, by_the_destructor) {
    settle(*work_, GetParam());
    work_.reset();
    EXPECT_EQ(census_.alive(), 0);
}

TEST_P(shutdown_in_the_middle_of_everything, from_inside_a_coroutine) {
    work_->spawn([executor = work_]() -> Task<void> {
        co_await acairo::sleep_for(1ms);
        executor->stop();
        const std::string ended = co_await ending(forever());
        EXPECT_EQ(ended, "Cancelled");
    });
    work_->sync_wait([] { return forever(); });
}

TEST_P(shutdown_in_the_middle_of_everything, twice) {
    work_->sync_wait([executor = work_]() -> Task<void> {
        executor->stop();
        executor->stop();
        co_return;
    });
    work_->stop();
    work_->stop();
    EXPECT_TRUE(work_->drain(ages));
    work_->stop();
}

TEST_P(shutdown_in_the_middle_of_everything, from_several_threads_at_once) {
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) threads.emplace_back([&] { work_->stop(); });
        threads.emplace_back([&] { work_->drain(ages); });
        threads.emplace_back([&] { work_->drain(0ns); });
    }
    EXPECT_TRUE(work_->drain(ages));
}

TEST_P(shutdown_in_the_middle_of_everything, while_other_threads_spawn_and_wait) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            Census mine;
            try {
                for (;;) {
                    for (int j = 0; j < 16; ++j) {
                        work_->spawn([counted = Counted(mine)]() -> Task<void> { co_await acairo::sleep_for(1us); });
                    }
                    // Not more than the workers can bear.
                    static_cast<void>(work_->sync_wait([]() -> Task<int> { co_return 7; }));
                }
            } catch (const acairo::Cancelled&) {}
            work_->drain(ages);
        });
        threads.emplace_back([&] {
            while (ending_of([&] {
                       work_->sync_wait([]() -> Task<int> {
                           co_await acairo::sleep_for(1us);
                           co_return 7;
                       });
                   }) == "returned") {}
        });
    }
    settle(*work_, GetParam());
    work_->stop();
}

TEST_P(shutdown_in_the_middle_of_everything, by_a_drain_whose_time_is_over) {
    EXPECT_FALSE(work_->drain(1ms));
    EXPECT_TRUE(work_->drain(ages));
}

// --- what stop() means ---

TEST(after_stop, every_wait_ends_with_cancelled_and_each_further_one_throws_at_once) {
    const auto work = executor();
    std::string steps;
    work->spawn([&]() -> Task<void> {
        for (int i = 0; i < 3; ++i) steps += co_await ending(forever()) + " ";
        steps += co_await ending(acairo::timeout(ages, forever())) + " ";
        steps += co_await ending(acairo::timeout(0ns, forever())) + " ";
        steps += co_await ending(acairo::sleep_for(0ns));
    });
    settle(*work);
    EXPECT_EQ(steps, "");
    work->stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(steps, "Cancelled Cancelled Cancelled Cancelled Cancelled Cancelled");
}

TEST(after_stop, stop_has_returned_before_the_tasks_have_ended) {
    const auto work = executor();
    Event event;
    bool ended = false;
    work->spawn([&]() -> Task<void> {
        co_await event;  // which a stop does not end
        ended = true;
    });
    settle(*work);
    work->stop();
    EXPECT_FALSE(ended);
    event.set();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_TRUE(ended);
}

TEST(after_stop, frames_unwind_on_their_worker) {
    const auto work = executor(2);
    std::atomic<int> at_home{0};
    struct Check {
        explicit Check(std::atomic<int>& count) : count_(count) {}
        Check(const Check&) = delete;
        Check& operator=(const Check&) = delete;
        ~Check() { count_.fetch_add(std::this_thread::get_id() == home_ ? 1 : 0, std::memory_order_relaxed); }
        std::atomic<int>& count_;
        const std::thread::id home_ = std::this_thread::get_id();
    };
    for (int i = 0; i < 10; ++i) {
        work->spawn([&]() -> Task<void> {
            const Check check(at_home);
            co_await forever();
        });
    }
    settle(*work, 2);
    work->stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(at_home.load(), 10);
}

TEST(after_stop, tasks_that_were_spawned_before_still_run_until_their_first_wait) {
    const auto work = executor(2);
    std::atomic<int> started{0};
    std::atomic<int> cancelled{0};
    for (int i = 0; i < 100; ++i) {
        work->spawn([&]() -> Task<void> {
            started.fetch_add(1, std::memory_order_relaxed);
            if (co_await ending(forever()) == "Cancelled") cancelled.fetch_add(1, std::memory_order_relaxed);
        });
    }
    work->stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(started.load(), 100);
    EXPECT_EQ(cancelled.load(), 100);
}

TEST(after_stop, a_stream_that_the_user_holds_stays_his_to_close) {
    std::shared_ptr<acairo::TCPStream> near;
    std::shared_ptr<acairo::TCPStream> far;
    {
        const auto work = executor();
        Streams streams = work->sync_wait([&] { return connected(work); });
        near = std::move(streams.first);
        far = std::move(streams.second);
        work->stop();
        EXPECT_EQ(near->local_address(), far->peer_address()) << "still open";
    }
    EXPECT_EQ(near->local_address(), far->peer_address()) << "still open";
    near->shutdown();
    near->close();
    EXPECT_EQ(ending_of([&] { static_cast<void>(near->local_address()); }), "bad_file_descriptor");
    far.reset();
}

TEST(after_stop, a_listener_may_outlive_its_executor) {
    std::optional<acairo::TCPListener> listener;
    {
        const auto work = executor();
        listener.emplace(acairo::TCPListenerConfiguration(), work);
        listener->bind("127.0.0.1:0");
        listener->listen();
        work->spawn([&]() -> Task<void> { co_await listener->accept(); });
        settle(*work);
    }
    EXPECT_NE(listener->local_address(), "");
    listener->stop();
}

TEST(after_stop, a_peer_sees_the_end_of_the_streams_that_the_tasks_held) {
    const auto client_work = executor();
    auto server_work = executor();
    auto listener = std::make_unique<acairo::TCPListener>(acairo::TCPListenerConfiguration(), server_work);
    listener->bind("127.0.0.1:0");
    listener->listen();
    Tally accepted;
    server_work->spawn([&]() -> Task<void> {
        const auto stream = co_await listener->accept();
        accepted.add();
        co_await stream->read(1);
    });
    client_work->sync_wait([&]() -> Task<void> {
        const auto stream = co_await acairo::TCPStream::connect(client_work, listener->local_address());
        accepted.wait_for(1);
        server_work->stop();
        std::array<char, 1> buffer;
        const std::size_t size = co_await stream->read_some(buffer);
        EXPECT_EQ(size, 0u);
    });
    server_work.reset();
}

// --- the destructor ---

TEST(the_destructor, of_an_executor_without_tasks_returns) {
    for (int workers = 1; workers < 5; ++workers) executor(workers);
}

TEST(the_destructor, may_run_before_the_workers_have_started) {
    for (int i = 0; i < 100; ++i) executor(2);
}

TEST(the_destructor, leaves_no_task) {
    Census census;
    for (int i = 0; i < 50; ++i) {
        const auto work = executor(2);
        for (int j = 0; j < 5; ++j) work->spawn([counted = Counted(census)]() -> Task<void> { co_await forever(); });
    }
    EXPECT_EQ(census.alive(), 0);
}

// Counts the ends of the worker threads that hold one: what a thread was given is destroyed before.
class ThreadEnd {
public:
    void hold(Tally& tally) { tally_ = &tally; }
    ~ThreadEnd() {
        if (tally_) tally_->add();
    }

private:
    Tally* tally_ = nullptr;
};
thread_local ThreadEnd thread_end;

// The threads of an executor that is destroyed on one of them are nobody's to join.
void note_thread_ends(Executor& work, int workers, Tally& ended) {
    for (int i = 0; i < workers; ++i) {
        work.sync_wait([&]() -> Task<void> {
            thread_end.hold(ended);
            co_return;
        });
    }
}

TEST(the_last_reference, may_be_released_by_a_coroutine) {
    for (const int workers : {1, 3}) {
        Census census;
        Tally ended;
        Event go;
        auto work = executor(workers);
        note_thread_ends(*work, workers, ended);
        for (int i = 0; i < 10; ++i) work->spawn([counted = Counted(census)]() -> Task<void> { co_await forever(); });
        work->spawn([&go, executor = work, counted = Counted(census)]() mutable -> Task<void> {
            co_await go;
            executor.reset();
            const std::string after = co_await ending(forever());
            EXPECT_EQ(after, "Cancelled");
        });
        work.reset();
        go.set();
        ended.wait_for(workers);
        EXPECT_EQ(census.alive(), 0);
    }
}

TEST(the_last_reference, may_be_released_by_the_end_of_a_coroutine) {
    for (const int workers : {1, 3}) {
        Census census;
        Tally ended;
        auto work = executor(workers);
        note_thread_ends(*work, workers, ended);
        for (int i = 0; i < 10; ++i) {
            work->spawn([executor = work, counted = Counted(census), i]() -> Task<void> {
                co_await acairo::sleep_for(i * 50us);
            });
        }
        work.reset();
        ended.wait_for(workers);
        EXPECT_EQ(census.alive(), 0);
    }
}

TEST(the_last_reference, may_be_released_by_a_coroutine_that_spawn_has_just_been_given) {
    for (int i = 0; i < 100; ++i) {
        Tally ended;
        auto work = executor(2);
        note_thread_ends(*work, 2, ended);
        Executor& there = *work;
        // The task may have ended, and the executor with it, before spawn() returns.
        there.spawn([executor = std::move(work)]() -> Task<void> { co_return; });
        ended.wait_for(2);
    }
}

TEST(the_last_reference, may_be_released_by_a_coroutine_of_another_executor) {
    Census census;
    const auto other = executor();
    auto work = executor(2);
    work->spawn([counted = Counted(census)]() -> Task<void> { co_await forever(); });
    other->sync_wait([&census, executor = std::move(work)]() mutable -> Task<void> {
        executor.reset();
        EXPECT_EQ(census.alive(), 0) << "it was joined";
        co_return;
    });
}

TEST(the_last_reference, may_be_released_by_a_stream_handler_while_its_streams_live_on) {
    Tally ended;
    std::shared_ptr<acairo::TCPStream> kept;
    auto work = executor();
    note_thread_ends(*work, 1, ended);
    Streams streams = work->sync_wait([&] { return connected(work); });
    kept = std::move(streams.first);
    work->spawn([executor = std::move(work), far = std::move(streams.second)]() mutable -> Task<void> {
        executor.reset();
        const std::string read = co_await ending(far->read(1));
        EXPECT_EQ(read, "Cancelled");
    });
    ended.wait_for(1);
    EXPECT_NE(kept->local_address(), "");
    kept->close();
}

// --- races, again and again ---

TEST(stop, races_with_everything_again_and_again) {
    for (int i = 0; i < 12; ++i) {
        Census census;
        const auto work = executor(1 + i % 3);
        Traffic traffic(work, census);
        std::jthread stopper([&, i] {
            for (int j = 0; j < i * 10; ++j) std::this_thread::yield();
            work->stop();
        });
        const std::string ended = ending_of([&] {
            for (;;) work->sync_wait([]() -> Task<int> { co_return 7; });
        });
        EXPECT_EQ(ended, "Cancelled");
        EXPECT_TRUE(work->drain(ages));
    }
}

TEST(stop, loses_no_waiting_thread) {
    for (int i = 0; i < 200; ++i) {
        const auto work = executor(2);
        std::jthread waiting([&] { work->sync_wait([] { return forever(); }); });
        std::jthread also_waiting([&] {
            ending_of([&] {
                return work->sync_wait([]() -> Task<int> {
                    co_await forever();
                    co_return 7;
                });
            });
        });
        work->stop();
    }
}

}  // namespace
}  // namespace property
