// Cancelling: what a token, an executor's stop or a close ends, ends with Cancelled, once, on its own worker.
#include "support.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::StopSource;
using acairo::StopToken;
using acairo::Task;
using acairo::with_stop_token;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

Task<void> forever() { co_await acairo::sleep_for(ages); }
Task<int> seven() { co_return 7; }

// --- what a request ends ---

// Awaits `wait()` under a token; a stop is requested when it waits. Gives how it ended.
template <class Wait> std::string ending_when_stopped(std::shared_ptr<acairo::Executor> work, Wait wait) {
    StopSource source;
    std::string ended;
    int endings = 0;
    work->spawn([&]() -> Task<void> {
        ended = co_await ending(with_stop_token(source.get_token(), wait()));
        ++endings;
    });
    settle(*work);
    EXPECT_EQ(endings, 0) << "it waits: " << ended;
    EXPECT_TRUE(source.request_stop());
    settle(*work);
    EXPECT_EQ(endings, 1);
    return ended;
}

TEST(a_stop_request, ends_a_sleep) {
    EXPECT_EQ(ending_when_stopped(executor(), [] { return acairo::sleep_for(ages); }), "Cancelled");
}

TEST(a_stop_request, ends_a_sleep_deep_in_a_chain) {
    const auto deep = [](auto self, int depth) -> Task<void> {
        if (depth == 0) co_await acairo::sleep_for(ages);
        if (depth != 0) co_await self(self, depth - 1);
    };
    EXPECT_EQ(ending_when_stopped(executor(), [&] { return deep(deep, 50); }), "Cancelled");
}

TEST(a_stop_request, ends_an_accept_and_the_listener_goes_on) {
    const auto work = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    EXPECT_EQ(ending_when_stopped(work, [&] { return listener.accept(); }), "Cancelled");
    work->sync_wait([&]() -> Task<void> {
        const auto near = co_await acairo::TCPStream::connect(work, listener.local_address());
        const auto far = co_await listener.accept();
        EXPECT_EQ(far->peer_address(), near->local_address());
    });
}

TEST(a_stop_request, ends_a_read_and_the_stream_goes_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    std::array<char, 4> buffer{};
    EXPECT_EQ(ending_when_stopped(work, [&] { return streams.first->read(4); }), "Cancelled");
    EXPECT_EQ(ending_when_stopped(work, [&] { return streams.first->read_some(buffer); }), "Cancelled");
    work->sync_wait([&]() -> Task<void> {
        std::vector<char> bytes{'a', 'b', 'c', 'd'};
        co_await streams.second->write(std::move(bytes));
        const std::vector<char> got = co_await streams.first->read(4);
        EXPECT_EQ(std::string(got.begin(), got.end()), "abcd");
    });
}

TEST(a_stop_request, ends_a_write_and_the_stream_goes_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    const std::vector<char> much(std::size_t{64} << 20, 'x');
    EXPECT_EQ(ending_when_stopped(work, [&] { return streams.first->write_all(much); }), "Cancelled");
    const std::uint64_t sent = streams.first->bytes_sent();
    work->sync_wait([&]() -> Task<void> {
        const std::vector<char> got = co_await streams.second->read(sent);
        EXPECT_EQ(got.size(), sent);
        std::vector<char> one{'y'};
        co_await streams.first->write(std::move(one));
        const std::vector<char> last = co_await streams.second->read(1);
        EXPECT_EQ(last.at(0), 'y');
    });
}

TEST(a_stop_request, ends_a_spawned_task_that_was_given_the_token) {
    StopSource source;
    std::string ended;
    const auto work = executor();
    work->spawn([&]() -> Task<void> { ended = co_await ending(forever()); }, source.get_token());
    settle(*work);
    EXPECT_EQ(ended, "");
    source.request_stop();
    settle(*work);
    EXPECT_EQ(ended, "Cancelled");
    EXPECT_TRUE(work->drain(ages));
}

TEST(a_stop_request, does_not_reach_into_a_foreign_awaitable_but_ends_the_next_wait) {
    StopSource source;
    Event event;
    std::string ended;
    const auto work = executor();
    work->spawn(
        [&]() -> Task<void> {
            co_await event;
            ended = "resumed";
            ended = co_await ending(forever());
        },
        source.get_token());
    settle(*work);
    source.request_stop();
    settle(*work);
    EXPECT_EQ(ended, "");
    event.set();
    settle(*work);
    EXPECT_EQ(ended, "Cancelled");
}

TEST(a_stop_request, leaves_other_tasks_alone) {
    StopSource source;
    std::string stopped;
    bool other_ended = false;
    const auto work = executor();
    work->spawn([&]() -> Task<void> { stopped = co_await ending(forever()); }, source.get_token());
    work->spawn([&]() -> Task<void> {
        co_await ending(forever());
        other_ended = true;
    });
    settle(*work);
    source.request_stop();
    settle(*work);
    EXPECT_EQ(stopped, "Cancelled");
    EXPECT_FALSE(other_ended);
}

// --- already stopped, or stopped before the wait ---

TEST(a_task_whose_token_was_stopped_before, runs_until_its_first_wait_which_throws_without_suspending) {
    StopSource source;
    source.request_stop();
    const auto work = executor();
    std::string steps;
    work->spawn(
        [&]() -> Task<void> {
            steps += "starts ";
            steps += std::to_string(co_await seven()) + " ";
            steps += co_await ending(forever()) + " ";
            steps += co_await ending(acairo::sleep_for(ages));
        },
        source.get_token());
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(steps, "starts 7 Cancelled Cancelled");
}

TEST(a_task_whose_token_was_stopped_before, can_be_stopped_in_with_stop_token_too) {
    StopSource source;
    source.request_stop();
    EXPECT_EQ(run([&] { return ending(with_stop_token(source.get_token(), forever())); }), "Cancelled");
    EXPECT_EQ(run([&] { return with_stop_token(source.get_token(), seven()); }), 7) << "nothing waited";
}

TEST(a_task_whose_token_was_stopped_before, does_no_operation_that_could_be_done_at_once) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    StopSource source;
    source.request_stop();
    const auto write = [&](char what) -> Task<void> {
        std::vector<char> one(1, what);
        co_await streams.first->write(std::move(one));
    };
    EXPECT_EQ(work->sync_wait([&] { return ending(with_stop_token(source.get_token(), write('x'))); }), "Cancelled");
    EXPECT_EQ(streams.first->bytes_sent(), 0u);
    EXPECT_EQ(work->sync_wait([&] { return ending(with_stop_token(source.get_token(), acairo::sleep_for(0ns))); }),
              "Cancelled");
    work->sync_wait([&] { return write('y'); });
    EXPECT_EQ(work->sync_wait([&] {
        return [](auto& from) -> Task<char> {
            const std::vector<char> got = co_await from.read(1);
            co_return got.at(0);
        }(*streams.second);
    }),
              'y');
}

TEST(a_stop_between_two_waits, ends_the_second_one_without_suspending_it) {
    StopSource source;
    run([&]() -> Task<void> {
        const auto stop_then_wait = [&]() -> Task<void> {
            co_await acairo::sleep_for(0ns);
            source.request_stop();
            co_await acairo::sleep_for(ages);
        };
        EXPECT_EQ(co_await ending(with_stop_token(source.get_token(), stop_then_wait())), "Cancelled");
    });
}

// --- the scope of a token ---

TEST(a_token, belongs_to_the_task_that_it_was_given_and_to_its_children_only) {
    StopSource source;
    const auto work = executor();
    std::string inside;
    std::string after;
    work->spawn([&]() -> Task<void> {
        const auto child = [&]() -> Task<void> { co_await forever(); };
        const auto parent = [&]() -> Task<void> { co_await child(); };
        inside = co_await ending(with_stop_token(source.get_token(), parent()));
        after = co_await ending(acairo::sleep_for(1us));
    });
    settle(*work);
    source.request_stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(inside, "Cancelled");
    EXPECT_EQ(after, "returned") << "outside of the token";
}

TEST(a_token, is_not_inherited_by_what_a_task_spawns) {
    StopSource source;
    std::string spawned;
    const auto work = executor();
    work->spawn(
        [&]() -> Task<void> {
            work->spawn([&]() -> Task<void> { spawned = co_await ending(forever()); });
            co_await forever();
        },
        source.get_token());
    settle(*work);
    source.request_stop();
    settle(*work);
    EXPECT_EQ(spawned, "");
}

TEST(nested_tokens, join) {
    for (int stopped = 0; stopped < 3; ++stopped) {
        std::array<StopSource, 3> sources;
        const auto work = executor();
        std::string ended;
        work->spawn(
            [&]() -> Task<void> {
                ended = co_await ending(
                    with_stop_token(sources[1].get_token(), with_stop_token(sources[2].get_token(), forever())));
            },
            sources[0].get_token());
        settle(*work);
        sources[static_cast<std::size_t>(stopped)].request_stop();
        settle(*work);
        EXPECT_EQ(ended, "Cancelled") << stopped;
    }
}

TEST(nested_tokens, end_inner_waits_only_when_only_the_inner_one_is_stopped) {
    StopSource outer;
    StopSource inner;
    const auto work = executor();
    std::string steps;
    work->spawn(
        [&]() -> Task<void> {
            steps += co_await ending(with_stop_token(inner.get_token(), forever())) + " ";
            steps += co_await ending(acairo::sleep_for(1us)) + " ";
            steps += co_await ending(forever());
        },
        outer.get_token());
    settle(*work);
    inner.request_stop();
    while (work->sync_wait([&]() -> Task<bool> { co_return steps != "Cancelled returned "; }))
        std::this_thread::yield();
    outer.request_stop();
    settle(*work);
    EXPECT_EQ(steps, "Cancelled returned Cancelled");
}

TEST(nested_tokens, of_one_source_end_one_wait_once) {
    StopSource source;
    const auto work = executor();
    std::string steps;
    work->spawn(
        [&]() -> Task<void> {
            steps += co_await ending(with_stop_token(source.get_token(), forever())) + " ";
            steps += co_await ending(forever()) + ".";
        },
        source.get_token());
    settle(*work);
    source.request_stop();
    settle(*work);
    EXPECT_EQ(steps, "Cancelled Cancelled.");
}

TEST(the_executors_stop, is_the_outermost_token) {
    StopSource source;
    const auto work = executor();
    std::string ended;
    work->spawn([&]() -> Task<void> { ended = co_await ending(with_stop_token(source.get_token(), forever())); },
                StopSource().get_token());
    settle(*work);
    work->stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(ended, "Cancelled");
    EXPECT_FALSE(source.stop_requested());
}

TEST(a_default_token, never_ends_anything) {
    const auto work = executor();
    std::string ended;
    work->spawn([&]() -> Task<void> { ended = co_await ending(with_stop_token(StopToken(), acairo::sleep_for(1us))); },
                StopToken());
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(ended, "returned");
}

// --- on whose stack, and how often ---

TEST(request_stop, never_resumes_a_coroutine_on_the_callers_stack) {
    StopSource source;
    const auto work = executor();
    const auto caller = std::this_thread::get_id();
    std::thread::id resumed_on;
    bool resumed = false;
    work->spawn(
        [&]() -> Task<void> {
            co_await ending(forever());
            resumed_on = std::this_thread::get_id();
            resumed = true;
        },
        source.get_token());
    settle(*work);
    // From another thread, then from a coroutine on the same worker.
    work->sync_wait([&]() -> Task<void> {
        source.request_stop();
        EXPECT_FALSE(resumed);
        co_await acairo::sleep_for(0ns);
        EXPECT_FALSE(resumed) << "the budget is not used up";
    });
    settle(*work);
    EXPECT_TRUE(resumed);
    EXPECT_NE(resumed_on, caller);
}

TEST(request_stop, from_another_thread_resumes_the_task_on_its_worker) {
    StopSource source;
    const auto work = executor();
    std::thread::id home;
    std::thread::id resumed_on;
    work->spawn(
        [&]() -> Task<void> {
            home = std::this_thread::get_id();
            co_await ending(forever());
            resumed_on = std::this_thread::get_id();
        },
        source.get_token());
    settle(*work);
    std::thread([&] { source.request_stop(); }).join();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(resumed_on, home);
}

TEST(request_stop, by_the_task_that_it_ends_does_not_interrupt_it) {
    StopSource source;
    std::string steps;
    const auto work = executor();
    work->spawn(
        [&]() -> Task<void> {
            source.request_stop();
            steps += "goes on ";
            steps += std::to_string(co_await seven()) + " ";
            steps += co_await ending(forever());
        },
        source.get_token());
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(steps, "goes on 7 Cancelled");
}

TEST(request_stop, ends_many_tasks_on_many_workers) {
    constexpr int tasks = 300;
    StopSource source;
    std::atomic<int> cancelled{0};
    const auto work = executor(3);
    for (int i = 0; i < tasks; ++i) {
        work->spawn(
            [&]() -> Task<void> {
                if (co_await ending(forever()) == "Cancelled") cancelled.fetch_add(1, std::memory_order_relaxed);
            },
            source.get_token());
    }
    source.request_stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(cancelled.load(), tasks);
}

TEST(an_operation_that_races_with_a_stop, ends_once_with_its_result_or_cancelled) {
    const auto work = executor(2);
    int returned = 0;
    int cancelled = 0;
    for (int i = 0; i < 500; ++i) {
        StopSource source;
        std::jthread stopper([&, i] {
            for (int j = 0; j < i % 50; ++j) std::this_thread::yield();
            source.request_stop();
        });
        const std::string ended = work->sync_wait([&]() -> Task<std::string> {
            std::string endings;
            const auto sleep = [&]() -> Task<void> { co_await acairo::sleep_for(20us); };
            endings += co_await ending(with_stop_token(source.get_token(), sleep()));
            co_return endings;
        });
        returned += ended == "returned";
        cancelled += ended == "Cancelled";
    }
    EXPECT_EQ(returned + cancelled, 500);
}

TEST(a_read_that_races_with_a_stop, gives_its_byte_exactly_once) {
    const auto work = executor(2);
    const Streams streams = work->sync_wait([&] { return connected(work); });
    for (int i = 0; i < 300; ++i) {
        StopSource source;
        std::jthread stopper([&] { source.request_stop(); });
        std::jthread sender([&] {
            work->sync_wait([&]() -> Task<void> {
                std::vector<char> one(1, static_cast<char>(i % 100));
                co_await streams.second->write(std::move(one));
            });
        });
        const char got = work->sync_wait([&]() -> Task<char> {
            const auto read = [&]() -> Task<char> {
                const std::vector<char> bytes = co_await streams.first->read(1);
                co_return bytes.at(0);
            };
            char byte = -1;
            try {
                byte = co_await with_stop_token(source.get_token(), read());
            } catch (const acairo::Cancelled&) {}
            if (byte == -1) byte = co_await read();
            co_return byte;
        });
        EXPECT_EQ(got, static_cast<char>(i % 100));
    }
}

TEST(a_token_scope, may_end_while_a_request_is_on_its_way) {
    const auto work = executor(2);
    for (int i = 0; i < 500; ++i) {
        StopSource source;
        std::jthread stopper([&] { source.request_stop(); });
        work->sync_wait([&]() -> Task<void> {
            co_await with_stop_token(source.get_token(), seven());
            co_await acairo::sleep_for(0ns);
        });
    }
}

// --- unwinding ---

TEST(a_cancelled_task, may_clean_up_with_waits_that_throw_at_once_and_return_normally) {
    StopSource source;
    std::string steps;
    const auto work = executor();
    work->spawn(
        [&]() -> Task<void> {
            steps += co_await ending(forever()) + " ";
            for (int i = 0; i < 3; ++i) steps += co_await ending(forever()) + " ";
            steps += "done";
        },
        source.get_token());
    settle(*work);
    source.request_stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(steps, "Cancelled Cancelled Cancelled Cancelled done");
}

TEST(a_cancelled_task, unwinds_from_its_innermost_frame_outward) {
    StopSource source;
    std::string order;
    struct Note {
        Note(std::string& to, char name) : to_(to), name_(name) {}
        Note(const Note&) = delete;
        Note& operator=(const Note&) = delete;
        ~Note() { to_ += name_; }
        std::string& to_;
        char name_;
    };
    const auto inner = [&]() -> Task<void> {
        const Note note(order, 'a');
        co_await forever();
    };
    const auto middle = [&]() -> Task<void> {
        const Note note(order, 'b');
        co_await inner();
    };
    const auto work = executor();
    work->spawn(
        [&]() -> Task<void> {
            const Note note(order, 'c');
            co_await middle();
        },
        source.get_token());
    settle(*work);
    source.request_stop();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(order, "abc");
}

TEST(with_stop_token, gives_the_result_and_the_exceptions_of_what_it_awaits) {
    const StopSource source;
    const auto throws = []() -> Task<int> {
        throw 42;
        co_return 0;
    };
    int object = 0;
    const auto refer = [&]() -> Task<int&> { co_return object; };
    run([&]() -> Task<void> {
        EXPECT_EQ(co_await with_stop_token(source.get_token(), seven()), 7);
        int& got = co_await with_stop_token(source.get_token(), refer());
        EXPECT_EQ(&got, &object);
        EXPECT_EQ(co_await ending(with_stop_token(source.get_token(), throws())), "int 42");
    });
}

TEST(with_stop_token, without_an_executor_is_a_logic_error) {
    const StopSource source;
    const auto foreign = [&]() -> Foreign { co_await with_stop_token(source.get_token(), seven()); };
    const Foreign ran = foreign();
    EXPECT_TRUE(ran.done());
    EXPECT_EQ(ending_of([&] { ran.rethrow(); }), "logic_error");
}

}  // namespace
}  // namespace property
