// Calls answered by the simulated kernel.
#include <sys/eventfd.h>

#include "calls.hpp"

namespace fidelity {

SimulatedCalls::SimulatedCalls(std::uint64_t seed, bool fragments, bool delays)
    : calm_(!fragments && !delays),
      random_(seed),
      kernel(*this, {.send_buffer = 32768,
                     .receive_buffer = 32768,
                     .delays = delays,
                     .fragments = fragments,
                     .reorders = false}) {}

int SimulatedCalls::socket(bool v6) {
    return kernel.socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int SimulatedCalls::eventfd(unsigned initial) { return kernel.eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC); }

int SimulatedCalls::open_null() { return kernel.open_null(); }

void SimulatedCalls::settle() {
    using namespace std::chrono_literals;
    // What comes later is a timeout: the next SYN of a client that a full backlog refused, or a probe of a closed window. No
    // script on Linux may last as long.
    while (kernel.next_event() < now_ + 150ms) {
        now_ = kernel.next_event();
        kernel.advance();
    }
    timeout_pending_ |= kernel.next_event() != std::chrono::nanoseconds::max();
}

std::uint64_t SimulatedCalls::below(std::uint64_t n, acairo::simulator::Tag) {
    // Large messages would be cut into single bytes otherwise.
    return calm_ || random_() % 2 != 0 ? 0 : random_() % n;
}

}  // namespace fidelity
