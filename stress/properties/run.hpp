// Runs of a property with real threads and real sockets, one after the other in a child, so that whatever ends it is a result.
//
// Threads: the parent has one. In the child one watches (see watched.hpp), one calls the body, and the others are the body's own.
// Invariants:
//   1. Two failures are of one kind when their `kind` is equal, and it is that which the simulator gives to the same failure.
//   2. A run begins when no thread of the last one is left. It has leaked each descriptor that is open then and was not before.
#pragma once
#include <acairo/process.hpp>
#include <optional>

namespace stress {

struct Failure {
    std::string kind;
    std::string text;  // what the run said, or what was on its stderr
    std::uint64_t seed;
    std::string weather;
    acairo::simulator::Recording workload;
};

struct Batch {
    std::uint64_t runs = 0;
    std::optional<Failure> failure{};
};

// From the seeds first, first + 1, ... `until` is an instant of real_now(): no new run begins after it.
Batch run_batch(const acairo::Property& property, std::uint64_t first, std::uint64_t runs,
                std::chrono::nanoseconds until);

}  // namespace stress
