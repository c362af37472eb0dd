// What is printed of a failure, whoever found it: verdict, one command, story, sizes.
//
// Threads: one.
// Invariants:
//   1. What is printed has been run in a fresh process, and failed there.
#pragma once
#include <acairo/child.hpp>

namespace acairo::simulator {

// `result` has not passed; the sizes are those before it was made smaller.
void print_failure(const Property& property, const Result& result, std::size_t choices_before,
                   std::size_t nonzero_before);
// Repeats, shrinks and prints a run that failed. 1, or 4 when it does not fail in a fresh process.
int tell(const Property& property, const MakeProducer& make, std::uint64_t tries);

}  // namespace acairo::simulator
