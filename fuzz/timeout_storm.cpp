// Reads that time out again and again, within limits of their own and of others, while the bytes come slowly.
// Covers: 10.20 bytes of a read that timed out are lost; 4.67 a timer is lost, or fires into the next read
#include "connection.hpp"

namespace fuzz {
namespace {

using std::chrono::milliseconds;

// A value from 0 to 3 milliseconds.
milliseconds some_time(Trial& trial) { return milliseconds(static_cast<std::int64_t>(trial.below(4))); }

Task<void> read_impatiently(Trial& trial, Stream stream, std::string& received, std::size_t size) {
    for (int patience = 3; received.size() < size; --patience) {
        const std::size_t wanted = 1 + trial.below(size - received.size());
        const milliseconds outer = some_time(trial);
        const milliseconds inner = some_time(trial);
        try {
            std::vector<char> bytes;
            if (patience > 0)
                bytes = co_await acairo::timeout(outer, acairo::timeout(inner, stream->read(wanted)));
            else
                bytes = co_await stream->read(wanted);
            received.append(bytes.begin(), bytes.end());
        } catch (const acairo::TimedOut&) {}  // what had come is read next time
    }
}

void timeouts_lose_no_byte(Trial& trial) {
    const std::string sent = pattern(1 + trial.below(8));
    std::string received;
    connection([&](Stream stream) { return read_impatiently(trial, std::move(stream), received, sent.size()); },
               [&](Peer& peer) {
                   for (const char byte : sent) peer.send({&byte, 1});
                   peer.receive_all();
               },
               {.stream = {.read_timeout = milliseconds(2)}});
    trial.require(received == sent, "a read that timed out leaves its bytes to the next");
}

const acairo::Property registered{"timeouts_lose_no_byte", timeouts_lose_no_byte, no_shortages};
const Target target{"timeout_storm", registered.name, "stale_timer"};

}  // namespace
}  // namespace fuzz
