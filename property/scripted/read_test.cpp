// read() and read_some(): each result of recv, and of registering for it.
#include "fixture.hpp"

#include <array>
#include <string_view>

namespace {

class ARead : public Scripted {
protected:
    // Runs `body` with a stream whose first bytes are about to come.
    template <class F>
    void with_stream(F body, acairo::TCPStreamConfiguration configuration = {}, std::uint32_t events = EPOLLIN) {
        run([&]() -> acairo::Task<> {
            stream = co_await connected(configuration);
            registers(7);
            script.ready({{7, events}});
            co_await body();
            stream.reset();
            EXPECT_FALSE(script.is_open(7));
        });
    }
    // As text; "" at the end of the stream.
    acairo::Task<std::string> some() {
        std::array<char, 64> buffer;
        const std::size_t size = co_await stream->read_some(buffer);
        co_return std::string(buffer.data(), size);
    }
    acairo::Task<> expect_some(std::string expected) {
        const std::string got = co_await some();
        EXPECT_EQ(got, expected);
    }
    acairo::Task<> expect_exactly(std::string expected) {
        const std::vector<char> got = co_await stream->read(expected.size());
        EXPECT_EQ(to_string(got), expected);
    }
    acairo::Task<> expect_failure(int error, const char* call = "recv") {
        const Failure failure = co_await failure_of(some());
        EXPECT_EQ(failure.error, error);
        EXPECT_TRUE(contains(failure.text, call));
    }
};

TEST_F(ARead, delivers_what_is_there_and_then_waits_without_trying) {
    with_stream([this]() -> acairo::Task<> {
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 64)", "d");
        co_await expect_some("d");
    });
}

TEST_F(ARead, of_all_that_it_asked_for_tries_again_before_it_waits) {
    with_stream([this]() -> acairo::Task<> {
        script.receives("recv(7, 64)", std::string(64, 'a'));
        co_await expect_some(std::string(64, 'a'));
        script.on("recv(7, 64)", -EAGAIN);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 64)", "b");
        co_await expect_some("b");
    });
}

TEST_F(ARead, waits_again_when_an_event_brought_nothing) {
    with_stream([this]() -> acairo::Task<> {
        for (int i = 0; i < 3; ++i) {
            script.on("recv(7, 64)", -EAGAIN);
            script.ready({{7, EPOLLIN}});
        }
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
    });
}

TEST_F(ARead, does_not_try_when_the_last_one_showed_that_there_is_nothing) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.on("recv(7, 64)", -EAGAIN);
            script.sleeps(100ms);
            const bool timed_out = co_await throws<acairo::TimedOut>(some());
            EXPECT_TRUE(timed_out);
            script.on("epoll_wait(3, 100)", 1).events = {{7, EPOLLIN}};
            script.receives("recv(7, 64)", "abc");
            co_await expect_some("abc");
        },
        {.read_timeout = 100ms});
}

TEST_F(ARead, that_a_signal_interrupts_is_repeated) {
    with_stream([this]() -> acairo::Task<> {
        for (int i = 0; i < 3; ++i) script.on("recv(7, 64)", -EINTR);
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
    });
}

TEST_F(ARead, of_nothing_is_no_system_call_and_no_end_of_stream) {
    run([this]() -> acairo::Task<> {
        const std::shared_ptr<acairo::TCPStream> quiet = co_await connected();
        const std::size_t size = co_await quiet->read_some({});
        EXPECT_EQ(size, 0u);
        const std::vector<char> bytes = co_await quiet->read(0);
        EXPECT_TRUE(bytes.empty());
    });
}

TEST_F(ARead, tells_the_end_of_the_stream_as_often_as_it_is_asked) {
    with_stream(
        [this]() -> acairo::Task<> {
            for (int i = 0; i < 3; ++i) {
                script.on("recv(7, 64)", 0);
                co_await expect_some("");
            }
        },
        {}, EPOLLIN | EPOLLRDHUP);
}

TEST_F(ARead, finds_the_end_that_came_in_the_same_event_as_the_last_bytes) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 64)", "bye");
            co_await expect_some("bye");
            // No further event will come.
            script.on("recv(7, 64)", 0);
            co_await expect_some("");
        },
        {}, EPOLLIN | EPOLLRDHUP);
}

TEST_F(ARead, finds_the_end_that_came_in_an_event_of_its_own) {
    with_stream([this]() -> acairo::Task<> {
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
        script.ready({{7, EPOLLIN | EPOLLRDHUP}});
        script.on("recv(7, 64)", 0);
        co_await expect_some("");
    });
}

TEST_F(ARead, finds_the_end_that_came_while_nobody_read) {
    with_stream([this]() -> acairo::Task<> {
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
        script.on("epoll_wait(3, 10)", 1).events = {{7, EPOLLIN | EPOLLRDHUP}};
        script.sleeps(10ms);
        co_await acairo::sleep_for(10ms);
        script.receives("recv(7, 64)", "d");
        co_await expect_some("d");
        script.on("recv(7, 64)", 0);
        co_await expect_some("");
    });
}

// A short read stops at urgent data: what follows it raises no event of its own.
TEST_F(ARead, goes_on_behind_urgent_data) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 64)", "before");
            co_await expect_some("before");
            script.receives("recv(7, 64)", "behind");
            co_await expect_some("behind");
            script.on("recv(7, 64)", -EAGAIN);
            script.ready({{7, EPOLLIN}});
            script.receives("recv(7, 64)", "later");
            co_await expect_some("later");
        },
        {}, EPOLLIN | EPOLLPRI);
}

TEST_F(ARead, gives_the_bytes_before_a_reset_and_then_the_reset_and_never_an_end) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 64)", "abc");
            co_await expect_some("abc");
            script.on("recv(7, 64)", -ECONNRESET);
            co_await expect_failure(ECONNRESET);
            script.on("recv(7, 64)", 0);
            co_await expect_failure(ECONNRESET);
            script.on("recv(7, 4)", 0);
            const Failure failure = co_await failure_of(stream->read(4));
            EXPECT_EQ(failure.error, ECONNRESET);
        },
        {}, EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
}

class ABrokenConnection : public ARead, public testing::WithParamInterface<int> {};

TEST_P(ABrokenConnection, fails_the_read_that_waits_and_each_later_one) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.on("recv(7, 64)", -GetParam());
            co_await expect_failure(GetParam());
            script.on("recv(7, 64)", 0);
            co_await expect_failure(GetParam());
        },
        {}, EPOLLERR | EPOLLHUP);
}

TEST_P(ABrokenConnection, leaves_the_bytes_of_an_unfinished_read_to_the_next_one) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 5)", "abc");
            script.on("recv(7, 2)", -GetParam());
            const Failure failure = co_await failure_of(stream->read(5));
            EXPECT_EQ(failure.error, GetParam());
            co_await expect_exactly("ab");
            co_await expect_some("c");
            script.on("recv(7, 64)", 0);
            co_await expect_failure(GetParam());
        },
        {}, EPOLLIN | EPOLLERR | EPOLLHUP);
}

INSTANTIATE_TEST_SUITE_P(With, ABrokenConnection,
                         testing::Values(ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, EPIPE,
                                         ENOTCONN),
                         error_name);

class AReadWithoutMemory : public ARead, public testing::WithParamInterface<int> {};

TEST_P(AReadWithoutMemory, fails_and_leaves_the_stream_usable) {
    with_stream([this]() -> acairo::Task<> {
        script.on("recv(7, 64)", -GetParam());
        co_await expect_failure(GetParam());
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
        script.ready({{7, EPOLLIN | EPOLLRDHUP}});
        script.on("recv(7, 64)", 0);
        // The connection was never broken: this is its end.
        co_await expect_some("");
    });
}

INSTANTIATE_TEST_SUITE_P(With, AReadWithoutMemory, testing::Values(ENOMEM, ENOBUFS), error_name);

TEST_F(ARead, of_exactly_n_waits_for_each_piece) {
    with_stream([this]() -> acairo::Task<> {
        script.receives("recv(7, 6)", "a");
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 5)", "bcd");
        script.ready({{7, EPOLLIN}});
        script.on("recv(7, 2)", -EINTR);
        script.on("recv(7, 2)", -EAGAIN);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 2)", "ef");
        co_await expect_exactly("abcdef");
        script.on("recv(7, 1)", -EAGAIN);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 1)", "g");
        co_await expect_exactly("g");
    });
}

TEST_F(ARead, of_exactly_n_ends_with_what_came_before_the_end_of_the_stream) {
    with_stream([this]() -> acairo::Task<> {
        script.receives("recv(7, 6)", "abc");
        script.ready({{7, EPOLLIN | EPOLLRDHUP}});
        script.on("recv(7, 3)", 0);
        std::string received = "nothing was thrown";
        try {
            co_await stream->read(6);
        } catch (const acairo::EndOfStream& end) { received = to_string(end.received()); }
        EXPECT_EQ(received, "abc");
        script.on("recv(7, 6)", 0);
        const bool again = co_await throws<acairo::EndOfStream>(stream->read(6));
        EXPECT_TRUE(again);
    });
}

TEST_F(ARead, that_times_out_leaves_its_bytes_to_the_next_one) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 5)", "abc");
            script.sleeps(100ms);
            const bool timed_out = co_await throws<acairo::TimedOut>(stream->read(5));
            EXPECT_TRUE(timed_out);
            co_await expect_exactly("ab");
            script.ready({{7, EPOLLIN}});
            script.receives("recv(7, 2)", "de");
            co_await expect_exactly("cde");
        },
        {.read_timeout = 100ms});
}

TEST_F(ARead, has_one_deadline_for_all_its_waits) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 5)", "a");
            scripted::Step& event = script.on("epoll_wait(3, 100)", 1);
            event.events = {{7, EPOLLIN}};
            event.lasting = 40ms;
            script.on("recv(7, 4)", -EAGAIN);
            script.sleeps(60ms);
            const bool timed_out = co_await throws<acairo::TimedOut>(stream->read(5));
            EXPECT_TRUE(timed_out);
        },
        {.read_timeout = 100ms});
}

TEST_F(ARead, is_given_no_more_time_when_an_event_at_the_deadline_brings_nothing) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.receives("recv(7, 5)", "a");
            scripted::Step& event = script.on("epoll_wait(3, 100)", 1);
            event.events = {{7, EPOLLIN}};
            event.lasting = 100ms;
            script.on("recv(7, 4)", -EAGAIN);
            const bool timed_out = co_await throws<acairo::TimedOut>(stream->read(5));
            EXPECT_TRUE(timed_out);
        },
        {.read_timeout = 100ms});
}

TEST_F(ARead, that_is_stopped_leaves_its_bytes_to_the_next_one) {
    with_stream([this]() -> acairo::Task<> {
        acairo::StopSource source;
        script.receives("recv(7, 5)", "abc");
        script.on("epoll_wait(3, -1)", 0).meanwhile = [&] { source.request_stop(); };
        const bool stopped =
            co_await throws<acairo::Cancelled>(acairo::with_stop_token(source.get_token(), stream->read(5)));
        EXPECT_TRUE(stopped);
        co_await expect_some("abc");
    });
}

TEST_F(ARead, of_much_grows_as_it_comes) {
    with_stream([this]() -> acairo::Task<> {
        const std::string much(100'000, 'x');
        script.receives("recv(7, 65536)", much.substr(0, 65536));
        script.receives("recv(7, 34464)", much.substr(65536));
        co_await expect_exactly(much);
    });
}

class AReadThatCannotBeRegistered : public ARead, public testing::WithParamInterface<int> {};

TEST_P(AReadThatCannotBeRegistered, fails_and_may_be_tried_again) {
    run([this]() -> acairo::Task<> {
        stream = co_await connected();
        script.on("epoll_ctl(3, ADD, 7, IN PRI RDHUP ET)", -GetParam());
        co_await expect_failure(GetParam(), "epoll_ctl");
        EXPECT_TRUE(script.is_open(7));
        registers(7);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 64)", "abc");
        co_await expect_some("abc");
        stream.reset();
    });
}

INSTANTIATE_TEST_SUITE_P(With, AReadThatCannotBeRegistered, testing::Values(ENOMEM, ENOSPC, EPERM), error_name);

TEST_F(ARead, still_works_after_the_peer_cannot_be_written_to) {
    run([this]() -> acairo::Task<> {
        stream = co_await connected();
        script.on("send(7, 1)", -EPIPE);
        const Failure failure = co_await failure_of(stream->write_all(std::string_view("x")));
        EXPECT_EQ(failure.error, EPIPE);
        registers(7);
        script.ready({{7, EPOLLIN | EPOLLRDHUP}});
        script.receives("recv(7, 64)", "last words");
        co_await expect_some("last words");
        script.on("recv(7, 64)", 0);
        co_await expect_some("");
        stream.reset();
    });
}

// The kernel tells an error once, and then an end of stream: told to the writer, it must not be lost to the reader.
class AnErrorToldToTheWriter : public ARead, public testing::WithParamInterface<int> {};

TEST_P(AnErrorToldToTheWriter, is_told_to_the_reader_instead_of_an_end) {
    run([this]() -> acairo::Task<> {
        stream = co_await connected();
        script.on("send(7, 1)", -GetParam());
        const Failure failure = co_await failure_of(stream->write_all(std::string_view("x")));
        EXPECT_EQ(failure.error, GetParam());
        registers(7);
        script.ready({{7, EPOLLIN | EPOLLRDHUP | EPOLLHUP}});
        script.on("recv(7, 64)", 0);
        co_await expect_failure(GetParam());
        stream.reset();
    });
}

INSTANTIATE_TEST_SUITE_P(With, AnErrorToldToTheWriter,
                         testing::Values(ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH), error_name);

}  // namespace
