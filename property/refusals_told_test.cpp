// What is refused says why: which operation is in the way, what is wrong with an address, and a remedy only where there is one.
#include "socket_test.hpp"

namespace {

using acairo::Task;
using acairo::TCPListener;
using sockets::message_of;
using sockets::Running;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class RefusalsToldTest : public sockets::SocketTest {
protected:
    // The text of what awaiting `make()` throws, empty when it throws nothing.
    template <class F> std::string refusal(F make) {
        return executor_->sync_wait([&]() -> Task<std::string> {
            std::string text;
            try {
                co_await make();
            } catch (const std::exception& error) { text = error.what(); }
            co_return text;
        });
    }
    std::unique_ptr<TCPListener> listening() {
        auto listener = std::make_unique<TCPListener>(acairo::TCPListenerConfiguration(), executor_);
        listener->bind("127.0.0.1:0");
        listener->listen();
        return listener;
    }
};

// --- another operation is in the way ---

TEST_F(RefusalsToldTest, a_second_read_is_told_that_a_read_waits) {
    Pair pair = connected();
    Running first = start([&] { return pair.stream->read(3); });
    settle();
    EXPECT_THAT(refusal([&] { return pair.stream->read(1); }),
                StartsWith("acairo: a read or accept while another one waits"));
    EXPECT_EQ(refusal([&] { return pair.stream->write_all({}); }), "") << "nobody writes";
    pair.client.send("abc");
    EXPECT_EQ(first.ending(), "abc");
}

TEST_F(RefusalsToldTest, a_second_write_is_told_that_a_write_waits) {
    Pair pair = connected();
    // Too much for the buffers of both ends.
    const std::string sent(std::size_t{8} << 20, 'x');
    Running first = start([&] { return pair.stream->write_all(sent); });
    settle();
    EXPECT_THAT(refusal([&] { return pair.stream->write_all({}); }),
                StartsWith("acairo: a write while another one waits"));
    EXPECT_EQ(refusal([&] { return pair.stream->read(0); }), "") << "nobody reads";
    EXPECT_EQ(pair.client.receive(sent.size()).size(), sent.size());
    EXPECT_EQ(first.ending(), "done");
}

TEST_F(RefusalsToldTest, a_second_accept_is_told_that_an_accept_waits) {
    const auto listener = listening();
    Running first = start([&] { return listener->accept(); });
    settle();
    EXPECT_THAT(refusal([&] { return listener->accept(); }),
                StartsWith("acairo: a read or accept while another one waits"));
    const raw::Client client(listener->local_address());
    EXPECT_EQ(first.ending(), "a stream");
}

TEST_F(RefusalsToldTest, what_comes_after_close_is_told_so) {
    const Pair pair = connected();
    pair.stream->close();
    EXPECT_THAT(refusal([&] { return pair.stream->read(1); }), StartsWith("acairo: a read or accept after close()"));
    EXPECT_THAT(refusal([&] { return pair.stream->write_all({}); }), StartsWith("acairo: a write after close()"));
}

// --- an address, and a port ---

TEST_F(RefusalsToldTest, an_address_that_is_none_is_told_what_is_wrong_with_it) {
    struct {
        std::string address;
        const char* why;
    } const all[] = {
        {"", "it has no port"},
        {"127.0.0.1", "it has no port"},
        {"8080", "it has no port"},
        {"127.0.0.1:", "its port is not a number"},
        {"127.0.0.1:http", "its port is not a number"},
        {"localhost:0", "its host is not a numeric IPv4 address"},
        {"[127.0.0.1]:0", "its host is not a numeric IPv4 address, or an IPv6 address in brackets"},
        {std::string("127.0.0.1\0:0", 12), "a zero byte follows"},
    };
    TCPListener listener({}, executor_);
    for (const auto& [address, why] : all) {
        EXPECT_THAT(message_of([&] { listener.bind(address); }), HasSubstr(std::string("is not an address: ") + why))
            << address;
    }
}

TEST_F(RefusalsToldTest, no_remedy_is_named_where_there_is_none) {
    TCPListener listener({}, executor_);
    // An address of another machine.
    const std::string refused = message_of([&] { listener.bind("203.0.113.1:0"); });
    EXPECT_THAT(refused, StartsWith("acairo: bind 203.0.113.1:0"));
    for (const char* remedy : {"RLIMIT_NOFILE", "choose a port", "choose port 0"}) {
        EXPECT_THAT(refused, Not(HasSubstr(remedy)));
    }
}

}  // namespace
