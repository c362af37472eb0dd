// Whatever the system refuses for a while (descriptors, memory, threads, watches, connections): a server that could be made
// stays, and serves the next client when the shortage is over. One that could not be made leaves nothing behind.
//
// It would have caught: an accept loop that ends at EMFILE, or waits for an edge that does not come again; a descriptor that is
// lost when what follows its making fails; a constructor that leaves its threads running.
// Covers: 2.15 accepting stops after one error; 2.17 EMFILE from accept; 2.23 a descriptor leaks on an error path
// Covers: 2.25 an entry leaks when epoll_ctl fails; 10.9 any accept error ends the loop; 10.40 the constructor leaves its threads running
// Covers: 2.31 a registration that is refused ends the process
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

void a_server_outlives_shortages(Trial& trial) {
    std::unique_ptr<Server> server;
    try {
        server = std::make_unique<Server>(1 + static_cast<int>(trial.below(2)));
    } catch (const std::system_error&) { return; }
    // They do not wait for an answer, which may not come before there are descriptors again.
    std::deque<Peer> others;
    for (std::uint64_t i = trial.below(4); i != 0; --i) {
        Peer& other = others.emplace_back(server->address);
        if (other.connected()) other.send("?");
        if (trial.below(2) == 1) other.close();
    }
    trial.clear_up();
    // Each of them is answered now, or was refused: none waits for ever, also where no new connection rouses the listener.
    for (Peer& other : others) {
        if (other.connected()) other.receive(1);
    }
    Peer peer(server->address);
    trial.require(peer.connected(), "a listening server is connected to");
    trial.require(comes_back(peer, "still there?"), "the next client is served");
    peer.close();
    others.clear();
    server->listener->stop();
    trial.require(server->executor->drain(std::chrono::seconds(100)), "a server without clients drains");
}

const acairo::Property registered{"a_server_outlives_shortages", a_server_outlives_shortages};

}  // namespace
}  // namespace property
