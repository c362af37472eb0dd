// What a simulated kernel asks of whoever runs it, and what it can be told beforehand.
//
// Threads: one host serves one Kernel, on one OS thread.
// Invariants:
//   1. A choice of 0 is the calm one: everything arrives at once and whole, all events are reported in their order.
//   2. publish() and observe() are told about each happens-before edge that the kernel makes, and no other; the pointer only
//      names the edge, nothing is read or written through it.
#pragma once
#include <sys/socket.h>

#include <acairo/choices.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace acairo::simulator {

class KernelHost {
public:
    virtual ~KernelHost() = default;
    // A value less than `n`, which is at least 1. Tags: transfer (how a message is cut), clock (how long it takes), order (of
    // events, and how many of them).
    virtual std::uint64_t below(std::uint64_t n, Tag tag) = 0;
    // Virtual time. It never goes back.
    virtual std::chrono::nanoseconds now() = 0;
    // A happens-before edge leaves here ...
    virtual void publish(const void* object) noexcept = 0;
    // ... and arrives here.
    virtual void observe(const void* object) noexcept = 0;
    // The program has made a mistake that no correct one makes: it used a descriptor that is not open, or sent without
    // MSG_NOSIGNAL what raises SIGPIPE. May end the run and not return; if it returns, the call fails as on Linux.
    virtual void misuse(const char* call, int fd, const char* why) = 0;
};

struct KernelConfiguration {
    // Descriptors are numbered from 0; a number of this size or more is EMFILE, as with RLIMIT_NOFILE.
    std::uint64_t descriptors = 1024;
    // In bytes, for each socket until SO_SNDBUF or SO_RCVBUF says something else.
    std::size_t send_buffer = 16384;
    std::size_t receive_buffer = 65536;
    // False: messages arrive at once, or whole, without a choice.
    bool delays = true;
    bool fragments = true;
    // False: epoll_wait reports all events in the order of becoming ready, without a choice.
    bool reorders = true;
    std::uint16_t first_port = 32768;  // for port 0: upwards from here
};

// A socket address of either family, with the length that the system calls want.
struct SocketAddress {
    ::sockaddr_storage storage{};
    ::socklen_t length = sizeof(::sockaddr_storage);
    ::sockaddr* get() noexcept { return reinterpret_cast<::sockaddr*>(&storage); }
    const ::sockaddr* get() const noexcept { return reinterpret_cast<const ::sockaddr*>(&storage); }
};

}  // namespace acairo::simulator
