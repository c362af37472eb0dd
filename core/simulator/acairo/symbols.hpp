// Where return addresses lie in the sources, as far as the debug information and the tools of this machine tell.
//
// Threads: one.
// Invariants:
//   1. Each address has at least one line: where nobody knows the symbols it is the module and the offset in it, which a
//      person can ask about later.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

namespace acairo::simulator {

// One call, possibly inlined into the next.
struct Line {
    std::string function;  // or "module+0x12"
    std::string file;      // "path/to/tcp.cpp:83", or empty
    // Neither the simulator nor the standard library made the call.
    bool is_the_programs() const;
    // Of these it is the core.
    bool is_the_librarys() const;
    // "tcp.cpp:83 send_some", or the function alone.
    std::string text() const;
};

// Innermost first. One process is asked about all of them: it reads all of our symbols.
std::map<void*, std::vector<Line>> lines_of(const std::set<void*>& addresses);

// `text`, in which each line of backtrace_symbols(3) has become what of the program lies there: its calls, and not the
// simulator's. Where nobody knows any place, as it was.
std::string with_lines(const std::string& text);

}  // namespace acairo::simulator
