// The article's server among all kinds of peers: those that behave, those that do not, and how each one's connection ends.
#include <functional>
#include <string_view>
#include <thread>

#include "socket_test.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::Executor;
using acairo::Task;
using acairo::TCPListener;
using acairo::TCPStream;
using sockets::bytes;
using sockets::Running;

constexpr std::string_view question = "Is there anybody out there?";
constexpr std::string_view answer = "Just nod if you can hear me!";

Task<void> handle_socket(std::shared_ptr<TCPStream> stream) {
    co_await stream->read(question.size());
    std::vector<char> reply = bytes(answer);
    co_await stream->write(std::move(reply));
}

Task<void> handle_accept(std::shared_ptr<Executor> executor, const TCPListener& listener) {
    for (;;) {
        auto stream = co_await listener.accept();
        auto handler = std::bind(handle_socket, stream);
        executor->spawn(std::move(handler));
    }
}

// A peer's end of stream, error or time limit ends its handler only.
void ignore(std::exception_ptr) {}

class PeersTest : public sockets::SocketTest {
protected:
    void SetUp() override {
        SocketTest::SetUp();
        serve({});
    }
    void TearDown() override {
        listener_->stop();
        executor_->stop();
        server_.join();
        listener_.reset();
        SocketTest::TearDown();
    }
    void serve(acairo::TCPListenerConfiguration configuration) {
        if (server_.joinable()) {
            listener_->stop();
            server_.join();
        }
        executor_ = std::make_shared<Executor>(acairo::ExecutorConfiguration{.workers = 2, .on_unhandled = ignore});
        listener_ = std::make_unique<TCPListener>(configuration, executor_);
        listener_->bind("127.0.0.1:0");
        listener_->listen();
        server_ = std::thread([this] {
            auto f = std::bind(handle_accept, executor_, std::ref(*listener_));
            EXPECT_THAT(sockets::exception_of([&] { executor_->sync_wait(std::move(f)); }),
                        testing::AnyOf("none", "TCPListenerStoppedError"));
        });
    }
    raw::Client client() { return raw::Client(listener_->local_address()); }
    void expect_service() {
        raw::Client good = client();
        good.send(question);
        EXPECT_EQ(good.receive_all(), answer);
    }

    std::unique_ptr<TCPListener> listener_;
    std::thread server_;
};

// --- peers that behave -----------------------------------------------------------------------------------------------

TEST_F(PeersTest, a_client_reads_the_answer_and_then_the_end) { expect_service(); }

TEST_F(PeersTest, a_request_in_any_fragments_is_answered) {
    for (std::size_t fragment = 1; fragment < question.size(); ++fragment) {
        raw::Client peer = client();
        for (std::size_t at = 0; at < question.size(); at += fragment) peer.send(question.substr(at, fragment));
        EXPECT_EQ(peer.receive_all(), answer);
    }
}

TEST_F(PeersTest, a_client_that_half_closes_after_its_request_is_answered) {
    raw::Client peer = client();
    peer.send(question);
    peer.shutdown();
    EXPECT_EQ(peer.receive_all(), answer);
}

TEST_F(PeersTest, many_clients_at_once_are_answered) {
    std::vector<raw::Client> peers;
    for (int i = 0; i < 200; ++i) peers.push_back(client());
    for (raw::Client& peer : peers) peer.send(question.substr(0, 13));
    for (raw::Client& peer : peers) peer.send(question.substr(13));
    for (raw::Client& peer : peers) EXPECT_EQ(peer.receive_all(), answer);
}

// --- peers that do not -----------------------------------------------------------------------------------------------

TEST_F(PeersTest, a_client_that_sends_half_and_vanishes_harms_nobody) {
    raw::Client peer = client();
    peer.send(question.substr(0, 5));
    peer.shutdown();
    EXPECT_EQ(peer.end(), "FIN") << "its handler has ended, and with it the stream";
    expect_service();
}

TEST_F(PeersTest, clients_that_reset_harm_nobody) {
    for (int i = 0; i < 20; ++i) {
        raw::Client peer = client();
        peer.send(question.substr(0, static_cast<std::size_t>(i)));
        peer.reset();
    }
    expect_service();
}

TEST_F(PeersTest, a_client_that_resets_in_the_middle_of_its_answer_harms_nobody) {
    for (int i = 0; i < 20; ++i) {
        raw::Client peer = client();
        peer.send(question);
        peer.reset();
    }
    expect_service();
}

TEST_F(PeersTest, silent_clients_harm_nobody_and_end_with_the_server) {
    std::vector<raw::Client> silent;
    for (int i = 0; i < 50; ++i) silent.push_back(client());
    expect_service();
    listener_->stop();
    executor_->stop();
    for (raw::Client& peer : silent) EXPECT_THAT(peer.end(), testing::AnyOf("FIN", "RST"));
}

// Slowly enough, 27 bytes take for ever: only a time limit ends that.
TEST_F(PeersTest, a_client_that_is_too_slow_is_ended_by_the_read_timeout) {
    serve({.stream = {.read_timeout = 20ms}});
    raw::Client slow = client();
    slow.send("I");
    EXPECT_THAT(slow.end(), testing::AnyOf("FIN", "RST"));
}

TEST_F(PeersTest, a_client_that_never_reads_is_ended_by_the_write_timeout) {
    const auto greedy =
        std::make_unique<TCPListener>(acairo::TCPListenerConfiguration{.stream = {.write_timeout = 20ms}}, executor_);
    greedy->bind("127.0.0.1:0");
    greedy->listen();
    Running write = start([&]() -> Task<void> {
        const auto stream = co_await greedy->accept();
        const std::vector<char> block(1 << 20);
        for (;;) co_await stream->write_all(block);
    });
    raw::Client never_reads(greedy->local_address());
    EXPECT_EQ(write.ending(), "TimedOut");
    expect_service();
}

TEST_F(PeersTest, maximum_connections_holds_and_everybody_is_served_in_the_end) {
    serve({.maximum_connections = 3});
    std::vector<raw::Client> peers;
    for (int i = 0; i < 30; ++i) peers.push_back(client());
    for (raw::Client& peer : peers) {
        peer.send(question);
        EXPECT_EQ(peer.receive_all(), answer);
    }
}

TEST_F(PeersTest, a_server_without_descriptors_serves_again_when_it_has_some) {
    std::vector<raw::Client> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(client());
    expect_service();  // so that the three are accepted
    raw::Client late(listener_->local_address());
    late.send(question.substr(0, 20));
    {
        const sockets::NoMoreDescriptors none;
        peers[0].send(question);
        EXPECT_EQ(peers[0].receive_all(), answer);
    }
    late.send(question.substr(20));
    EXPECT_EQ(late.receive_all(), answer);
}

// --- every peer sees FIN or RST --------------------------------------------------------------------------------------

// One in each state that a connection can be in.
class LastWordTest : public PeersTest {
protected:
    void SetUp() override {
        PeersTest::SetUp();
        expect_service();
        for (int i = 0; i < 20; ++i) {
            peers_.push_back(client());
            peers_.back().send(question.substr(0, static_cast<std::size_t>(i)));
        }
        expect_service();            // so that the others are accepted and their handlers wait
        peers_.push_back(client());  // perhaps in the backlog
    }
    void TearDown() override {
        peers_.clear();
        PeersTest::TearDown();
    }
    void expect_that_every_peer_sees_its_end() {
        for (raw::Client& peer : peers_) EXPECT_THAT(peer.end(), testing::AnyOf("FIN", "RST"));
    }
    std::vector<raw::Client> peers_;
};

TEST_F(LastWordTest, every_peer_sees_its_end_when_another_thread_stops_the_server) {
    executor_->stop();
    listener_->stop();
    expect_that_every_peer_sees_its_end();
}

TEST_F(LastWordTest, every_peer_sees_its_end_when_a_coroutine_stops_the_server) {
    executor_->spawn([this]() -> Task<void> {
        listener_->stop();
        executor_->stop();
        co_return;
    });
    expect_that_every_peer_sees_its_end();
}

TEST_F(LastWordTest, every_peer_sees_its_end_when_two_threads_stop_the_server) {
    std::thread other([this] { executor_->stop(); });
    executor_->stop();
    listener_->stop();
    other.join();
    expect_that_every_peer_sees_its_end();
}

TEST_F(LastWordTest, drain_waits_for_those_that_go_on_and_ends_the_others) {
    listener_->stop();
    EXPECT_FALSE(executor_->drain(20ms)) << "the silent ones wait for ever";
    expect_that_every_peer_sees_its_end();
}

TEST_F(PeersTest, drain_lets_a_peer_finish) {
    raw::Client peer = client();
    peer.send(question.substr(0, 20));
    expect_service();
    listener_->stop();
    std::thread drain([this] { EXPECT_TRUE(executor_->drain(24h)); });
    peer.send(question.substr(20));
    EXPECT_EQ(peer.receive_all(), answer);
    drain.join();
}

TEST_F(PeersTest, a_peer_sees_its_end_although_the_cleanup_of_its_handler_awaits_again) {
    std::string second;
    raw::Listener listener;
    Running handler = start([&]() -> Task<void> {
        const auto stream = co_await TCPStream::connect(executor_, listener.address());
        co_await sockets::ending([&] { return stream->read(1); });
        second = co_await sockets::ending([&] { return stream->write(bytes("bye")); });
        co_await acairo::sleep_for(sockets::for_ever);
    });
    raw::Client peer = listener.accept();
    executor_->stop();
    EXPECT_THAT(peer.end(), testing::AnyOf("FIN", "RST"));
    EXPECT_EQ(handler.ending(), "Cancelled");
    EXPECT_THAT(second, testing::AnyOf("Cancelled", ""));
}

}  // namespace
