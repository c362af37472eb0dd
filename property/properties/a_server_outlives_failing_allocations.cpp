// While operator new fails, once or again and again, a server that could be made stays: a connection may end with
// std::bad_alloc, but nothing hangs, terminates or is left behind, and when there is memory again the next client is served.
//
// It would have caught: a task whose frame is lost when its message cannot be made; a descriptor that was accepted and has no
// stream; an error path that allocates where nothing may throw; a worker that dies of an exception.
// Covers: 7.125 an accepted descriptor without an owner; 2.15 accepting stops after an error
// Covers: 10.10 an accepted descriptor leaks; 10.52 memory is needed to tell that there is none
#include <array>
#include <optional>

#include "support.hpp"

namespace property {
namespace {

// Byte by byte: who sends more than the buffers hold, and does not read, may wait for ever for a peer that does the same.
bool comes_back(Peer& peer, std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (peer.send(bytes.substr(i, 1)) != 1 || peer.receive(1) != bytes.substr(i, 1)) return false;
    }
    return true;
}

void a_server_outlives_failing_allocations(Trial& trial) {
    std::unique_ptr<Server> server;
    // A deque would want memory to be empty.
    std::array<std::optional<Peer>, 3> others;
    try {
        server = std::make_unique<Server>(1 + static_cast<int>(trial.below(2)));
        // They do not wait for an answer, which may not come before there is memory again.
        for (std::uint64_t i = 1 + trial.below(3); i != 0; --i) {
            Peer& other = others[i - 1].emplace(server->address);
            if (other.connected()) other.send("?");
            if (trial.below(2) == 1) other.close();
        }
    } catch (const std::bad_alloc&) {
        if (!server) return;
    } catch (const std::system_error&) { return; }
    trial.clear_up();
    // Each of them is answered now, or sees the end of its connection.
    for (std::optional<Peer>& other : others) {
        if (other && other->connected()) other->receive(1);
    }
    Peer peer(server->address);
    trial.require(peer.connected(), "a listening server is connected to");
    trial.require(comes_back(peer, "still there?"), "the next client is served");
    peer.close();
    for (std::optional<Peer>& other : others) other.reset();
    server->listener->stop();
    trial.require(server->executor->drain(std::chrono::seconds(100)), "a server without clients drains");
}

const acairo::Property registered{"a_server_outlives_failing_allocations",
                                  a_server_outlives_failing_allocations,
                                  {.interruptions = false, .shortages = false, .allocations = true}};

}  // namespace
}  // namespace property
