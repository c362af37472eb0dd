// Either side ends its sending first, or both do: what the other one sends afterwards is delivered all the same, and each side
// sees exactly one end.
//
// It would have caught: an end of the one direction that is taken for the end of both; a shutdown that throws because the peer
// was faster; an event of the end that wakes the writer and not the reader.
// Covers: 3.41 shutdown and close are told apart; 2.29 ENOTCONN in the shutdown path; 1.13 the end closes the channel too early
#include "support.hpp"

namespace property {
namespace {

Task<void> talk(acairo::TCPStream& stream, bool ends_first, const std::string& out, std::string& in) {
    if (ends_first) {
        co_await stream.write_all(out);
        stream.shutdown();
    }
    std::array<char, 4> buffer{};
    while (const std::size_t got = co_await stream.read_some(buffer)) in.append(buffer.data(), got);
    if (!ends_first) {
        co_await stream.write_all(out);
        stream.shutdown();
    }
    stream.shutdown();
}

void a_half_closed_stream_carries_on(Trial& trial) {
    const std::string out = pattern(trial.below(15));
    const std::string in = pattern(trial.below(15), 5);
    const bool ends_first = trial.below(2) == 1;
    const bool peer_waits = ends_first && trial.below(2) == 1;
    std::string received;
    std::string peer_received;
    Pair pair(trial);
    platform::thread client([&] {
        if (peer_waits) peer_received = pair.peer.receive_all();
        // On a thread of its own: both sides may write more than the buffers hold.
        platform::thread sender([&] {
            send_in_pieces(trial, pair.peer, in);
            pair.peer.end_sending();
        });
        if (!peer_waits) peer_received = pair.peer.receive_all();
        sender.join();
    });
    pair.executor->sync_wait([&] { return talk(*pair.stream, ends_first, out, received); });
    client.join();
    trial.require(received == in, "what the peer sent is read to its end");
    trial.require(peer_received == out, "what was written reaches the peer");
    trial.require(pair.peer.end() == 0, "and then the end");
}

const acairo::Property registered{
    "a_half_closed_stream_carries_on", a_half_closed_stream_carries_on, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
