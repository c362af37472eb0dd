// Time limits and stop tokens inside one another, in any order and depth, that end at about the same time: each limit that fired
// throws TimedOut where it stands, a stop is Cancelled, a result that came first is a result; and every limit outside of the
// one that ended is as if nothing had been.
//
// It would have caught: Cancelled told for a time limit, or the other way; an inner limit that ends the outer wait; a limit that
// fires after its awaitable has ended, into the next one.
// Covers: 6.107 a timeout surfaces as a cancel; 4.67 a timer set and cleared at once; 3.49 a timer that is never taken back
#include "support.hpp"

namespace property {
namespace {

using namespace std::chrono_literals;

struct Levels {
    Trial& trial;
    std::vector<std::chrono::nanoseconds> limits;  // from the outermost; 0: a token there
    acairo::StopToken token;
    std::chrono::nanoseconds sleep;
    std::uint64_t timed_out = 0;
    std::uint64_t results = 0;
};

Task<void> nest(Levels& levels, std::size_t depth) {
    if (depth == levels.limits.size()) {
        co_await acairo::sleep_for(levels.sleep);
        ++levels.results;
        co_return;
    }
    if (levels.limits[depth] == 0ns) {
        co_await acairo::with_stop_token(levels.token, nest(levels, depth + 1));
        co_return;
    }
    const auto begin = platform::now();
    bool over = false;
    try {
        co_await acairo::timeout(levels.limits[depth], nest(levels, depth + 1));
    } catch (const acairo::TimedOut&) { over = true; }
    if (!over) co_return;
    ++levels.timed_out;
    levels.trial.require(platform::now() - begin >= levels.limits[depth], "no limit fires before its time");
    levels.trial.require(levels.results == 0, "what timed out has no result");
    // The limits outside still hold, and those inside no longer do.
    co_await acairo::sleep_for(1us);
}

void nested_limits_tell_their_own_reason(Trial& trial) {
    const acairo::StopSource source;
    Levels levels{trial, {}, source.get_token(), std::chrono::microseconds(trial.below(4)), 0, 0};
    for (std::uint64_t depth = trial.below(5); depth != 0; --depth) {
        levels.limits.emplace_back(std::chrono::microseconds(trial.below(4)));
    }
    const bool stops = trial.below(2) == 1;
    const auto stops_after = std::chrono::microseconds(trial.below(6));
    bool cancelled = false;
    acairo::Executor executor({.workers = 1});
    executor.spawn([&]() -> Task<void> {
        co_await acairo::sleep_for(stops_after);
        if (stops) source.request_stop();
    });
    executor.sync_wait([&]() -> Task<void> {
        try {
            co_await nest(levels, 0);
        } catch (const acairo::Cancelled&) { cancelled = true; }
    });
    trial.require(executor.drain(std::chrono::seconds(100)), "all end");
    if (cancelled) trial.require(stops, "only a stop is told as Cancelled");
    if (!cancelled) trial.require(levels.results + levels.timed_out >= 1, "it ends for a reason");
    trial.require(levels.results <= 1, "at most one result");
    trial.sometimes(levels.timed_out > 1, "two limits that fire, one after the other");
    trial.sometimes(cancelled && levels.timed_out == 1, "a stop after a limit");
}

const acairo::Property registered{"nested_limits_tell_their_own_reason",
                                  nested_limits_tell_their_own_reason,
                                  {.interruptions = true, .shortages = false},
                                  {"two limits that fire, one after the other", "a stop after a limit"}};

}  // namespace
}  // namespace property
