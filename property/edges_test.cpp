// Values at an edge: the descriptor 0, the smallest backlog, more streams that wait than a worker makes places for at once.
#include "socket_test.hpp"

namespace {

using acairo::Task;
using acairo::TCPListener;
using acairo::TCPStream;
using sockets::bytes;
using sockets::Running;

using EdgesTest = sockets::SocketTest;

TEST_F(EdgesTest, a_stream_that_connects_may_have_descriptor_0) {
    raw::Listener listener;
    const sockets::Zero zero;
    std::shared_ptr<TCPStream> stream;
    Running connecting = start([&]() -> Task<void> {
        // Linux begins it only, on loopback too: the same descriptor is asked a second time how it stands.
        stream = co_await TCPStream::connect(executor_, listener.address());
    });
    ASSERT_EQ(connecting.ending(), "done");
    ASSERT_EQ(raw::peer_address(0), listener.address());
    raw::Client peer = listener.accept();
    EXPECT_EQ(ending_of([&] { return stream->write(bytes("abc")); }), "done");
    EXPECT_EQ(peer.receive(3), "abc");
    peer.send("de");
    EXPECT_EQ(ending_of([&] { return stream->read(2); }), "de");
    stream->close();
    EXPECT_EQ(peer.end(), "FIN");
}

TEST_F(EdgesTest, a_listener_with_a_backlog_of_1_accepts) {
    TCPListener listener({.backlog = 1}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    for (int i = 0; i < 3; ++i) {
        const raw::Client client(listener.local_address());
        EXPECT_EQ(accept(listener)->peer_address(), client.local_address());
    }
}

TEST_F(EdgesTest, each_of_many_streams_that_wait_on_one_worker_gets_its_own_bytes) {
    // A worker makes 64 places at once; the third time only some of them are used.
    constexpr std::size_t count = 150;
    const auto text = [](std::size_t i) { return std::to_string(1000 + i); };
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    std::vector<raw::Client> clients;
    std::vector<Running> reads;
    for (std::size_t i = 0; i < count; ++i) {
        clients.emplace_back(listener.local_address());
        reads.push_back(start([stream = accept(listener)] { return stream->read(4); }));
    }
    settle();
    for (std::size_t i = 0; i < count; ++i) clients[i].send(text(i));
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(reads[i].ending(), text(i));
}

}  // namespace
