// A failing run under a debugger.
//
// Threads: the main one.
#pragma once
#include <string>

namespace acairo::simulator {

// Becomes gdb, which runs the token in a process of its own: nobody ends that after a while, as a run's parent would.
int start_gdb(const std::string& token, const char* program);

}  // namespace acairo::simulator
