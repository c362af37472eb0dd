// Which calls the simulated kernel answers as Linux does, on a descriptor in which state: all pairs but those for which
// `models` is false. The fidelity test goes through this table and fails if it does not reach a pair.
//
// Threads: any; constants only.
// Invariants:
//   1. Each pair for which `models` is true has been compared with a real kernel: result, errno, and the readiness that the
//      call leaves behind, on its own socket and on the peer's.
//   2. What is not modelled at all is listed at the end of this comment; no call pretends to.
//
// Modelled beside the pairs: level, edge and oneshot registrations; several descriptors of one description (dup) and the
// registrations that outlive a closed number; numbers given out lowest first; EMFILE; a backlog that is full; connections
// that died in the backlog; listeners that are closed over waiting connections; SO_LINGER with 0 seconds; unread data at
// close; data for a connection whose other side has been closed; zero windows; urgent data, its mark and MSG_OOB; MSG_PEEK.
//
// Not modelled:
//   - any family but IPv4 and IPv6 on loopback, any type but SOCK_STREAM; one socket for both families (every IPv6 socket
//     behaves as with IPV6_V6ONLY); a route to elsewhere is ENETUNREACH
//   - loss, reordering, retransmission and every timeout of TCP, but these two: a SYN that a full backlog refused is
//     repeated after a second, and a window that a reader after SHUT_RD does not reopen is probed after 200 ms; TIME_WAIT keeps no port busy; keepalive, SO_RCVTIMEO, SO_SNDTIMEO and SO_LINGER with a wait do nothing
//   - Nagle, delayed acknowledgement, segment sizes: an acknowledgement takes no time. Buffers count bytes exactly as
//     configured, where Linux counts memory
//   - simultaneous open, connecting a socket to itself, TCP Fast Open, connect(AF_UNSPEC)
//   - MSG_WAITALL, MSG_TRUNC, MSG_ERRQUEUE, SO_OOBINLINE, SO_RCVLOWAT, SO_REUSEPORT and every option that is not in
//     Kernel::setsockopt; the urgent pointer arrives with its byte, never before it,
//     and what stands before that byte is not cut
//   - EPOLLEXCLUSIVE, EPOLLWAKEUP, an epoll inside an epoll (EINVAL), an epoll's own readiness
//   - fork, descriptors passed between processes, threads of several processes, credentials, ports that need them
//   - pointers that cannot be read or written (EFAULT), signals (EINTR) and failures of memory: what injects faults does
//     that in front of the kernel
#pragma once
#include <array>
#include <cstdint>

namespace acairo::simulator {

enum class Call : std::uint8_t {
    bind,
    listen,
    accept4,
    connect,
    recv,
    peek,
    recv_urgent,
    send,
    send_urgent,
    shutdown_read,
    shutdown_write,
    shutdown_both,
    close,
    close_linger,
    dup,
    set_option,
    get_option,
    get_error,
    getsockname,
    getpeername,
    epoll_add,
    epoll_modify,
    epoll_delete,
    read_counter,
    write_counter
};
inline constexpr std::array call_names{
    "bind",         "listen",       "accept4",       "connect",        "recv",          "peek",        "recv_urgent",
    "send",         "send_urgent",  "shutdown_read", "shutdown_write", "shutdown_both", "close",       "close_linger",
    "dup",          "set_option",   "get_option",    "get_error",      "getsockname",   "getpeername", "epoll_add",
    "epoll_modify", "epoll_delete", "read_counter",  "write_counter"};

enum class State : std::uint8_t {
    no_descriptor,  // the number is not open
    counter,        // an eventfd
    epoll,
    null,   // /dev/null
    fresh,  // a socket of socket(2), or one that is as new again after a failed connect or a listener's shutdown
    bound,
    listening,
    connecting,  // no answer yet
    established,
    local_end,  // this side has sent its FIN: FIN_WAIT1, FIN_WAIT2
    peer_end,   // the other side has: CLOSE_WAIT
    both_ends,  // both have
    reset,      // ended by an RST
    refused     // the connect failed, and connect(2) has not been asked again
};
inline constexpr std::array state_names{"no_descriptor", "counter",   "epoll",      "null",        "fresh",
                                        "bound",         "listening", "connecting", "established", "local_end",
                                        "peer_end",      "both_ends", "reset",      "refused"};

constexpr bool models(Call call, State state) {
    // A registration of an epoll in an epoll is refused here, and possible on Linux.
    if (state == State::epoll && call == Call::epoll_add) return false;
    // read(2) and write(2) are answered for eventfds only.
    if (call == Call::read_counter || call == Call::write_counter) {
        return state == State::counter || state == State::no_descriptor;
    }
    return true;
}

}  // namespace acairo::simulator
