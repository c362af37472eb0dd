// A script of system calls, and what came of each: the same text for the simulated kernel and for Linux where they agree.
//
//     pair 0 1; epoll 2; add 2 0 19; wait 2; send 1 3; wait 2; recv 0 100
//
// A step is a verb and up to three numbers. The first is nearly always a slot, which stands for a descriptor; a step that
// would open a slot that is open, and one whose result Linux leaves open, is passed over, and says so ("-").
//
// Threads: one at a time.
// Invariants:
//   1. An outcome names no descriptor, no port and nothing else that differs between two runs on Linux.
//   2. What is passed over is decided by the simulated kernel's run alone, which comes first.
//   3. print() and parse() are inverse: a generated script that diverges can be pasted into a test.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "calls.hpp"

namespace fidelity {

enum class Verb : std::uint8_t {
    socket,        // slot, 1 for IPv6
    bind,          // slot, 0: loopback 1: any 2: not of this machine 3: as the slot that the third number names
    listen,        // slot, backlog
    accept,        // slot of the listener, new slot
    connect,       // slot, slot of the listener, 1 instead: to a port where nobody listens
    pair,          // two new slots: the accepted one and its client
    recv,          // slot, bytes
    peek,          // slot, bytes
    recv_urgent,   // slot, bytes
    send,          // slot, bytes
    send_urgent,   // slot, bytes
    fill,          // slot: sends until nothing more is taken
    drain,         // slot: receives until nothing more comes
    shutdown,      // slot, 0: reading 1: writing 2: both
    close,         // slot
    close_linger,  // slot: with an RST
    dup,           // slot, new slot
    set_option,    // slot, 0: TCP_NODELAY 1: SO_KEEPALIVE 2: SO_REUSEADDR, value
    get_option,    // slot, the same and 3: SO_TYPE 4: SO_ACCEPTCONN
    get_error,     // slot
    getsockname,   // slot
    getpeername,   // slot
    epoll,         // new slot
    add,           // slot of the epoll, slot, events: 1 IN 2 OUT 4 RDHUP 8 PRI 16 ET 32 ONESHOT
    modify,        // the same
    remove,        // slot of the epoll, slot
    wait,          // slot of the epoll
    eventfd,       // new slot, initial value
    read,          // slot
    null,          // new slot: /dev/null
    write          // slot, 0: 0 1: 1 2: the largest 3: one more
};
inline constexpr std::size_t verbs = static_cast<std::size_t>(Verb::write) + 1;

struct Step {
    Verb verb{};
    int a = 0, b = 0, c = 0;
    bool operator==(const Step&) const = default;
};
using Script = std::vector<Step>;

std::string print(const Step& step);
std::string print(const Script& script);
Script parse(const std::string& text);

// Which (call, state) pairs the simulated kernel's runs have come by.
using Coverage = std::set<std::pair<acairo::simulator::Call, acairo::simulator::State>>;

struct Run {
    std::vector<std::string> outcomes;  // one for each step
    std::vector<bool> passed_over;
};

// With `coverage`, `calls` are SimulatedCalls, and steps are passed over; without, those that `first` has passed over.
Run run_simulated(SimulatedCalls& calls, const Script& script, Coverage& coverage);
Run run_linux(LinuxCalls& calls, const Script& script, const Run& first);

// Runs the script in both, with the simulated network calm and then with a seed. Empty, or what differs, with the script up to
// there.
std::string divergence(const Script& script, Coverage& coverage, std::uint64_t seed);

}  // namespace fidelity
