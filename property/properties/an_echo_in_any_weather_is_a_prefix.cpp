// Everything at once: shortages, interruptions, failing allocations, a network that cuts and delays, small buffers, several
// clients and workers. An echo is a prefix of what was sent; a connection that breaks breaks for both; when the weather is fine
// again the next client is served whole.
//
// It would have caught: whatever two faults do to one another that neither does alone: an accept that pauses while it is told to
// stop, a pause that a new event ends, an error path in which the next error comes.
// Covers: 2.15 accepting stops after an error; 2.17 EMFILE spins; 2.25 an entry leaks; 7.125 an accepted descriptor without an owner
#include "support.hpp"

namespace property {
namespace {

// A byte before the weather is fine again, the others after it: each comes back, or the connection is over.
struct Client {
    explicit Client(const std::string& address) : peer(address) {
        if (peer.connected()) sent = peer.send("a") == 1;
    }
    void go_on(Trial& trial, std::uint64_t size) {
        if (!sent) return;
        char next = 'a';
        for (; peer.receive_byte() == next && static_cast<std::uint64_t>(next - 'a') < size; ++next) {
            const char byte = static_cast<char>(next + 1);
            if (peer.send(std::string_view(&byte, 1)) != 1) break;
        }
        trial.sometimes(next == 'a' && peer.end() <= 0, "an echo that breaks off");
        trial.sometimes(static_cast<std::uint64_t>(next - 'a') == size, "one that goes on");
        if (peer.end() == 1) trial.require(peer.connected(), "an echo is what was sent");
        peer.close();
    }
    Peer peer;
    bool sent = false;
};

void an_echo_in_any_weather_is_a_prefix(Trial& trial) {
    std::optional<Server> server;
    const int workers = 1 + static_cast<int>(trial.below(2));
    const std::uint64_t size = trial.below(6);
    try {
        server.emplace(workers);
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    if (!server) return;
    Client one(server->address);
    Client other(server->address);
    // The server meets what fails before the weather is fine, too, and not only its clients.
    linger(trial.below(60));
    trial.clear_up();
    one.go_on(trial, size);
    other.go_on(trial, size);
    Peer last(server->address);
    trial.require(last.connected(), "a listening server is connected to");
    trial.require(last.send("z") == 1, "a server that is there takes a byte");
    trial.require(last.receive_byte() == 'z', "and answers");
    last.close();
    server->listener->stop();
    trial.require(server->executor->drain(std::chrono::seconds(100)), "a server without clients drains");
}

const acairo::Property registered{"an_echo_in_any_weather_is_a_prefix",
                                  an_echo_in_any_weather_is_a_prefix,
                                  {.interruptions = true, .shortages = true, .network = true, .allocations = true},
                                  {"an echo that breaks off", "one that goes on"}};

}  // namespace
}  // namespace property
