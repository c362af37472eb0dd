// An exception of any type, thrown at any depth, before or after a wait: it reaches who awaits, sync_wait's caller, or, from a
// spawned task, on_unhandled, once, after the frame is gone; Cancelled, a task's normal end, reaches nobody.
//
// It would have caught: a type that is not a std::exception and ends the process; an exception that is dropped with its task,
// or told twice; a report that comes after drain() has returned.
// Covers: 8.133 sync_wait does not rethrow; 8.135 an exception of a cancelled task is dropped; 10.24 only std::exception is caught
#include "support.hpp"

namespace property {
namespace {

struct Own {
    std::uint64_t value;
};

Census* lives = nullptr;
Trial* judge = nullptr;
platform::atomic<std::uint64_t> reported{0};

void take(std::exception_ptr failure) {
    judge->require(failure != nullptr, "something was thrown");
    judge->require(lives->empty(), "its frame is gone");
    reported.fetch_add(1, std::memory_order_relaxed);
}

void throw_one(std::uint64_t type) {
    switch (type) {
        case 0: return;
        case 1: throw 42;
        case 2: throw Own{42};
        case 3: throw std::runtime_error("42");
        case 4: throw std::make_shared<int>(42);
        default: throw acairo::Cancelled();
    }
}

std::uint64_t type_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const int value) { return value == 42 ? 1 : 9; } catch (const Own& own) {
        return own.value == 42 ? 2 : 9;
    } catch (const std::runtime_error& error) {
        return error.what() == std::string_view("42") ? 3 : 9;
    } catch (const std::shared_ptr<int>& value) { return *value == 42 ? 4 : 9; } catch (const acairo::Cancelled&) {
        return 5;
    } catch (...) { return 9; }
}

Task<void> descend(Census& census, std::uint64_t depth, std::uint64_t type, bool waits) {
    const Census::Life local(census);
    if (depth == 0) {
        if (waits) co_await acairo::sleep_for(std::chrono::microseconds(1));
        throw_one(type);
    } else {
        co_await descend(census, depth - 1, type, waits);
    }
}

void any_exception_reaches_who_awaits(Trial& trial) {
    Census census;
    lives = &census;
    judge = &trial;
    reported.store(0, std::memory_order_relaxed);
    const std::uint64_t depth = trial.below(4);
    const std::uint64_t type = trial.below(6);
    const bool waits = trial.below(2) == 1;
    acairo::Executor executor({.workers = 1 + static_cast<int>(trial.below(2)), .on_unhandled = take});
    std::uint64_t seen = 0;
    try {
        executor.sync_wait([&] { return descend(census, depth, type, waits); });
    } catch (...) { seen = type_of(std::current_exception()); }
    trial.require(seen == type, "sync_wait throws what its task threw");
    trial.require(census.empty(), "and every frame is gone");
    executor.spawn([&] { return descend(census, depth, type, waits); });
    trial.require(executor.drain(std::chrono::seconds(100)), "a task that threw has ended");
    const std::uint64_t wanted = type >= 1 && type <= 4 ? 1 : 0;
    trial.require(reported.load(std::memory_order_acquire) == wanted, "it is reported once, before drain() returns");
}

const acairo::Property registered{
    "any_exception_reaches_who_awaits", any_exception_reaches_who_awaits, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
