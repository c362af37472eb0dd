// Clients that come and go before anybody accepts, by an end, a close or a reset, in any order with those that stay: who stays is
// served, who has gone costs nothing, and the accept neither ends nor waits although somebody is there.
//
// It would have caught: an accept loop that ends at a dead connection; one edge for many connections, of which one is accepted;
// an error of the one connection that is taken for the listener's.
// Covers: 2.15 accepting stops for good after one error; 3.33 stale events of a batch hit a new descriptor; 10.9 any accept error ends the loop
// Covers: 3.35 a registration is recycled while events for it are held
#include "support.hpp"

namespace property {
namespace {

void dead_connections_are_skipped(Trial& trial) {
    const std::uint64_t clients = 1 + trial.below(5);
    const bool early = trial.below(2) == 1;
    Listening server(1 + static_cast<int>(trial.below(2)));
    const auto serve = [&] {
        server.executor->spawn([&] { return accept_all(*server.executor, server.listener, echo); });
    };
    if (!early) serve();
    std::deque<Peer> staying;
    std::uint64_t left = 0;
    for (std::uint64_t i = 0; i < clients; ++i) {
        const std::uint64_t fate = trial.below(4);
        Peer& peer = staying.emplace_back(server.listener.local_address());
        trial.require(peer.connected(), "a listening server is connected to");
        if (fate == 0) continue;
        if (fate == 2) peer.send("!");
        if (fate == 3) peer.end_sending();
        peer.close();
        staying.pop_back();
        ++left;
    }
    if (early) serve();
    for (Peer& peer : staying) {
        trial.require(peer.send("?") == 1, "a peer that is there takes a byte");
        trial.require(peer.receive(1) == "?", "who stays is served");
        peer.end_sending();
        trial.require(peer.receive_all().empty(), "and sees the end");
    }
    trial.sometimes(left != 0 && !staying.empty() && early, "the dead and the living in one backlog");
    staying.clear();
    Peer last(server.listener.local_address());
    trial.require(last.connected(), "a listening server is connected to");
    trial.require(last.send("?") == 1, "a peer that is there takes a byte");
    trial.require(last.receive(1) == "?", "the accept goes on");
    last.close();
    server.listener.stop();
    trial.require(server.executor->drain(std::chrono::seconds(100)), "a server without clients drains");
}

const acairo::Property registered{"dead_connections_are_skipped",
                                  dead_connections_are_skipped,
                                  {.interruptions = true, .shortages = false},
                                  {"the dead and the living in one backlog"}};

}  // namespace
}  // namespace property
