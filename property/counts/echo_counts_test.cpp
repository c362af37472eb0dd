// What an echo costs, held against the raw loop of the same run. Counts only: no clock has a say.
// Covers: 10.46 one lock around every batch
#include "../socket_test.hpp"
#include "counted_server.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::Task;
using acairo::TCPStream;
using counts::AcairoServer;
using counts::Call;
using counts::Clients;
using counts::Counts;
using counts::Gate;
using counts::RawServer;

#ifdef __OPTIMIZE__
constexpr bool optimized = true;
#else
constexpr bool optimized = false;
#endif

void report(const char* what, double figure) {
    std::printf("[ COUNTED  ] %s: %.4f\n", what, figure);
    testing::Test::RecordProperty(what, std::to_string(figure));
}

template <class Server> Counts count_echoes(int connections, int rounds) {
    Gate gate;
    Server server(&gate);
    Clients clients(server.address(), gate);
    clients.connect(connections);
    clients.echo(3);
    const Counts before = server.counts();
    clients.echo(rounds);
    const Counts counted = server.counts() - before;
    clients.close();
    return counted;
}

void expect_no_more_calls_than_the_raw_loop(int connections, int rounds) {
    const Counts acairo = count_echoes<AcairoServer>(connections, rounds);
    const Counts raw = count_echoes<RawServer>(connections, rounds);
    const double messages = static_cast<double>(rounds) * connections;
    report("system_calls_per_message", static_cast<double>(acairo.system_calls()) / messages);
    report("system_calls_per_message_of_the_raw_loop", static_cast<double>(raw.system_calls()) / messages);
    EXPECT_LE(static_cast<double>(acairo.system_calls()), 1.02 * static_cast<double>(raw.system_calls()))
        << "acairo: " << acairo.text() << "\nraw loop: " << raw.text();
    EXPECT_EQ(acairo.of(Call::recv), rounds * connections) << "a read that would block is not tried";
    EXPECT_EQ(acairo.of(Call::send), rounds * connections);
    EXPECT_EQ(acairo.of(Call::epoll_ctl), 0);
    EXPECT_EQ(acairo.allocations, 0) << "per message through read_some and write_all";
    EXPECT_EQ(acairo.locks, 0) << "on the path from epoll_wait to a resumed coroutine and back";
}

TEST(EchoCountsTest, messages_of_one_connection_cost_the_calls_of_the_raw_loop_and_no_lock_or_allocation) {
    expect_no_more_calls_than_the_raw_loop(1, 1000);
}

TEST(EchoCountsTest, messages_of_64_connections_cost_the_calls_of_the_raw_loop_and_no_lock_or_allocation) {
    expect_no_more_calls_than_the_raw_loop(64, 100);
}

TEST(EchoCountsTest, messages_of_1000_connections_cost_the_calls_of_the_raw_loop_and_no_lock_or_allocation) {
    expect_no_more_calls_than_the_raw_loop(1000, 10);
}

constexpr int churn_rounds = 50;
constexpr int at_a_time = 64;

template <class Server> Counts count_churn() {
    Gate gate;
    Server server(&gate);
    Clients clients(server.address(), gate);
    clients.churn(2, at_a_time);
    const Counts before = server.counts();
    clients.churn(churn_rounds, at_a_time);
    return server.counts() - before;
}

TEST(EchoCountsTest, connect_echo_close_costs_at_most_6_5_calls_with_TCP_NODELAY_set) {
    const Counts acairo = count_churn<AcairoServer>();
    const Counts raw = count_churn<RawServer>();
    constexpr double connections = double{churn_rounds} * at_a_time;
    const double calls = static_cast<double>(acairo.system_calls()) / connections;
    report("system_calls_per_connection", calls);
    report("system_calls_per_connection_of_the_raw_loop", static_cast<double>(raw.system_calls()) / connections);
    EXPECT_LE(calls, 6.5) << acairo.text();
    EXPECT_LE(static_cast<double>(acairo.system_calls()), 1.02 * static_cast<double>(raw.system_calls()))
        << "acairo: " << acairo.text() << "\nraw loop: " << raw.text();
    EXPECT_EQ(acairo.of(Call::epoll_ctl), churn_rounds * at_a_time) << "one registration, and no EPOLL_CTL_DEL";
    EXPECT_EQ(acairo.of(Call::close), churn_rounds * at_a_time);
    EXPECT_EQ(acairo.of(Call::setsockopt), 0) << "TCP_NODELAY is inherited from the listener";
    EXPECT_EQ(acairo.locks, 0);

    AcairoServer server;
    raw::Client client(server.address());
    client.send("x");
    EXPECT_EQ(client.receive(1), "x");
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    const int fd = sockets::descriptor_between(client.peer_address(), client.local_address());
    ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    EXPECT_NE(no_delay, 0);
}

// Three: two, and the handler's own coroutine frame.
TEST(EchoCountsTest, a_connection_costs_two_allocations_besides_its_handlers_frame) {
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    const Counts counted = count_churn<AcairoServer>();
    const double per_connection = static_cast<double>(counted.allocations) / (double{churn_rounds} * at_a_time);
    report("allocations_per_connection_besides_the_handlers_frame", per_connection - 1);
    EXPECT_LE(per_connection, 3);
    EXPECT_EQ(counted.bytes, 0) << "and leaves nothing behind";
}

TEST(EchoCountsTest, an_idle_connection_costs_at_most_512_bytes_besides_its_handlers_frame_and_few_allocations) {
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    constexpr int connections = 1000;
    Gate gate;
    AcairoServer server(&gate);
    Clients clients(server.address(), gate);
    clients.connect(1);
    // Without this, the server might be idle because it does not accept yet, and what it needs for that would be counted.
    clients.echo(1);
    const Counts before = server.counts();
    clients.connect(connections);
    const Counts counted = server.counts() - before;
    const double bytes = static_cast<double>(counted.bytes) / connections - double{counts::buffer_size};
    const double allocations = static_cast<double>(counted.allocations) / connections - 1;
    // The handler's frame is the user's and its compiler's: the same coroutine, asked for and not started, tells its size.
    counts::Tally unstarted;
    counts::tally = &unstarted;
    {
        const acairo::Task<void> task = counts::echo(nullptr);
        counts::tally = nullptr;
    }
    const double frame = static_cast<double>(Counts(unstarted).bytes) - double{counts::buffer_size};
    report("heap_bytes_per_idle_connection", bytes);
    report("of_these_in_the_handlers_frame", frame);
    report("allocations_per_new_connection_besides_the_handlers_frame", allocations);
    EXPECT_LE(bytes - frame, 512);
    // An unoptimized frame keeps each temporary of the coroutine; how large those are is no promise.
    if (optimized) {
        EXPECT_LE(bytes, 576) << "with the frame, in which each compiler keeps what it likes; clang -O2 is at 472";
    }
    EXPECT_LE(allocations, 2.05) << "besides the handler's frame; registrations come by the hundred";
    clients.close();
}

TEST(EchoCountsTest, idle_means_no_system_call) {
    AcairoServer server;
    std::vector<raw::Client> clients;
    for (int i = 0; i < 50; ++i) {
        clients.emplace_back(server.address());
        clients.back().send("x");
        EXPECT_EQ(clients.back().receive(1), "x");
    }
    // The least of several: at first the worker may be on its way to sleep. Its own clock gives the length of each: an
    // executor of its own that works is work enough, and 50 ms are many periods of whoever polls.
    acairo::Executor other(acairo::ExecutorConfiguration{.workers = 1});
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i < 20 && least != 0; ++i) {
        const Counts before = server.counts();
        other.sync_wait([]() -> Task<void> {
            for (int sleeps = 0; sleeps < 10; ++sleeps) co_await acairo::sleep_for(5ms);
        });
        least = std::min(least, (server.counts() - before).system_calls());
    }
    EXPECT_EQ(least, 0);
}

// --- ends allocate nothing -------------------------------------------------------------------------------------------

TEST(EchoCountsTest, stop_and_everything_that_it_ends_allocates_nothing) {
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 2});
    acairo::TCPListener listener({.stream = {.read_timeout = 24h, .write_timeout = 24h}}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    std::vector<raw::Client> clients;
    std::atomic<int> ended{0};
    constexpr int connections = 20;
    struct Ends {
        std::atomic<int>& count;
        ~Ends() { count.fetch_add(1, std::memory_order_relaxed); }
    };
    for (int i = 0; i < connections; ++i) {
        clients.emplace_back(listener.local_address());
        const std::shared_ptr<TCPStream> stream =
            executor->sync_wait([&]() -> Task<std::shared_ptr<TCPStream>> { co_return co_await listener.accept(); });
        executor->spawn([stream, &ended]() -> Task<void> {
            const Ends ends{ended};
            co_await acairo::timeout(24h, stream->read(1));
        });
        executor->spawn([stream, &ended]() -> Task<void> {
            const Ends ends{ended};
            const std::vector<char> block(1 << 20);
            for (;;) co_await stream->write_all(block);
        });
        executor->spawn([&ended]() -> Task<void> {
            const Ends ends{ended};
            co_await acairo::sleep_for(24h);
        });
    }
    executor->spawn([&]() -> Task<void> {
        const Ends ends{ended};
        co_await listener.accept();
    });
    for (int worker = 0; worker < 2; ++worker) {
        executor->sync_wait([]() -> Task<void> { co_return; });
    }
    EXPECT_EQ(ended.load(std::memory_order_relaxed), 0);
    const std::int64_t before = counts::allocations.load(std::memory_order_relaxed);
    executor->stop();
    executor.reset();
    EXPECT_EQ(counts::allocations.load(std::memory_order_relaxed) - before, 0);
    EXPECT_EQ(ended.load(std::memory_order_relaxed), 3 * connections + 1);
}

class CountsTest : public sockets::SocketTest {
protected:
    void SetUp() override {
        SocketTest::SetUp();
        executor_->sync_wait([this]() -> Task<void> {
            counts::tally = &counted_;
            co_return;
        });
    }
    Counts counts() const { return Counts(counted_); }

    counts::Tally counted_;
    std::array<char, 64> buffer_{};
};

TEST_F(CountsTest, close_allocates_nothing) {
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    Pair pair = connected();
    sockets::Running read = start([&] { return pair.stream->read(1); });
    settle();
    const std::int64_t before = counts::allocations.load(std::memory_order_relaxed);
    pair.stream->close();
    EXPECT_EQ(counts::allocations.load(std::memory_order_relaxed) - before, 0);
    EXPECT_EQ(read.ending(), "Cancelled");
}

TEST_F(CountsTest, a_stream_keeps_nothing_of_a_large_read_that_is_done) {
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    constexpr std::size_t large = std::size_t{16} << 20;
    Pair pair = connected();
    std::int64_t kept = -1;
    sockets::Running read = start([&]() -> Task<void> {
        // Its registration stays.
        co_await pair.stream->read(1);
        const Counts before = counts();
        co_await pair.stream->read(large);
        kept = (counts() - before).bytes;
    });
    pair.client.send(std::string(1 + large, '.'));
    EXPECT_EQ(read.ending(), "done");
    EXPECT_EQ(kept, 0);
}

TEST_F(CountsTest, operations_after_close_make_no_system_call) {
    Pair pair = connected();
    pair.stream->close();
    counts::Tally here;
    counts::tally = &here;
    EXPECT_EQ(sockets::exception_of([&] { pair.stream->shutdown(); }), "EBADF");
    EXPECT_EQ(sockets::exception_of([&] { pair.stream->peer_address(); }), "EBADF");
    pair.stream->close();
    counts::tally = nullptr;
    EXPECT_EQ(Counts(here).system_calls(), 0);
    std::int64_t calls = -1;
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  const Counts before = counts();
                  EXPECT_EQ(co_await sockets::ending([&] { return pair.stream->read(1); }), "EBADF");
                  EXPECT_EQ(co_await sockets::ending([&] { return pair.stream->read_some(buffer_); }), "EBADF");
                  EXPECT_EQ(co_await sockets::ending([&] { return pair.stream->write(sockets::bytes("x")); }), "EBADF");
                  calls = (counts() - before).system_calls();
              }),
              "done");
    EXPECT_EQ(calls, 0);
}

TEST_F(CountsTest, empty_transfers_make_no_system_call) {
    Pair pair = connected();
    std::int64_t calls = -1;
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  const Counts before = counts();
                  co_await pair.stream->read_some({});
                  co_await pair.stream->read(0);
                  co_await pair.stream->write({});
                  co_await pair.stream->write_all({});
                  calls = (counts() - before).system_calls();
              }),
              "done");
    EXPECT_EQ(calls, 0);
}

}  // namespace
