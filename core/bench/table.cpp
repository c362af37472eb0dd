// Medians, ratios and their layout.
#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace bench {
namespace {

using Field = double Timing::*;

constexpr fmt::string_view legend = R"(
processor: user and system time of the server's process. Ratios: to the raw loop of the same round; median, least
and greatest. 64x16K: 64 connections, one message of 16 KiB under way on each. churn: 64 at a time connect, echo
64 B and close; a message is a whole connection. idle: 10,000 connections that echoed once and are left alone;
system calls of one quiet second, allocations and resident bytes per connection, one receive buffer for all. Else
each connection has its own, outside of the heap; "raw, one buffer" shows what a loop saves that needs only one.
Allocations include the handler's coroutine frame. System calls are counted by {}
)";
constexpr fmt::string_view slowed_by_ptrace =
    "ptrace, which slows the server, so that\nmany connections share an epoll_wait more often than at full speed.";

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double median(const Row& row, Field field) {
    std::vector<double> values;
    for (const Timing& timing : row.rounds) values.push_back(timing.*field);
    return median(std::move(values));
}

std::vector<double> ratios(const Row& row, const Row& raw, Field field) {
    std::vector<double> values;
    for (std::size_t round = 0; round < row.rounds.size(); ++round)
        values.push_back(row.rounds[round].*field / raw.rounds[round].*field);
    return values;
}

std::string spread(const std::vector<double>& values) {
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    return fmt::format("{:5.2f} ({:4.2f}-{:4.2f})", median(values), *least, *greatest);
}

std::string microseconds(double value) { return fmt::format("{:.{}f}", value, value < 100 ? 1 : 0); }

void print_row(const Row& row, const Row& raw) {
    fmt::print("  {:<18}", row.server);
    if (row.rounds.empty())
        fmt::print("{:62}", "");
    else
        fmt::print("{:8.0f} {} {:8.1f} {} {:>6} {:>7}", median(row, &Timing::processor_ns),
                   spread(ratios(row, raw, &Timing::processor_ns)), median(row, &Timing::messages_per_second) / 1e3,
                   spread(ratios(row, raw, &Timing::messages_per_second)), microseconds(median(row, &Timing::p50_us)),
                   microseconds(median(row, &Timing::p99_us)));
    if (row.counts) fmt::print("{:8.3f} {:7.3f}", row.counts->system_calls, row.counts->allocations);
    if (row.counts && row.counts->idle_bytes) fmt::print(" {:7.0f}", *row.counts->idle_bytes);
    fmt::print("\n");
}

const Row* find(const CellRows& cell, const std::string& server) {
    const auto row = std::ranges::find(cell.rows, server, &Row::server);
    return row == cell.rows.end() ? nullptr : &*row;
}

std::string timed_summary(const std::vector<CellRows>& cells) {
    int timed = 0, cheap = 0, fast = 0;
    double worst = 0, noise = 0;
    std::string worst_cell;
    for (const CellRows& cell : cells) {
        const Row* row = find(cell, acairo_one);
        if (row == nullptr || row->rounds.empty()) continue;
        const Row& raw = cell.rows.front();
        const double processor = median(ratios(*row, raw, &Timing::processor_ns));
        ++timed;
        cheap += processor <= 1.05;
        fast += median(ratios(*row, raw, &Timing::messages_per_second)) >= 0.97;
        if (processor > worst) {
            worst = processor;
            worst_cell = cell.cell.name;
        }
        noise = std::max(noise, std::abs(median(ratios(*find(cell, raw_loop_again), raw, &Timing::processor_ns)) - 1));
    }
    return fmt::format(
        "{}: at most 1.05 of the raw loop's processor time per message in {} of {} cells (worst {:.2f}, {}) and at "
        "least 0.97 of its messages in {}, where two copies of the raw loop differ by up to {:.0f} %.",
        acairo_one, cheap, timed, worst, worst_cell, fast, noise * 100);
}

std::string counted_summary(const std::vector<CellRows>& cells) {
    int counted = 0, equal = 0;
    double greatest = 0, allocations = 0;
    std::vector<std::string> clauses;
    for (const CellRows& cell : cells) {
        const Row* row = find(cell, acairo_one);
        if (row == nullptr) continue;
        if (row->counts->idle_bytes) {
            clauses.push_back(fmt::format("{:.0f} bytes and {:.2f} allocations per idle connection",
                                          *row->counts->idle_bytes, row->counts->allocations));
            continue;
        }
        const double ratio = row->counts->system_calls / cell.rows.front().counts->system_calls;
        ++counted;
        equal += ratio <= 1.02;
        greatest = std::max(greatest, ratio);
        if (cell.cell.work == Work::echo) allocations = std::max(allocations, row->counts->allocations);
    }
    if (counted > 0)
        clauses.push_back(
            fmt::format("at most 1.02 of the raw loop's system calls per message in {} of {} cells (worst "
                        "{:.3f}), and at most {:.3f} allocations per message",
                        equal, counted, greatest, allocations));
    return fmt::format("{}: {}.", acairo_one, fmt::join(clauses, "; "));
}

}  // namespace

void print_table(const std::vector<CellRows>& cells, CallCounter counter) {
    for (const auto& heading :
         {std::array{"processor", "ratio", "1000", "ratio", "p50", "p99", "system", "alloca-", "idle"},
          std::array{"ns/msg", "(min-max)", "msg/s", "(min-max)", "us", "us", "calls", "tions", "bytes"}})
        fmt::print("{:19}{:>9} {:^17} {:>8} {:^17} {:>6} {:>7}{:>8} {:>7} {:>7}\n", "", heading[0], heading[1],
                   heading[2], heading[3], heading[4], heading[5], heading[6], heading[7], heading[8]);
    for (const CellRows& cell : cells) {
        fmt::print("{}\n", cell.cell.name);
        for (const Row& row : cell.rows) print_row(row, cell.rows.front());
    }
    fmt::print(legend, counter == CallCounter::tracepoint ? "the kernel's raw_syscalls tracepoint, at full speed."
                                                          : slowed_by_ptrace);
}

std::string summary(const std::vector<CellRows>& cells) {
    const bool timed =
        std::ranges::any_of(cells, [](const CellRows& cell) { return !cell.rows.front().rounds.empty(); });
    return timed ? timed_summary(cells) : counted_summary(cells);
}

}  // namespace bench
