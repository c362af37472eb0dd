// stop() of a listener at any moment, several times, from two threads, while connections come: the accept ends with a stream or
// with TCPListenerStoppedError; each connection is served or ended for its peer; a number that is given out again in between
// is not closed.
//
// It would have caught: an accept that is tried again after the stop; a second stop that closes somebody else's descriptor; a
// connection that is accepted and dropped without a close.
// Covers: 7.123 accept is retried after the abort; 7.125 who owns an accepted descriptor when the listener goes; 10.15 stop twice
// Covers: 3.37 a deregistration after close hits somebody else; 10.17 stop closes under an accept
#include "support.hpp"

namespace property {
namespace {

Task<void> serve_all(Listening& server, std::uint64_t& accepted) {
    try {
        for (;;) {
            const auto stream = co_await server.listener.accept();
            ++accepted;
            co_await stream->read(1);
            co_await stream->write_all(std::string_view("hello"));
        }
    } catch (const acairo::TCPListenerStoppedError&) {}
    bool again = false;
    try {
        co_await server.listener.accept();
    } catch (const acairo::TCPListenerStoppedError&) { again = true; }
    if (!again) std::terminate();
}

void a_stopped_listener_ends_its_accept(Trial& trial) {
    std::uint64_t accepted = 0;
    platform::atomic<std::uint64_t> served{0};
    const std::uint64_t stops_at = trial.below(60);
    Listening server(1 + static_cast<int>(trial.below(2)));
    const std::string address = server.listener.local_address();
    server.executor->spawn([&] { return serve_all(server, accepted); });
    std::vector<platform::thread> clients;
    for (std::uint64_t i = trial.below(3); i != 0; --i) {
        clients.emplace_back([&] {
            Peer peer(address);
            if (!peer.connected()) return;
            // Linux may forget a connection whose listener goes during its handshake, and tell its peer only when that asks.
            peer.send("?");
            const std::string answer = peer.receive_all();
            trial.require(answer == "hello" || answer.empty(), "an answer is whole");
            if (answer == "hello") served.fetch_add(1, std::memory_order_relaxed);
        });
    }
    platform::thread stopper([&] { server.listener.stop(); });
    linger(stops_at);
    server.listener.stop();
    // Takes the number that has just become free.
    const int taken = platform::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server.listener.stop();
    platform::address local;
    trial.require(platform::getsockname(taken, local) == 0, "a stopped listener closes nobody else's descriptor");
    platform::close(taken);
    stopper.join();
    trial.require(server.executor->drain(std::chrono::seconds(100)), "the accept ends");
    for (platform::thread& client : clients) client.join();
    trial.require(served.load(std::memory_order_acquire) == accepted, "who was accepted is served");
    trial.sometimes(accepted != 0 && accepted < clients.size(), "a stop between two connections");
}

const acairo::Property registered{"a_stopped_listener_ends_its_accept",
                                  a_stopped_listener_ends_its_accept,
                                  {.interruptions = true, .shortages = false},
                                  {"a stop between two connections"}};

}  // namespace
}  // namespace property
