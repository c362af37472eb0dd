// A measurement's steps: a fresh server, its clients, a warm-up, quiet, the counters before, load, quiet, after.
#include "measure.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "clients.hpp"
#include "system_calls.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

constexpr int idle_connections = 10'000;
constexpr int churn_connections = 64;

std::unique_ptr<Clients> make_clients(const Cell& cell, std::uint16_t port) {
    return cell.work == Work::churn ? make_churn_clients(port, cell.connections, cell.message_bytes)
                                    : make_echo_clients(port, cell.connections, cell.message_bytes);
}

double microseconds(std::vector<std::uint32_t>& latencies, double quantile) {
    const auto rank = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(latencies.size() - 1));
    std::nth_element(latencies.begin(), latencies.begin() + rank, latencies.end());
    return latencies[static_cast<std::size_t>(rank)] / 1e3;
}

// What a counter grew by, or the memory also shrank by, for each of `units`.
double per_unit(std::uint64_t before, std::uint64_t after, std::uint64_t units) {
    return (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(units);
}

std::unique_ptr<SystemCallCounter> attach(CallCounter counter, pid_t server) {
    if (counter == CallCounter::ptrace) return count_by_ptrace(server);
    auto attached = count_by_tracepoint(server);
    if (!attached)
        throw std::runtime_error("the kernel does not permit its system call tracepoint here; --ptrace does without");
    return attached;
}

Counts count_messages(const ServerChild& server, const Cell& cell, SystemCallCounter& calls,
                      std::chrono::nanoseconds duration) {
    const auto clients = make_clients(cell, server.port());
    clients->run(duration / 4);
    server.wait_until_quiet();
    const std::uint64_t calls_before = calls.calls();
    const std::uint64_t allocations_before = server.heap_allocations();
    const std::uint64_t messages = clients->run(duration).messages;
    server.wait_until_quiet();
    return {.system_calls = per_unit(calls_before, calls.calls(), messages),
            .allocations = per_unit(allocations_before, server.heap_allocations(), messages),
            .idle_bytes = std::nullopt};
}

void require_descriptors(const Cell& cell) {
    rlimit files{};
    const auto needed = static_cast<rlim_t>(cell.connections) + 100;
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= needed) return;
    throw std::runtime_error("needs " + std::to_string(needed) + " descriptors, and the hard limit is " +
                             std::to_string(files.rlim_cur) +
                             ": raise it (ulimit -Hn), or leave this cell out with --only");
}

Counts count_idle(const ServerChild& server, const Cell& cell, SystemCallCounter& calls) {
    require_descriptors(cell);
    // What the first connection alone makes the server allocate is not the ten-thousandth's.
    make_echo_clients(server.port(), 1, cell.message_bytes);
    server.wait_until_quiet();
    const std::uint64_t bytes_before = server.anonymous_bytes();
    const std::uint64_t allocations_before = server.heap_allocations();
    const auto clients = make_clients(cell, server.port());
    server.wait_until_quiet();
    const auto connections = static_cast<std::uint64_t>(cell.connections);
    const std::uint64_t calls_before = calls.calls();
    std::this_thread::sleep_for(1s);
    return {.system_calls = per_unit(calls_before, calls.calls(), 1),
            .allocations = per_unit(allocations_before, server.heap_allocations(), connections),
            .idle_bytes = per_unit(bytes_before, server.anonymous_bytes(), connections)};
}

}  // namespace

std::vector<Cell> all_cells() {
    std::vector<Cell> cells;
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{16384}})
        for (const int connections : {1, 64, 1000})
            cells.push_back(
                {std::to_string(connections) + (bytes == 64 ? "x64B" : "x16K"), Work::echo, connections, bytes});
    cells.push_back({"churn", Work::churn, churn_connections, 64});
    cells.push_back({"idle", Work::idle, idle_connections, 64});
    return cells;
}

Timing time_once(const ServerKind& kind, const Cell& cell, const Placement& placement,
                 std::chrono::nanoseconds duration) {
    const ServerChild server(kind, placement);
    const auto clients = make_clients(cell, server.port());
    clients->run(duration / 6);
    server.wait_until_quiet();
    const std::uint64_t before = server.processor_nanoseconds();
    Load load = clients->run(duration);
    server.wait_until_quiet();
    return {.processor_ns = per_unit(before, server.processor_nanoseconds(), load.messages),
            .messages_per_second = static_cast<double>(load.messages) / load.seconds,
            .p50_us = microseconds(load.latencies, 0.50),
            .p99_us = microseconds(load.latencies, 0.99)};
}

CallCounter best_call_counter() {
    return count_by_tracepoint(::getpid()) ? CallCounter::tracepoint : CallCounter::ptrace;
}

Counts count_once(const ServerKind& kind, const Cell& cell, const Placement& placement, CallCounter counter,
                  std::chrono::nanoseconds duration) {
    std::unique_ptr<SystemCallCounter> calls;  // ended after the server, as ptrace needs
    ServerKind counted = kind;
    // The handler's buffer is kept aside from what an idle connection costs.
    if (cell.work == Work::idle) counted.one_buffer = true;
    const ServerChild server(counted, placement);
    calls = attach(counter, server.pid());
    return cell.work == Work::idle ? count_idle(server, cell, *calls) : count_messages(server, cell, *calls, duration);
}

}  // namespace bench
