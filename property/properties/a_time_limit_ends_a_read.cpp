// timeout(), a stream's own read_timeout and sleep_for end when their time has come and not before; a read that has timed out
// leaves the stream usable.
//
// It would have caught: a timer that fires for an operation that is already complete; TimedOut reported as Cancelled; a worker
// that computes its sleep before the timer is armed.
// Covers: 6.107 a time limit surfaces as a cancel; 4.67 a timer that is set while another one is handled is lost
// Covers: 4.69 a worker goes to sleep before it sees the timer
// Covers: 2.19 a timer completes what is complete already
#include "support.hpp"

namespace property {
namespace {

using namespace std::chrono_literals;

Task<void> expect_timeouts(Trial& trial, acairo::TCPListener& listener) {
    auto stream = co_await listener.accept();
    const auto begin = platform::now();
    bool timed_out = false;
    try {
        co_await acairo::timeout(2ms, stream->read(100));
    } catch (const acairo::TimedOut&) { timed_out = true; }
    trial.require(timed_out, "a read without bytes times out");
    trial.require(platform::now() - begin >= 2ms, "not before its time");
    co_await acairo::sleep_for(2ms);
    trial.require(platform::now() - begin >= 4ms, "a sleep is not shorter than asked for");
    bool own_timeout = false;
    try {
        co_await stream->read(100);
    } catch (const acairo::TimedOut&) { own_timeout = true; }
    trial.require(own_timeout, "a read times out by the stream's own limit");
    trial.require(platform::now() - begin >= 7ms, "not before its time");
    co_await stream->write_all(std::string_view("late"));
    std::string answer;
    while (answer.empty()) {
        try {
            const auto bytes = co_await stream->read(4);
            answer.assign(bytes.begin(), bytes.end());
        } catch (const acairo::TimedOut&) {}  // the peer may be slower than the limit
    }
    trial.require(answer == "then", "the stream is as usable as before");
}

void a_time_limit_ends_a_read(Trial& trial) {
    auto executor = std::make_shared<acairo::Executor>(
        acairo::ExecutorConfiguration{.workers = 1 + static_cast<int>(trial.below(2))});
    acairo::TCPListener listener({.stream = {.read_timeout = 3ms}}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    platform::thread client([&, address = listener.local_address()] {
        Peer peer(address);
        trial.require(peer.receive(4) == "late", "the server answers after its time-outs");
        peer.send("then");
        peer.receive_all();
    });
    executor->sync_wait([&] { return expect_timeouts(trial, listener); });
    client.join();
    listener.stop();
}

// Without delays: bytes that take longer than the limit would time out rightly.
const acairo::Property registered{"a_time_limit_ends_a_read",
                                  a_time_limit_ends_a_read,
                                  {.interruptions = true, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
