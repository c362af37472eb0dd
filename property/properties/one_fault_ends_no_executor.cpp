// One fault, at each place where there can be one, while an executor is made, runs tasks with limits, tokens and awaits, and ends:
// what cannot be had throws std::system_error or std::bad_alloc where it was asked for, each callable is destroyed, and
// cancelling, stopping and ending need nothing that could fail.
//
// It would have caught: a constructor that leaves its threads running; a stop or a time limit that allocates; an exception in
// what may not throw, which ends the process; a frame whose failed making leaks its arguments.
// Covers: 10.40 the constructor throws while its threads wait; 10.52 memory is needed to tell an error; 2.23 a descriptor leaks on an error path
// Covers: 4.67 a lost timer; 5.93 frames leak at shutdown; 7.117 add fails halfway
#include "support.hpp"

namespace property {
namespace {

Task<int> deep(Census& census, std::uint64_t depth) {
    const Census::Life local(census);
    if (depth == 0) {
        co_await acairo::sleep_for(std::chrono::microseconds(1));
        co_return 1;
    }
    co_return 1 + co_await deep(census, depth - 1);
}

Task<void> limited(Trial& trial, Census& census, acairo::StopToken token) {
    const Census::Life local(census);
    try {
        co_await acairo::with_stop_token(
            token, acairo::timeout(std::chrono::microseconds(2), acairo::sleep_for(std::chrono::hours(1))));
        trial.require(false, "an hour is not over");
    } catch (const acairo::TimedOut&) {
    } catch (const acairo::Cancelled&) {
    } catch (const std::bad_alloc&) {}
}

void one_fault_ends_no_executor(Trial& trial) {
    Census census;
    {
        std::optional<acairo::Executor> executor;
        std::optional<acairo::StopSource> source;
        try {
            executor.emplace(acairo::ExecutorConfiguration{.workers = 2, .on_unhandled = quiet});
            source.emplace();
        } catch (const std::system_error&) {
        } catch (const std::bad_alloc&) {}
        if (!source) return;
        try {
            executor->spawn([&, life = Census::Life(census)] { return limited(trial, census, source->get_token()); });
            const int result = executor->sync_wait([&, life = Census::Life(census)] { return deep(census, 3); });
            trial.require(result == 4, "a result is a whole one");
            executor->spawn([&, life = Census::Life(census)] { return limited(trial, census, {}); },
                            source->get_token());
        } catch (const std::bad_alloc&) {}
        source->request_stop();
        trial.require(executor->drain(std::chrono::seconds(100)), "what was begun ends");
    }
    trial.require(census.empty(), "each callable and each frame is gone");
}

const acairo::Property registered{
    "one_fault_ends_no_executor",
    one_fault_ends_no_executor,
    {.interruptions = false, .shortages = false, .network = false, .allocations = false, .one_fault = true}};

}  // namespace
}  // namespace property
