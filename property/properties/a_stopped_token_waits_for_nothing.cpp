// A token that was stopped before: whatever is awaited under it ends with Cancelled at once, although it could have completed;
// nothing is transferred, accepted or opened; and without the token everything is as it was.
//
// It would have caught: a stop callback that runs in its constructor and deadlocks, or cancels what has not begun; a cancel that
// only a wait would notice; an operation that does its work first.
// Covers: 6.95 the stop callback runs at once and re-enters; 6.97 a cancel before the start is lost; 6.105 inline completion deadlocks
#include "support.hpp"

namespace property {
namespace {

Task<void> try_all(Trial& trial, Pair& pair, const acairo::StopSource& source, std::uint64_t& cancelled) {
    const acairo::StopToken token = source.get_token();
    std::array<char, 4> buffer{};
    for (std::uint64_t kind = 0; kind < 6; ++kind) {
        try {
            switch (kind) {
                case 0: co_await acairo::with_stop_token(token, pair.stream->read(1)); break;
                case 1: co_await acairo::with_stop_token(token, pair.stream->read_some(buffer)); break;
                case 2: co_await acairo::with_stop_token(token, pair.stream->write_all(std::string_view("x"))); break;
                case 3: co_await acairo::with_stop_token(token, pair.listener.accept()); break;
                case 4:
                    co_await acairo::with_stop_token(
                        token, acairo::timeout(std::chrono::hours(1), acairo::sleep_for(std::chrono::hours(2))));
                    break;
                default:
                    co_await acairo::with_stop_token(
                        token, acairo::TCPStream::connect(pair.executor, pair.listener.local_address()));
            }
            trial.require(false, "nothing is done under a stopped token");
        } catch (const acairo::Cancelled&) { ++cancelled; }
    }
    trial.require(pair.stream->bytes_sent() == 0, "nothing was sent");
}

void a_stopped_token_waits_for_nothing(Trial& trial) {
    const acairo::StopSource source;
    const bool while_it_runs = trial.below(2) == 1;
    std::uint64_t cancelled = 0;
    Pair pair(trial);
    trial.require(pair.peer.send("y") == 1, "a peer that is there takes a byte");
    Peer waiting(pair.listener.local_address());
    if (!while_it_runs) source.request_stop();
    pair.executor->sync_wait([&]() -> Task<void> {
        // On the worker itself, and then on any thread's behalf.
        if (while_it_runs) source.request_stop();
        co_await try_all(trial, pair, source, cancelled);
        const auto byte = co_await pair.stream->read(1);
        trial.require(text_of(byte) == "y", "what had come is still there");
        const auto accepted = co_await pair.listener.accept();
        trial.require(accepted != nullptr, "and so is who waits to be accepted");
    });
    trial.require(cancelled == 6, "each of them is cancelled");
}

const acairo::Property registered{"a_stopped_token_waits_for_nothing",
                                  a_stopped_token_waits_for_nothing,
                                  {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
