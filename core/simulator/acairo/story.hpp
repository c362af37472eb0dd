// A failing run in a few lines: who called what, where, and what came back.
//
// Threads: one.
// Invariants:
//   1. Every injected fault is told, and the last call of each thread; what is left out is counted.
//   2. No line is longer than a terminal's, and there are at most as many as asked for.
#pragma once
#include <acairo/child.hpp>
#include <string>
#include <vector>

namespace acairo::simulator {

// Where the program called, for each of the result's events: "tcp_stream.cpp:83 send"; empty where the symbols are missing.
std::vector<std::string> sources_of(const Result& result);
// The same for each of these stacks.
std::vector<std::string> sources_of(std::span<const Stack> stacks);
// One line for each event that is told.
std::string story_of(const Result& result, std::size_t lines = 20);
// "3 (EMFILE)", "12": a result as the story tells it.
std::string text_of_result(const Event& event);

}  // namespace acairo::simulator
