// stop(), at any moment, from a thread of its own: every connection ends for its peer, every task unwinds, and nothing is left.
//
// It would have caught: a stop that comes between an operation's look at it and its wait; a connection accepted while the
// executor stops, and never closed; a worker that sleeps through the last task's end.
// Covers: 7.113 a stop comes between the look at it and the wait; 7.125 a connection is accepted during the stop, and never closed
// Covers: 10.30 the stop and new waits race
#include "support.hpp"

namespace property {
namespace {

void stop_ends_every_connection(Trial& trial) {
    auto server = std::make_unique<Server>(1 + static_cast<int>(trial.below(2)));
    const std::uint64_t pause = trial.below(8);
    std::vector<platform::thread> clients;
    for (std::uint64_t i = trial.below(3); i != 0; --i) {
        clients.emplace_back([&, address = server->address] {
            Peer peer(address);
            if (!peer.connected()) return;
            peer.send(pattern(3));
            // Until the end, whichever: the server never ends a connection by itself.
            peer.receive_all();
            trial.require(peer.end() == 0 || peer.end() == -ECONNRESET,
                          "a peer sees the end of the stream, or a reset");
        });
    }
    platform::thread stopper([&] {
        for (std::uint64_t i = 0; i < pause; ++i) static_cast<void>(platform::now());
        server->executor->stop();
    });
    stopper.join();
    // Closes the listener, and with it those that were never accepted.
    server->listener->stop();
    server.reset();
    for (platform::thread& client : clients) client.join();
}

const acairo::Property registered{
    "stop_ends_every_connection", stop_ends_every_connection, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
