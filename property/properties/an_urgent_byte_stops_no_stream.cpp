// A byte beside the stream (MSG_OOB) at any place: the bytes of the stream are read as if it were not there, none twice, and
// the reader that met it waits for the right event.
//
// It would have caught: a short read at the urgent mark that is taken for an empty socket, so that what stands behind it is
// never read; an event that is neither IN nor OUT, and wakes nobody.
// Covers: 3.51 an event falls through to the wrong case; 10.47 only ERR, IN and OUT are looked at
#include "support.hpp"

namespace property {
namespace {

void an_urgent_byte_stops_no_stream(Trial& trial) {
    const std::string sent = pattern(2 + trial.below(16));
    const std::size_t mark = 1 + trial.below(sent.size() - 1);
    const std::size_t room = 32 - trial.below(32);
    std::string received;
    bool crossed = false;
    Pair pair(trial);
    platform::thread sender([&] {
        trial.require(pair.peer.send(std::string_view(sent).substr(0, mark)) == mark, "the first bytes are sent");
        pair.peer.send_urgent('!');
        trial.require(pair.peer.send(std::string_view(sent).substr(mark)) == sent.size() - mark, "and the others");
        pair.peer.end_sending();
    });
    pair.executor->sync_wait([&]() -> Task<void> {
        std::string buffer(room, '\0');
        while (const std::size_t got = co_await pair.stream->read_some(buffer)) {
            received.append(buffer, 0, got);
            crossed = crossed || (received.size() == mark && got < room);
        }
    });
    sender.join();
    trial.require(received == sent, "the stream's own bytes come, all and in order");
    trial.sometimes(crossed, "a short read that ends at the mark");
}

const acairo::Property registered{"an_urgent_byte_stops_no_stream",
                                  an_urgent_byte_stops_no_stream,
                                  {.interruptions = true, .shortages = false},
                                  {"a short read that ends at the mark"}};

}  // namespace
}  // namespace property
