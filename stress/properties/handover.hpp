// A failure with real threads cannot be replayed. What can be: the same property, with the same workload, in the simulated world,
// where somebody else looks for a schedule that fails in the same way.
//
// Threads: one.
// Invariants:
//   1. It says what was found: the same failure, another one, or none.
#pragma once
#include "run.hpp"

namespace stress {

struct Simulator {
    std::string program;  // that holds the same properties in the simulated world; empty: there is none
    std::string plant;    // the bug that is planted there as well; empty: none
    double seconds;
};

// A few lines that begin with two spaces: what the simulator has made of it, with its token.
std::string hand_over(const Simulator& simulator, const acairo::Property& property, const Failure& failure);

}  // namespace stress
