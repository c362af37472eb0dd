// What was measured, and how it is printed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure.hpp"

namespace bench {

// One server in one cell.
struct Row {
    std::string server;
    std::vector<Timing> rounds;  // round i of every row of a cell was taken within the same few seconds
    std::optional<Counts> counts;
};

// The first row is the raw loop, which the others are divided by, round by round.
struct CellRows {
    Cell cell;
    std::vector<Row> rows;
};

// The servers that the summaries speak of.
inline const std::string raw_loop = "raw loop";
inline const std::string raw_loop_again = "raw loop again";  // what two equal servers differ by is noise
inline const std::string acairo_one = "acairo, 1 worker";

void print_table(const std::vector<CellRows>& cells, CallCounter counter);

// One sentence on what came out for acairo with one worker.
std::string summary(const std::vector<CellRows>& cells);

}  // namespace bench
