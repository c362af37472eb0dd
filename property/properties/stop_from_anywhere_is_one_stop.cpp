// stop() from inside coroutines, from stop callbacks, from several threads, several times: it returns at once, allocates nothing
// that could fail, every wait ends with Cancelled, and afterwards spawn is refused and destroys its callable.
//
// It would have caught: a stop that waits for its own worker; two stops that do the sweep twice; a wait that begins during the
// sweep and is not seen by it.
// Covers: 7.113 an event during shutdown; 7.115 shutdown runs twice; 7.123 registered after its parent was aborted; 10.36 stop from inside
// Covers: 10.7 stop waits for the task that calls it; 10.31 a flag is read without the lock
#include "support.hpp"

namespace property {
namespace {

void stop_from_anywhere_is_one_stop(Trial& trial) {
    Census census;
    platform::atomic<std::uint64_t> cancelled{0};
    const std::uint64_t stops_at = trial.below(30);
    const std::uint64_t waiters = 1 + trial.below(3);
    const bool from_inside = trial.below(2) == 1;
    const bool from_a_callback = trial.below(2) == 1;
    const acairo::StopSource source;
    Pair pair(trial, 1 + static_cast<int>(trial.below(2)));
    acairo::Executor& executor = *pair.executor;
    const acairo::StopCallback callback(source.get_token(), [&] { executor.stop(); });
    std::uint64_t taken = 0;
    const auto wait = [&, life = Census::Life(census)](bool stops) -> Task<void> {
        try {
            if (stops) executor.stop();
            co_await acairo::sleep_for(std::chrono::hours(1));
        } catch (const acairo::Cancelled&) { cancelled.fetch_add(1, std::memory_order_relaxed); }
    };
    platform::thread stopper([&] {
        linger(stops_at);
        from_a_callback ? static_cast<void>(source.request_stop()) : executor.stop();
        executor.stop();
    });
    for (std::uint64_t i = 0; i < waiters; ++i) {
        const bool stops = from_inside && i + 1 == waiters;
        try {
            executor.spawn([wait, stops] { return wait(stops); });
            ++taken;
        } catch (const acairo::Cancelled&) { trial.sometimes(true, "a task that comes too late"); }
    }
    stopper.join();
    bool refused = false;
    try {
        executor.spawn([wait] { return wait(false); });
    } catch (const acairo::Cancelled&) { refused = true; }
    trial.require(refused, "a stopped executor refuses tasks");
    trial.require(executor.drain(std::chrono::seconds(100)), "every wait ends");
    trial.require(cancelled.load(std::memory_order_acquire) == taken, "with Cancelled, once");
    trial.require(census.alive() == 1, "every callable is gone, also the refused one");
}

const acairo::Property registered{"stop_from_anywhere_is_one_stop",
                                  stop_from_anywhere_is_one_stop,
                                  {.interruptions = true, .shortages = false},
                                  {"a task that comes too late"}};

}  // namespace
}  // namespace property
