// One stream, one task that reads and one that writes, on any workers, both ways full at once: neither keeps the other from
// going on, and each byte comes once, in order.
//
// It would have caught: a registration of one direction that overwrites the other's; a wake-up of the wrong waiter; a race on
// what the two directions share.
// Covers: 3.53 the second registration of a descriptor overwrites the first; 3.43 operations on one socket race; 3.39 lost interest
#include "support.hpp"

namespace property {
namespace {

void both_directions_flow_at_once(Trial& trial) {
    const std::string out = pattern(trial.below(50));
    const std::string in = pattern(trial.below(50), 7);
    const int workers = 1 + static_cast<int>(trial.below(2));
    std::string received;
    std::string peer_received;
    Pair pair(trial, workers);
    pair.executor->spawn([&]() -> Task<void> {
        co_await pair.stream->write_all(out);
        pair.stream->shutdown();
    });
    pair.executor->spawn([&]() -> Task<void> {
        std::array<char, 6> buffer{};
        while (const std::size_t got = co_await pair.stream->read_some(buffer)) received.append(buffer.data(), got);
    });
    platform::thread writer([&] {
        send_in_pieces(trial, pair.peer, in);
        pair.peer.end_sending();
    });
    peer_received = pair.peer.receive_all();
    writer.join();
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "both directions end");
    trial.require(received == in, "what came in is what the peer sent");
    trial.require(peer_received == out, "what went out is what was written");
}

const acairo::Property registered{
    "both_directions_flow_at_once", both_directions_flow_at_once, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
