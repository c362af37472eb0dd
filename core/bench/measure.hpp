// One server under one kind of load: timed at full speed, or counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "server_child.hpp"

namespace bench {

enum class Work {
    echo,   // `connections` stay open
    churn,  // `connections` at a time; each is opened, used for one message and closed
    idle,   // `connections` are opened, used for one message each and left alone; counted only
};

struct Cell {
    std::string name;
    Work work;
    int connections;
    std::size_t message_bytes;
};

std::vector<Cell> all_cells();

struct Timing {
    double processor_ns;  // of the server, user and system, per message
    double messages_per_second;
    double p50_us;
    double p99_us;
};

// A fresh process, its warm-up, then `duration`. Per message; for churn a message is a whole connection.
Timing time_once(const ServerKind& kind, const Cell& cell, const Placement& placement,
                 std::chrono::nanoseconds duration);

struct Counts {
    double system_calls;               // per message; idle: in one quiet second, the whole server
    double allocations;                // per message; churn and idle: per connection
    std::optional<double> idle_bytes;  // resident, per connection
};

enum class CallCounter { tracepoint, ptrace };

// The tracepoint where the kernel permits it, else ptrace.
CallCounter best_call_counter();
Counts count_once(const ServerKind& kind, const Cell& cell, const Placement& placement, CallCounter counter,
                  std::chrono::nanoseconds duration);

}  // namespace bench
