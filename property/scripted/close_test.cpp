// shutdown() and close(): each descriptor is closed once, never while a call uses it, and nothing is called after it.
#include "fixture.hpp"

#include <array>
#include <string_view>

namespace {

using scripted::Step;

class AStream : public Scripted {
protected:
    template <class F> void with_stream(F body) {
        run([&]() -> acairo::Task<> {
            stream = co_await connected();
            co_await body();
        });
        stream.reset();
        EXPECT_FALSE(script.is_open(7));
    }
};

TEST_F(AStream, that_is_closed_under_two_calls_is_closed_after_the_last_one) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        script.ready({{7, EPOLLIN}});
        Step& recv = script.on("recv(7, 1)", 1);
        recv.bytes = "x";
        recv.meanwhile = [this] {
            EXPECT_EQ(stream->local_address(), address);
            EXPECT_TRUE(script.is_open(7)) << "the read still uses it";
        };
        Step& name = script.on("getsockname(7)", 0);
        name.address = address;
        name.meanwhile = [this] { stream->close(); };
        const std::vector<char> bytes = co_await stream->read(1);
        EXPECT_EQ(to_string(bytes), "x");
        EXPECT_FALSE(script.is_open(7));
    });
}

TEST_F(AStream, that_the_peer_has_reset_may_be_shut_down) {
    with_stream([this]() -> acairo::Task<> {
        script.on("shutdown(7, SHUT_WR)", -ENOTCONN);
        stream->shutdown();
        co_return;
    });
}

TEST_F(AStream, may_be_shut_down_twice) {
    with_stream([this]() -> acairo::Task<> {
        script.on("shutdown(7, SHUT_WR)", 0);
        script.on("shutdown(7, SHUT_WR)", 0);
        stream->shutdown();
        stream->shutdown();
        co_return;
    });
}

TEST_F(AStream, that_cannot_be_shut_down_says_so) {
    with_stream([this]() -> acairo::Task<> {
        script.on("shutdown(7, SHUT_WR)", -ENOBUFS);
        const Failure failure = failure_in([this] { stream->shutdown(); });
        EXPECT_EQ(failure.error, ENOBUFS);
        EXPECT_TRUE(contains(failure.text, "shutdown"));
        co_return;
    });
}

TEST_F(AStream, that_was_shut_down_can_still_be_read_and_not_written) {
    with_stream([this]() -> acairo::Task<> {
        script.on("shutdown(7, SHUT_WR)", 0);
        stream->shutdown();
        script.on("send(7, 1)", -EPIPE);
        const Failure failure = co_await failure_of(stream->write_all(std::string_view("x")));
        EXPECT_EQ(failure.error, EPIPE);
        registers(7);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 3)", "end");
        const std::vector<char> bytes = co_await stream->read(3);
        EXPECT_EQ(to_string(bytes), "end");
    });
}

class ACloseThatFails : public AStream, public testing::WithParamInterface<int> {};

TEST_P(ACloseThatFails, is_never_repeated) {
    with_stream([this]() -> acairo::Task<> {
        script.on("close(7)", -GetParam());
        stream->close();
        stream->close();
        EXPECT_FALSE(script.is_open(7));
        co_return;
    });
}

TEST_P(ACloseThatFails, of_a_listener_is_never_repeated) {
    const auto listening = listener();
    script.on("close(5)", -GetParam());
    listening->stop();
    listening->stop();
    EXPECT_FALSE(script.is_open(5));
}

TEST_P(ACloseThatFails, of_a_worker_is_never_repeated) {
    executor->stop();
    script.on("close(4)", -GetParam());
    script.on("close(3)", -GetParam());
    executor.reset();
    EXPECT_FALSE(script.is_open(4));
    EXPECT_FALSE(script.is_open(3));
}

INSTANTIATE_TEST_SUITE_P(With, ACloseThatFails, testing::Values(EINTR, EIO, ENOSPC, EDQUOT), error_name);

TEST_F(AStream, that_is_closed_makes_no_system_call) {
    with_stream([this]() -> acairo::Task<> {
        stream->close();
        std::array<char, 4> buffer;
        const Failure read = co_await failure_of(stream->read(4));
        const Failure read_some = co_await failure_of(stream->read_some(buffer));
        const Failure write = co_await failure_of(stream->write_all(std::string_view("x")));
        EXPECT_EQ(read.error, EBADF);
        EXPECT_EQ(read_some.error, EBADF);
        EXPECT_EQ(write.error, EBADF);
        EXPECT_EQ(failure_in([this] { stream->shutdown(); }).error, EBADF);
        EXPECT_EQ(failure_in([this] { stream->local_address(); }).error, EBADF);
        EXPECT_EQ(failure_in([this] { stream->peer_address(); }).error, EBADF);
        EXPECT_EQ(stream->bytes_sent(), 0u);
    });
}

TEST_F(AStream, names_the_call_that_could_not_tell_an_address) {
    with_stream([this]() -> acairo::Task<> {
        script.on("getpeername(7)", -ENOTCONN);
        const Failure peer = failure_in([this] { stream->peer_address(); });
        EXPECT_EQ(peer.error, ENOTCONN);
        EXPECT_TRUE(contains(peer.text, "getpeername"));
        script.on("getsockname(7)", -ENOBUFS);
        const Failure local = failure_in([this] { stream->local_address(); });
        EXPECT_EQ(local.error, ENOBUFS);
        EXPECT_TRUE(contains(local.text, "getsockname"));
        script.on("getpeername(7)", 0).address = "10.0.0.1:65535";
        EXPECT_EQ(stream->peer_address(), "10.0.0.1:65535");
        co_return;
    });
}

TEST_F(AStream, ends_a_waiting_read_when_another_thread_closes_it) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        script.on("epoll_wait(3, -1)", 0).meanwhile = [this] {
            stream->close();
            EXPECT_FALSE(script.is_open(7));
        };
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->read(4));
        EXPECT_TRUE(cancelled);
    });
}

TEST_F(AStream, ends_a_waiting_write_when_another_thread_closes_it) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 1)", -EAGAIN);
        script.on("epoll_ctl(3, ADD, 7, OUT ET)", 0);
        script.on("epoll_wait(3, -1)", 0).meanwhile = [this] { stream->close(); };
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->write_all(std::string_view("x")));
        EXPECT_TRUE(cancelled);
    });
}

TEST_F(AStream, keeps_its_descriptor_while_recv_uses_it) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        script.ready({{7, EPOLLIN}});
        scripted::Step& recv = script.on("recv(7, 4)", 2);
        recv.bytes = "ab";
        recv.meanwhile = [this] {
            stream->close();
            EXPECT_TRUE(script.is_open(7));
        };
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->read(4));
        EXPECT_TRUE(cancelled);
        EXPECT_FALSE(script.is_open(7));
    });
}

// Whether a call is repeated on a descriptor that it keeps is all the same; that its outcome is not lost is not.
TEST_F(AStream, that_is_closed_while_a_signal_interrupts_recv_does_not_wait) {
    with_stream([this]() -> acairo::Task<> {
        registers(7);
        script.ready({{7, EPOLLIN}});
        script.on("recv(7, 4)", -EINTR).meanwhile = [this] { stream->close(); };
        script.maybe("recv(7, 4)", -EAGAIN);
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->read(4));
        EXPECT_TRUE(cancelled);
        EXPECT_FALSE(script.is_open(7));
    });
}

TEST_F(AStream, counts_a_short_send_during_which_it_is_closed) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 5)", 2).meanwhile = [this] {
            stream->close();
            EXPECT_TRUE(script.is_open(7));
        };
        script.maybe("send(7, 3)", -EAGAIN);
        script.maybe("epoll_ctl(3, ADD, 7, OUT ET)", 0);
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->write_all(std::string_view("hello")));
        EXPECT_TRUE(cancelled);
        EXPECT_FALSE(script.is_open(7));
        EXPECT_EQ(stream->bytes_sent(), 2u);
    });
}

TEST_F(AStream, does_not_wait_for_room_after_close) {
    with_stream([this]() -> acairo::Task<> {
        script.on("send(7, 5)", -EAGAIN).meanwhile = [this] { stream->close(); };
        script.maybe("epoll_ctl(3, ADD, 7, OUT ET)", 0);
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->write_all(std::string_view("hello")));
        EXPECT_TRUE(cancelled);
    });
}

TEST_F(AStream, does_not_wait_when_it_is_closed_while_it_is_registered) {
    with_stream([this]() -> acairo::Task<> {
        script.on("epoll_ctl(3, ADD, 7, IN PRI RDHUP ET)", 0).meanwhile = [this] { stream->close(); };
        const bool cancelled = co_await throws<acairo::Cancelled>(stream->read(4));
        EXPECT_TRUE(cancelled);
        EXPECT_FALSE(script.is_open(7));
    });
}

}  // namespace
