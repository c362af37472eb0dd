// The sentences of threads.cpp, apart from it because they need strings, whose templates programs use too: see
// sanitizers.hpp, invariant 2.
//
// Threads: the fiber that did it, which does not go on.
// Invariants:
//   1. Each sentence names the value, the cause and the remedy.
#pragma once
#include <acairo/scheduler.hpp>

namespace acairo::simulator::misuse {

[[noreturn]] void locked_twice(std::uint64_t mutex, std::uint64_t since);
[[noreturn]] void not_held(const char* operation, std::uint64_t mutex, const Fiber* holder);
[[noreturn]] void destroyed(const char* kind, std::uint64_t object, const char* because, const Fiber* holder);
[[noreturn]] void joinable(const char* operation, std::uint32_t fiber);
[[noreturn]] void not_joinable(const char* operation);
[[noreturn]] void joins_itself(std::uint32_t fiber);
// Prints and aborts: there is no run that could fail.
[[noreturn]] void outside_of_a_run(const char* operation);
// std::system_error(EAGAIN).
[[noreturn]] void no_thread();

// For reports of those that wait.
void add_holder(std::string& report, const Fiber* holder, std::uint64_t since);
void add_notification(std::string& report, std::uint64_t step, std::uint64_t woken);

}  // namespace acairo::simulator::misuse
