// Several threads that sync_wait at once, for results and for exceptions, while another may stop the executor: each gets its own
// result, once, when its frame and its callable are gone; and one on a worker is refused, not waited for.
//
// It would have caught: a result written after its reader has gone; a notification that another waiter takes; a caller that waits
// for ever because the flag was set between its look and its wait.
// Covers: 4.61 the flag is set without the waiter's lock; 5.81 the result is on the waiter's stack; 8.133 exceptions are not rethrown
// Covers: 7.121 a barrier is destroyed while the last one unlocks; 5.87 an event is notified after its owner has left
// Covers: 4.73 who notifies uses a waiter that has gone; 10.32 a lost notification; 10.33 the frame outlives the call
#include "support.hpp"

namespace property {
namespace {

Task<std::uint64_t> answer(Trial& trial, Census& census, acairo::Executor& executor, std::uint64_t question,
                           bool waits) {
    const Census::Life local(census);
    if (waits) co_await acairo::sleep_for(std::chrono::microseconds(1));
    bool refused = false;
    try {
        executor.sync_wait([]() -> Task<void> { co_return; });
    } catch (const std::logic_error&) { refused = true; }
    trial.require(refused, "a worker cannot wait for itself");
    if (question % 3 == 0) throw question;
    co_return question * 2;
}

void ask(Trial& trial, acairo::Executor& executor, std::uint64_t question, bool waits, bool may_stop) {
    Census census;
    bool answered = false;
    try {
        const std::uint64_t result = executor.sync_wait(
            [&, life = Census::Life(census)] { return answer(trial, census, executor, question, waits); });
        answered = result == question * 2;
    } catch (const std::uint64_t thrown) {
        answered = thrown == question && question % 3 == 0;
    } catch (const acairo::Cancelled&) {
        answered = may_stop;
        trial.sometimes(true, "a stop that is faster than the answer");
    }
    trial.require(answered, "each caller gets its own answer");
    trial.require(census.empty(), "when it returns, frame and callable are gone");
}

void sync_wait_returns_when_all_is_gone(Trial& trial) {
    acairo::Executor executor({.workers = 1 + static_cast<int>(trial.below(2))});
    const bool stops = trial.below(2) == 1;
    const std::uint64_t stops_at = trial.below(20);
    const bool waits = trial.below(2) == 1;
    std::vector<platform::thread> others;
    for (std::uint64_t i = trial.below(3); i != 0; --i) {
        others.emplace_back([&, i] { ask(trial, executor, i, waits, stops); });
    }
    platform::thread stopper([&] {
        linger(stops_at);
        if (stops) executor.stop();
    });
    ask(trial, executor, 7, waits, stops);
    for (platform::thread& other : others) other.join();
    stopper.join();
}

const acairo::Property registered{"sync_wait_returns_when_all_is_gone",
                                  sync_wait_returns_when_all_is_gone,
                                  {.interruptions = true, .shortages = false},
                                  {"a stop that is faster than the answer"}};

}  // namespace
}  // namespace property
