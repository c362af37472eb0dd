// Whatever the network does with the bytes (cuts, delays, full buffers), and whoever runs next: an echo is what was sent, and
// then the end of the stream.
//
// It would have caught: bytes lost after a partial write; a read that waits although the socket is readable; a stream that one
// connection closes and another one uses.
// Covers: 1.5 bytes are lost where a transfer is cut; 1.7 a read waits although the socket is readable
// Covers: 3.33 one connection is closed and another one has its number; 3.47 what wakes a worker stays readable, and it spins
// Covers: 1.1 the end is told before the bytes that came with it; 3.51 an event for both directions wakes one
#include "support.hpp"

namespace property {
namespace {

void an_echo_comes_back(Trial& trial) {
    Server server(1 + static_cast<int>(trial.below(2)));
    const std::uint64_t clients = 1 + trial.below(3);
    const auto client = [&] {
        const std::string sent = pattern(trial.below(60));
        Peer peer(server.address);
        trial.require(peer.connected(), "a listening server is connected to");
        platform::thread writer([&] {
            trial.require(peer.send(sent) == sent.size(), "an echo server takes all bytes");
            peer.end_sending();
        });
        const std::string received = peer.receive_all();
        writer.join();
        trial.require(received == sent, "the echo is what was sent");
        trial.require(peer.end() == 0, "the stream ends without an error");
    };
    std::vector<platform::thread> others;
    for (std::uint64_t i = 1; i < clients; ++i) others.emplace_back(client);
    client();
    for (platform::thread& other : others) other.join();
    server.listener->stop();
    trial.require(server.executor->drain(std::chrono::seconds(100)), "a server without clients drains");
}

const acairo::Property registered{
    "an_echo_comes_back", an_echo_comes_back, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
