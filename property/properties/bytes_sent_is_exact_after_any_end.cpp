// A write that a time limit or a stop token ends, at any moment: bytes_sent() says exactly how many of its bytes the peer will
// get, and a writer that goes on from there loses none and repeats none.
//
// It would have caught: progress that is forgotten with a cancel; a write that goes on after it was reported cancelled; a count
// that is taken before the last transfer.
// Covers: 2.19 a cancel and a completion both end one operation; 6.97 a cancel before the wait is lost; 10.20 bytes of a failed transfer
#include "support.hpp"

namespace property {
namespace {

Task<void> write_with_ends(Trial& trial, acairo::TCPStream& stream, const std::string& sent, acairo::StopToken token) {
    std::size_t ends = 0;
    while (stream.bytes_sent() < sent.size()) {
        const std::string_view rest = std::string_view(sent).substr(stream.bytes_sent());
        const bool by_token = trial.below(2) == 1;
        const std::uint64_t before = stream.bytes_sent();
        try {
            if (by_token && !token.stop_requested())
                co_await acairo::with_stop_token(token, stream.write_all(rest));
            else if (ends < 3)
                co_await acairo::timeout(std::chrono::milliseconds(1), stream.write_all(rest));
            else
                co_await stream.write_all(rest);
        } catch (const acairo::TimedOut&) { ++ends; } catch (const acairo::Cancelled&) {
            ++ends;
            trial.require(token.stop_requested(), "only a stop cancels");
            trial.sometimes(true, "a stop ends a write");
        }
        trial.sometimes(before != stream.bytes_sent() && stream.bytes_sent() < sent.size(),
                        "a write that ended in between");
    }
    stream.shutdown();
}

void bytes_sent_is_exact_after_any_end(Trial& trial) {
    const std::string sent = pattern(1 + trial.below(100));
    const std::uint64_t late = trial.below(40);
    const std::uint64_t stop_at = trial.below(60);
    const acairo::StopSource source;
    std::string received;
    Pair pair(trial);
    platform::thread receiver([&] {
        linger(late);
        received = pair.peer.receive_all();
    });
    platform::thread canceller([&] {
        linger(stop_at);
        source.request_stop();
    });
    pair.executor->sync_wait([&] { return write_with_ends(trial, *pair.stream, sent, source.get_token()); });
    trial.require(pair.stream->bytes_sent() == sent.size(), "no byte is counted twice");
    receiver.join();
    canceller.join();
    trial.require(received == sent, "every byte comes once, in order");
}

const acairo::Property registered{"bytes_sent_is_exact_after_any_end",
                                  bytes_sent_is_exact_after_any_end,
                                  {.interruptions = true, .shortages = false},
                                  {"a stop ends a write", "a write that ended in between"}};

}  // namespace
}  // namespace property
