// Idle: nobody has anything to do, so no worker wakes up. (That none makes a system call is counted in counts/.)
// Covers: 10.45 a poll every 10 ms
#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <span>

#include "socket_test.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::Task;
using acairo::TCPStream;
using sockets::Running;

std::set<int> threads() {
    std::set<int> ids;
    DIR* const directory = ::opendir("/proc/self/task");
    while (const dirent* const entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') ids.insert(std::stoi(entry->d_name));
    }
    ::closedir(directory);
    return ids;
}

// How often the kernel has switched to the thread: each wake-up is at least one.
long switches(int thread) {
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    long sum = 0;
    for (std::string line; std::getline(status, line);) {
        const std::size_t at = line.find("ctxt_switches:");
        if (at != std::string::npos) sum += std::stol(line.substr(at + 14));
    }
    return sum;
}

class IdleTest : public sockets::SocketTest {
protected:
    void SetUp() override {
        SocketTest::SetUp();
        const std::set<int> before = threads();
        use_workers(2);
        for (const int thread : threads()) {
            if (!before.contains(thread)) workers_.push_back(thread);
        }
    }

    long switches_of_workers() const {
        long sum = 0;
        for (const int worker : workers_) sum += switches(worker);
        return sum;
    }

    // Switches of the workers while this thread and another executor work. The least of several: in the first ones, the
    // workers may be on their way to sleep; who wakes up again and again does so in each.
    long switches_during_independent_work() {
        const auto other = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
        raw::Listener listener;
        long least = std::numeric_limits<long>::max();
        for (int round = 0; round < 20 && least != 0; ++round) {
            const long before = switches_of_workers();
            work(*other, other, listener);
            least = std::min(least, switches_of_workers() - before);
        }
        return least;
    }

private:
    // A conversation that takes at least 50 ms: five periods of the shortest polling interval that one would dare.
    void work(acairo::Executor& executor, const std::shared_ptr<acairo::Executor>& owner, raw::Listener& listener) {
        const auto until = std::chrono::steady_clock::now() + 50ms;
        Running echo = sockets::start(executor, [&]() -> Task<void> {
            const auto stream = co_await TCPStream::connect(owner, listener.address());
            std::array<char, 16> buffer;
            while (const std::size_t size = co_await stream->read_some(buffer)) {
                co_await stream->write_all(std::span(buffer).first(size));
            }
        });
        raw::Client peer = listener.accept();
        while (std::chrono::steady_clock::now() < until) {
            peer.send("ping");
            ASSERT_EQ(peer.receive(4), "ping");
        }
        peer.close();
        EXPECT_EQ(echo.ending(), "done");
    }

    std::vector<int> workers_;
};

TEST_F(IdleTest, workers_without_tasks_do_not_wake_up) {
    settle();
    EXPECT_EQ(switches_during_independent_work(), 0);
}

TEST_F(IdleTest, workers_with_idle_connections_do_not_wake_up) {
    acairo::TCPListener listener({}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    std::vector<raw::Client> clients;
    std::vector<std::shared_ptr<TCPStream>> streams;
    std::vector<Running> reads;
    for (int i = 0; i < 50; ++i) {
        clients.emplace_back(listener.local_address());
        streams.push_back(accept(listener));
        reads.push_back(start([stream = streams.back()] { return stream->read(1); }));
    }
    Running accepted = start([&] { return listener.accept(); });
    settle();
    EXPECT_EQ(switches_during_independent_work(), 0);
    for (raw::Client& client : clients) client.send("x");
    for (Running& read : reads) EXPECT_EQ(read.ending(), "x");
}

TEST_F(IdleTest, workers_with_distant_timers_do_not_wake_up) {
    Pair pair = connected({.stream = {.read_timeout = sockets::for_ever}});
    Running read = start([&] { return pair.stream->read(1); });
    Running sleep = start([] { return acairo::sleep_for(sockets::for_ever); });
    settle();
    EXPECT_EQ(switches_during_independent_work(), 0);
    executor_->stop();
    EXPECT_EQ(read.ending(), "Cancelled");
    EXPECT_EQ(sleep.ending(), "Cancelled");
}

// What the kernel reports for ever, to who asks by level: the ends of the stream, an error, room to write.
TEST_F(IdleTest, connections_that_ended_and_that_nobody_reads_do_not_wake_workers) {
    Pair half = connected();
    Pair reset = connected();
    Pair unread = connected();
    std::array<char, 1> one;
    for (Pair* const pair : {&half, &reset, &unread}) {
        pair->client.send("ab");
        EXPECT_EQ(ending_of([&] { return pair->stream->read_some(one); }), "1");
    }
    half.client.shutdown();
    reset.client.reset();
    settle();
    EXPECT_EQ(switches_during_independent_work(), 0);
}

TEST_F(IdleTest, an_accept_that_pauses_at_maximum_connections_does_not_wake_workers) {
    acairo::TCPListener listener({.maximum_connections = 1}, executor_);
    listener.bind("127.0.0.1:0");
    listener.listen();
    raw::Client first(listener.local_address());
    raw::Client second(listener.local_address());
    const std::shared_ptr<TCPStream> only = accept(listener);
    Running accepted = start([&] { return listener.accept(); });
    settle();
    EXPECT_EQ(switches_during_independent_work(), 0);
    only->close();
    EXPECT_EQ(accepted.ending(), "a stream");
}

}  // namespace
