// Writes of any size into buffers of any size, read by a peer that takes its time.
// Covers: 1.5 a transfer is cut in the middle; 3.39 the interest in writing is lost
#include "connection.hpp"

namespace fuzz {
namespace {

Task<void> write_in_pieces(Trial& trial, Stream stream, std::string_view bytes) {
    const std::size_t size = bytes.size();
    while (!bytes.empty()) {
        const std::string_view piece = bytes.substr(0, 1 + trial.below(20));
        if (trial.below(2) == 0) {
            co_await stream->write_all(piece);
        } else {
            std::vector<char> owned(piece.begin(), piece.end());
            co_await stream->write(std::move(owned));
        }
        bytes.remove_prefix(piece.size());
    }
    trial.require(stream->bytes_sent() == size, "bytes_sent() is what was written");
}

void writes_arrive_whole(Trial& trial) {
    const std::string sent = pattern(trial.below(100));
    std::string received;
    connection([&](Stream stream) { return write_in_pieces(trial, std::move(stream), sent); },
               [&](Peer& peer) {
                   while (received.size() < sent.size()) {
                       const std::string piece =
                           peer.receive(1 + trial.below(std::min<std::size_t>(30, sent.size() - received.size())));
                       trial.require(!piece.empty(), "the stream does not end before its bytes");
                       received += piece;
                   }
                   trial.require(peer.receive(1).empty(), "and then it ends");
               });
    trial.require(received == sent, "what was written arrives");
}

const acairo::Property registered{"writes_arrive_whole", writes_arrive_whole, no_shortages};
const Target target{"partial_writes", registered.name, "bytes_lost_at_a_partial_write"};

}  // namespace
}  // namespace fuzz
