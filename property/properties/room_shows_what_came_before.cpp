// maximum_connections: a thread writes something down, and then closes a stream; who is let in only because of that finds what
// was written, also where nobody waited for the room, so that nobody was told of it.
//
// It would have caught: a count that is right, and orders nothing.
// Covers: 10.53 there is no limit of connections; 4.57 a look that may see the number from before the close
#include <deque>

#include "support.hpp"

namespace property {
namespace {

Task<void> accept_two(Trial& trial, const acairo::TCPListener& listener, const Written& written) {
    const auto one = co_await listener.accept();
    const auto another = co_await listener.accept();
    // Both of the first two are closed, then.
    written.require_seen(trial);
    trial.sometimes(true, "two more are let in");
}

void room_shows_what_came_before(Trial& trial) {
    const int workers = 1 + static_cast<int>(trial.below(2));
    const std::uint64_t closes_at = trial.below(12);
    const std::uint64_t accepts_at = trial.below(12);
    Listening server(workers, {.maximum_connections = 2});
    std::deque<Peer> peers;
    for (int i = 0; i < 4; ++i) peers.emplace_back(server.listener.local_address());
    const std::shared_ptr<acairo::TCPStream> first = server.accept();
    const std::shared_ptr<acairo::TCPStream> second = server.accept();
    Written written;
    // From here on there is room for one, so that the second close tells nobody.
    first->close();
    platform::thread closer([&] {
        linger(closes_at);
        written.write();
        second->close();
    });
    linger(accepts_at);
    server.executor->spawn([&] { return accept_two(trial, server.listener, written); });
    trial.require(server.executor->drain(std::chrono::seconds(100)), "there is room for two");
    closer.join();
}

const acairo::Property registered{
    "room_shows_what_came_before", room_shows_what_came_before, {.shortages = false}, {"two more are let in"}};

}  // namespace
}  // namespace property
