// The limit: the echo server that one thread writes by hand over epoll, with as few system calls as the
// kernel allows.
//
// Per message: recv, send, and a share of one epoll_wait: 3.0 calls at one connection, towards 2.0 at many.
// Per connection: accept4, epoll_ctl, close and the recv that returns 0. Nothing else: no setsockopt
// (TCP_NODELAY set on the listener is inherited), no EPOLL_CTL_DEL (close drops the registration), no recv
// that is known to fail.
// Invariants:
//   1. A connection costs no memory of ours, buffers aside, while its peer reads: only one whose send was
//      cut short is in `unsent_`.
//   2. A recv that fills less than the buffer proved the socket empty, so the next edge is waited for; not
//      so once RDHUP, HUP or ERR was reported, because data and FIN may share one edge.
//   3. A descriptor stands at most once in a batch of events, so an event never meets a later connection of
//      the same number.
// One thread. It counts its own system calls, so that a test can hold another server's against them.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bench {

// Where to receive: one buffer for all connections, as long as nothing is kept in it between two events.
class OneBuffer {
public:
    std::span<char> of(int) { return bytes_; }
    void closed(int) {}

private:
    std::array<char, 65536> bytes_;
};

template <class Buffers = OneBuffer> class RawEcho {
public:
    // listen_fd: bound, listening, non-blocking. stop_fd: anything that becomes readable, an eventfd say.
    // Both stay the caller's.
    RawEcho(int listen_fd, int stop_fd)
        : listen_fd_(listen_fd), stop_fd_(stop_fd), epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (epoll_fd_ < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
        watch(listen_fd_, EPOLLIN | EPOLLET);
        watch(stop_fd_, EPOLLIN);
    }

    RawEcho(const RawEcho&) = delete;
    RawEcho& operator=(const RawEcho&) = delete;

    ~RawEcho() { ::close(epoll_fd_); }

    // Serves until stop_fd is readable; connections then still open are the process's to close. Returns the
    // system calls made.
    std::uint64_t run() {
        for (;;) {
            const int ready = counted(::epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()), -1));
            if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::system_category(), "epoll_wait");
            for (const epoll_event& event : std::span(events_).first(ready < 0 ? 0 : static_cast<std::size_t>(ready))) {
                if (event.data.fd == stop_fd_) return calls_;
                if (event.data.fd == listen_fd_)
                    accept_all();
                else
                    serve(event.data.fd, event.events);
            }
        }
    }

private:
    static constexpr std::uint32_t interest = EPOLLIN | EPOLLRDHUP | EPOLLET;
    static constexpr std::uint32_t ended = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

    struct Unsent {
        std::vector<char> bytes;
        std::uint32_t seen;  // what the read side has been told meanwhile, and has yet to act on
    };

    template <class T> T counted(T result) {
        ++calls_;
        return result;
    }

    void watch(int fd, std::uint32_t events) {
        epoll_event event{.events = events, .data = {.fd = fd}};
        if (counted(::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event)) != 0)
            throw std::system_error(errno, std::system_category(), "epoll_ctl");
    }

    void accept_all() {
        for (;;) {
            const int fd = counted(::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (fd >= 0)
                watch(fd, interest);
            else if (errno == EAGAIN)
                return;
            else if (errno != EINTR && errno != ECONNABORTED)
                throw std::system_error(errno, std::system_category(), "accept4");
        }
    }

    void serve(int fd, std::uint32_t events) {
        if (!unsent_.empty()) [[unlikely]] {
            if (const auto blocked = unsent_.find(fd); blocked != unsent_.end()) {
                if (!flush(fd, blocked->second, events)) return;
                events = blocked->second.seen;
                unsent_.erase(blocked);
            }
        }
        echo(fd, events);
    }

    void echo(int fd, std::uint32_t events) {
        const std::span<char> buffer = buffers_.of(fd);
        for (;;) {
            const ssize_t received = counted(::recv(fd, buffer.data(), buffer.size(), 0));
            if (received > 0) {
                const auto bytes = buffer.first(static_cast<std::size_t>(received));
                const ssize_t sent = counted(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
                if (sent != received) [[unlikely]] {
                    if (sent < 0 && errno != EAGAIN) return drop(fd);
                    const auto rest = bytes.subspan(sent < 0 ? 0 : static_cast<std::size_t>(sent));
                    return wait_writable(fd, {{rest.begin(), rest.end()}, events});
                }
                if (bytes.size() < buffer.size() && !(events & ended)) return;  // invariant 2
            } else if (received == 0) {
                return drop(fd);
            } else if (errno != EINTR) {
                if (errno != EAGAIN) drop(fd);
                return;
            }
        }
    }

    void wait_writable(int fd, Unsent unsent) {
        unsent_.insert_or_assign(fd, std::move(unsent));
        // Without this: the one edge of writability may have passed before anybody asked for it. MOD
        // reports it again.
        modify(fd, interest | EPOLLOUT);
    }

    // True when nothing is left to send; false when it waits again or the connection is gone.
    bool flush(int fd, Unsent& unsent, std::uint32_t events) {
        unsent.seen |= events;
        const ssize_t sent = counted(::send(fd, unsent.bytes.data(), unsent.bytes.size(), MSG_NOSIGNAL));
        if (sent < 0) {
            if (errno != EAGAIN) drop(fd);
            return false;
        }
        unsent.bytes.erase(unsent.bytes.begin(), unsent.bytes.begin() + sent);
        if (!unsent.bytes.empty()) return false;
        modify(fd, interest);
        return true;
    }

    void modify(int fd, std::uint32_t events) {
        epoll_event event{.events = events, .data = {.fd = fd}};
        if (counted(::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event)) != 0)
            throw std::system_error(errno, std::system_category(), "epoll_ctl");
    }

    void drop(int fd) {
        unsent_.erase(fd);
        buffers_.closed(fd);
        counted(::close(fd));
    }

    int listen_fd_;
    int stop_fd_;
    int epoll_fd_;
    std::uint64_t calls_ = 0;
    std::unordered_map<int, Unsent> unsent_;
    std::array<epoll_event, 1024> events_;
    Buffers buffers_;
};

}  // namespace bench
