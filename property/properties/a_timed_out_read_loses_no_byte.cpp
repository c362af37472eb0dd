// read(n) that time limits end again and again, its stream's own or timeout()'s, while the bytes come one by one: each read
// after it delivers first what had arrived, and at the end every byte has come once, in order, also over the end of the stream.
//
// It would have caught: bytes that go with the read that had received them; a timer of the last read that ends the next one; a
// limit that begins anew with each byte.
// Covers: 10.20 bytes of a failed read are lost; 4.67 a timer set and cleared at once is lost; 6.107 the wrong reason is told
#include "support.hpp"

namespace property {
namespace {

using namespace std::chrono_literals;

Task<void> read_with_limits(Trial& trial, acairo::TCPStream& stream, std::string& received, std::size_t size) {
    bool had_to_wait = false;
    for (std::size_t tries = 0; received.size() < size;) {
        const std::size_t wanted = size - received.size() - trial.below(size - received.size());
        const bool inner = trial.below(2) == 1;
        try {
            // At last without a limit of its own: the peer may be slow for ever.
            if (tries > 6)
                received += text_of(co_await stream.read(1));
            else if (inner)
                received += text_of(co_await acairo::timeout(1ms, stream.read(wanted)));
            else
                received += text_of(co_await stream.read(wanted));
            trial.sometimes(had_to_wait, "a read that goes on after one that timed out");
            had_to_wait = false;
        } catch (const acairo::TimedOut&) {
            had_to_wait = true;
            ++tries;
        }
    }
}

void a_timed_out_read_loses_no_byte(Trial& trial) {
    const std::string sent = pattern(1 + trial.below(12));
    std::string received;
    Pair pair(trial, 1, {.read_timeout = 2ms});
    platform::thread sender([&] { send_in_pieces(trial, pair.peer, sent); });
    pair.executor->sync_wait([&] { return read_with_limits(trial, *pair.stream, received, sent.size()); });
    sender.join();
    trial.require(received == sent, "every byte comes once, in order");
}

const acairo::Property registered{"a_timed_out_read_loses_no_byte",
                                  a_timed_out_read_loses_no_byte,
                                  {.interruptions = true, .shortages = false},
                                  {"a read that goes on after one that timed out"}};

}  // namespace
}  // namespace property
