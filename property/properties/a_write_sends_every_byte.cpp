// Writes of any sizes, none included, by vector and by span, through buffers as small as one byte, to a peer that reads when
// it likes: it gets every byte once and in order, and bytes_sent() is exact after each write.
//
// It would have caught: a partial write that is begun again from its start, or taken for all; a writer that waits for an edge
// of writability that has been; a count that misses what was sent before a wait.
// Covers: 1.5 a transfer is cut in the middle; 3.39 the interest in one direction is lost with the other's
// Covers: 10.21 a write refers to a vector that has gone
#include "support.hpp"

namespace property {
namespace {

Task<void> write_all(Trial& trial, acairo::TCPStream& stream, const std::string& sent) {
    std::size_t written = 0;
    for (bool more = true; more; more = written < sent.size()) {
        const std::size_t size = sent.size() - written - trial.below(sent.size() - written + 1);
        const std::string_view piece = std::string_view(sent).substr(written, size);
        if (trial.below(2) == 0) {
            co_await stream.write_all(piece);
        } else {
            std::vector<char> owned(piece.begin(), piece.end());
            co_await stream.write(std::move(owned));
        }
        written += size;
        trial.require(stream.bytes_sent() == written, "bytes_sent() is what has been written");
    }
    stream.shutdown();
}

void a_write_sends_every_byte(Trial& trial) {
    const std::string sent = pattern(trial.below(40));
    const std::uint64_t late = trial.below(10);
    std::string received;
    Pair pair(trial);
    platform::thread receiver([&] {
        linger(late);
        received = pair.peer.receive_all();
    });
    pair.executor->sync_wait([&] { return write_all(trial, *pair.stream, sent); });
    receiver.join();
    trial.require(received == sent, "every byte comes once, in order");
    trial.require(pair.peer.end() == 0, "then the end");
}

const acairo::Property registered{
    "a_write_sends_every_byte", a_write_sends_every_byte, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
