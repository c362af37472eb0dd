// All servers in all chosen cells: counted once, timed in rounds.
//
// A round visits every cell, and in a cell every server once, a fresh process each, one right after the
// other, in an order that turns by one from round to round. Without this: machines drift and neighbours
// disturb by more than the few per cent that are to be seen; what a round divides was taken within the same
// few seconds.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "measure.hpp"
#include "table.hpp"

namespace bench {

// On stderr: rewritten in place on a terminal, else a line when two seconds have passed since the last.
class Progress {
public:
    Progress();
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void operator()(const std::string& what);

private:
    bool on_terminal_;
    std::chrono::steady_clock::time_point start_;
    std::chrono::steady_clock::time_point next_line_;
};

class Comparison {
public:
    // Pins this process. `only`: names of cells; empty means all.
    Comparison(const std::vector<std::string>& only, const Placement& placement);

    void count(CallCounter counter, std::chrono::nanoseconds duration);
    void time(int rounds, std::chrono::nanoseconds duration);

    const std::vector<CellRows>& cells() const { return cells_; }

private:
    template <class Measure>
    auto announced(const std::string& doing, const Cell& cell, const ServerKind& server, Measure measure);

    Placement placement_;
    std::vector<ServerKind> servers_;
    std::vector<CellRows> cells_;  // each with one row for each of servers_
    Progress progress_;
};

}  // namespace bench
