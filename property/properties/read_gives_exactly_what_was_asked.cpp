// However the bytes are cut, and whichever sizes are asked for: read(n) gives the next n bytes, and after the last of them
// EndOfStream carries what is left; then it does so again and again, with nothing.
//
// It would have caught: a loop for ever at the end of the stream; an end that is told as bytes; bytes that are lost where a
// read begins in the middle of a segment; a read of nothing that is taken for the end.
// Covers: 1.3 skip loops for ever at the end; 1.5 cut in the middle of a frame; 1.11 a transfer of zero bytes is no end
// Covers: 10.5 read spins at the end
// Covers: 1.9 the end is told without the bytes that came before it
#include "support.hpp"

namespace property {
namespace {

Task<void> read_all(Trial& trial, acairo::TCPStream& stream, std::string& received, std::size_t size) {
    for (bool ended = false; !ended;) {
        const std::size_t wanted = size + 2 - trial.below(size + 3);
        try {
            const auto bytes = co_await stream.read(wanted);
            trial.require(bytes.size() == wanted, "read(n) gives n bytes");
            trial.sometimes(wanted == 0 && received.size() == size, "a read of nothing, at the end");
            received += text_of(bytes);
        } catch (const acairo::EndOfStream& end) {
            trial.require(end.received().size() < wanted, "an end comes only to who asks for more");
            trial.sometimes(!end.received().empty(), "an end that carries bytes");
            received += text_of(end.received());
            ended = true;
        }
    }
    try {
        co_await stream.read(1);
        trial.require(false, "no byte comes after the end");
    } catch (const acairo::EndOfStream& end) { trial.require(end.received().empty(), "the end stays the end"); }
}

void read_gives_exactly_what_was_asked(Trial& trial) {
    const std::string sent = pattern(trial.below(6));
    std::string received;
    Pair pair(trial);
    platform::thread sender([&] {
        send_in_pieces(trial, pair.peer, sent);
        pair.peer.end_sending();
    });
    pair.executor->sync_wait([&] { return read_all(trial, *pair.stream, received, sent.size()); });
    trial.require(received == sent, "every byte comes once, in order");
    sender.join();
}

const acairo::Property registered{"read_gives_exactly_what_was_asked",
                                  read_gives_exactly_what_was_asked,
                                  {.interruptions = true, .shortages = false},
                                  {"a read of nothing, at the end", "an end that carries bytes"}};

}  // namespace
}  // namespace property
