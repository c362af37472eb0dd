// TCPListener against real sockets: one test for each sentence of its contract.
#include <atomic>
#include <optional>
#include <thread>

#include "socket_test.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::StopSource;
using acairo::Task;
using acairo::TCPListener;
using acairo::TCPListenerConfiguration;
using acairo::TCPStream;
using sockets::bytes;
using sockets::exception_of;
using sockets::message_of;
using sockets::open_descriptors;
using sockets::Running;
using testing::HasSubstr;

class ListenerTest : public sockets::SocketTest {
protected:
    std::unique_ptr<TCPListener> listening(TCPListenerConfiguration configuration = {},
                                           const std::string& address = "127.0.0.1:0") {
        auto listener = std::make_unique<TCPListener>(configuration, executor_);
        listener->bind(address);
        listener->listen();
        return listener;
    }
    Running start_accept(TCPListener& listener) {
        return start([&listener] { return listener.accept(); });
    }
    std::string ending_of_accept(TCPListener& listener) {
        return ending_of([&listener] { return listener.accept(); });
    }
};

// --- bind and listen -------------------------------------------------------------------------------------------------

TEST_F(ListenerTest, a_listener_is_bound_to_its_address_and_to_the_port_that_the_kernel_chose) {
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    EXPECT_THAT(listener.local_address(), testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
    listener.listen();
    raw::Client client(listener.local_address());
    EXPECT_EQ(accept(listener)->peer_address(), client.local_address());
}

TEST_F(ListenerTest, a_listener_is_bound_to_an_IPv6_address) {
    if (!raw::has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
    const auto listener = listening({}, "[::1]:0");
    EXPECT_THAT(listener->local_address(), testing::MatchesRegex("\\[::1\\]:[1-9][0-9]*"));
    raw::Client client(listener->local_address());
    EXPECT_EQ(accept(*listener)->peer_address(), client.local_address());
}

TEST_F(ListenerTest, a_busy_port_is_an_error_that_names_address_and_remedy) {
    const raw::Listener busy;
    TCPListener listener({}, executor_);
    EXPECT_EQ(exception_of([&] { listener.bind(busy.address()); }), "EADDRINUSE");
    EXPECT_THAT(
        message_of([&] { listener.bind(busy.address()); }),
        testing::AllOf(HasSubstr("bind"), HasSubstr(busy.address()), HasSubstr("end the program that listens there")));
}

TEST_F(ListenerTest, two_listeners_of_one_port_are_an_error_that_names_it) {
    const auto first = listening();
    TCPListener second({}, executor_);
    EXPECT_THAT(message_of([&] {
                    second.bind(first->local_address());
                    second.listen();
                }),
                HasSubstr(first->local_address()));
}

TEST_F(ListenerTest, an_address_of_another_machine_is_an_error_that_names_it) {
    TCPListener listener({}, executor_);
    EXPECT_EQ(exception_of([&] { listener.bind("203.0.113.1:0"); }), "EADDRNOTAVAIL");
    EXPECT_THAT(message_of([&] { listener.bind("203.0.113.1:0"); }), HasSubstr("203.0.113.1:0"));
}

TEST_F(ListenerTest, bind_may_be_tried_again_after_it_failed_and_leaks_nothing) {
    const raw::Listener busy;
    TCPListener listener({}, executor_);
    const std::set<int> before = open_descriptors();
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(exception_of([&] { listener.bind(busy.address()); }), "EADDRINUSE");
        EXPECT_EQ(exception_of([&] { listener.bind("not-an-ip:0"); }), "invalid_argument");
    }
    EXPECT_EQ(open_descriptors(), before);
    listener.bind("127.0.0.1:0");
    listener.listen();
    raw::Client client(listener.local_address());
    EXPECT_TRUE(accept(listener));
}

TEST_F(ListenerTest, bind_without_a_descriptor_left_is_an_error_that_names_the_remedy) {
    TCPListener listener({}, executor_);
    {
        const sockets::NoMoreDescriptors none;
        EXPECT_THAT(message_of([&] { listener.bind("127.0.0.1:0"); }),
                    testing::AllOf(HasSubstr("socket"), HasSubstr("127.0.0.1:0"), HasSubstr("RLIMIT_NOFILE")));
    }
    EXPECT_EQ(exception_of([&] { listener.bind("127.0.0.1:0"); }), "none");
}

TEST_F(ListenerTest, the_steps_out_of_order_are_a_logic_error) {
    TCPListener listener({}, executor_);
    EXPECT_EQ(exception_of([&] { listener.listen(); }), "logic_error") << "listen before bind";
    listener.bind("127.0.0.1:0");
    EXPECT_EQ(exception_of([&] { listener.bind("127.0.0.1:0"); }), "logic_error") << "bind twice";
    EXPECT_EQ(ending_of_accept(listener), "logic_error") << "accept before listen";
    listener.listen();
    raw::Client client(listener.local_address());
    EXPECT_EQ(ending_of_accept(listener), "a stream");
}

TEST_F(ListenerTest, a_port_can_be_bound_again_at_once_after_its_server_has_ended) {
    auto listener = listening();
    const std::string address = listener->local_address();
    raw::Client client(address);
    // The server closes first: its port is in TIME_WAIT then.
    accept(*listener)->close();
    EXPECT_EQ(client.end(), "FIN");
    client.close();
    listener.reset();
    EXPECT_EQ(listening({}, address)->local_address(), address);
}

TEST_F(ListenerTest, a_configuration_that_cannot_be_is_an_error_that_names_value_and_remedy) {
    const auto refusal = [&](TCPListenerConfiguration configuration) {
        return message_of([&] { TCPListener(configuration, executor_); });
    };
    EXPECT_THAT(refusal({.backlog = 0}), testing::AllOf(HasSubstr("backlog is 0"), HasSubstr("at least 1")));
    EXPECT_THAT(refusal({.backlog = -7}), HasSubstr("backlog is -7"));
    EXPECT_THAT(refusal({.maximum_connections = -1}), HasSubstr("maximum_connections is -1"));
    EXPECT_THAT(refusal({.stream = {.read_timeout = -5ns}}), HasSubstr("-5"));
    EXPECT_THAT(refusal({.stream = {.write_timeout = -6ns}}), HasSubstr("-6"));
    const sockets::NoMoreDescriptors few;
    EXPECT_THAT(refusal({.maximum_connections = 2'000'000'000}),
                testing::AllOf(HasSubstr("2000000000"), HasSubstr("RLIMIT_NOFILE")));
}

// --- accept ----------------------------------------------------------------------------------------------------------

TEST_F(ListenerTest, accept_waits_for_the_next_connection) {
    const auto listener = listening();
    Running accepted = start_accept(*listener);
    settle();
    EXPECT_FALSE(accepted.has_ended());
    raw::Client client(listener->local_address());
    EXPECT_EQ(accepted.ending(), "a stream");
}

// The kernel reports a whole backlog with one edge.
TEST_F(ListenerTest, every_connection_of_a_backlog_is_accepted) {
    use_workers(2);
    const auto listener = listening();
    constexpr int connections = 200;
    std::vector<raw::Client> clients;
    for (int i = 0; i < connections; ++i) clients.emplace_back(listener->local_address());
    for (raw::Client& client : clients) EXPECT_EQ(accept(*listener)->peer_address(), client.local_address());
    EXPECT_EQ(ending_of([&] { return acairo::timeout(0ms, listener->accept()); }), "TimedOut");
}

TEST_F(ListenerTest, a_second_accept_is_a_logic_error_and_the_first_one_goes_on) {
    const auto listener = listening();
    Running first = start_accept(*listener);
    settle();
    EXPECT_EQ(ending_of_accept(*listener), "logic_error");
    raw::Client client(listener->local_address());
    EXPECT_EQ(first.ending(), "a stream");
}

TEST_F(ListenerTest, accept_on_another_executor_is_a_logic_error) {
    const auto listener = listening();
    const auto other = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    EXPECT_EQ(sockets::ending_of(*other, [&] { return listener->accept(); }), "logic_error");
}

TEST_F(ListenerTest, accept_is_cancelled_by_its_token_and_may_be_awaited_again) {
    const auto listener = listening();
    StopSource stop;
    Running accepted = start([&] { return listener->accept(); }, stop.get_token());
    settle();
    stop.request_stop();
    EXPECT_EQ(accepted.ending(), "Cancelled");
    raw::Client client(listener->local_address());
    EXPECT_EQ(ending_of_accept(*listener), "a stream");
}

TEST_F(ListenerTest, accept_times_out_and_may_be_awaited_again) {
    const auto listener = listening();
    EXPECT_EQ(ending_of([&] { return acairo::timeout(20ms, listener->accept()); }), "TimedOut");
    raw::Client client(listener->local_address());
    EXPECT_EQ(ending_of_accept(*listener), "a stream");
}

TEST_F(ListenerTest, connections_that_died_in_the_backlog_do_not_end_the_accepts) {
    const auto listener = listening();
    for (int i = 0; i < 3; ++i) raw::Client(listener->local_address()).reset();
    raw::Client alive(listener->local_address());
    alive.send("x");
    std::string answer;
    for (int i = 0; answer != "x" && i < 4; ++i) {
        const std::shared_ptr<TCPStream> stream = accept(*listener);
        answer = ending_of([&] { return stream->read(1); });
        // Linux hands the dead ones out; their first read tells.
        EXPECT_THAT(answer, testing::AnyOf("x", "ECONNRESET"));
    }
    EXPECT_EQ(answer, "x");
}

TEST_F(ListenerTest, what_a_client_sent_before_it_was_accepted_is_delivered) {
    const auto listener = listening();
    raw::Client client(listener->local_address());
    client.send("abc");
    client.close();
    const std::shared_ptr<TCPStream> stream = accept(*listener);
    EXPECT_EQ(ending_of([&] { return stream->read(4); }), "EndOfStream after \"abc\"");
}

TEST_F(ListenerTest, the_streams_of_a_listener_have_its_configuration) {
    const auto listener = listening({.stream = {.read_timeout = 10ms}});
    raw::Client client(listener->local_address());
    const std::shared_ptr<TCPStream> stream = accept(*listener);
    EXPECT_EQ(ending_of([&] { return stream->read(1); }), "TimedOut");
}

// --- maximum_connections ---------------------------------------------------------------------------------------------

TEST_F(ListenerTest, accept_pauses_at_maximum_connections_and_goes_on_when_one_is_closed) {
    const auto listener = listening({.maximum_connections = 2});
    std::vector<raw::Client> clients;
    for (int i = 0; i < 4; ++i) clients.emplace_back(listener->local_address());
    const std::shared_ptr<TCPStream> first = accept(*listener);
    std::shared_ptr<TCPStream> second = accept(*listener);
    Running third = start_accept(*listener);
    settle();
    EXPECT_FALSE(third.has_ended());
    first->close();
    EXPECT_EQ(third.ending(), "a stream");
    // That one is gone with its accept's result, so that there is room for one.
    const std::shared_ptr<TCPStream> fourth = accept(*listener);
    EXPECT_EQ(fourth->peer_address(), clients[3].local_address());
    Running fifth = start_accept(*listener);
    settle();
    raw::Client last(listener->local_address());
    settle();
    EXPECT_FALSE(fifth.has_ended());
    second.reset();
    EXPECT_EQ(fifth.ending(), "a stream");
}

TEST_F(ListenerTest, an_accept_that_pauses_at_maximum_connections_can_be_ended) {
    auto listener = listening({.maximum_connections = 1});
    raw::Client clients[] = {raw::Client(listener->local_address()), raw::Client(listener->local_address())};
    const std::shared_ptr<TCPStream> only = accept(*listener);
    EXPECT_EQ(ending_of([&] { return acairo::timeout(10ms, listener->accept()); }), "TimedOut");
    StopSource stop;
    Running cancelled = start([&] { return listener->accept(); }, stop.get_token());
    settle();
    stop.request_stop();
    EXPECT_EQ(cancelled.ending(), "Cancelled");
    Running stopped = start_accept(*listener);
    settle();
    listener->stop();
    EXPECT_EQ(stopped.ending(), "TCPListenerStoppedError");
}

TEST_F(ListenerTest, a_close_that_races_with_the_pause_at_maximum_connections_does_not_lose_the_accept) {
    use_workers(2);
    const auto listener = listening({.maximum_connections = 1});
    raw::Client first(listener->local_address());
    std::shared_ptr<TCPStream> open = accept(*listener);
    for (int round = 0; round < 100; ++round) {
        raw::Client client(listener->local_address());
        std::shared_ptr<TCPStream> next;
        Running accepted = start([&]() -> Task<void> { next = co_await listener->accept(); });
        open->close();
        EXPECT_EQ(accepted.ending(), "done");
        open = next;
    }
}

// --- no descriptor left ----------------------------------------------------------------------------------------------

TEST_F(ListenerTest, accept_pauses_when_no_descriptor_is_left_and_goes_on_when_there_is) {
    const auto listener = listening();
    raw::Client first(listener->local_address());
    raw::Client second(listener->local_address());
    std::optional<sockets::NoMoreDescriptors> none(std::in_place);
    Running accepted = start_accept(*listener);
    // Longer than a pause: it tries again, and pauses again.
    EXPECT_EQ(ending_of([] { return acairo::sleep_for(120ms); }), "done");
    EXPECT_FALSE(accepted.has_ended());
    none->allow_one_more();
    EXPECT_EQ(accepted.ending(), "a stream");
    none.reset();
    EXPECT_EQ(ending_of_accept(*listener), "a stream");
}

TEST_F(ListenerTest, an_accept_that_pauses_for_want_of_descriptors_can_be_ended) {
    const auto listener = listening();
    raw::Client client(listener->local_address());
    const sockets::NoMoreDescriptors none;
    StopSource stop;
    Running cancelled = start([&] { return listener->accept(); }, stop.get_token());
    settle();
    stop.request_stop();
    EXPECT_EQ(cancelled.ending(), "Cancelled");
    Running stopped = start_accept(*listener);
    settle();
    EXPECT_FALSE(stopped.has_ended());
    listener->stop();
    EXPECT_EQ(stopped.ending(), "TCPListenerStoppedError");
}

// --- stop ------------------------------------------------------------------------------------------------------------

TEST_F(ListenerTest, stop_ends_a_waiting_accept_with_TCPListenerStoppedError) {
    const auto listener = listening();
    Running accepted = start_accept(*listener);
    settle();
    listener->stop();
    EXPECT_EQ(accepted.ending(), "TCPListenerStoppedError");
}

TEST_F(ListenerTest, stop_on_a_worker_ends_a_waiting_accept) {
    const auto listener = listening();
    Running accepted = start_accept(*listener);
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  listener->stop();
                  co_return;
              }),
              "done");
    EXPECT_EQ(accepted.ending(), "TCPListenerStoppedError");
}

TEST_F(ListenerTest, after_stop_everything_but_stop_is_an_error) {
    const auto listener = listening();
    listener->stop();
    EXPECT_EQ(ending_of_accept(*listener), "TCPListenerStoppedError");
    EXPECT_EQ(exception_of([&] { listener->bind("127.0.0.1:0"); }), "TCPListenerStoppedError");
    EXPECT_EQ(exception_of([&] { listener->listen(); }), "TCPListenerStoppedError");
    EXPECT_EQ(exception_of([&] { listener->local_address(); }), "EBADF");
    EXPECT_EQ(exception_of([&] { listener->stop(); }), "none");
}

TEST_F(ListenerTest, stop_before_bind_is_a_stop) {
    TCPListener listener({}, executor_);
    listener.stop();
    EXPECT_EQ(exception_of([&] { listener.bind("127.0.0.1:0"); }), "TCPListenerStoppedError");
}

// The thread sanitizer tells what is not seen: only the stop orders the two threads.
TEST_F(ListenerTest, who_is_refused_by_bind_sees_what_came_before_the_stop) {
    TCPListener listener({}, executor_);
    int before = 0;
    std::atomic<bool> stopped{false};
    const std::jthread stopping([&] {
        before = 1;
        listener.stop();
        stopped.store(true, std::memory_order_relaxed);
    });
    while (!stopped.load(std::memory_order_relaxed)) std::this_thread::yield();
    EXPECT_THROW(listener.bind("127.0.0.1:0"), acairo::TCPListenerStoppedError);
    EXPECT_EQ(before, 1);
}

TEST_F(ListenerTest, stop_closes_the_port) {
    const auto listener = listening();
    const std::string address = listener->local_address();
    listener->stop();
    EXPECT_EQ(exception_of([&] { raw::Client client(address); }), "ECONNREFUSED");
}

TEST_F(ListenerTest, stop_resets_the_connections_that_were_not_accepted) {
    const auto listener = listening();
    raw::Client client(listener->local_address());
    listener->stop();
    EXPECT_EQ(client.end(), "RST");
}

TEST_F(ListenerTest, a_second_stop_leaves_the_descriptor_that_now_has_the_number) {
    const auto listener = listening();
    listener->stop();
    const raw::Descriptor next(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    listener->stop();
    EXPECT_NE(::fcntl(next.get(), F_GETFD), -1) << "closed by somebody who no longer owned it";
}

TEST_F(ListenerTest, stop_from_two_threads_at_once_stops_once) {
    use_workers(2);
    for (int round = 0; round < 20; ++round) {
        const auto listener = listening();
        Running accepted = start_accept(*listener);
        std::thread other([&] { listener->stop(); });
        listener->stop();
        const raw::Descriptor next(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        other.join();
        EXPECT_NE(::fcntl(next.get(), F_GETFD), -1);
        EXPECT_EQ(accepted.ending(), "TCPListenerStoppedError");
    }
}

TEST_F(ListenerTest, the_destructor_stops_even_while_an_accept_waits) {
    auto listener = listening();
    const std::string address = listener->local_address();
    Running accepted = start_accept(*listener);
    settle();
    listener.reset();
    EXPECT_EQ(accepted.ending(), "TCPListenerStoppedError");
    EXPECT_EQ(exception_of([&] { raw::Client client(address); }), "ECONNREFUSED");
}

TEST_F(ListenerTest, the_executors_stop_ends_accept_with_Cancelled_and_leaves_the_listener_to_its_owner) {
    const auto listener = listening();
    Running accepted = start_accept(*listener);
    settle();
    executor_->stop();
    EXPECT_EQ(accepted.ending(), "Cancelled");
    EXPECT_FALSE(listener->local_address().empty()) << "it is still open";
}

// Both ends have come when the worker looks again.
TEST_F(ListenerTest, TCPListenerStoppedError_wins_over_Cancelled) {
    const auto listener = listening();
    StopSource stop;
    Running accepted = start([&] { return listener->accept(); }, stop.get_token());
    settle();
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  stop.request_stop();
                  listener->stop();
                  co_return;
              }),
              "done");
    EXPECT_EQ(accepted.ending(), "TCPListenerStoppedError");
}

TEST_F(ListenerTest, a_stopped_listener_leaves_its_streams_alone) {
    auto listener = listening();
    raw::Client client(listener->local_address());
    const std::shared_ptr<TCPStream> stream = accept(*listener);
    listener.reset();
    EXPECT_EQ(ending_of([&] { return stream->write(bytes("abc")); }), "done");
    EXPECT_EQ(client.receive(3), "abc");
}

TEST_F(ListenerTest, a_listener_that_outlives_its_executor_can_be_stopped) {
    const auto listener = listening();
    const std::string address = listener->local_address();
    executor_.reset();
    listener->stop();
    EXPECT_EQ(exception_of([&] { raw::Client client(address); }), "ECONNREFUSED");
}

// --- descriptors -----------------------------------------------------------------------------------------------------

TEST_F(ListenerTest, every_descriptor_is_closed_on_exec) {
    const auto listener = listening();
    raw::Client client(listener->local_address());
    const std::shared_ptr<TCPStream> accepted = accept(*listener);
    const std::shared_ptr<TCPStream> connected = connect(listener->local_address());
    int ours = 0;
    for (const int fd : open_descriptors()) {
        if (before_.contains(fd)) continue;
        ++ours;
        EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC) << "descriptor " << fd;
    }
    EXPECT_GE(ours, 6) << "epoll, eventfd, a listener, a client and two streams";
}

TEST_F(ListenerTest, a_listener_may_have_descriptor_0) {
    const sockets::Zero zero;
    const auto listener = listening();
    ASSERT_EQ(raw::local_address(0), listener->local_address());
    raw::Client client(listener->local_address());
    EXPECT_EQ(ending_of_accept(*listener), "a stream");
}

TEST_F(ListenerTest, an_accepted_stream_may_have_descriptor_0) {
    const auto listener = listening();
    raw::Client client(listener->local_address());
    const sockets::Zero zero;
    const std::shared_ptr<TCPStream> stream = accept(*listener);
    ASSERT_EQ(raw::peer_address(0), client.local_address());
    EXPECT_EQ(ending_of([&] { return stream->write(bytes("abc")); }), "done");
    EXPECT_EQ(client.receive(3), "abc");
    stream->close();
    EXPECT_EQ(client.end(), "FIN");
}

}  // namespace
