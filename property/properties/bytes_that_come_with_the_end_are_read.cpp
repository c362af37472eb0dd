// Bytes and the end of the stream that come in one event, before anybody reads or while somebody waits: first every byte, then
// the end; also where the peer has closed its socket altogether.
//
// It would have caught: an end that is looked at before the bytes; a socket that is closed at RDHUP; a wait for an event after
// a short read, although the end had come with it.
// Covers: 1.1 bytes together with the end are dropped; 1.13 RDHUP closes before the bytes are read; 3.41 RDHUP alone and with HUP
#include "support.hpp"

namespace property {
namespace {

Task<void> read_all(Trial& trial, acairo::TCPStream& stream, std::string& received, std::size_t room) {
    for (;;) {
        std::string buffer(room, '\0');
        const std::size_t got = co_await stream.read_some(buffer);
        if (got == 0) co_return;
        trial.require(got <= room, "no more than there is room for");
        received.append(buffer, 0, got);
    }
}

void bytes_that_come_with_the_end_are_read(Trial& trial) {
    const std::string sent = pattern(1 + trial.below(20));
    const bool first_of_all = trial.below(2) == 1;
    const bool closes = trial.below(2) == 1;
    const std::size_t room = 1 + trial.below(24);
    std::string received;
    Pair pair(trial);
    const auto send = [&] {
        trial.require(pair.peer.send(sent) == sent.size(), "a peer that is there takes all bytes");
        closes ? pair.peer.close() : pair.peer.end_sending();
    };
    // In a buffer of one byte they would wait for the reader.
    platform::thread sender(send);
    if (first_of_all) sender.join();
    pair.executor->sync_wait([&] { return read_all(trial, *pair.stream, received, room); });
    if (!first_of_all) sender.join();
    trial.require(received == sent, "every byte comes before the end");
    trial.sometimes(first_of_all && room > sent.size(), "all of it was there, and the read is short");
    trial.sometimes(closes && !first_of_all, "the peer closes while somebody may wait");
}

const acairo::Property registered{
    "bytes_that_come_with_the_end_are_read",
    bytes_that_come_with_the_end_are_read,
    {.interruptions = true, .shortages = false, .network = false},
    {"all of it was there, and the read is short", "the peer closes while somebody may wait"}};

}  // namespace
}  // namespace property
