// Tasks that are stopped, catch it, and wait again in their cleanup, as often as they like: each further wait ends at once with
// Cancelled, every frame unwinds, and the executor ends.
//
// It would have caught: a cleanup that waits after the sweep that cancels, and is never resumed; frames that are left behind at
// the end; an end that comes as many levels deep as there are frames.
// Covers: 5.93 frames are abandoned at shutdown; 7.113 an event during shutdown schedules what nobody runs; 10.35 cleanup that awaits
#include "support.hpp"

namespace property {
namespace {

Task<void> wait_once(acairo::TCPStream& stream, std::uint64_t kind) {
    if (kind == 0) co_await acairo::sleep_for(std::chrono::hours(1));
    if (kind == 1) co_await stream.read(1);
    if (kind == 2) co_await acairo::timeout(std::chrono::hours(1), stream.read(1));
}

Task<void> stubborn(Trial& trial, acairo::TCPStream& stream, Census& census, std::uint64_t depth,
                    std::uint64_t& again) {
    const Census::Life local(census);
    const std::uint64_t kind = trial.below(3);
    bool cancelled = false;
    try {
        if (depth == 0)
            co_await wait_once(stream, kind);
        else
            co_await stubborn(trial, stream, census, depth - 1, again);
    } catch (const acairo::Cancelled&) { cancelled = true; }
    trial.require(cancelled, "a stop ends the wait");
    for (std::uint64_t i = trial.below(3); i != 0; --i) {
        try {
            co_await wait_once(stream, trial.below(3));
            trial.require(false, "nothing is waited for after a stop");
        } catch (const acairo::Cancelled&) { ++again; }
    }
    throw acairo::Cancelled();
}

void cleanup_that_waits_ends(Trial& trial) {
    Census census;
    std::uint64_t again = 0;
    const std::uint64_t depth = trial.below(4);
    const std::uint64_t stops_at = trial.below(30);
    Pair pair(trial);
    pair.executor->spawn([&] { return stubborn(trial, *pair.stream, census, depth, again); });
    linger(stops_at);
    pair.executor->stop();
    pair.executor.reset();
    trial.require(census.empty(), "every frame has unwound");
    trial.sometimes(again > 1, "cleanup that waits twice");
}

const acairo::Property registered{"cleanup_that_waits_ends",
                                  cleanup_that_waits_ends,
                                  {.interruptions = true, .shortages = false},
                                  {"cleanup that waits twice"}};

}  // namespace
}  // namespace property
