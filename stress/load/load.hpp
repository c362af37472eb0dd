// Load: thousands of real connections against whatever ends them. A scenario is a file; this is what they share.
//
// Threads: a scenario is called on one thread, and starts others; see watched.hpp and peers.hpp for who watches and who connects.
// Invariants:
//   1. When a scenario has returned, its server is gone: its executors, listeners and streams are destroyed.
//   2. Then each peer has seen its end, each frame is destroyed, and there are as many descriptors, threads and allocations as
//      before.
#pragma once
#include <properties/support.hpp>

#include "peers.hpp"
#include "watched.hpp"

namespace stress {

struct Round {
    int workers;
    std::uint32_t peers;
    std::uint64_t seed;
    const Peers& crowd;
    // Less than `n`.
    std::uint64_t below(std::uint64_t n) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        return (random >> 33) % n;
    }
    std::uint64_t random = seed;
    // What the scenario has to tell of this round.
    std::string remark{};
};

// False: the round has failed, with `what` as its verdict.
inline void require(bool holds, const std::string& what) {
    if (!holds) fail(acairo::simulator::Verdict::failed, what);
}

struct Scenario {
    Scenario(const char* its_name, void (*its_body)(Round&), bool its_delays = true) noexcept
        : name(its_name), body(its_body), delays(its_delays), next(first) {
        first = this;
    }
    const char* const name;
    void (*const body)(Round&);
    const bool delays;  // false: in fine weather
    const Scenario* const next;
    static inline const Scenario* first = nullptr;
};

// Every frame of a handler has a Life in it.
extern property::Census handlers;

// Greets, and echoes: what comes, or 27 bytes at a time as the article has it.
acairo::Task<void> serve(std::shared_ptr<acairo::TCPStream> stream);
// As serve(), for peers that are served one after the other: one message, and then it closes.
acairo::Task<void> serve_once(std::shared_ptr<acairo::TCPStream> stream);

std::uint16_t port_of(const std::string& address);

}  // namespace stress
