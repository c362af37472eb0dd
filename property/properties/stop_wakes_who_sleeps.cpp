// stop() ends sleeps of an hour at once, and what the stopping thread wrote before is seen by who is woken.
//
// It would have caught: a stop that ends the waits for sockets only; a stop that orders nothing.
// Covers: 7.113 a stop that reaches not everybody
#include "support.hpp"

namespace property {
namespace {

void stop_wakes_who_sleeps(Trial& trial) {
    const std::uint64_t sleepers = 1 + trial.below(3);
    const int workers = 1 + static_cast<int>(trial.below(2));
    std::uint64_t written = 0;
    const auto begin = platform::now();
    {
        acairo::Executor executor({.workers = workers});
        for (std::uint64_t i = 0; i < sleepers; ++i) {
            executor.spawn([&]() -> Task<void> {
                try {
                    co_await acairo::sleep_for(std::chrono::hours(1));
                } catch (const acairo::Cancelled&) { trial.require(written == 1, "what came before the stop is seen"); }
            });
        }
        linger(trial.below(8));
        written = 1;
        executor.stop();
    }
    trial.require(platform::now() - begin < std::chrono::minutes(30), "nobody sleeps on");
}

const acairo::Property registered{"stop_wakes_who_sleeps",
                                  stop_wakes_who_sleeps,
                                  {.interruptions = true, .shortages = false, .network = false, .clock = false}};

}  // namespace
}  // namespace property
