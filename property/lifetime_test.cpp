// Every frame, and everything in it, is destroyed exactly once: unstarted, finished, cancelled, or while it is suspended.
#include "support.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::Executor;
using acairo::Task;
using namespace std::chrono_literals;

Task<void> nothing() { co_return; }

// Three frames, each with a counted parameter and a counted local; the innermost awaits `wait()`.
// (Six objects in the frames; a temporary that a parameter was copied from may live as long as the expression.)
template <class Wait> Task<void> three_frames(Census& census, Wait wait, Counted, int depth = 2) {
    const Counted local(census);
    if (depth == 0) {
        co_await wait();
    } else {
        co_await three_frames(census, wait, Counted(census), depth - 1);
    }
}

// --- unstarted, finished, thrown ---

TEST(a_frame, that_never_started_is_destroyed_with_its_parameters) {
    Census census;
    {
        const auto wait = [] { return nothing(); };
        const Task<void> task = three_frames(census, wait, Counted(census));
        EXPECT_EQ(census.alive(), 1);
    }
    EXPECT_EQ(census.alive(), 0);
}

TEST(a_frame, that_never_started_is_destroyed_on_any_thread) {
    Census census;
    const auto wait = [] { return nothing(); };
    std::optional<Task<void>> task = three_frames(census, wait, Counted(census));
    std::thread([&] { task.reset(); }).join();
    EXPECT_EQ(census.alive(), 0);
}

TEST(a_frame, that_finished_is_destroyed_once) {
    Census census;
    run([&]() -> Task<void> {
        co_await three_frames(census, [] { return nothing(); }, Counted(census));
        EXPECT_EQ(census.alive(), 0);
    });
    EXPECT_GE(census.made(), 6);
}

TEST(a_frame, that_throws_is_destroyed_once) {
    Census census;
    const auto throws = []() -> Task<void> {
        throw 42;
        co_return;
    };
    run([&]() -> Task<void> {
        const std::string ended = co_await ending(three_frames(census, throws, Counted(census)));
        EXPECT_EQ(ended, "int 42");
        EXPECT_EQ(census.alive(), 0);
    });
    EXPECT_GE(census.made(), 6);
}

TEST(a_result, that_nobody_takes_is_destroyed_once) {
    Census census;
    const auto make = [&]() -> Task<Counted> { co_return Counted(census); };
    run([&]() -> Task<void> {
        co_await make();
        EXPECT_EQ(census.alive(), 0);
    });
    EXPECT_GE(census.made(), 1);
}

TEST(the_captures, of_a_lambda_coroutine_live_as_long_as_it_runs) {
    Census census;
    Event event;
    const auto work = executor();
    {
        auto text = std::make_unique<std::string>("captured");
        work->spawn([text = std::move(text), counted = Counted(census), &event]() -> Task<void> {
            co_await event;
            EXPECT_EQ(*text, "captured");
        });
    }
    settle(*work);
    EXPECT_EQ(census.alive(), 1);
    event.set();
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(census.alive(), 0);
}

// --- destroyed while suspended ---

// A chain whose innermost frame awaits `wait()`; it is destroyed by another coroutine on its worker.
template <class Wait> class Victim {
public:
    // `settles`: returns when it waits. Else it is only spawned.
    Victim(Executor& work, Census& census, Wait wait, bool settles = true) : work_(work) {
        work_.spawn([this, &census, wait]() -> Task<void> {
            task_ = three_frames(census, wait, Counted(census));
            std::exception_ptr thrown;
            try {
                co_await std::move(task_);
            } catch (...) { thrown = std::current_exception(); }
            ended_ = name_of(thrown);
        });
        if (!settles) return;
        settle(work_);
        EXPECT_GE(census.alive(), 6);
    }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;
    void destroy() { task_ = Task<void>(); }
    // How the wait for the destroyed task ended; "" while it has not.
    std::string ended() {
        settle(work_);
        return ended_;
    }

private:
    Executor& work_;
    Task<void> task_;
    std::string ended_;
};

template <class Wait> void destroy_while_it_waits(std::shared_ptr<Executor> work, Wait wait) {
    Census census;
    Victim victim(*work, census, wait);
    work->sync_wait([&]() -> Task<void> {
        victim.destroy();
        EXPECT_EQ(census.alive(), 0);
        co_return;
    });
    EXPECT_EQ(victim.ended(), "Cancelled") << "its awaiter goes on";
}

TEST(a_suspended_task, is_destroyed_while_it_sleeps) {
    destroy_while_it_waits(executor(), [] { return acairo::sleep_for(1h); });
}

TEST(a_suspended_task, is_destroyed_within_a_timeout) {
    destroy_while_it_waits(executor(), [] { return acairo::timeout(1h, acairo::sleep_for(1h)); });
}

TEST(a_suspended_task, is_destroyed_within_a_stop_token) {
    const acairo::StopSource source;
    destroy_while_it_waits(executor(),
                           [&] { return acairo::with_stop_token(source.get_token(), acairo::sleep_for(1h)); });
    EXPECT_TRUE(source.request_stop()) << "nobody listens any more";
}

TEST(a_suspended_task, is_destroyed_in_a_foreign_awaitable) {
    Event event;
    destroy_while_it_waits(executor(), [&]() -> Event& { return event; });
    event.set();
}

TEST(a_suspended_task, is_destroyed_while_it_accepts_and_the_listener_goes_on) {
    const auto work = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    destroy_while_it_waits(work, [&] { return listener.accept(); });
    work->sync_wait([&]() -> Task<void> {
        const auto near = co_await acairo::TCPStream::connect(work, listener.local_address());
        const auto far = co_await listener.accept();
        EXPECT_EQ(near->local_address(), far->peer_address());
    });
}

TEST(a_suspended_task, is_destroyed_while_it_reads_and_the_stream_goes_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    destroy_while_it_waits(work, [&] { return streams.first->read(3); });
    std::array<char, 8> buffer;
    destroy_while_it_waits(work, [&] { return streams.first->read_some(buffer); });
    work->sync_wait([&]() -> Task<void> {
        std::vector<char> abc{'a', 'b', 'c'};
        co_await streams.second->write(std::move(abc));
        const std::vector<char> got = co_await streams.first->read(3);
        EXPECT_EQ(std::string(got.begin(), got.end()), "abc");
    });
}

TEST(a_suspended_task, is_destroyed_while_it_writes_and_the_stream_goes_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    const std::vector<char> much(std::size_t{64} << 20, 'x');
    destroy_while_it_waits(work, [&] { return streams.first->write_all(much); });
    const std::uint64_t sent = streams.first->bytes_sent();
    EXPECT_GT(sent, 0u);
    EXPECT_LT(sent, much.size());
    const std::vector<char> got = work->sync_wait([&] {
        return [](auto& from, std::uint64_t size) -> Task<std::vector<char>> { co_return co_await from.read(size); }(
                                                      *streams.second, sent);
    });
    EXPECT_EQ(got.size(), sent);
    work->sync_wait([&]() -> Task<void> {
        std::vector<char> one{'y'};
        co_await streams.first->write(std::move(one));
        const std::vector<char> last = co_await streams.second->read(1);
        EXPECT_EQ(last.at(0), 'y');
    });
}

TEST(a_suspended_task, is_destroyed_while_it_is_ready_to_run) {
    Event event;
    Census census;
    const auto work = executor();
    Victim victim(*work, census, [&]() -> Event& { return event; });
    work->sync_wait([&]() -> Task<void> {
        event.set();
        victim.destroy();
        EXPECT_EQ(census.alive(), 0);
        co_return;
    });
    EXPECT_EQ(victim.ended(), "Cancelled");
}

TEST(a_suspended_task, is_destroyed_while_another_thread_has_just_resumed_it) {
    Event event;
    Census census;
    const auto work = executor();
    Victim victim(*work, census, [&]() -> Event& { return event; });
    work->sync_wait([&]() -> Task<void> {
        std::thread([&] { event.set(); }).join();
        victim.destroy();
        EXPECT_EQ(census.alive(), 0);
        co_return;
    });
    EXPECT_EQ(victim.ended(), "Cancelled");
}

TEST(a_suspended_task, is_destroyed_while_another_thread_has_just_stopped_it) {
    const acairo::StopSource source;
    Census census;
    const auto work = executor();
    Victim victim(*work, census, [&] { return acairo::with_stop_token(source.get_token(), acairo::sleep_for(1h)); });
    work->sync_wait([&]() -> Task<void> {
        std::thread([&] { source.request_stop(); }).join();
        victim.destroy();
        EXPECT_EQ(census.alive(), 0);
        co_return;
    });
    EXPECT_EQ(victim.ended(), "Cancelled");
}

TEST(a_suspended_task, is_destroyed_when_its_time_has_just_come) {
    Census census;
    const auto work = executor();
    Victim victim(*work, census, [] { return acairo::sleep_for(2ms); }, false);
    const auto destroy = [&]() -> Task<void> {
        co_await acairo::sleep_for(1ms);
        victim.destroy();
        EXPECT_EQ(census.alive(), 0);
    };
    // Keeps the worker busy until both times have come, so that both are ready in one round, in this order.
    work->spawn(destroy);
    work->spawn([]() -> Task<void> {
        const auto start = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() - start < 4ms) {}
        co_return;
    });
    EXPECT_TRUE(work->drain(1h));
    EXPECT_EQ(census.alive(), 0);
}

TEST(a_suspended_task, is_destroyed_after_it_has_used_up_its_budget) {
    Census census;
    const auto work = executor(1, 1);
    bool go_on = true;
    const auto always_ready = [&]() -> Task<void> {
        while (go_on) co_await acairo::sleep_for(0ns);
    };
    Victim victim(*work, census, always_ready);
    work->sync_wait([&]() -> Task<void> {
        victim.destroy();
        EXPECT_EQ(census.alive(), 0);
        go_on = false;
        co_return;
    });
    EXPECT_EQ(victim.ended(), "Cancelled");
}

// --- destroyed in the middle of a chain ---

TEST(a_task_in_the_middle, takes_those_below_it_along_and_not_those_above) {
    Census census;
    Census above;
    Task<void> middle;
    Task<void> lowest;
    std::string ended;
    const auto work = executor();
    work->spawn([&]() -> Task<void> {
        const Counted local(above);
        lowest = three_frames(census, [] { return acairo::sleep_for(1h); }, Counted(census));
        const auto await_lowest = [&](Counted) -> Task<void> {
            const Counted mine(census);
            co_await std::move(lowest);
            ADD_FAILURE() << "destroyed frames do not go on";
        };
        middle = await_lowest(Counted(census));
        std::exception_ptr thrown;
        try {
            co_await std::move(middle);
        } catch (...) { thrown = std::current_exception(); }
        ended = name_of(thrown);
        co_await acairo::sleep_for(1h);
    });
    settle(*work);
    EXPECT_GE(census.alive(), 8);
    work->sync_wait([&]() -> Task<void> {
        middle = Task<void>();
        EXPECT_EQ(census.alive(), 0);
        EXPECT_EQ(above.alive(), 1);
        co_return;
    });
    settle(*work);
    EXPECT_EQ(ended, "Cancelled");
    EXPECT_EQ(above.alive(), 1);
    EXPECT_EQ(run([&] { return ending(std::move(lowest)); }), "logic_error") << "it is gone";
    work->stop();
}

// With a budget of one completion, a task that ends lets others run before its awaiter takes the result.
class FinishedAndNotTaken : public testing::Test {
protected:
    FinishedAndNotTaken() {
        work->spawn([this]() -> Task<void> {
            const auto wait = [this](Counted) -> Task<int> {
                co_await event;
                co_return 7;
            };
            const auto await_child = [this](Counted) -> Task<void> {
                const std::string child_ended = co_await take(child);
                ended = child_ended;
            };
            child = wait(Counted(census));
            parent = await_child(Counted(census));
            co_await take(parent);
        });
        // Twice, as each await of the task above is a turn of its own.
        for (int i = 0; i < 4; ++i) settle(*work);
        EXPECT_EQ(census.alive(), 2);
    }
    // Awaits the task where it is.
    template <class T> static Task<std::string> take(Task<T>& task) {
        std::exception_ptr thrown;
        try {
            static_cast<void>(co_await std::move(task));
        } catch (...) { thrown = std::current_exception(); }
        co_return name_of(thrown);
    }
    // Runs `function` when the child has ended and nobody has taken its result.
    template <class F> void between(F function) {
        work->sync_wait([this, function]() -> Task<void> {
            event.set();
            co_await acairo::sleep_for(0ns);
            function();
        });
        for (int i = 0; i < 8; ++i) settle(*work);
    }

    Census census;
    Event event;
    Task<int> child;
    Task<void> parent;
    std::string ended;
    std::shared_ptr<Executor> work = executor(1, 1);
};

TEST_F(FinishedAndNotTaken, goes_to_its_awaiter) {
    between([] {});
    EXPECT_EQ(ended, "returned");
    EXPECT_EQ(census.alive(), 0);
}

TEST_F(FinishedAndNotTaken, may_be_destroyed_and_its_awaiter_goes_on) {
    between([this] { child = Task<int>(); });
    EXPECT_EQ(ended, "Cancelled");
    EXPECT_EQ(census.alive(), 0);
}

TEST_F(FinishedAndNotTaken, may_be_destroyed_after_its_awaiter_was) {
    between([this] {
        parent = Task<void>();
        EXPECT_EQ(census.alive(), 1);
        child = Task<int>();
        EXPECT_EQ(census.alive(), 0);
    });
    EXPECT_EQ(ended, "");
}

TEST_F(FinishedAndNotTaken, may_be_destroyed_after_its_executor_was) {
    between([this] { parent = Task<void>(); });
    work.reset();
    EXPECT_EQ(census.alive(), 1);
    child = Task<int>();
    EXPECT_EQ(census.alive(), 0);
}

TEST_F(FinishedAndNotTaken, cannot_be_awaited_after_its_awaiter_was_destroyed) {
    between([this] { parent = Task<void>(); });
    const std::string again = run([this] { return take(child); });
    EXPECT_EQ(again, "logic_error");
    child = Task<int>();
}

// --- destroyed by a foreign owner ---

TEST(a_task_in_a_foreign_coroutine, is_destroyed_with_it) {
    Census census;
    Event event;
    {
        const auto own = [&](Counted) -> Foreign {
            co_await three_frames(census, [&]() -> Event& { return event; }, Counted(census));
            ADD_FAILURE() << "destroyed frames do not go on";
        };
        const Foreign foreign = own(Counted(census));
        EXPECT_FALSE(foreign.done());
        EXPECT_GE(census.alive(), 7);
    }
    EXPECT_EQ(census.alive(), 0);
    event.set();
}

TEST(a_task_in_a_foreign_coroutine, is_destroyed_with_it_when_it_lives_elsewhere) {
    Census census;
    Event event;
    Task<void> task = three_frames(census, [&]() -> Event& { return event; }, Counted(census));
    {
        const auto own = [&]() -> Foreign { co_await std::move(task); };
        const Foreign foreign = own();
        EXPECT_GE(census.alive(), 6);
    }
    EXPECT_EQ(census.alive(), 0);
}

TEST(a_task_in_a_foreign_coroutine, that_finished_is_destroyed_once) {
    Census census;
    Event event;
    const auto own = [&](Counted) -> Foreign {
        co_await three_frames(census, [&]() -> Event& { return event; }, Counted(census));
        EXPECT_GE(census.alive(), 1);
        EXPECT_LE(census.alive(), 2) << "the parameter, and what it was copied from";
    };
    const Foreign foreign = own(Counted(census));
    event.set();
    EXPECT_TRUE(foreign.done());
}

// --- ended by the executor ---

TEST(every_frame, is_gone_when_the_executor_is) {
    Census census;
    Event event;
    {
        const auto work = executor(2);
        const Streams streams = work->sync_wait([&] { return connected(work); });
        for (int i = 0; i < 10; ++i) {
            work->spawn([&]() -> Task<void> {
                co_await three_frames(census, [] { return acairo::sleep_for(1h); }, Counted(census));
            });
        }
        work->spawn([&, streams]() -> Task<void> {
            co_await three_frames(census, [&] { return streams.first->read(1); }, Counted(census));
        });
        work->spawn(
            [&]() -> Task<void> { co_await three_frames(census, [&]() -> Event& { return event; }, Counted(census)); });
        settle(*work, 2);
        EXPECT_GE(census.alive(), 72);
        work->stop();
        event.set();
    }
    EXPECT_EQ(census.alive(), 0);
}

}  // namespace
}  // namespace property
