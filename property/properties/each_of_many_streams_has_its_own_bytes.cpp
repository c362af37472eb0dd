// More streams on one worker than it makes places for at once, some of them closed and their places taken by others: each stream
// gets the bytes of its own peer, and each that waits is woken.
//
// It would have caught: two streams that share a place in the worker's epoll; an event of a closed stream that wakes the one which
// has its place; a place that is given back and never used again.
// Covers: 3.33 a number is given out again while a batch is worked off; 3.35 a recycled registration gets the event of the one before it
// Long: a run has some 4,000 steps.
#include "support.hpp"

namespace property {
namespace {

struct Connection {
    std::unique_ptr<Peer> peer;
    std::shared_ptr<acairo::TCPStream> stream;
    bool read = false;
};

Task<void> read_its_byte(Trial& trial, Connection& connection, char expected) {
    std::array<char, 2> buffer{};
    const std::size_t size = co_await connection.stream->read_some(buffer);
    trial.require(size == 1 && buffer[0] == expected, "a stream gets what its peer has sent");
    connection.read = true;
}

void each_of_many_streams_has_its_own_bytes(Trial& trial) {
    // A worker makes 64 places at once.
    const std::size_t streams = 63 + static_cast<std::size_t>(trial.below(4));
    const std::size_t replaced = static_cast<std::size_t>(trial.below(4));
    const std::size_t first = static_cast<std::size_t>(trial.below(streams));
    std::vector<Connection> all(streams);
    Listening server(1);
    const auto read_on = [&](std::size_t i) { return read_its_byte(trial, all[i], static_cast<char>(' ' + i)); };
    const auto connect = [&](std::size_t i) {
        all[i].peer = std::make_unique<Peer>(server.listener.local_address());
        trial.require(all[i].peer->connected(), "a listening server is connected to");
        all[i].stream = server.accept();
        all[i].read = false;
    };
    const auto send = [&](std::size_t i) {
        const char byte = static_cast<char>(' ' + i);
        trial.require(all[i].peer->send(std::string_view(&byte, 1)) == 1, "a peer that is there takes a byte");
    };
    for (std::size_t i = 0; i < streams; ++i) connect(i);
    // These are read from, and so have a place, and give it back to others; an event of the first one may come after that.
    for (std::size_t i = 0; i < replaced; ++i) {
        const std::size_t which = (first + 7 * i) % streams;
        send(which);
        server.executor->sync_wait([&] { return read_on(which); });
        if (trial.below(2) == 1) send(which);
        all[which].stream->close();
        connect(which);
    }
    for (std::size_t i = 0; i < streams; ++i) server.executor->spawn([&read_on, i] { return read_on(i); });
    for (std::size_t i = 0; i < streams; ++i) send((first + i) % streams);
    trial.require(server.executor->drain(std::chrono::seconds(100)), "each stream that waits is woken");
    for (const Connection& connection : all) trial.require(connection.read, "and has read its byte");
}

const acairo::Property registered{"each_of_many_streams_has_its_own_bytes",
                                  each_of_many_streams_has_its_own_bytes,
                                  {.interruptions = false, .shortages = false}};

}  // namespace
}  // namespace property
