// The 56 defects that were found in the article's own implementation: each is a test that would have shown it, or has its
// reason here. The number stands in front of each test below; the others:
//
//    1  what does not compile in C++20 ........ every file here is C++20, under g++ and clang
//    2  C++17 flags, no warnings .............. the static_assert below; CMakeLists.txt and CMakePresets.json
//    3  atomics never initialized ............. below; counts/ runs everything on memory painted with 0xFF
//    4  a flag never initialized .............. as 3
//    5  0 bytes taken for progress ............ StreamTest.read_at_the_end_throws_EndOfStream_that_carries_what_came_before
//    6  SO_ERROR read for a log ............... StreamTest.RST_ends_a_read_that_waits_with_its_error
//    8  SIGPIPE ............................... StreamTest.writes_to_a_peer_that_is_gone_fail_without_SIGPIPE
//    9  EMFILE ends the accepts ............... ListenerTest.accept_pauses_when_no_descriptor_is_left_...; each errno: scripted/
//   10  an accepted descriptor leaks .......... FaultsTest in counts/; each call: scripted/
//   11  a listening descriptor leaks .......... ListenerTest.bind_may_be_tried_again_after_it_failed_and_leaks_nothing
//   12  a bad address binds 0.0.0.0 ........... BadAddressTest
//   13  atoi ports, no IPv6 ................... BadAddressTest, GoodAddressTest
//   14  descriptor 0 refused .................. ListenerTest.a_listener_may_have_descriptor_0, ..._an_accepted_stream_...
//   15  a second stop closes a stranger ....... ListenerTest.a_second_stop_leaves_the_descriptor_that_now_has_the_number
//   16  close(2) retried on EINTR ............. FaultsTest in counts/
//   19  sizes as int .......................... ReadSizeTest
//   20  bytes of a failed read are lost ....... StreamTest.a_cancelled_read_leaves_its_bytes_for_the_next_read and the like
//   21  write keeps a reference ............... StreamTest.write_owns_its_bytes_from_the_call_on
//   23  a second reader hangs ................. StreamTest.a_second_reader_is_a_logic_error_and_the_first_one_goes_on
//   29  a move forgets the state .............. 26: there is one task type
//   35  cleanup that awaits is forgotten ...... PeersTest.a_peer_sees_its_end_although_the_cleanup_of_its_handler_awaits_again
//   45  a poll every 10 ms .................... IdleTest
//   46  one lock around every batch ........... EchoCountsTest.no_lock_... in counts/
//   47  RDHUP, PRI and lone HUP dropped ....... StreamTest.FIN_that_comes_with_bytes_ends_a_read_that_waits, .._urgent_..;
//                                               ListenerTest.stop_ends_a_waiting_accept_with_TCPListenerStoppedError
//   51  equal random ids in each thread ....... nothing here is random, and nothing has an id
//   52  strerror, and a clobbered errno ....... StreamTest.a_failed_call_is_named_in_its_error; the seam returns -errno
//   56  a test that asserts nothing ........... each test here was seen to fail over a broken copy of the core
// Covers: 10.2 C++17; 10.3 atomics without a value; 10.4 a flag without a value; 10.18 descriptors that children inherit
// Covers: 10.34 the first part of a task on its caller's thread; 10.49 units of work are copied; 10.50 workers counted in eight bits
#include <pthread.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <optional>
#include <thread>

#include "socket_test.hpp"
#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::Executor;
using acairo::ExecutorConfiguration;
using acairo::Task;
using acairo::TCPListener;
using acairo::TCPStream;
using property::Census;
using property::Counted;
using sockets::bytes;
using sockets::exception_of;
using sockets::message_of;
using sockets::Running;

// 2: the article is compiled as C++17, where its atomics have no value at first.
static_assert(__cplusplus >= 202002L);

class DefectsTest : public sockets::SocketTest {};

std::atomic<int> unhandled{0};
void count_unhandled(std::exception_ptr) { unhandled.fetch_add(1, std::memory_order_relaxed); }

// --- the executor ----------------------------------------------------------------------------------------------------

// 3: the article leaves its flags without a value, and its threads may end at once.
TEST_F(DefectsTest, an_executor_does_not_depend_on_what_was_in_its_memory) {
    for (const int paint : {0x00, 0xff}) {
        alignas(Executor) unsigned char memory[sizeof(Executor)];
        std::memset(memory, paint, sizeof memory);
        auto* const executor = ::new (memory) Executor(ExecutorConfiguration{.workers = 1});
        EXPECT_EQ(executor->sync_wait([]() -> Task<int> { co_return 7; }), 7);
        executor->~Executor();
    }
}

// 7: the article's stop waits until every worker is idle, and one busy handler keeps it for ever.
TEST_F(DefectsTest, stop_returns_at_once_although_a_worker_is_busy) {
    std::promise<void> busy;
    std::promise<void> go_on;
    executor_->spawn([&]() -> Task<void> {
        busy.set_value();
        go_on.get_future().wait();
        co_return;
    });
    busy.get_future().wait();
    executor_->stop();
    go_on.set_value();
    executor_.reset();
}

// 24: the article catches std::exception inside noexcept functions: anything else ends the process.
TEST_F(DefectsTest, any_type_may_be_thrown_by_a_task) {
    unhandled.store(0, std::memory_order_relaxed);
    auto executor = std::make_shared<Executor>(ExecutorConfiguration{.workers = 1, .on_unhandled = count_unhandled});
    EXPECT_THROW(executor->sync_wait([]() -> Task<void> {
        throw 42;
        co_return;
    }),
                 int);
    executor->spawn([]() -> Task<void> {
        throw 42;
        co_return;
    });
    executor.reset();
    EXPECT_EQ(unhandled.load(std::memory_order_relaxed), 1);
}

// 22: the article keeps a reference to the callable, and a lambda's captures are gone after its first wait.
TEST_F(DefectsTest, what_a_spawned_lambda_captures_lives_as_long_as_its_coroutine) {
    Pair pair = connected();
    Census census;
    std::promise<std::string> read;
    executor_->spawn(
        [stream = pair.stream, counted = Counted(census), text = std::string(100, 'x'), &read]() -> Task<void> {
            co_await stream->read(1);
            read.set_value(text);
        });
    settle();
    EXPECT_EQ(census.alive(), 1);
    pair.client.send("a");
    EXPECT_EQ(read.get_future().get(), std::string(100, 'x'));
    settle();
    EXPECT_EQ(census.alive(), 0);
}

// 30, 31: the article walks its map without its mutex, and reads a plain bool without the lock. (TSan is the judge.)
TEST_F(DefectsTest, stop_races_with_everything) {
    for (int round = 0; round < 10; ++round) {
        use_workers(2);
        Pair pair = connected();
        std::vector<Running> reads;
        std::thread spawner([&] {
            for (int i = 0; i < 50; ++i) {
                if (exception_of([&] {
                        reads.push_back(start([&] { return acairo::sleep_for(sockets::for_ever); }));
                    }) != "none") {
                    return;
                }
            }
        });
        std::thread closer([&] { pair.stream->close(); });
        Running read = start([&] { return pair.stream->read(1); });
        executor_->stop();
        spawner.join();
        closer.join();
        executor_.reset();
        EXPECT_THAT(read.ending(), testing::AnyOf("Cancelled", "EBADF"));
        for (Running& one : reads) EXPECT_EQ(one.ending(), "Cancelled");
    }
}

// 32: the article notifies without the waiter's mutex: now and then, sync_wait sleeps for ever.
TEST_F(DefectsTest, sync_wait_returns_whenever_stop_comes) {
    for (int round = 0; round < 100; ++round) {
        use_workers(1);
        std::thread stopper([this] { executor_->stop(); });
        executor_->sync_wait([]() -> Task<void> { co_await acairo::sleep_for(sockets::for_ever); });
        stopper.join();
    }
}

// 33: the article's sync_wait returns at stop while the frame still refers to the caller's locals, and drops its exception.
TEST_F(DefectsTest, sync_wait_returns_when_the_frame_is_gone_and_drops_no_exception) {
    Census census;
    std::thread stopper;
    EXPECT_EQ(exception_of([&] {
                  executor_->sync_wait([&]() -> Task<void> {
                      const Counted in_frame(census);
                      stopper = std::thread([this] { executor_->stop(); });
                      try {
                          co_await acairo::sleep_for(sockets::for_ever);
                      } catch (const acairo::Cancelled&) {}
                      throw std::invalid_argument("in the cleanup");
                  });
              }),
              "invalid_argument");
    EXPECT_EQ(census.alive(), 0);
    stopper.join();
}

// 34: the article's sync_wait runs the first part of the coroutine on its caller's thread, beside the workers.
TEST_F(DefectsTest, sync_wait_runs_its_task_on_a_worker_and_may_be_called_by_several_threads) {
    use_workers(2);
    const auto where = [this] {
        return executor_->sync_wait([]() -> Task<std::thread::id> { co_return std::this_thread::get_id(); });
    };
    std::thread::id elsewhere;
    std::thread other([&] { elsewhere = where(); });
    const std::thread::id here = where();
    EXPECT_NE(here, std::this_thread::get_id());
    EXPECT_NE(here, other.get_id());
    other.join();
    EXPECT_NE(elsewhere, std::this_thread::get_id());
}

// 36: the article's stop joins its own worker when a coroutine calls it.
TEST_F(DefectsTest, a_coroutine_may_stop_its_executor) {
    std::string after;
    Running stopper = start([&]() -> Task<void> {
        executor_->stop();
        after = co_await sockets::ending([] { return acairo::sleep_for(sockets::for_ever); });
    });
    EXPECT_EQ(stopper.ending(), "done");
    EXPECT_EQ(after, "Cancelled");
}

// 37, 39: the article's stop joins twice when it is called twice, and its pause and stop share one flag.
TEST_F(DefectsTest, stop_and_drain_may_be_called_by_many_threads_at_once) {
    for (int round = 0; round < 20; ++round) {
        use_workers(2);
        Running sleep = start([] { return acairo::sleep_for(sockets::for_ever); });
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([this] { executor_->stop(); });
            threads.emplace_back([this] { (void)executor_->drain(0ms); });
        }
        for (std::thread& thread : threads) thread.join();
        executor_->stop();
        EXPECT_EQ(sleep.ending(), "Cancelled");
    }
}

// 38: the article drops what a running task spawns while it drains, and takes what is spawned after stop to never run it.
TEST_F(DefectsTest, drain_runs_what_running_tasks_spawn_and_spawn_after_stop_is_refused) {
    std::atomic<int> generations{0};
    std::function<void()> spawn = [&] {
        executor_->spawn([&]() -> Task<void> {
            co_await acairo::sleep_for(1ms);
            if (generations.fetch_add(1, std::memory_order_relaxed) < 5) spawn();
        });
    };
    spawn();
    EXPECT_TRUE(executor_->drain(sockets::for_ever));
    EXPECT_EQ(generations.load(std::memory_order_relaxed), 6);
    Census census;
    EXPECT_EQ(exception_of([&] { executor_->spawn([counted = Counted(census)]() -> Task<void> { co_return; }); }),
              "Cancelled");
    EXPECT_EQ(census.alive(), 0);
}

// 40: when epoll_create1 fails, the article's constructor hangs in the destructor of a condition variable.
TEST_F(DefectsTest, an_executor_that_cannot_have_its_descriptors_is_an_error_and_leaks_none) {
    const std::set<int> before = sockets::open_descriptors();
    const auto construct = [] { const Executor executor(ExecutorConfiguration{.workers = 2}); };
    {
        sockets::NoMoreDescriptors none;
        std::string error;
        for (int allowed = 0; (error = exception_of(construct)) != "none"; ++allowed) {
            EXPECT_EQ(error, "EMFILE");
            EXPECT_THAT(message_of(construct), testing::HasSubstr(allowed % 2 == 0 ? "epoll_create1" : "eventfd"));
            ASSERT_LE(allowed, 3) << "two workers have two descriptors each";
            none.allow_one_more();
        }
    }
    EXPECT_EQ(sockets::open_descriptors(), before);
}

extern "C" void do_nothing(int) {}

// 41: an error of epoll_wait, EINTR too, ends the article's process.
TEST_F(DefectsTest, signals_do_not_disturb_the_workers) {
    struct sigaction interrupt{};
    interrupt.sa_handler = do_nothing;
    struct sigaction before{};
    ::sigaction(SIGUSR1, &interrupt, &before);
    {
        Pair pair = connected();
        const pthread_t worker = executor_->sync_wait([]() -> Task<pthread_t> { co_return ::pthread_self(); });
        Running echo = start([&]() -> Task<void> {
            for (;;) co_await pair.stream->write(co_await pair.stream->read(4));
        });
        for (int i = 0; i < 200; ++i) {
            ::pthread_kill(worker, SIGUSR1);
            pair.client.send("ping");
            ::pthread_kill(worker, SIGUSR1);
            EXPECT_EQ(pair.client.receive(4), "ping");
        }
        pair.client.close();
        EXPECT_EQ(echo.ending(), "EndOfStream after \"\"");
    }
    ::sigaction(SIGUSR1, &before, nullptr);
}

// 49: the article copies each unit of work with everything that it captured.
TEST_F(DefectsTest, a_callable_is_moved_and_never_copied) {
    auto only = std::make_unique<int>(7);
    EXPECT_EQ(executor_->sync_wait([only = std::move(only)]() -> Task<int> { co_return *only; }), 7);
    std::promise<int> spawned;
    auto another = std::make_unique<int>(8);
    executor_->spawn([another = std::move(another), &spawned]() -> Task<void> {
        spawned.set_value(*another);
        co_return;
    });
    EXPECT_EQ(spawned.get_future().get(), 8);
}

// 50: the article counts its workers in a uint8_t: 256 are none, and with none sync_wait hangs.
TEST_F(DefectsTest, any_number_of_workers_but_none_works) {
    for (const int workers : {0, -1, std::numeric_limits<int>::min()}) {
        EXPECT_EQ(exception_of([&] { Executor(ExecutorConfiguration{.workers = workers}); }), "invalid_argument");
        EXPECT_THAT(message_of([&] { Executor(ExecutorConfiguration{.workers = workers}); }),
                    testing::HasSubstr("workers is " + std::to_string(workers)));
    }
    Executor many(ExecutorConfiguration{.workers = 256});
    EXPECT_EQ(many.sync_wait([]() -> Task<int> { co_return 7; }), 7);
}

// 54: queued handlers own the article's executor, which is owned by them.
TEST_F(DefectsTest, nothing_in_the_library_keeps_the_executor_alive) {
    Pair pair = connected();
    TCPListener listener({}, executor_);
    Running read = start([&] { return pair.stream->read(1); });
    settle();
    const std::weak_ptr<Executor> executor = executor_;
    executor_.reset();
    EXPECT_TRUE(executor.expired());
    EXPECT_EQ(read.ending(), "Cancelled");
}

// --- tasks -----------------------------------------------------------------------------------------------------------

struct Unusual {
    explicit Unusual(int its_value) : value(its_value) {}
    Unusual(Unusual&&) = default;
    Unusual& operator=(Unusual&&) = delete;
    int value;
};

struct ThrowsWhenMoved {
    ThrowsWhenMoved() = default;
    ThrowsWhenMoved(ThrowsWhenMoved&&) { throw std::invalid_argument("moved"); }
};

// 25: the article's result must be default-constructible and copyable, and a move that throws ends the process.
TEST_F(DefectsTest, a_task_returns_what_can_only_be_moved_and_what_throws_when_it_is_moved) {
    EXPECT_EQ(executor_->sync_wait([]() -> Task<Unusual> { co_return Unusual(7); }).value, 7);
    EXPECT_EQ(*executor_->sync_wait([]() -> Task<std::unique_ptr<int>> {
        auto result = std::make_unique<int>(8);
        co_return result;
    }),
              8);
    int target = 0;
    EXPECT_EQ(&executor_->sync_wait([&]() -> Task<int&> { co_return target; }), &target);
    EXPECT_EQ(
        exception_of([&] { executor_->sync_wait([]() -> Task<ThrowsWhenMoved> { co_return ThrowsWhenMoved(); }); }),
        "invalid_argument");
}

Task<int> give(int value) { co_return value; }

// 26, 29: the article's tasks have no move assignment, forget their state, and dereference null when they were moved from.
TEST_F(DefectsTest, tasks_are_moved_and_a_moved_from_one_is_a_logic_error) {
    static_assert(std::is_nothrow_move_assignable_v<Task<int>>);
    static_assert(!std::is_copy_constructible_v<Task<int>>);
    EXPECT_EQ(executor_->sync_wait([]() -> Task<int> {
        Task<int> task = give(1);
        Task<int> other = give(2);
        task = std::move(other);
        other = give(3);
        const int two = co_await std::move(task);
        co_return two * 10 + co_await std::move(other);
    }),
              23);
    EXPECT_EQ(exception_of([this] {
                  executor_->sync_wait([]() -> Task<int> {
                      Task<int> task = give(1);
                      const Task<int> taken = std::move(task);
                      co_return co_await std::move(task);
                  });
              }),
              "logic_error");
}

// 27: a second co_await of one task overwrites the article's continuation: whoever was first sleeps for ever.
TEST_F(DefectsTest, a_task_that_was_awaited_cannot_be_awaited_again) {
    EXPECT_EQ(exception_of([this] {
                  executor_->sync_wait([]() -> Task<int> {
                      Task<int> task = give(1);
                      const int first = co_await std::move(task);
                      co_return first + co_await std::move(task);
                  });
              }),
              "logic_error");
}

// 28: destroying a suspended task leaves its handle in the article's map, which resumes it after it is gone.
TEST_F(DefectsTest, a_task_that_waits_for_its_socket_may_be_destroyed) {
    Pair pair = connected();
    Census census;
    std::optional<Task<void>> task;
    Running waiting = start([&]() -> Task<void> {
        task = [](std::shared_ptr<TCPStream> stream, Counted) -> Task<void> { co_await stream->read(1); }(
                                                                  pair.stream, Counted(census));
        co_await std::move(*task);
    });
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  EXPECT_EQ(census.alive(), 1);
                  task.reset();
                  EXPECT_EQ(census.alive(), 0);
                  co_return;
              }),
              "done");
    EXPECT_EQ(waiting.ending(), "Cancelled");
    pair.client.send("a");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "a") << "the read before has left no trace";
}

// 55: a task that is resumed by hand continues with the article's null handle.
TEST_F(DefectsTest, a_foreign_coroutine_may_await_a_task) {
    int result = 0;
    const property::Foreign foreign = [](int& into) -> property::Foreign { into = co_await give(7); }(result);
    EXPECT_TRUE(foreign.done());
    EXPECT_EQ(result, 7);
}

// --- descriptors -----------------------------------------------------------------------------------------------------

// 17: the article's stop closes the descriptor while a worker may be about to accept from its number.
TEST_F(DefectsTest, stop_races_with_accept_and_never_touches_a_stranger) {
    use_workers(2);
    for (int round = 0; round < 50; ++round) {
        TCPListener listener({}, executor_);
        listener.bind("127.0.0.1:0");
        listener.listen();
        const std::string address = listener.local_address();
        Running accepts = start([&]() -> Task<void> {
            for (;;) co_await listener.accept();
        });
        std::thread connecting([&] {
            exception_of([&] {
                for (int i = 0; i < 5; ++i) raw::Client client(address);
            });
        });
        listener.stop();
        // It has the listener's number, and listens too: an accept from it would be seen.
        raw::Listener stranger;
        raw::Client client(stranger.address());
        connecting.join();
        EXPECT_EQ(accepts.ending(), "TCPListenerStoppedError");
        // When it has the old port as well, there may be others in front.
        for (int i = 0; stranger.accept().peer_address() != client.local_address(); ++i) ASSERT_LT(i, 5);
    }
}

// 18: the article's descriptors are inherited by children: a connection lives on after its close.
TEST_F(DefectsTest, a_child_process_inherits_no_connection) {
    Pair pair = connected();
    int alive[2];
    ASSERT_EQ(::pipe2(alive, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        // Lives until its standard input, the pipe, is closed.
        ::dup2(alive[0], 0);
        ::execlp("cat", "cat", nullptr);
        ::_exit(127);
    }
    // Only exec closes what is close-on-exec: it has happened when the child has given up its copy of the writing end.
    ::close(alive[0]);
    pair.stream->close();
    EXPECT_EQ(pair.client.end(), "FIN");
    ::close(alive[1]);
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

// 42, 43: whether an operation was cancelled is read from the article's map, by descriptor: the next owner of the number
// brings the old reader back to life.
TEST_F(DefectsTest, a_closed_streams_reader_is_not_mistaken_for_the_next_owner_of_its_descriptor) {
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    int same_number = 0;
    for (int round = 0; round < 50; ++round) {
        raw::Client old_client(listener.local_address());
        raw::Client new_client(listener.local_address());
        std::shared_ptr<TCPStream> old_stream = accept(listener);
        const int number = sockets::descriptor_between(old_stream->local_address(), old_stream->peer_address());
        Running old_read = start([&] { return old_stream->read(1); });
        settle();
        old_stream->close();
        const std::shared_ptr<TCPStream> new_stream = accept(listener);
        if (sockets::descriptor_between(new_stream->local_address(), new_stream->peer_address()) == number)
            ++same_number;
        Running new_read = start([&] { return new_stream->read(1); });
        EXPECT_EQ(old_read.ending(), "Cancelled");
        settle();
        EXPECT_FALSE(new_read.has_ended());
        new_client.send("n");
        EXPECT_EQ(new_read.ending(), "n");
    }
    EXPECT_GT(same_number, 0);
}

// 44: an event of the article's names its descriptor only: the rest of a batch goes to the next owner of a number.
TEST_F(DefectsTest, an_event_for_a_stream_that_was_closed_in_the_same_batch_reaches_nobody_else) {
    Pair first = connected();
    Pair second = connected();
    raw::Listener listener;
    std::shared_ptr<TCPStream> next;
    std::optional<Running> read_next;
    const auto close_other = [&](std::shared_ptr<TCPStream> mine, std::shared_ptr<TCPStream>* other) -> Task<void> {
        co_await mine->read(1);
        if (!next) {
            // Both have news; who runs first closes the other, and takes over its number.
            (*other)->close();
            next = co_await TCPStream::connect(executor_, listener.address());
            read_next = start([&] { return next->read(1); });
        }
    };
    Running reads[] = {start([&] { return close_other(first.stream, &second.stream); }),
                       start([&] { return close_other(second.stream, &first.stream); })};
    settle();
    std::promise<void> busy;
    std::promise<void> go_on;
    executor_->spawn([&]() -> Task<void> {
        busy.set_value();
        go_on.get_future().wait();
        co_return;
    });
    busy.get_future().wait();
    // The worker is busy: it will find both in one batch.
    first.client.send("1");
    second.client.send("2");
    go_on.set_value();
    raw::Client peer = listener.accept();
    EXPECT_THAT(reads[0].ending(), testing::AnyOf("done", "Cancelled"));
    EXPECT_THAT(reads[1].ending(), testing::AnyOf("done", "Cancelled"));
    settle();
    ASSERT_TRUE(read_next.has_value());
    EXPECT_FALSE(read_next->has_ended());
    peer.send("n");
    EXPECT_EQ(read_next->ending(), "n");
}

// 48: nothing keeps an always-ready socket of the article's from having its worker for itself; here, a full backlog.
TEST_F(DefectsTest, accepts_of_a_full_backlog_let_others_run) {
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    constexpr int connections = 200;
    std::vector<raw::Client> clients;
    for (int i = 0; i < connections; ++i) clients.emplace_back(listener.local_address());
    int accepted = 0;
    int accepted_when_the_other_ran = -1;
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  co_await listener.accept();
                  executor_->spawn([&]() -> Task<void> {
                      accepted_when_the_other_ran = accepted;
                      co_return;
                  });
                  for (accepted = 1; accepted < connections; ++accepted) co_await listener.accept();
              }),
              "done");
    EXPECT_GE(accepted_when_the_other_ran, 0);
    EXPECT_LE(accepted_when_the_other_ran, 1 + 64);
}

// 53: nothing limits how many connections the article takes, or how long one may say nothing.
TEST_F(DefectsTest, silent_connections_can_be_limited_in_number_and_in_time) {
    TCPListener listener({.stream = {.read_timeout = 20ms}, .maximum_connections = 1}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    std::vector<raw::Client> silent;
    for (int i = 0; i < 3; ++i) silent.emplace_back(listener.local_address());
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ending_of([&]() -> Task<void> {
                      const auto stream = co_await listener.accept();
                      co_await stream->read(27);
                  }),
                  "TimedOut");
    }
}

}  // namespace
