// accept(): whatever accept4 and epoll_ctl answer, the loop goes on, does not spin, and leaks nothing.
#include "fixture.hpp"

namespace {

class AnAccept : public Scripted {
protected:
    void SetUp() override {
        Scripted::SetUp();
        listening = listener();
    }
    void TearDown() override {
        listening.reset();
        Scripted::TearDown();
    }
    // The listener is registered, and told of a connection.
    void a_connection_comes() {
        registers(5);
        script.ready({{5, EPOLLIN}});
    }
    // Awaits a connection, which is to be on descriptor `fd`.
    acairo::Task<> accepts(int fd) {
        const std::shared_ptr<acairo::TCPStream> connection = co_await listening->accept();
        EXPECT_TRUE(connection);
        EXPECT_TRUE(script.is_open(fd));
        connection->close();
        EXPECT_FALSE(script.is_open(fd));
    }

    std::unique_ptr<acairo::TCPListener> listening;
};

TEST_F(AnAccept, may_be_given_descriptor_0) {
    a_connection_comes();
    script.on("accept4(5)", 0);
    run([this] { return accepts(0); });
}

TEST_F(AnAccept, waits_again_after_an_event_without_a_connection) {
    a_connection_comes();
    script.on("accept4(5)", -EAGAIN);
    script.ready({{5, EPOLLIN}});
    script.on("accept4(5)", -EAGAIN);
    script.ready({{5, EPOLLIN}});
    script.on("accept4(5)", 7);
    run([this] { return accepts(7); });
}

TEST_F(AnAccept, does_not_try_when_the_last_one_showed_that_there_is_none) {
    a_connection_comes();
    script.on("accept4(5)", -EAGAIN);
    script.sleeps(20ms);
    script.ready({{5, EPOLLIN}});
    script.on("accept4(5)", 7);
    run([this]() -> acairo::Task<> {
        const bool timed_out = co_await throws<acairo::TimedOut>(acairo::timeout(20ms, listening->accept()));
        EXPECT_TRUE(timed_out);
        co_await accepts(7);
    });
}

TEST_F(AnAccept, takes_all_connections_of_one_event) {
    a_connection_comes();
    for (const int fd : {7, 8, 9}) script.on("accept4(5)", fd);
    script.on("accept4(5)", -EAGAIN);
    script.ready({{5, EPOLLIN}});
    script.on("accept4(5)", 10);
    run([this]() -> acairo::Task<> {
        for (const int fd : {7, 8, 9, 10}) co_await accepts(fd);
    });
}

class AConnectionThatFailed : public AnAccept, public testing::WithParamInterface<int> {};

TEST_P(AConnectionThatFailed, is_skipped) {
    a_connection_comes();
    script.on("accept4(5)", -GetParam());
    script.on("accept4(5)", 7);
    run([this] { return accepts(7); });
}

TEST_P(AConnectionThatFailed, may_have_been_the_last_one) {
    a_connection_comes();
    script.on("accept4(5)", -GetParam());
    script.on("accept4(5)", -EAGAIN);
    script.ready({{5, EPOLLIN}});
    script.on("accept4(5)", 7);
    run([this] { return accepts(7); });
}

// EINTR and ECONNABORTED, what a firewall says, and the pending errors that accept(2) lists.
INSTANTIATE_TEST_SUITE_P(With, AConnectionThatFailed,
                         testing::Values(EINTR, ECONNABORTED, EPERM, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
                                         EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT),
                         error_name);

TEST_F(AnAccept, survives_a_thousand_connections_that_died_in_the_backlog_and_lets_others_run) {
    a_connection_comes();
    bool other_ran = false;
    script.on("accept4(5)", -ECONNABORTED).meanwhile = [&] {
        executor->spawn([&]() -> acairo::Task<> {
            other_ran = true;
            co_return;
        });
    };
    for (int i = 0; i < 1000; ++i) script.on("accept4(5)", -ECONNABORTED);
    script.on("accept4(5)", 7).meanwhile = [&] { EXPECT_TRUE(other_ran); };
    run([this] { return accepts(7); });
}

class AShortage : public AnAccept, public testing::WithParamInterface<int> {};

TEST_P(AShortage, pauses_and_goes_on_without_an_event) {
    a_connection_comes();
    for (int i = 0; i < 3; ++i) {
        script.on("accept4(5)", -GetParam());
        script.sleeps(50ms);
    }
    script.on("accept4(5)", 7);
    run([this] { return accepts(7); });
}

TEST_P(AShortage, is_not_cut_short_by_events) {
    a_connection_comes();
    script.on("accept4(5)", -GetParam());
    script.on("epoll_wait(3, 50)", 1).events = {{5, EPOLLIN}};
    for (int i = 0; i < 5; ++i) {
        scripted::Step& step = script.ready({{5, EPOLLIN}});
        step.lasting = 10ms;
    }
    script.on("accept4(5)", 7);
    run([this] { return accepts(7); });
}

TEST_P(AShortage, is_ended_at_once_by_stop) {
    a_connection_comes();
    script.on("accept4(5)", -GetParam());
    script.on("epoll_wait(3, 50)", 0).meanwhile = [this] { listening->stop(); };
    run([this]() -> acairo::Task<> {
        const bool stopped = co_await throws<acairo::TCPListenerStoppedError>(listening->accept());
        EXPECT_TRUE(stopped);
        EXPECT_FALSE(script.is_open(5));
    });
}

TEST_P(AShortage, ends_with_the_time_that_the_accept_was_given) {
    a_connection_comes();
    script.on("accept4(5)", -GetParam());
    script.sleeps(20ms);
    // A later accept does not wait for the rest of the pause.
    script.on("accept4(5)", 7);
    run([this]() -> acairo::Task<> {
        const bool timed_out = co_await throws<acairo::TimedOut>(acairo::timeout(20ms, listening->accept()));
        EXPECT_TRUE(timed_out);
        co_await accepts(7);
    });
}

TEST_P(AShortage, ends_with_the_executor) {
    a_connection_comes();
    script.on("accept4(5)", -GetParam());
    script.on("epoll_wait(3, 50)", 0).meanwhile = [this] { executor->stop(); };
    run([this]() -> acairo::Task<> {
        const bool cancelled = co_await throws<acairo::Cancelled>(listening->accept());
        EXPECT_TRUE(cancelled);
    });
}

INSTANTIATE_TEST_SUITE_P(Of, AShortage, testing::Values(EMFILE, ENFILE, ENOBUFS, ENOMEM), error_name);

class AListenerThatCannotBeRegistered : public AnAccept, public testing::WithParamInterface<int> {};

TEST_P(AListenerThatCannotBeRegistered, is_tried_again_after_a_pause) {
    script.on("epoll_ctl(3, ADD, 5, IN PRI RDHUP ET)", -GetParam());
    script.sleeps(50ms);
    script.on("epoll_ctl(3, ADD, 5, IN PRI RDHUP ET)", -GetParam());
    script.sleeps(50ms);
    a_connection_comes();
    script.on("accept4(5)", 7);
    run([this] { return accepts(7); });
}

TEST_P(AListenerThatCannotBeRegistered, is_stopped_at_the_end_of_its_pause) {
    script.on("epoll_ctl(3, ADD, 5, IN PRI RDHUP ET)", -GetParam());
    // The stop finds no registration to wake: the pause ends by itself.
    script.on("epoll_wait(3, 50)", 0).meanwhile = [this] { listening->stop(); };
    script.on("epoll_wait(3, 50)", 0).lasting = 50ms;
    run([this]() -> acairo::Task<> {
        const bool stopped = co_await throws<acairo::TCPListenerStoppedError>(listening->accept());
        EXPECT_TRUE(stopped);
    });
}

INSTANTIATE_TEST_SUITE_P(For, AListenerThatCannotBeRegistered, testing::Values(ENOMEM, ENOSPC), error_name);

TEST_F(AnAccept, fails_when_the_listener_can_never_be_registered) {
    script.on("epoll_ctl(3, ADD, 5, IN PRI RDHUP ET)", -EPERM);
    run([this]() -> acairo::Task<> {
        const Failure failure = co_await failure_of(listening->accept());
        EXPECT_EQ(failure.error, EPERM);
        EXPECT_TRUE(contains(failure.text, "epoll_ctl"));
    });
}

class AnErrorThatCannotPass : public AnAccept, public testing::WithParamInterface<int> {};

TEST_P(AnErrorThatCannotPass, fails_the_accept_and_is_named) {
    registers(5);
    script.ready({{5, EPOLLHUP}});
    script.on("accept4(5)", -GetParam());
    script.on("accept4(5)", 7);
    run([this]() -> acairo::Task<> {
        const Failure failure = co_await failure_of(listening->accept());
        EXPECT_EQ(failure.error, GetParam());
        EXPECT_TRUE(contains(failure.text, "accept4"));
        // Nothing is broken by it on our side.
        co_await accepts(7);
    });
}

INSTANTIATE_TEST_SUITE_P(With, AnErrorThatCannotPass, testing::Values(EINVAL, EIO, ENOSR), error_name);

TEST_F(AnAccept, is_ended_by_stop_on_another_thread) {
    registers(5);
    script.on("epoll_wait(3, -1)", 0).meanwhile = [this] {
        listening->stop();
        EXPECT_FALSE(script.is_open(5));
    };
    run([this]() -> acairo::Task<> {
        const bool stopped = co_await throws<acairo::TCPListenerStoppedError>(listening->accept());
        EXPECT_TRUE(stopped);
        const bool again = co_await throws<acairo::TCPListenerStoppedError>(listening->accept());
        EXPECT_TRUE(again);
    });
}

TEST_F(AnAccept, keeps_the_listener_s_descriptor_while_accept4_uses_it) {
    a_connection_comes();
    script.on("accept4(5)", -EAGAIN).meanwhile = [this] {
        listening->stop();
        EXPECT_TRUE(script.is_open(5));
    };
    run([this]() -> acairo::Task<> {
        const bool stopped = co_await throws<acairo::TCPListenerStoppedError>(listening->accept());
        EXPECT_TRUE(stopped);
        EXPECT_FALSE(script.is_open(5));
    });
}

TEST_F(AnAccept, leaks_no_connection_that_comes_together_with_stop) {
    a_connection_comes();
    script.on("accept4(5)", 7).meanwhile = [this] { listening->stop(); };
    run([this]() -> acairo::Task<> {
        try {
            const std::shared_ptr<acairo::TCPStream> connection = co_await listening->accept();
            EXPECT_TRUE(script.is_open(7));
        } catch (const acairo::TCPListenerStoppedError&) {}
        EXPECT_FALSE(script.is_open(7));
        EXPECT_FALSE(script.is_open(5));
    });
}

// Its connection is there, and others run before it goes on: the listener may be stopped meanwhile.
class AnAcceptThatLetsOthersRun : public AnAccept {
protected:
    AnAcceptThatLetsOthersRun() { budget = 1; }
};

TEST_F(AnAcceptThatLetsOthersRun, gives_its_connection_also_when_the_listener_is_stopped_meanwhile) {
    a_connection_comes();
    script.on("accept4(5)", 7);
    script.on("accept4(5)", 8);
    run([this]() -> acairo::Task<> {
        const std::shared_ptr<acairo::TCPStream> first = co_await listening->accept();
        executor->spawn([this]() -> acairo::Task<> {
            listening->stop();
            co_return;
        });
        const std::shared_ptr<acairo::TCPStream> second = co_await listening->accept();
        EXPECT_FALSE(script.is_open(5)) << "it was stopped before";
        EXPECT_TRUE(script.is_open(8));
    });
}

TEST_F(AnAccept, may_give_a_connection_that_is_dead_already) {
    a_connection_comes();
    script.on("accept4(5)", 7);
    script.on("getpeername(7)", -ENOTCONN);
    registers(7);
    script.ready({{7, EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP}});
    script.on("recv(7, 4)", -ECONNRESET);
    run([this]() -> acairo::Task<> {
        const std::shared_ptr<acairo::TCPStream> connection = co_await listening->accept();
        EXPECT_EQ(failure_in([&] { connection->peer_address(); }).error, ENOTCONN);
        const Failure failure = co_await failure_of(connection->read(4));
        EXPECT_EQ(failure.error, ECONNRESET);
    });
}

class AConnectionThatCannotBeRegistered : public AnAccept, public testing::WithParamInterface<int> {};

TEST_P(AConnectionThatCannotBeRegistered, is_shed_and_the_next_one_is_served) {
    a_connection_comes();
    script.on("accept4(5)", 7);
    script.on("epoll_ctl(3, ADD, 7, IN PRI RDHUP ET)", -GetParam());
    script.on("accept4(5)", 7);
    registers(7);
    script.ready({{7, EPOLLIN}});
    script.receives("recv(7, 4)", "ping");
    run([this]() -> acairo::Task<> {
        {
            const std::shared_ptr<acairo::TCPStream> shed = co_await listening->accept();
            const Failure failure = co_await failure_of(shed->read(4));
            EXPECT_EQ(failure.error, GetParam());
            EXPECT_TRUE(contains(failure.text, "epoll_ctl"));
        }
        EXPECT_FALSE(script.is_open(7));
        const std::shared_ptr<acairo::TCPStream> served = co_await listening->accept();
        const std::vector<char> bytes = co_await served->read(4);
        EXPECT_EQ(to_string(bytes), "ping");
    });
}

INSTANTIATE_TEST_SUITE_P(For, AConnectionThatCannotBeRegistered, testing::Values(ENOMEM, ENOSPC), error_name);

}  // namespace
