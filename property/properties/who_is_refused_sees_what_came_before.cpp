// A thread writes something down, and then stops an executor, or drains it; who is refused by spawn() then finds what was
// written.
//
// It would have caught: a flag that refuses, set or looked at without an order.
// Covers: 10.38 spawn after the end is taken in; 10.31 a plain bool is read without the lock
#include "support.hpp"

namespace property {
namespace {

Task<void> sleep_a_while() { co_await acairo::sleep_for(std::chrono::milliseconds(1)); }

bool is_refused(acairo::Executor& executor) {
    try {
        executor.spawn([]() -> Task<void> { co_return; });
    } catch (const acairo::Cancelled&) { return true; }
    return false;
}

void who_is_refused_sees_what_came_before(Trial& trial) {
    const bool drains = trial.below(2) == 1;
    const std::uint64_t ends_at = trial.below(24);
    acairo::Executor executor({.workers = 1});
    // Meanwhile drain() waits, and does nothing else that would order the two.
    executor.spawn(sleep_a_while);
    Written written;
    platform::thread ender([&] {
        linger(ends_at);
        written.write();
        if (!drains) return executor.stop();
        trial.require(executor.drain(std::chrono::seconds(100)), "tasks that end are waited for");
    });
    bool refused = false;
    for (int i = 0; i < 10 && !refused; ++i) refused = is_refused(executor);
    if (refused) written.require_seen(trial);
    trial.sometimes(refused && drains, "refused while it drains");
    trial.sometimes(refused && !drains, "refused after a stop");
    ender.join();
}

const acairo::Property registered{"who_is_refused_sees_what_came_before",
                                  who_is_refused_sees_what_came_before,
                                  {.shortages = false},
                                  {"refused while it drains", "refused after a stop"}};

}  // namespace
}  // namespace property
