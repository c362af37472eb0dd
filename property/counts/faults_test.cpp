// What a call that fails must not lead to. (Every errno of every call: scripted/. Here, over the real kernel.)
#include <thread>

#include "../socket_test.hpp"
#include "counted.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::Task;
using acairo::TCPListener;
using acairo::TCPStream;
using counts::Call;
using counts::Counts;
using sockets::Running;

class FaultsTest : public sockets::SocketTest {
protected:
    void SetUp() override {
        SocketTest::SetUp();
        executor_->sync_wait([this]() -> Task<void> {
            counts::tally = &counted_;
            co_return;
        });
    }
    void TearDown() override {
        for (counts::Fault& fault : counts::faults) fault.times.store(0, std::memory_order_relaxed);
        SocketTest::TearDown();
    }
    counts::Tally counted_;
    std::array<char, 64> buffer_{};
};

// The article retries close: the number may be somebody else's by then.
TEST_F(FaultsTest, close_is_not_repeated_after_EINTR) {
    Pair pair = connected();
    counts::Tally here;
    counts::tally = &here;
    counts::fail(Call::close, EINTR, 1);
    pair.stream->close();
    counts::tally = nullptr;
    EXPECT_EQ(Counts(here).of(Call::close), 1);
    EXPECT_EQ(pair.client.end(), "FIN");
}

// The article reads SO_ERROR for its log, and so takes the error from the reader.
TEST_F(FaultsTest, nobody_reads_SO_ERROR_of_a_connection_that_was_reset) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read_some(buffer_); });
    settle();
    pair.client.reset();
    EXPECT_EQ(read.ending(), "ECONNRESET");
    EXPECT_EQ(Counts(counted_).of(Call::getsockopt), 0);
}

// The article leaks the accepted descriptor when its registration fails.
TEST_F(FaultsTest, a_stream_that_cannot_be_registered_fails_alone_and_is_closed) {
    Pair pair = connected();
    counts::fail(Call::epoll_ctl, ENOSPC, 1);
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "ENOSPC");
    pair.client.send("a");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "a") << "it may be tried again";
    pair.stream.reset();
    EXPECT_EQ(pair.client.end(), "FIN");
}

// Without this, the number could be another socket's when the kernel comes to read from it.
TEST_F(FaultsTest, a_descriptor_is_closed_once_and_not_before_the_call_that_uses_it_has_returned) {
    Pair pair = connected();
    const int number = sockets::descriptor_between(pair.stream->local_address(), pair.stream->peer_address());
    pair.client.send("abc");
    bool open_in_the_call = false;
    std::int64_t closed_before = 0;
    counts::in_recv = [&] {
        closed_before = Counts(counted_).of(Call::close);
        // Here, because it is the same whichever thread closes.
        pair.stream->close();
        open_in_the_call = ::fcntl(number, F_GETFD) != -1;
    };
    EXPECT_THAT(ending_of([&] { return pair.stream->read_some(buffer_); }), testing::AnyOf("3", "Cancelled"));
    EXPECT_TRUE(open_in_the_call);
    EXPECT_EQ(Counts(counted_).of(Call::close) - closed_before, 1);
    EXPECT_EQ(pair.client.end(), "FIN");
}

// A child process may hold a closed stream's socket; this descriptor stands for the child's. epoll goes on reporting it.
TEST_F(FaultsTest, events_of_a_closed_stream_whose_socket_lives_on_reach_nobody) {
    Pair old = connected();
    const raw::Descriptor elsewhere(::fcntl(
        sockets::descriptor_between(old.stream->local_address(), old.stream->peer_address()), F_DUPFD_CLOEXEC, 0));
    EXPECT_EQ(ending_of([&] { return acairo::timeout(0ms, old.stream->read(1)); }), "TimedOut");
    Running old_read = start([&] { return old.stream->read(1); });
    settle();
    old.stream->close();
    EXPECT_EQ(old_read.ending(), "Cancelled");
    Pair next = connected();
    Running next_read = start([&] { return next.stream->read(1); });
    settle();
    const Counts before(counted_);
    old.client.send("o");
    settle();
    next.client.send("n");
    EXPECT_EQ(next_read.ending(), "n");
    EXPECT_EQ((Counts(counted_) - before).of(Call::recv), 1) << "nobody was sent to read for the old one";
}

TEST_F(FaultsTest, interrupted_calls_are_repeated) {
    Pair pair = connected();
    counts::fail(Call::recv, EINTR, 3);
    counts::fail(Call::send, EINTR, 3);
    counts::fail(Call::epoll_wait, EINTR, 3);
    pair.client.send("abc");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(3); }), "abc");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(sockets::bytes("def")); }), "done");
    EXPECT_EQ(pair.client.receive(3), "def");
}

TEST_F(FaultsTest, passing_errors_do_not_end_an_accept) {
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    for (const int error : {EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        counts::fail(Call::accept4, error, 2);
        raw::Client client(listener.local_address());
        EXPECT_EQ(ending_of([&] { return listener.accept(); }), "a stream") << ::strerrorname_np(error);
    }
}

TEST_F(FaultsTest, an_accept_that_pauses_for_want_of_descriptors_does_not_spin) {
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    counts::fail(Call::accept4, EMFILE, 1'000'000);
    raw::Client client(listener.local_address());
    const auto begin = std::chrono::steady_clock::now();
    Running accepted = start([&] { return listener.accept(); });
    EXPECT_EQ(ending_of([] { return acairo::sleep_for(120ms); }), "done");
    const std::int64_t tries = Counts(counted_).of(Call::accept4);
    // A pause of 50 ms is a lower bound: more time allows more tries, less than that never does.
    const auto pauses = (std::chrono::steady_clock::now() - begin) / 50ms;
    EXPECT_LE(tries, pauses + 1);
    EXPECT_GE(tries, 1);
    counts::fail(Call::accept4, 0, 0);
    EXPECT_EQ(accepted.ending(), "a stream");
}

// Its stream is made before it waits: when there is no memory later, it needs none.
TEST_F(FaultsTest, an_accept_that_waits_has_all_that_it_needs_for_a_connection) {
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    Running accepted = start([&] { return listener.accept(); });
    settle();
    const Counts before(counted_);
    // An event without a connection.
    counts::fail(Call::accept4, EAGAIN, 1);
    raw::Client first(listener.local_address());
    while (Counts(counted_).of(Call::accept4) == before.of(Call::accept4)) std::this_thread::yield();
    raw::Client second(listener.local_address());
    EXPECT_EQ(accepted.ending(), "a stream");
    EXPECT_EQ((Counts(counted_) - before).of(Call::accept4), 2);
    EXPECT_EQ((Counts(counted_) - before).allocations, 0);
}

// What a poll of 10 ms, or a level-triggered event that nobody answers, would show.
TEST_F(FaultsTest, an_unread_error_makes_no_system_calls) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return acairo::timeout(1ms, pair.stream->read(1)); }), "TimedOut");
    pair.client.reset();
    settle();
    acairo::Executor other(acairo::ExecutorConfiguration{.workers = 1});
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i < 20 && least != 0; ++i) {
        const Counts before(counted_);
        other.sync_wait([]() -> Task<void> { co_await acairo::sleep_for(20ms); });
        least = std::min(least, (Counts(counted_) - before).system_calls());
    }
    EXPECT_EQ(least, 0);
}

}  // namespace
