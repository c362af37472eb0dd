// maximum_connections, when the stream that makes room is closed while an accept looks for room, on a worker that has not waited for
// the listener before: either the accept sees the room, or the close sees the accept and has it look again.
//
// It would have caught: a look that may see the number from before the close, a plain load whatever its order, and a close that does
// not see who waits yet; a look before the registration; room that is made without a word.
// Covers: 4.57 a load, however ordered, sees an older store, where only a read-modify-write sees the newest
// Covers: 4.63 a waiter is lost between its look and its wait; 2.15 an accept that waits for room is never woken
#include "support.hpp"

namespace property {
namespace {

Task<void> accept_one(acairo::TCPListener& listener, bool& accepted) {
    co_await listener.accept();
    accepted = true;
}

void room_is_made_for_who_waits(Trial& trial) {
    const std::uint64_t closes_at = trial.below(24);
    Listening server(2, {.maximum_connections = 1});
    Peer first(server.listener.local_address());
    Peer second(server.listener.local_address());
    trial.require(first.connected() && second.connected(), "a listening server is connected to");
    const std::shared_ptr<acairo::TCPStream> stream = server.accept();
    bool accepted = false;
    server.executor->spawn([&] { return accept_one(server.listener, accepted); });
    linger(closes_at);
    stream->close();
    trial.require(server.executor->drain(std::chrono::seconds(100)), "a close makes room for who waits");
    trial.require(accepted, "and the next connection is accepted");
}

const acairo::Property registered{
    "room_is_made_for_who_waits", room_is_made_for_who_waits, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
