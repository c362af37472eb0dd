// The order in which everything is measured, and what is said meanwhile.
#include "comparison.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace bench {
namespace {

const std::vector<ServerKind> all_servers = {
    {raw_loop, "bench_raw", 1, false},
    {acairo_one, "bench_acairo", 1, false},
    {"acairo, 2 workers", "bench_acairo", 2, false},
    {"asio coroutines", "bench_asio", 1, false},
    {"libuv", "bench_libuv", 1, false},
    {"raw, one buffer", "bench_raw", 1, true},
    {raw_loop_again, "bench_raw", 1, false},
};

constexpr int width = 70;

}  // namespace

Progress::Progress()
    : on_terminal_(::isatty(STDERR_FILENO) == 1), start_(std::chrono::steady_clock::now()), next_line_(start_) {}

Progress::~Progress() {
    if (on_terminal_) fmt::print(stderr, "\r{:{}}\r", "", width);
}

void Progress::operator()(const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - start_).count();
    if (on_terminal_) {
        fmt::print(stderr, "\r{:<{}}", fmt::format("[{:4} s] {}", seconds, what), width);
    } else if (now >= next_line_) {
        fmt::print(stderr, "[{:4} s] {}\n", seconds, what);
        next_line_ = now + std::chrono::seconds(2);
    }
}

Comparison::Comparison(const std::vector<std::string>& only, const Placement& placement) : placement_(placement) {
    placement_.pin_driver();
    for (const ServerKind& server : all_servers) {
        if (is_built(server))
            servers_.push_back(server);
        else
            fmt::print(stderr, "{} is left out: {} was not built\n", server.name, server.executable);
    }
    for (const Cell& cell : all_cells()) {
        if (!only.empty() && std::ranges::find(only, cell.name) == only.end()) continue;
        cells_.push_back({cell, {}});
        for (const ServerKind& server : servers_) cells_.back().rows.push_back({server.name, {}, {}});
    }
}

// `measure` for one server in one cell, after saying so; what it throws then names them.
template <class Measure>
auto Comparison::announced(const std::string& doing, const Cell& cell, const ServerKind& server, Measure measure) {
    progress_(fmt::format("{}: {}, {}", doing, cell.name, server.name));
    try {
        return measure();
    } catch (const std::exception& error) {
        throw std::runtime_error(fmt::format("{}, {}: {}", cell.name, server.name, error.what()));
    }
}

void Comparison::count(CallCounter counter, std::chrono::nanoseconds duration) {
    for (CellRows& cell : cells_) {
        for (std::size_t index = 0; index < servers_.size(); ++index) {
            const ServerKind& server = servers_[index];
            cell.rows[index].counts = announced("counting", cell.cell, server, [&] {
                return count_once(server, cell.cell, placement_, counter, duration);
            });
        }
    }
}

void Comparison::time(int rounds, std::chrono::nanoseconds duration) {
    for (int round = 0; round < rounds; ++round) {
        for (CellRows& cell : cells_) {
            if (cell.cell.work == Work::idle) continue;
            for (std::size_t turn = 0; turn < servers_.size(); ++turn) {
                const std::size_t index = (turn + static_cast<std::size_t>(round)) % servers_.size();
                const ServerKind& server = servers_[index];
                cell.rows[index].rounds.push_back(
                    announced(fmt::format("round {} of {}", round + 1, rounds), cell.cell, server,
                              [&] { return time_once(server, cell.cell, placement_, duration); }));
            }
        }
    }
}

}  // namespace bench
