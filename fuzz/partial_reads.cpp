// Reads of any size, exact or not, whatever the network cuts, delays and interrupts.
// Covers: 1.3 reads that loop at the end; 1.5 a transfer is cut in the middle; 1.9 the end is told although bytes were read
#include "connection.hpp"

namespace fuzz {
namespace {

Task<void> read_in_pieces(Trial& trial, Stream stream, std::string& received) {
    for (std::size_t size = 1; size != 0;) {
        std::vector<char> bytes(1 + trial.below(20));
        if (trial.below(2) == 0) {
            bytes.resize(size = co_await stream->read_some(bytes));
        } else {
            try {
                bytes = co_await stream->read(bytes.size());
            } catch (const acairo::EndOfStream& end) {
                bytes = end.received();
                size = 0;
            }
        }
        received.append(bytes.begin(), bytes.end());
    }
}

void reads_give_what_was_sent(Trial& trial) {
    const std::string sent = pattern(trial.below(64));
    std::string received;
    connection([&](Stream stream) { return read_in_pieces(trial, std::move(stream), received); },
               [&](Peer& peer) { trial.require(peer.send(sent) == sent.size(), "all bytes are sent"); });
    trial.require(received == sent, "reads give what was sent, and then the end");
}

const acairo::Property registered{"reads_give_what_was_sent", reads_give_what_was_sent, no_shortages};
const Target target{"partial_reads", registered.name, "ignored_end_of_stream"};

}  // namespace
}  // namespace fuzz
