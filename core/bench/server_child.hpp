// A server under measurement: started, watched from outside, ended. Nothing here asks the server for
// anything but its port, so what is read costs it nothing.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "heap_count.hpp"

namespace bench {

struct ServerKind {
    std::string name;        // as the table prints it
    std::string executable;  // beside the driver's own
    int workers;
    bool one_buffer;  // all its connections receive into one
};

// Which of the processors that this process may use the driver and the servers run on.
//
// Together (the default): the driver shares the first with the server, whose further workers have the next ones. Then
// nothing ever waits for another processor to wake up, which in a virtual machine costs more than a message does: a
// round's two copies of the raw loop differ by up to 6 % at one connection; apart, by up to 15 % (12 rounds each).
// Apart: the driver has the last one to itself.
class Placement {
public:
    explicit Placement(bool apart);

    void pin_driver() const;  // the calling thread, and what it starts
    cpu_set_t server(int workers) const;

private:
    bool apart_;
    std::vector<int> allowed_;
};

bool is_built(const ServerKind& kind);

class ServerChild {
public:
    ServerChild(const ServerKind& kind, const Placement& placement);
    ServerChild(const ServerChild&) = delete;
    ServerChild& operator=(const ServerChild&) = delete;
    ~ServerChild();  // kills it and waits

    pid_t pid() const { return pid_; }
    std::uint16_t port() const { return port_; }

    std::uint64_t processor_nanoseconds() const;  // user and system, of all its threads, as the scheduler accounts it
    std::uint64_t heap_allocations() const;       // since it started
    std::uint64_t anonymous_bytes() const;        // resident: heap, stacks, written data

    // Returns when it has used no processor time for some milliseconds: all that the clients caused is done.
    void wait_until_quiet() const;

private:
    HeapCount* heap_;
    pid_t pid_ = -1;
    std::uint16_t port_ = 0;
};

}  // namespace bench
