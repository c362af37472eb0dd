// A failing run in a few lines: who called what, where, and what came back.
//
// Threads: one.
// Invariants:
//   1. Every injected fault is told (a call's, an allocation's, a thread's, a wait's, the clock's), and the last call of each
//      thread; what is left out is counted.
//   2. No line is longer than a terminal's, and there are at most as many as asked for.
#pragma once
#include <acairo/child.hpp>
#include <string>
#include <vector>

namespace acairo::simulator {

// Where the program called, for each of these stacks: "tcp_stream.cpp:83 send"; empty where the symbols are missing.
std::vector<std::string> sources_of(std::span<const Stack> stacks);
// One line for each call, and each fault, that is told.
std::string story_of(const Result& result, std::size_t lines = 20);
// Of a descriptor that was misused, or left open: each stack, a call a line. Empty when the failure is another.
std::string deeds_of(const Result& result);
// "3 (EMFILE)", "12": a result as the story tells it.
std::string text_of_result(const Event& event);
// "wakes for no reason": what a step does that fails, or does not wait, by a choice only.
std::string text_of_fault(std::string_view operation);

}  // namespace acairo::simulator
