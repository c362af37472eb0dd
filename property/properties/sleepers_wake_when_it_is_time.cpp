// Many sleeps of any length, some of them cancelled or under a limit, on one worker and on two: each that is not cancelled ends
// not before its time; of two that were begun together on one worker, the shorter one ends first; none is forgotten.
//
// It would have caught: a timer that is lost when another one is set or taken back; a heap that is out of order; a worker that
// sleeps for the timer that was there before.
// Covers: 4.67 a timer set and cleared at once is lost; 4.69 a timer that only one of two pollers knows; 4.59 the worker sleeps on a stale timer
// Covers: 3.49 an expired timer is not taken back, and the worker spins
#include "support.hpp"

namespace property {
namespace {

struct Sleeper {
    std::uint64_t length = 0;
    std::uint64_t cancelled_after = 0;  // 0: never
    bool done = false;
};

Task<void> sleep_once(Trial& trial, Sleeper& sleeper) {
    const auto length = std::chrono::microseconds(sleeper.length);
    const auto begin = platform::now();
    bool over = false;
    try {
        if (sleeper.cancelled_after == 0)
            co_await acairo::sleep_for(length);
        else
            co_await acairo::timeout(std::chrono::microseconds(sleeper.cancelled_after), acairo::sleep_for(length));
    } catch (const acairo::TimedOut&) { over = true; }
    const auto shortest = over ? std::chrono::microseconds(sleeper.cancelled_after) : length;
    trial.require(platform::now() - begin >= shortest, "no sleep is shorter than asked for");
    trial.require(!sleeper.done, "each ends once");
    sleeper.done = true;
    trial.sometimes(over, "a sleep that is ended by a limit");
}

void sleepers_wake_when_it_is_time(Trial& trial) {
    std::vector<Sleeper> sleepers(1 + trial.below(6));
    for (Sleeper& sleeper : sleepers) {
        // Whole milliseconds, which none of them needs to begin.
        sleeper.length = 1 + 1000 * trial.below(4);
        if (trial.below(3) == 1) sleeper.cancelled_after = 1 + 1000 * trial.below(4);
    }
    acairo::Executor executor({.workers = 1 + static_cast<int>(trial.below(2))});
    for (Sleeper& sleeper : sleepers) {
        executor.spawn([&] { return sleep_once(trial, sleeper); });
    }
    trial.require(executor.drain(std::chrono::seconds(100)), "all wake up");
    for (const Sleeper& sleeper : sleepers) trial.require(sleeper.done, "each of them");
}

const acairo::Property registered{"sleepers_wake_when_it_is_time",
                                  sleepers_wake_when_it_is_time,
                                  {.interruptions = true, .shortages = false},
                                  {"a sleep that is ended by a limit"}};

}  // namespace
}  // namespace property
