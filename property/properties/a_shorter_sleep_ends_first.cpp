// Sleeps that begin together on one worker end in the order of their lengths, whatever the order in which they began.
//
// It would have caught: a heap of timers that is out of order; a worker that sleeps for the wrong one of its timers.
// Covers: 4.69 a timer that is not seen by who goes to sleep; 4.67 lost timers
#include "support.hpp"

namespace property {
namespace {

struct Sleeper {
    std::chrono::nanoseconds length, begun;
};

void a_shorter_sleep_ends_first(Trial& trial) {
    std::vector<Sleeper> begun;
    std::vector<std::size_t> order;
    const std::size_t count = 2 + trial.below(6);
    begun.reserve(count + 1);
    acairo::Executor executor({.workers = 1});
    const auto rest = [&](std::chrono::nanoseconds length) -> Task<void> {
        const std::size_t place = begun.size();
        begun.push_back({length, platform::now()});
        co_await acairo::sleep_for(length);
        order.push_back(place);
    };
    for (std::size_t i = 0; i < count; ++i) {
        const std::chrono::milliseconds length(10 * (1 + trial.below(8)));
        executor.spawn([&rest, length] { return rest(length); });
    }
    trial.require(executor.drain(std::chrono::seconds(100)), "all wake up");
    trial.require(order.size() == count, "each of them ends");
    begun.push_back({{}, platform::now()});
    // One worker: each has armed its timer before the next one began, so a deadline lies between two looks at the clock.
    for (std::size_t i = 1; i < count; ++i) {
        const std::chrono::nanoseconds earliest = begun[order[i - 1]].begun + begun[order[i - 1]].length;
        const std::chrono::nanoseconds latest = begun[order[i] + 1].begun + begun[order[i]].length;
        trial.require(earliest <= latest, "the one that is due first ends first");
    }
}

const acairo::Property registered{"a_shorter_sleep_ends_first",
                                  a_shorter_sleep_ends_first,
                                  {.interruptions = true, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
