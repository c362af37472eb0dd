// What every server of the bench does alike, so that its rows differ by nothing but the library: the
// process, the listening socket's options, the receive buffer.
//
// A server is one executable, `bench_NAME [WORKERS [own|one [COUNTER_FD]]]`. It listens on 127.0.0.1 at a
// port of the kernel's choice, prints that port as one line, and serves until it is killed; it dies with
// its parent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace bench {

inline constexpr std::size_t buffer_size = 65536;  // larger than any message: every read is a short one
inline constexpr int backlog = 4096;

struct ServerArguments {
    int workers = 1;
    // All connections of a thread receive into one buffer. Only a loop that keeps nothing in it between two
    // events serves many at a time so; the others, one message after the other.
    bool one_buffer = false;
};

// Reads the arguments, raises RLIMIT_NOFILE to the hard limit, and from here on counts this process's heap
// allocations in the page behind COUNTER_FD. Ends the process with a sentence on wrong usage.
ServerArguments begin_server(int argc, char** argv);

// Tells the parent that clients may connect.
void report_port(std::uint16_t port);

// A socket that listens as all do here: non-blocking, with TCP_NODELAY, which accepted sockets inherit. For
// the servers whose library can take over a descriptor. Throws std::system_error.
int listen_on_loopback();
std::uint16_t port_of(int listen_fd);

// A connection's receive buffer, for as long as this object lives, which must be on one thread. Every
// server has one per connection, because a coroutine that waits in a read needs one: so the rows differ by
// the libraries, not by what the cache holds.
// It comes from a pool of its thread outside of the heap, so it shows in no count of allocations or system
// calls.
class ReceiveBuffer {
public:
    ReceiveBuffer();
    ReceiveBuffer(ReceiveBuffer&& other) noexcept : start_(std::exchange(other.start_, nullptr)) {}
    ~ReceiveBuffer();

    std::span<char> bytes() const { return {start_, buffer_size}; }

private:
    char* start_;
};

}  // namespace bench
