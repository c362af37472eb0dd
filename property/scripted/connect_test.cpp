// connect(): at once or later, and each way to fail. A failure names the call and the address, and leaves no descriptor.
#include "fixture.hpp"

#include <string_view>

namespace {

class AConnect : public Scripted {
protected:
    void begins(int result, int fd = 7) {
        script.on("socket(AF_INET)", fd);
        script.on(call("setsockopt", fd, ", TCP_NODELAY, 1"), 0);
        script.on(call("connect", fd, ", " + address), result);
    }
    void waits(int fd = 7) { script.on(call("epoll_ctl", 3, ", ADD, " + std::to_string(fd) + ", OUT ET"), 0); }
    // Asked again, a connection tells how it stands.
    void stands(int result, int fd = 7) { script.on(call("connect", fd, ", " + address), result); }

    auto connect() { return acairo::TCPStream::connect(executor, address); }

    acairo::Task<> succeeds(int fd = 7) {
        {
            const std::shared_ptr<acairo::TCPStream> connection = co_await connect();
            EXPECT_TRUE(script.is_open(fd));
        }
        EXPECT_FALSE(script.is_open(fd));
    }
    acairo::Task<> fails(int error, const char* call = "connect") {
        const Failure failure = co_await failure_of(connect());
        EXPECT_EQ(failure.error, error);
        EXPECT_TRUE(contains(failure.text, call));
        EXPECT_TRUE(contains(failure.text, address));
        EXPECT_FALSE(script.is_open(7));
    }
};

constexpr int refusals[] = {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL,
                            EAGAIN,       EACCES,    EPERM,       EADDRINUSE,   ECONNRESET};

TEST_F(AConnect, may_succeed_at_once) {
    begins(0);
    run([this] { return succeeds(); });
}

TEST_F(AConnect, may_be_given_descriptor_0) {
    begins(0, 0);
    run([this] { return succeeds(0); });
}

TEST_F(AConnect, with_descriptor_0_goes_on_with_it_when_it_is_writable) {
    begins(-EINPROGRESS, 0);
    waits(0);
    script.ready({{0, EPOLLOUT}});
    stands(0, 0);
    run([this] { return succeeds(0); });
}

TEST_F(AConnect, asks_for_the_outcome_when_the_socket_is_writable) {
    begins(-EINPROGRESS);
    waits();
    script.ready({{7, EPOLLOUT}});
    stands(0);
    run([this] { return succeeds(); });
}

TEST_F(AConnect, that_a_signal_interrupts_goes_on) {
    begins(-EINTR);
    stands(-EALREADY);
    waits();
    script.ready({{7, EPOLLOUT}});
    stands(0);
    run([this] { return succeeds(); });
}

TEST_F(AConnect, is_not_deceived_by_readiness_without_a_connection) {
    begins(-EINPROGRESS);
    waits();
    for (int i = 0; i < 2; ++i) {
        script.ready({{7, EPOLLOUT | EPOLLHUP}});
        stands(-EALREADY);
    }
    script.ready({{7, EPOLLOUT}});
    stands(0);
    run([this] { return succeeds(); });
}

class ARefusal : public AConnect, public testing::WithParamInterface<int> {};

TEST_P(ARefusal, may_come_at_once) {
    begins(-GetParam());
    begins(0);
    run([this]() -> acairo::Task<> {
        co_await fails(GetParam());
        // On a fresh socket.
        co_await succeeds();
    });
}

TEST_P(ARefusal, may_come_later) {
    begins(-EINPROGRESS);
    waits();
    script.ready({{7, EPOLLOUT | EPOLLERR | EPOLLHUP}});
    stands(-GetParam());
    begins(0);
    run([this]() -> acairo::Task<> {
        co_await fails(GetParam());
        co_await succeeds();
    });
}

TEST_P(ARefusal, may_come_after_a_signal) {
    begins(-EINTR);
    stands(-EALREADY);
    waits();
    script.ready({{7, EPOLLERR | EPOLLHUP}});
    stands(-GetParam());
    run([this] { return fails(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(With, ARefusal, testing::ValuesIn(refusals), error_name);

class NoSocket : public AConnect, public testing::WithParamInterface<int> {};

TEST_P(NoSocket, is_named) {
    script.on("socket(AF_INET)", -GetParam());
    begins(0);
    run([this]() -> acairo::Task<> {
        co_await fails(GetParam(), "socket");
        co_await succeeds();
    });
}

INSTANTIATE_TEST_SUITE_P(With, NoSocket,
                         testing::Values(EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT),
                         error_name);

TEST_F(AConnect, closes_the_socket_when_an_option_is_refused) {
    script.on("socket(AF_INET)", 7);
    script.on("setsockopt(7, TCP_NODELAY, 1)", -ENOBUFS);
    run([this] { return fails(ENOBUFS, "setsockopt"); });
}

TEST_F(AConnect, sets_no_option_that_was_not_asked_for) {
    script.on("socket(AF_INET)", 7);
    script.on("setsockopt(7, TCP_NODELAY, 0)", 0);
    script.on("connect(7, " + address + ")", 0);
    run([this]() -> acairo::Task<> {
        co_await acairo::TCPStream::connect(executor, address, acairo::TCPStreamConfiguration{.no_delay = false});
    });
}

class ASocketThatCannotBeRegistered : public AConnect, public testing::WithParamInterface<int> {};

TEST_P(ASocketThatCannotBeRegistered, is_closed) {
    begins(-EINPROGRESS);
    script.on("epoll_ctl(3, ADD, 7, OUT ET)", -GetParam());
    run([this]() -> acairo::Task<> {
        const Failure failure = co_await failure_of(connect());
        EXPECT_EQ(failure.error, GetParam());
        EXPECT_TRUE(contains(failure.text, "epoll_ctl"));
        EXPECT_FALSE(script.is_open(7));
    });
}

INSTANTIATE_TEST_SUITE_P(With, ASocketThatCannotBeRegistered, testing::Values(ENOMEM, ENOSPC), error_name);

TEST_F(AConnect, may_have_succeeded_when_a_signal_has_interrupted_it) {
    begins(-EINTR);
    stands(-EINTR);
    stands(-EISCONN);
    run([this] { return succeeds(); });
}

TEST_F(AConnect, that_is_cancelled_leaves_no_descriptor) {
    begins(-EINPROGRESS);
    waits();
    script.on("epoll_wait(3, -1)", 0).meanwhile = [this] { executor->stop(); };
    run([this]() -> acairo::Task<> {
        const bool cancelled = co_await throws<acairo::Cancelled>(connect());
        EXPECT_TRUE(cancelled);
        EXPECT_FALSE(script.is_open(7));
    });
}

TEST_F(AConnect, may_take_no_longer_than_it_is_given) {
    begins(-EINPROGRESS);
    waits();
    script.sleeps(3000ms);
    run([this]() -> acairo::Task<> {
        const bool timed_out = co_await throws<acairo::TimedOut>(acairo::timeout(3s, connect()));
        EXPECT_TRUE(timed_out);
        EXPECT_FALSE(script.is_open(7));
    });
}

TEST_F(AConnect, goes_on_to_read_and_write_with_the_same_registration) {
    begins(-EINPROGRESS);
    waits();
    script.ready({{7, EPOLLOUT}});
    stands(0);
    script.on("send(7, 4)", 4);
    script.on("epoll_ctl(3, MOD, 7, IN PRI OUT RDHUP ET)", 0);
    script.ready({{7, EPOLLIN | EPOLLOUT}});
    script.receives("recv(7, 4)", "pong");
    run([this]() -> acairo::Task<> {
        const std::shared_ptr<acairo::TCPStream> connection = co_await connect();
        co_await connection->write_all(std::string_view("ping"));
        const std::vector<char> bytes = co_await connection->read(4);
        EXPECT_EQ(to_string(bytes), "pong");
    });
}

}  // namespace
