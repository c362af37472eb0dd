// A result (nothing, a reference, what can only be moved, what cannot be made without an argument) passes from task to task and
// out of sync_wait, with waits in between: it is the very one, and every one that was made is destroyed once.
//
// It would have caught: a result that is copied, or destroyed with the frame before it was taken; a reference to what has gone.
// Covers: 5.89 a moved-from object stays engaged; 5.87 a result on a frame is used after the caller has left; 10.25 results are copied
// Covers: 5.79 a frame is destroyed before its result was taken
#include "support.hpp"

namespace property {
namespace {

struct Result {
    Result(Census& census, std::uint64_t its_value) : life(census), value(its_value) {}
    Result(Result&& other) noexcept : life(std::move(other.life)), value(std::exchange(other.value, 0)) {}
    Result(const Result&) = delete;
    Result& operator=(const Result&) = delete;
    Census::Life life;
    std::uint64_t value;
};

Task<Result> own(Census& census, std::uint64_t depth, std::uint64_t value, bool waits) {
    if (depth == 0) co_return Result(census, value);
    Result below = co_await own(census, depth - 1, value, waits);
    if (waits) co_await acairo::sleep_for(std::chrono::microseconds(1));
    co_return below;
}

Task<Result&> refer(Result& to, std::uint64_t depth, bool waits) {
    if (waits) co_await acairo::sleep_for(std::chrono::microseconds(1));
    if (depth == 0) co_return to;
    co_return co_await refer(to, depth - 1, waits);
}

Task<std::unique_ptr<Result>> allocate(Census& census, std::uint64_t depth, std::uint64_t value) {
    if (depth == 0) co_return std::make_unique<Result>(census, value);
    co_return co_await allocate(census, depth - 1, value);
}

// Made, and dropped before anybody takes it.
Task<void> drop(Census& census, std::uint64_t depth) {
    co_await own(census, depth, 1, false);
    co_await allocate(census, depth, 1);
}

void results_of_any_kind_come_back(Trial& trial) {
    Census census;
    const std::uint64_t depth = trial.below(4);
    const std::uint64_t value = 1 + trial.below(1000);
    const bool waits = trial.below(2) == 1;
    {
        acairo::Executor executor({.workers = 1});
        const Result result = executor.sync_wait([&] { return own(census, depth, value, waits); });
        trial.require(result.value == value, "a result that can only be moved comes back");
        Result here(census, value);
        Result& there = executor.sync_wait([&]() -> Task<Result&> { return refer(here, depth, waits); });
        trial.require(&there == &here, "a reference comes back");
        const auto allocated = executor.sync_wait([&] { return allocate(census, depth, value); });
        trial.require(allocated->value == value, "an owner comes back");
        executor.sync_wait([&] { return drop(census, depth); });
        trial.require(census.alive() == 3, "no other is left");
    }
    trial.require(census.empty(), "each result is destroyed once");
}

const acairo::Property registered{
    "results_of_any_kind_come_back", results_of_any_kind_come_back, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
