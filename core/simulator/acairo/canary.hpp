// Whether the properties find what has been planted, and whether equal choices are equal runs: the simulator's own health.
//
// Threads: the main one.
#pragma once
#include <acairo/property.hpp>
#include <acairo/strategy.hpp>
#include <string>
#include <vector>

namespace acairo::simulator {

// Whether each of `seeds` seeds finds the planted bug within `most_runs` runs, 10,000 at most, with the oracle that is named
// in it, whatever others may find before; and whether what was found, made smaller, fails in the same way 100 times of 100. Prints a line. 0: yes; 1: no; 2: no
// such bug; 3: its repetitions disagree; 77: this build cannot see it.
int canary(const std::string& bug, const Strategy& strategy, std::uint64_t seeds, std::uint64_t most_runs);
// The schema, and a line for each property: the hash over the traces of its first runs, 1,000 at most. Equal in every build of
// one schema. 0, or 1 when one of them fails.
int print_traces(std::uint64_t most_runs);

// By name.
std::vector<const Property*> all_properties();
// With the bug that is chosen, if any: "property+bug".
std::string name_in_tokens(const Property& property);

}  // namespace acairo::simulator
