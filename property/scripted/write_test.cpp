// write() and write_all(): each result of send, and what bytes_sent() says after it.
#include "fixture.hpp"

#include <string_view>

namespace {

class AWrite : public Scripted {
protected:
    template <class F> void with_stream(F body, acairo::TCPStreamConfiguration configuration = {}) {
        run([&]() -> acairo::Task<> {
            stream = co_await connected(configuration);
            co_await body();
            stream.reset();
            EXPECT_FALSE(script.is_open(7));
        });
    }
    auto write(std::string_view text) { return stream->write_all(text); }
    void expect_sent(const std::string& text) {
        EXPECT_EQ(stream->bytes_sent(), text.size());
        EXPECT_EQ(script.sent(7), text);
    }
    void registers_to_write() { script.on("epoll_ctl(3, ADD, 7, OUT ET)", 0); }
};

TEST_F(AWrite, that_the_kernel_takes_at_once_is_one_system_call) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 5)", 5);
        co_await write("hello");
        expect_sent("hello");
        script.on("send(7, 6)", 6);
        // Not written in the call: g++ 12 has no room in a coroutine's frame for a braced list.
        std::vector<char> more{' ', 't', 'h', 'e', 'r', 'e'};
        co_await stream->write(std::move(more));
        expect_sent("hello there");
    });
}

TEST_F(AWrite, of_nothing_is_no_system_call) {
    with_stream([this]() -> acairo::Task<> {
        co_await write("");
        co_await stream->write({});
        expect_sent("");
    });
}

TEST_F(AWrite, goes_on_where_a_short_one_ended) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 10)", 4);
        script.on("send(7, 6)", 1);
        script.on("send(7, 5)", 5);
        co_await write("0123456789");
        expect_sent("0123456789");
    });
}

TEST_F(AWrite, waits_for_room_and_may_find_none) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 10)", 4);
        script.on("send(7, 6)", -EAGAIN);
        registers_to_write();
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 6)", -EAGAIN);
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 6)", 6);
        co_await write("0123456789");
        expect_sent("0123456789");
        // The next one tries first, and is registered already.
        script.on("send(7, 1)", -EAGAIN);
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 1)", 1);
        co_await write("x");
        expect_sent("0123456789x");
    });
}

TEST_F(AWrite, adds_itself_to_the_reader_s_registration) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 1)", "?");
        co_await stream->read(1);
        script.on("send(7, 1)", -EAGAIN);
        script.on("epoll_ctl(3, MOD, 7, IN PRI OUT RDHUP ET)", 0);
        // Data for nobody is no room.
        script.ready({{7, EPOLLIN}});
        script.ready({{7, EPOLLIN | EPOLLOUT}});
        script.on("send(7, 1)", 1);
        co_await write("!");
        expect_sent("!");
    });
}

TEST_F(AWrite, that_a_signal_interrupts_is_repeated) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 5)", -EINTR);
        script.on("send(7, 5)", -EINTR);
        script.on("send(7, 5)", 2);
        script.on("send(7, 3)", -EINTR);
        script.on("send(7, 3)", 3);
        co_await write("hello");
        expect_sent("hello");
    });
}

class AFailedSend : public AWrite, public testing::WithParamInterface<int> {};

TEST_P(AFailedSend, is_named_and_the_bytes_before_it_are_counted) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 10)", 4);
        script.on("send(7, 6)", -GetParam());
        const Failure failure = co_await failure_of(write("0123456789"));
        EXPECT_EQ(failure.error, GetParam());
        EXPECT_TRUE(contains(failure.text, "send"));
        expect_sent("0123");
    });
}

TEST_P(AFailedSend, may_come_after_a_wait) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 10)", 4);
        script.on("send(7, 6)", -EAGAIN);
        registers_to_write();
        script.ready({{7, EPOLLERR | EPOLLHUP}});
        script.on("send(7, 6)", -GetParam());
        const Failure failure = co_await failure_of(write("0123456789"));
        EXPECT_EQ(failure.error, GetParam());
        expect_sent("0123");
    });
}

INSTANTIATE_TEST_SUITE_P(With, AFailedSend,
                         testing::Values(EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENOBUFS, ENOMEM,
                                         ENOTCONN, EPERM),
                         error_name);

// For want of memory, or by a firewall: the connection is whole.
class ASendRefusedForNow : public AWrite, public testing::WithParamInterface<int> {};

TEST_P(ASendRefusedForNow, leaves_the_stream_usable) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 5)", -GetParam());
        const Failure failure = co_await failure_of(write("hello"));
        EXPECT_EQ(failure.error, GetParam());
        script.on("send(7, 5)", 5);
        co_await write("again");
        expect_sent("again");
        registers(7);
        script.ready({{7, EPOLLIN | EPOLLRDHUP}});
        script.on("recv(7, 1)", 0);
        // The connection was never broken: this is its end.
        const bool ended = co_await throws<acairo::EndOfStream>(stream->read(1));
        EXPECT_TRUE(ended);
    });
}

INSTANTIATE_TEST_SUITE_P(With, ASendRefusedForNow, testing::Values(ENOBUFS, ENOMEM, EPERM), error_name);

class AWriteThatCannotBeRegistered : public AWrite, public testing::WithParamInterface<int> {};

TEST_P(AWriteThatCannotBeRegistered, fails_and_may_be_tried_again) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 5)", 2);
        script.on("send(7, 3)", -EAGAIN);
        script.on("epoll_ctl(3, ADD, 7, OUT ET)", -GetParam());
        const Failure failure = co_await failure_of(write("hello"));
        EXPECT_EQ(failure.error, GetParam());
        EXPECT_TRUE(contains(failure.text, "epoll_ctl"));
        expect_sent("he");
        script.on("send(7, 3)", 3);
        co_await write("llo");
        expect_sent("hello");
    });
}

INSTANTIATE_TEST_SUITE_P(With, AWriteThatCannotBeRegistered, testing::Values(ENOMEM, ENOSPC, EPERM), error_name);

TEST_F(AWrite, that_times_out_is_counted_and_leaves_the_stream_usable) {
    with_stream(
        [this]() -> acairo::Task<> {
            script.on("send(7, 5)", 2);
            script.on("send(7, 3)", -EAGAIN);
            registers_to_write();
            script.sleeps(100ms);
            const bool timed_out = co_await throws<acairo::TimedOut>(write("hello"));
            EXPECT_TRUE(timed_out);
            expect_sent("he");
            script.on("send(7, 3)", 3);
            co_await write("llo");
            expect_sent("hello");
        },
        {.write_timeout = 100ms});
}

TEST_F(AWrite, that_is_stopped_is_counted) {
    with_stream([this]() -> acairo::Task<> {
        acairo::StopSource source;
        script.on("send(7, 5)", 2);
        script.on("send(7, 3)", -EAGAIN);
        registers_to_write();
        script.on("epoll_wait(3, -1)", 0).meanwhile = [&] { source.request_stop(); };
        const bool stopped =
            co_await throws<acairo::Cancelled>(acairo::with_stop_token(source.get_token(), write("hello")));
        EXPECT_TRUE(stopped);
        expect_sent("he");
    });
}

TEST_F(AWrite, works_after_the_peer_has_ended_its_direction) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        script.ready({{7, EPOLLIN | EPOLLRDHUP}});
        script.on("recv(7, 1)", 0);
        const bool ended = co_await throws<acairo::EndOfStream>(stream->read(1));
        EXPECT_TRUE(ended);
        script.on("send(7, 5)", 5);
        co_await write("still");
        expect_sent("still");
    });
}

TEST_F(AWrite, of_much_advances_with_each_piece) {
    with_stream([this]() -> acairo::Task<> {
        const std::string much(3'000'000, 'x');
        script.on("send(7, 3000000)", 1'000'000);
        script.on("send(7, 2000000)", -EAGAIN);
        registers_to_write();
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 2000000)", 1'999'999);
        script.on("send(7, 1)", -EAGAIN);
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 1)", 1);
        co_await write(much);
        expect_sent(much);
    });
}

TEST_F(AWrite, does_not_disturb_a_reader_on_the_same_stream) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        std::string read;
        executor->spawn([this, &read]() -> acairo::Task<> {
            const std::vector<char> bytes = co_await stream->read(4);
            read = to_string(bytes);
        });
        // The reader comes to wait while this task sleeps.
        script.sleeps(1ms);
        co_await acairo::sleep_for(1ms);
        script.on("send(7, 4)", -EAGAIN);
        script.on("epoll_ctl(3, MOD, 7, IN PRI OUT RDHUP ET)", 0);
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 4)", 4);
        co_await write("ping");
        script.on("epoll_wait(3, 1)", 1).events = {{7, EPOLLIN}};
        script.receives("recv(7, 4)", "pong");
        script.sleeps(1ms);
        co_await acairo::sleep_for(1ms);
        EXPECT_EQ(read, "pong");
    });
}

TEST_F(AWrite, and_a_read_both_learn_of_a_reset) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        int read_error = 0;
        executor->spawn([this, &read_error]() -> acairo::Task<> {
            const Failure failure = co_await failure_of(stream->read(4));
            read_error = failure.error;
        });
        script.sleeps(1ms);
        co_await acairo::sleep_for(1ms);
        script.on("send(7, 4)", -EAGAIN);
        script.on("epoll_ctl(3, MOD, 7, IN PRI OUT RDHUP ET)", 0);
        script.ready({{7, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP}});
        // Whoever is first consumes the error.
        script.on("recv(7, 4)", -ECONNRESET);
        script.on("send(7, 4)", -EPIPE);
        const Failure failure = co_await failure_of(write("ping"));
        EXPECT_EQ(failure.error, EPIPE);
        EXPECT_EQ(read_error, ECONNRESET);
    });
}

}  // namespace
