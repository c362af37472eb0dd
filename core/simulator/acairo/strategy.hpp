// Strategies by name: each makes a producer of a seed.
//
//   random     a walk that switches now and then, see seed.hpp
//   pct        priorities, and a few steps at which they change
//   pos        a priority for each operation, drawn again where operations race
//   surw       a walk that is uniform over interleavings of the operations on one object
//   portfolio  each of these in turn: no one of them finds everything soon
//
// Threads: one strategy belongs to the runs of one process, one after the other.
// Invariants:
//   1. What a strategy makes of a seed may depend on what it has made before: only a recording is a run.
#pragma once
#include <acairo/choices.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace acairo::simulator {

using Strategy = std::function<std::unique_ptr<Producer>(std::uint64_t seed)>;

const std::vector<std::string>& strategy_names();
// Throws std::invalid_argument, which names the name and those that there are.
Strategy strategy_of(const std::string& name);

}  // namespace acairo::simulator
