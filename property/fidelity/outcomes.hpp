// Outcomes in words, without what differs between two runs; and the addresses that scripts use.
//
// Threads: any; functions without a state.
#pragma once
#include <string>

#include "calls.hpp"

namespace fidelity {

// "ok", or the name of the error.
std::string text(long result);
// "0:IN|OUT": what was registered, and the events.
std::string text(const ::epoll_event& event);
// "127.0.0.1:port"
std::string text(const SocketAddress& address);

SocketAddress loopback(bool v6, bool any = false);
// Nobody's.
SocketAddress elsewhere();

}  // namespace fidelity
