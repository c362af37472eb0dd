// Any wait (a read, a write, an accept, a connect, a sleep) and a stop token that is stopped at any moment, twice, on another
// thread: the wait ends once, with its result or with Cancelled, and what it had done is neither lost nor done again.
//
// It would have caught: a cancel and a completion that both win; a cancel before or while the wait begins that is lost; an
// accepted connection that goes with the cancelled accept; a stop callback that touches what has gone.
// Covers: 2.19 a cancel and a completion both end one operation; 6.97 a cancel before the wait is lost
// Covers: 6.99 two arms end one wait; 6.101 deregistration of stop callbacks races; 6.105 inline completion against a stop
// Covers: 6.103 what was posted is gone before it is delivered
#include "support.hpp"

namespace property {
namespace {

enum class End : std::uint8_t { none, done, cancelled };

struct Attempt {
    Trial& trial;
    Pair& pair;
    acairo::StopToken token;
    std::uint64_t kind;
    End end = End::none;
    std::string received{};
    std::shared_ptr<acairo::TCPStream> other{};
};

Task<void> wait_once(Attempt& attempt) {
    std::array<char, 4> buffer{};
    switch (attempt.kind) {
        case 0: attempt.received = text_of(co_await attempt.pair.stream->read(2)); break;
        case 1: {
            const std::size_t got = co_await attempt.pair.stream->read_some(buffer);
            attempt.received.assign(buffer.data(), got);
            break;
        }
        case 2: attempt.other = co_await attempt.pair.listener.accept(); break;
        case 3:
            attempt.other =
                co_await acairo::TCPStream::connect(attempt.pair.executor, attempt.pair.listener.local_address());
            break;
        default: co_await acairo::sleep_for(std::chrono::microseconds(2));
    }
}

Task<void> attempt_once(Attempt& attempt) {
    try {
        co_await acairo::with_stop_token(attempt.token, wait_once(attempt));
        attempt.trial.require(attempt.end == End::none, "an end comes once");
        attempt.end = End::done;
    } catch (const acairo::Cancelled&) {
        attempt.trial.require(attempt.end == End::none, "an end comes once");
        attempt.trial.require(attempt.token.stop_requested(), "only a stop cancels");
        attempt.end = End::cancelled;
    }
}

void a_cancel_has_one_outcome(Trial& trial) {
    const acairo::StopSource source;
    Pair pair(trial, 1 + static_cast<int>(trial.below(2)));
    Attempt attempt{trial, pair, source.get_token(), trial.below(5)};
    const std::uint64_t stops_at = trial.below(40);
    platform::thread canceller([&] {
        linger(stops_at);
        const bool first = source.request_stop();
        const bool second = source.request_stop();
        trial.require(first, "the first request is one");
        trial.require(!second, "a second one is none");
    });
    platform::thread completer([&] {
        if (attempt.kind < 2) trial.require(pair.peer.send("ab") == 2, "a peer that is there takes two bytes");
        if (attempt.kind == 2) Peer(pair.listener.local_address()).end_sending();
    });
    pair.executor->sync_wait([&] { return attempt_once(attempt); });
    canceller.join();
    completer.join();
    trial.require(attempt.end != End::none, "it ends");
    trial.sometimes(attempt.end == End::cancelled, "a cancel that wins");
    trial.sometimes(attempt.end == End::done, "a cancel that loses");
    if (attempt.kind < 2) {
        const std::size_t left = 2 - attempt.received.size();
        std::string rest;
        pair.executor->sync_wait([&]() -> Task<void> { rest = text_of(co_await pair.stream->read(left)); });
        trial.require(attempt.received + rest == "ab", "what was not delivered stays in the stream");
    }
    if (attempt.kind == 2 && !attempt.other) trial.require(pair.accept() != nullptr, "the connection is still there");
    if (attempt.kind >= 2 && attempt.kind < 4) {
        trial.require((attempt.other != nullptr) == (attempt.end == End::done), "a stream comes with success only");
    }
}

const acairo::Property registered{"a_cancel_has_one_outcome",
                                  a_cancel_has_one_outcome,
                                  {.interruptions = true, .shortages = false},
                                  {"a cancel that wins", "a cancel that loses"}};

}  // namespace
}  // namespace property
