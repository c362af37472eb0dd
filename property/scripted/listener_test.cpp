// bind() and listen(): a refusal names the call, the address and the remedy, gives the descriptor back, and leaves a
// listener that can be bound again.
#include "fixture.hpp"

#include <optional>
#include <stdexcept>

namespace {

class AListener : public Scripted {
protected:
    void SetUp() override {
        Scripted::SetUp();
        listener.emplace(acairo::TCPListenerConfiguration{}, executor);
    }
    void TearDown() override {
        listener.reset();
        Scripted::TearDown();
    }

    Failure failed_bind() {
        return failure_in([this] { listener->bind(address); });
    }
    // As if nothing had happened before.
    void expect_usable() {
        opens(5);
        script.on("bind(5, " + address + ")", 0);
        listener->bind(address);
        script.on("listen(5, 4096)", 0);
        listener->listen();
        EXPECT_TRUE(script.is_open(5));
    }

    std::optional<acairo::TCPListener> listener;
};

TEST_F(AListener, closes_its_socket_with_itself) {
    expect_usable();
    listener.reset();
    EXPECT_FALSE(script.is_open(5));
}

TEST_F(AListener, may_have_descriptor_0) {
    opens(0);
    script.on("bind(0, " + address + ")", 0);
    script.on("listen(0, 4096)", 0);
    listener->bind(address);
    listener->listen();
    script.on("getsockname(0)", 0).address = "127.0.0.1:41234";
    EXPECT_EQ(listener->local_address(), "127.0.0.1:41234");
    listener->stop();
    EXPECT_FALSE(script.is_open(0));
}

TEST_F(AListener, that_has_no_socket_has_no_address) {
    const auto expect_none = [this] {
        script.on("getsockname(-1)", -EBADF);
        EXPECT_EQ(failure_in([this] { listener->local_address(); }).error, EBADF);
    };
    expect_none();
    opens(5);
    script.on("bind(5, " + address + ")", -EADDRINUSE);
    failed_bind();
    expect_none();
    opens(5);
    script.on("bind(5, " + address + ")", 0);
    listener->bind(address);
    script.on("listen(5, 4096)", -EADDRINUSE);
    script.maybe("getsockname(5)", 0).address = address;
    EXPECT_EQ(failure_in([this] { listener->listen(); }).error, EADDRINUSE);
    expect_none();
}

class ASocketThatIsRefused : public AListener, public testing::WithParamInterface<int> {};

TEST_P(ASocketThatIsRefused, is_named_and_leaves_the_listener_as_it_was) {
    script.on("socket(AF_INET)", -GetParam());
    const Failure failure = failed_bind();
    EXPECT_EQ(failure.error, GetParam());
    EXPECT_TRUE(contains(failure.text, "socket"));
    EXPECT_TRUE(contains(failure.text, address));
    expect_usable();
}

INSTANTIATE_TEST_SUITE_P(With, ASocketThatIsRefused,
                         testing::Values(EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT),
                         error_name);

TEST_F(AListener, names_the_limit_when_the_process_has_no_descriptor_left) {
    script.on("socket(AF_INET)", -EMFILE);
    EXPECT_TRUE(contains(failed_bind().text, "RLIMIT_NOFILE"));
}

TEST_F(AListener, does_not_fall_back_when_there_is_no_ipv6) {
    script.on("socket(AF_INET6)", -EAFNOSUPPORT);
    const Failure failure = failure_in([this] { listener->bind("[::1]:0"); });
    EXPECT_EQ(failure.error, EAFNOSUPPORT);
    EXPECT_TRUE(contains(failure.text, "[::1]:0"));
}

class AnOptionThatIsRefused : public AListener, public testing::WithParamInterface<int> {};

TEST_P(AnOptionThatIsRefused, closes_the_socket) {
    script.on("socket(AF_INET)", 5);
    script.on("setsockopt(5, SO_REUSEADDR, 1)", -GetParam());
    const Failure reuse = failed_bind();
    EXPECT_EQ(reuse.error, GetParam());
    EXPECT_TRUE(contains(reuse.text, "SO_REUSEADDR"));
    EXPECT_FALSE(script.is_open(5));

    script.on("socket(AF_INET)", 5);
    script.on("setsockopt(5, SO_REUSEADDR, 1)", 0);
    script.on("setsockopt(5, TCP_NODELAY, 1)", -GetParam());
    const Failure no_delay = failed_bind();
    EXPECT_EQ(no_delay.error, GetParam());
    EXPECT_TRUE(contains(no_delay.text, "TCP_NODELAY"));
    EXPECT_FALSE(script.is_open(5));
    expect_usable();
}

INSTANTIATE_TEST_SUITE_P(With, AnOptionThatIsRefused, testing::Values(ENOBUFS, ENOMEM, ENOPROTOOPT), error_name);

class AnAddressThatIsRefused : public AListener, public testing::WithParamInterface<int> {};

TEST_P(AnAddressThatIsRefused, is_named_and_leaves_the_listener_as_it_was) {
    opens(5);
    script.on("bind(5, " + address + ")", -GetParam());
    const Failure failure = failed_bind();
    EXPECT_EQ(failure.error, GetParam());
    EXPECT_TRUE(contains(failure.text, "bind " + address));
    EXPECT_FALSE(script.is_open(5));
    expect_usable();
}

INSTANTIATE_TEST_SUITE_P(With, AnAddressThatIsRefused,
                         testing::Values(EADDRINUSE, EACCES, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENOMEM, EPERM),
                         error_name);

TEST_F(AListener, names_the_remedy_for_an_address_that_cannot_be_had) {
    opens(5);
    script.on("bind(5, " + address + ")", -EADDRINUSE);
    EXPECT_TRUE(contains(failed_bind().text, "port 0"));
    opens(5);
    script.on("bind(5, " + address + ")", -EACCES);
    EXPECT_TRUE(contains(failed_bind().text, "CAP_NET_BIND_SERVICE"));
}

class AListenThatIsRefused : public AListener, public testing::WithParamInterface<int> {};

TEST_P(AListenThatIsRefused, is_named_and_leaves_a_listener_that_can_be_bound_again) {
    opens(5);
    script.on("bind(5, " + address + ")", 0);
    listener->bind(address);
    script.on("listen(5, 4096)", -GetParam());
    script.maybe("getsockname(5)", 0).address = address;
    const Failure failure = failure_in([this] { listener->listen(); });
    EXPECT_EQ(failure.error, GetParam());
    EXPECT_TRUE(contains(failure.text, "listen"));
    EXPECT_TRUE(contains(failure.text, address));
    EXPECT_EQ(contains(failure.text, "port 0"), GetParam() == EADDRINUSE);
    EXPECT_FALSE(script.is_open(5));
    expect_usable();
}

INSTANTIATE_TEST_SUITE_P(With, AListenThatIsRefused, testing::Values(EADDRINUSE, ENOBUFS, ENOMEM), error_name);

TEST_F(AListener, names_getsockname_when_its_address_cannot_be_told) {
    expect_usable();
    script.on("getsockname(5)", -ENOBUFS);
    const Failure failure = failure_in([this] { listener->local_address(); });
    EXPECT_EQ(failure.error, ENOBUFS);
    EXPECT_TRUE(contains(failure.text, "getsockname"));
}

TEST_F(AListener, that_is_stopped_makes_no_system_call) {
    expect_usable();
    listener->stop();
    listener->stop();
    EXPECT_FALSE(script.is_open(5));
    EXPECT_THROW(listener->bind(address), acairo::TCPListenerStoppedError);
    EXPECT_THROW(listener->listen(), acairo::TCPListenerStoppedError);
    EXPECT_EQ(failure_in([this] { listener->local_address(); }).error, EBADF);
}

TEST_F(AListener, that_is_stopped_while_it_is_bound_leaves_no_descriptor) {
    opens(5);
    script.on("bind(5, " + address + ")", 0).meanwhile = [this] { listener->stop(); };
    EXPECT_THROW(listener->bind(address), acairo::TCPListenerStoppedError);
    EXPECT_FALSE(script.is_open(5));
}

TEST_F(AListener, that_is_stopped_before_it_listens_ends_an_accept) {
    run([this]() -> acairo::Task<> {
        const bool early = co_await throws<std::logic_error>(listener->accept());
        EXPECT_TRUE(early);
        listener->stop();
        const bool late = co_await throws<acairo::TCPListenerStoppedError>(listener->accept());
        EXPECT_TRUE(late);
    });
}

TEST_F(AListener, of_more_connections_than_descriptors_is_refused_with_the_remedy) {
    script.descriptors_limit = 1000;
    try {
        acairo::TCPListener(acairo::TCPListenerConfiguration{.maximum_connections = 1001}, executor);
        ADD_FAILURE() << "was not refused";
    } catch (const std::invalid_argument& error) {
        EXPECT_TRUE(contains(error.what(), "1001"));
        EXPECT_TRUE(contains(error.what(), "1000"));
        EXPECT_TRUE(contains(error.what(), "RLIMIT_NOFILE"));
    }
}

TEST_F(AListener, makes_no_system_call_for_a_bad_address) {
    for (const char* wrong : {"", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:80", "[::1:80", "0:80:"}) {
        EXPECT_THROW(listener->bind(wrong), std::invalid_argument) << wrong;
    }
    expect_usable();
}

}  // namespace
