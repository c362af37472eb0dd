// Sleeps that begin together on one worker end in the order of their lengths, whatever the order in which they began.
//
// It would have caught: a heap of timers that is out of order; a worker that sleeps for the wrong one of its timers.
// Covers: 4.69 a timer that is not seen by who goes to sleep; 4.67 lost timers
#include "support.hpp"

namespace property {
namespace {

void a_shorter_sleep_ends_first(Trial& trial) {
    std::vector<std::uint64_t> lengths(2 + trial.below(6));
    for (std::uint64_t& length : lengths) length = 1 + trial.below(8);
    std::vector<std::uint64_t> order;
    acairo::Executor executor({.workers = 1});
    for (const std::uint64_t length : lengths) {
        executor.spawn([&order, length]() -> Task<void> {
            co_await acairo::sleep_for(std::chrono::milliseconds(100 * length));
            order.push_back(length);
        });
    }
    trial.require(executor.drain(std::chrono::seconds(100)), "all wake up");
    trial.require(std::ranges::is_sorted(order), "the shorter one ends first");
    trial.require(order.size() == lengths.size(), "each of them ends");
}

// The clock stands still while a thread can run: all of them begin within a tenth of a second.
const acairo::Property registered{"a_shorter_sleep_ends_first",
                                  a_shorter_sleep_ends_first,
                                  {.interruptions = true, .shortages = false, .network = false, .clock = false}};

}  // namespace
}  // namespace property
