// The load: clients of an echo server in one thread over one epoll, closed loop (each has one message under
// way and waits for all of it). They check what comes back: length, and a stamp of connection and message
// at both ends.
//
// Every run starts and ends with nothing under way, so its messages are exact and a counter read before and
// after belongs to them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

struct Load {
    std::uint64_t messages = 0;
    double seconds = 0;
    std::vector<std::uint32_t> latencies;  // nanoseconds, from before the send or connect to the last byte
};

class Clients {
public:
    virtual ~Clients() = default;

    // Messages back to back until `duration` has passed, then waits for those under way; at least one on
    // each connection. Throws when the server closes, sends something else, or is silent for ten seconds.
    virtual Load run(std::chrono::nanoseconds duration) = 0;
};

// `connections` open ones, all accepted by the server on return; each run uses them all.
std::unique_ptr<Clients> make_echo_clients(std::uint16_t port, int connections, std::size_t message_bytes);

// `connections` at any time; each connects, sends one message, reads it back, closes, and starts again.
std::unique_ptr<Clients> make_churn_clients(std::uint16_t port, int connections, std::size_t message_bytes);

}  // namespace bench
