// The other end of a connection: blocking sockets without acairo, so that a test's peer cannot share its mistakes.
//
// Threads: an object belongs to one thread at a time.
// Invariants:
//   1. Every call that could block waits in poll(2) first, for `hang_guard` at most; then it throws. The guard is for the
//      hang of a broken core only: the outcome of no test depends on it.
//   2. Descriptors are close-on-exec and have one owner.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace raw {

inline constexpr int hang_guard_milliseconds = 30'000;

// Owns a descriptor, or none (-1).
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    int get() const { return fd_; }

private:
    int fd_ = -1;
};

template <class R> R succeed(R result, const char* call) {
    if (result < 0) throw std::system_error(errno, std::system_category(), call);
    return result;
}

inline void wait_for(int fd, short events) {
    pollfd one{fd, events, 0};
    int ready = 0;
    do { ready = ::poll(&one, 1, hang_guard_milliseconds); } while (ready < 0 && errno == EINTR);
    if (succeed(ready, "poll") == 0) throw std::runtime_error("the hang guard: nothing happened on a raw socket");
}

// "127.0.0.1:80" and "[::1]:80", and back.
class Address {
public:
    Address() = default;
    explicit Address(const std::string& text) {
        const std::size_t colon = text.rfind(':');
        std::uint16_t number = 0;
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), number);
        if (text.front() == '[') {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(storage_);
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(number);
            ::inet_pton(AF_INET6, text.substr(1, colon - 2).c_str(), &v6.sin6_addr);
            length_ = sizeof v6;
        } else {
            auto& v4 = reinterpret_cast<sockaddr_in&>(storage_);
            v4.sin_family = AF_INET;
            v4.sin_port = htons(number);
            ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &v4.sin_addr);
            length_ = sizeof v4;
        }
    }
    // What `call`, getsockname or getpeername, says of `fd`; empty when it fails.
    template <class Call> static std::string of(int fd, Call call) {
        Address address;
        if (call(fd, address.get(), &address.length_) != 0) return "";
        std::array<char, INET6_ADDRSTRLEN> host{};
        if (address.storage_.ss_family == AF_INET6) {
            const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage_);
            ::inet_ntop(AF_INET6, &v6.sin6_addr, host.data(), host.size());
            return "[" + std::string(host.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
        }
        if (address.storage_.ss_family != AF_INET) return "";
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage_);
        ::inet_ntop(AF_INET, &v4.sin_addr, host.data(), host.size());
        return host.data() + (":" + std::to_string(ntohs(v4.sin_port)));
    }
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
    socklen_t length() const { return length_; }
    int family() const { return storage_.ss_family; }

private:
    sockaddr_storage storage_{};
    socklen_t length_ = sizeof storage_;
};

inline std::string local_address(int fd) { return Address::of(fd, ::getsockname); }
inline std::string peer_address(int fd) { return Address::of(fd, ::getpeername); }

class Client {
public:
    // For members and containers: no connection.
    Client() = default;
    explicit Client(Descriptor connected) : socket_(std::move(connected)) {}
    // Connects.
    explicit Client(const std::string& address) {
        Address to(address);
        socket_ = Descriptor(succeed(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        // Small, so that a peer's write soon has to wait. Without this, some systems take 32 MiB.
        set(SOL_SOCKET, SO_RCVBUF, 1 << 16);
        // Nothing waits for what comes after it: without this, a test of many small sends takes 40 ms for each.
        set(IPPROTO_TCP, TCP_NODELAY, 1);
        succeed(::connect(fd(), to.get(), to.length()), "connect");
    }

    int fd() const { return socket_.get(); }
    std::string local_address() const { return raw::local_address(fd()); }
    std::string peer_address() const { return raw::peer_address(fd()); }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            wait_for(fd(), POLLOUT);
            const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno == EAGAIN) continue;
            bytes.remove_prefix(static_cast<std::size_t>(succeed(sent, "send")));
        }
    }
    // TCP urgent data: one byte out of band.
    void send_urgent(char byte) { succeed(::send(fd(), &byte, 1, MSG_OOB | MSG_NOSIGNAL), "send urgent"); }

    // `size` bytes; fewer when the stream ends first. Throws std::system_error (ECONNRESET).
    std::string receive(std::size_t size) {
        std::string all;
        std::array<char, 65536> buffer;
        while (all.size() < size) {
            wait_for(fd(), POLLIN);
            const ssize_t got = ::recv(fd(), buffer.data(), std::min(size - all.size(), buffer.size()), 0);
            if (succeed(got, "recv") == 0) break;
            all.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return all;
    }
    std::string receive_all() { return receive(std::numeric_limits<std::size_t>::max()); }

    // How the connection ends, what comes before is dropped: "FIN" or "RST".
    std::string end() {
        try {
            receive_all();
            return "FIN";
        } catch (const std::system_error& error) {
            if (error.code().value() != ECONNRESET) throw;
            return "RST";
        }
    }

    // Half-close: sends FIN, and can still receive.
    void shutdown() { succeed(::shutdown(fd(), SHUT_WR), "shutdown"); }
    void close() { socket_.close(); }
    // Ends the connection with RST.
    void reset() {
        const linger at_once{1, 0};
        succeed(::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "setsockopt SO_LINGER");
        socket_.close();
    }

private:
    void set(int level, int name, int value) {
        succeed(::setsockopt(fd(), level, name, &value, sizeof value), "setsockopt");
    }
    Descriptor socket_;
};

// A listening socket, for acairo's connect; Listener::refusing() is bound and does not listen.
class Listener {
public:
    explicit Listener(const std::string& address = "127.0.0.1:0", int backlog = 128)
        : Listener(address, true, backlog) {}
    static Listener refusing() { return Listener("127.0.0.1:0", false, 0); }

    std::string address() const { return local_address(socket_.get()); }
    Client accept() {
        wait_for(socket_.get(), POLLIN);
        return Client(Descriptor(succeed(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4")));
    }

private:
    Listener(const std::string& address, bool listening, int backlog) {
        Address to(address);
        socket_ = Descriptor(succeed(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        succeed(::bind(socket_.get(), to.get(), to.length()), "bind");
        if (listening) succeed(::listen(socket_.get(), backlog), "listen");
    }
    Descriptor socket_;
};

// False in containers and sandboxes without IPv6.
inline bool has_ipv6() {
    try {
        Listener("[::1]:0");
        return true;
    } catch (const std::system_error&) { return false; }
}

}  // namespace raw
