// Whether the properties find what has been planted, and whether equal choices are equal runs: the simulator's own health.
//
// Threads: the main one.
#pragma once
#include <acairo/property.hpp>
#include <acairo/strategy.hpp>
#include <string>
#include <vector>

namespace acairo::simulator {

struct CanaryOrders {
    std::uint64_t seeds;
    std::uint64_t most_runs;          // from each seed; not more than 10,000
    std::uint64_t replays;            // 0: what was found is not shrunk either
    std::size_t most_others = 2000;   // failures by other oracles before one by its own: then the seed has not found it
    std::vector<std::string> only{};  // by these properties only, of those that are named in the bug; none: by all
};
// Whether each seed finds the planted bug, by each of the properties that are named in it, with the oracle that is named in it,
// whatever others may find before; and whether what was found, made smaller, fails in the same way at each replay. Prints a line
// for each property. 0: yes; 1: no; 2: no such bug; 3: its repetitions disagree; 77: this build cannot see it.
int canary(const std::string& bug, const Strategy& strategy, const CanaryOrders& orders);
struct KillOrders {
    std::uint64_t most_runs;  // of each property
    std::uint64_t seed;       // of its first run
    bool each_fault;          // instead of them: each single fault, of the properties that stand it, on `schedules`
    std::uint64_t schedules;  // of these, for each property
    std::vector<std::string> first{};  // these properties are asked first
};
// Whether any property fails with the planted bug, in any way: each in turn makes ten runs, then a hundred, and so on up to
// `most_runs`, until one fails. Nothing is shrunk. A run that computes for longer than seconds without an end fails, too. Prints
// one line: who killed it, after how many runs, and how. 0: nobody did; 1: somebody; 2: no such bug.
int kill(const std::string& bug, const Strategy& strategy, const KillOrders& orders);
// The schema, and a line for each property: the hash over the traces of its first runs, 1,000 at most. Equal in every build of
// one schema. 0, or 1 when one of them fails.
int print_traces(std::uint64_t most_runs);

// By name.
std::vector<const Property*> all_properties();
// With the bug that is chosen, if any: "property+bug".
std::string name_in_tokens(const Property& property);

}  // namespace acairo::simulator
