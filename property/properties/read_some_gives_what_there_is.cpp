// However the bytes are cut, and with buffers of any size: read_some gives at least one byte, at most a buffer full, and
// writes nothing behind what it gives; 0 at the end and for an empty buffer only.
//
// It would have caught: a read of zero bytes that is told as the end, or that waits; a drained socket that is taken for an
// empty one; bytes counted that were not received.
// Covers: 1.7 reading exactly what is available loses the readiness; 1.9 the end is told although bytes were read
// Covers: 1.11 zero-length buffers are no end
#include "support.hpp"

namespace property {
namespace {

constexpr char untouched = '#';

Task<void> read_all(Trial& trial, acairo::TCPStream& stream, std::string& received, std::size_t size) {
    for (;;) {
        const std::size_t room = size + 1 - trial.below(size + 2);
        std::string buffer(size + 2, untouched);
        const std::size_t got = co_await stream.read_some(std::span(buffer).first(room));
        trial.require(got <= room, "no more than there is room for");
        trial.require(buffer.find_first_not_of(untouched, got) == std::string::npos, "nothing is written behind them");
        trial.sometimes(got != 0 && got == room && received.size() + got == size,
                        "a buffer that is just filled at the end");
        trial.sometimes(got != 0 && got < room && received.size() + got < size, "a short read in the middle");
        received.append(buffer, 0, got);
        if (room == 0) trial.require(got == 0, "nothing fits into nothing");
        if (room != 0 && got == 0) co_return;
    }
}

void read_some_gives_what_there_is(Trial& trial) {
    const std::string sent = pattern(trial.below(12));
    std::string received;
    Pair pair(trial);
    platform::thread sender([&] {
        send_in_pieces(trial, pair.peer, sent);
        pair.peer.end_sending();
    });
    pair.executor->sync_wait([&] { return read_all(trial, *pair.stream, received, sent.size()); });
    trial.require(received == sent, "every byte comes once, in order, before the end");
    sender.join();
}

const acairo::Property registered{"read_some_gives_what_there_is",
                                  read_some_gives_what_there_is,
                                  {.interruptions = true, .shortages = false},
                                  {"a buffer that is just filled at the end", "a short read in the middle"}};

}  // namespace
}  // namespace property
