// Descriptors of the simulated kernel, and the calls on sockets and counters: each finds what stands behind its number, says
// what Linux says about arguments that fit nothing there, and hands on.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. Each public call begins with find(), or is one that makes a descriptor: so each begins with advance().
//   2. A call that ends sockets ends with network_.reap().
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>

#include <acairo/kernel.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace acairo::simulator {
namespace {

using detail::Endpoint;
using detail::Kind;
using detail::TCP;

constexpr std::uint64_t counter_maximum = ~std::uint64_t{0} - 1;

int parse(const SocketAddress& address, bool v6, Endpoint& parsed) noexcept {
    const std::size_t least = v6 ? sizeof(::sockaddr_in6) - sizeof(std::uint32_t) : sizeof(::sockaddr_in);
    if (address.length < least || address.length > sizeof(::sockaddr_storage)) return -EINVAL;
    if (address.storage.ss_family != (v6 ? AF_INET6 : AF_INET)) return -EAFNOSUPPORT;
    parsed.v6 = v6;
    if (v6) {
        ::sockaddr_in6 in6{};
        std::memcpy(&in6, &address.storage, sizeof in6);
        parsed.port = ntohs(in6.sin6_port);
        std::memcpy(parsed.host.data(), &in6.sin6_addr, sizeof in6.sin6_addr);
    } else {
        ::sockaddr_in in{};
        std::memcpy(&in, &address.storage, sizeof in);
        parsed.port = ntohs(in.sin_port);
        std::memcpy(parsed.host.data(), &in.sin_addr, sizeof in.sin_addr);
    }
    return 0;
}

void print(const Endpoint& endpoint, SocketAddress& address) noexcept {
    address.storage = {};
    if (endpoint.v6) {
        ::sockaddr_in6 in6{};
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(endpoint.port);
        std::memcpy(&in6.sin6_addr, endpoint.host.data(), sizeof in6.sin6_addr);
        std::memcpy(&address.storage, &in6, sizeof in6);
        address.length = sizeof in6;
    } else {
        ::sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(endpoint.port);
        std::memcpy(&in.sin_addr, endpoint.host.data(), sizeof in.sin_addr);
        std::memcpy(&address.storage, &in, sizeof in);
        address.length = sizeof in;
    }
}

}  // namespace

Kernel::Kernel(KernelHost& host, KernelConfiguration configuration)
    : host_(host), configuration_(configuration), network_(host_, configuration_, watch_) {}

void Kernel::advance() {
    if (network_.next_event() == std::chrono::nanoseconds::max()) return;
    network_.advance();
    network_.reap();
}

void Kernel::reset() noexcept {
    network_.reset();
    counters_.recycle_all();
    epolls_.recycle_all();
    nulls_.recycle_all();
    items_.recycle_all();
    slots_.clear();
    open_ = 0;
    lowest_ = 0;
    watch_.epoch = 0;
}

detail::File* Kernel::find(const char* call, int fd) {
    advance();
    const auto number = static_cast<std::size_t>(fd);
    if (fd >= 0 && number < slots_.size() && slots_[number].file) return slots_[number].file;
    // Numbers are given out in their order.
    const bool was_open = fd >= 0 && number < slots_.size();
    host_.misuse(call, fd,
                 was_open ? "the descriptor is closed; whoever closed it must be its last user"
                          : "no such descriptor was ever opened");
    return nullptr;
}

detail::Socket* Kernel::find_socket(const char* call, int fd, int& error) {
    detail::File* const file = find(call, fd);
    error = file ? -ENOTSOCK : -EBADF;
    return file && file->kind == Kind::socket ? static_cast<detail::Socket*>(file) : nullptr;
}

detail::Counter* Kernel::find_counter(const char* call, int fd, int& error) {
    detail::File* const file = find(call, fd);
    error = file ? -EINVAL : -EBADF;
    return file && file->kind == Kind::counter ? static_cast<detail::Counter*>(file) : nullptr;
}

int Kernel::free_number() const noexcept {
    int number = lowest_;
    while (static_cast<std::size_t>(number) < slots_.size() && slots_[static_cast<std::size_t>(number)].file) ++number;
    return static_cast<std::uint64_t>(number) < configuration_.descriptors ? number : -EMFILE;
}

int Kernel::install(detail::File& file, int fd) noexcept {
    const auto number = static_cast<std::size_t>(fd);
    if (number >= slots_.size()) slots_.resize(number + 1);
    slots_[number] = {&file, 0};
    ++file.references;
    ++open_;
    lowest_ = fd + 1;
    return fd;
}

int Kernel::dup(int fd) {
    detail::File* const file = find("dup", fd);
    if (!file) return -EBADF;
    const int number = free_number();
    return number < 0 ? number : install(*file, number);
}

int Kernel::close(int fd) {
    detail::File* const file = find("close", fd);
    if (!file) return -EBADF;
    slots_[static_cast<std::size_t>(fd)] = {nullptr, 0};
    lowest_ = std::min(lowest_, fd);
    --open_;
    if (--file->references != 0) return 0;
    while (file->items.first) forget(*file->items.first);
    if (file->kind == Kind::counter) {
        counters_.recycle(static_cast<detail::Counter&>(*file));
    } else if (file->kind == Kind::epoll) {
        auto& epoll = static_cast<detail::Epoll&>(*file);
        while (epoll.all.first) forget(*epoll.all.first);
        epolls_.recycle(epoll);
    } else if (file->kind == Kind::null) {
        nulls_.recycle(static_cast<detail::Null&>(*file));
    } else {
        network_.close(static_cast<detail::Socket&>(*file));
        network_.reap();
    }
    return 0;
}

int Kernel::socket(int family, int type, int protocol) {
    advance();
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -ESOCKTNOSUPPORT;
    if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
    if (protocol != 0 && protocol != IPPROTO_TCP) return -EPROTONOSUPPORT;
    const int number = free_number();
    if (number < 0) return number;
    detail::Socket& made = network_.make(family == AF_INET6);
    made.blocking = (type & SOCK_NONBLOCK) == 0;
    return install(made, number);
}

int Kernel::bind(int fd, const SocketAddress& to) {
    int error = 0;
    detail::Socket* const socket = find_socket("bind", fd, error);
    if (!socket) return error;
    Endpoint endpoint;
    error = parse(to, socket->v6, endpoint);
    return error != 0 ? error : network_.bind(*socket, endpoint);
}

int Kernel::listen(int fd, int backlog) {
    int error = 0;
    detail::Socket* const socket = find_socket("listen", fd, error);
    return socket ? network_.listen(*socket, backlog) : error;
}

int Kernel::accept4(int fd, int flags) {
    int error = 0;
    detail::File* const file = find("accept4", fd);
    if (!file) return -EBADF;
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0) return -EINVAL;
    if (file->kind != Kind::socket) return -ENOTSOCK;
    // Before the queue is looked at: who has no number left learns that, whether or not a connection waits.
    const int number = free_number();
    if (number < 0) return number;
    detail::Socket* const child = network_.accept(static_cast<detail::Socket&>(*file), error);
    if (!child) return error;
    child->blocking = (flags & SOCK_NONBLOCK) == 0;
    return install(*child, number);
}

int Kernel::connect(int fd, const SocketAddress& to) {
    int error = 0;
    detail::Socket* const socket = find_socket("connect", fd, error);
    if (!socket) return error;
    Endpoint endpoint;
    const int malformed = parse(to, socket->v6, endpoint);
    return network_.connect(*socket, endpoint, malformed);
}

std::ptrdiff_t Kernel::recv(int fd, void* to, std::size_t size, int flags) {
    int error = 0;
    detail::Socket* const socket = find_socket("recv", fd, error);
    if (!socket) return error;
    const std::ptrdiff_t result = network_.recv(*socket, static_cast<char*>(to), size, flags);
    network_.reap();
    return result;
}

std::ptrdiff_t Kernel::send(int fd, const void* from, std::size_t size, int flags) {
    int error = 0;
    detail::Socket* const socket = find_socket("send", fd, error);
    if (!socket) return error;
    const std::ptrdiff_t result = network_.send(*socket, static_cast<const char*>(from), size, flags);
    network_.reap();
    if (result == -EPIPE && (flags & MSG_NOSIGNAL) == 0) {
        host_.misuse("send", fd, "EPIPE without MSG_NOSIGNAL raises SIGPIPE, which ends a process; pass MSG_NOSIGNAL");
    }
    return result;
}

int Kernel::shutdown(int fd, int how) {
    int error = 0;
    detail::Socket* const socket = find_socket("shutdown", fd, error);
    if (!socket) return error;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
    error = network_.shutdown(*socket, how != SHUT_WR, how != SHUT_RD);
    network_.reap();
    return error;
}

int Kernel::setsockopt(int fd, int level, int name, const void* value, ::socklen_t size) {
    int error = 0;
    detail::Socket* const socket = find_socket("setsockopt", fd, error);
    if (!socket) return error;
    if (size < sizeof(int)) return -EINVAL;
    int number = 0;
    std::memcpy(&number, value, sizeof number);
    if (level == IPPROTO_TCP && name == TCP_NODELAY) return socket->no_delay = number != 0, 0;
    if (level != SOL_SOCKET) return -ENOPROTOOPT;
    // net.core.wmem_max and rmem_max, as Linux sets them by itself; compared without a sign (sk_setsockopt in net/core/sock.c): less
    // than nothing is the most.
    const std::size_t buffer = std::clamp(static_cast<unsigned>(number), 1U, 212'992U);
    switch (name) {
        case SO_REUSEADDR: return socket->reuse_address = number != 0, 0;
        case SO_KEEPALIVE: return socket->keep_alive = number != 0, 0;
        case SO_SNDBUF: return socket->send_buffer = buffer, 0;
        case SO_RCVBUF: return socket->receive_buffer = buffer, 0;
        case SO_LINGER: {
            ::linger linger{};
            if (size < sizeof linger) return -EINVAL;
            std::memcpy(&linger, value, sizeof linger);
            socket->linger_zero = linger.l_onoff != 0 && linger.l_linger == 0;
            return 0;
        }
        default: return -ENOPROTOOPT;
    }
}

int Kernel::getsockopt(int fd, int level, int name, int& value) {
    int error = 0;
    detail::Socket* const socket = find_socket("getsockopt", fd, error);
    if (!socket) return error;
    if (level == IPPROTO_TCP && name == TCP_NODELAY) return value = socket->no_delay ? 1 : 0, 0;
    if (level != SOL_SOCKET) return -ENOPROTOOPT;
    switch (name) {
        case SO_ERROR: return value = -detail::Network::take_error(*socket), 0;
        case SO_TYPE: return value = SOCK_STREAM, 0;
        case SO_ACCEPTCONN: return value = socket->state == TCP::listen ? 1 : 0, 0;
        case SO_REUSEADDR: return value = socket->reuse_address ? 1 : 0, 0;
        case SO_KEEPALIVE: return value = socket->keep_alive ? 1 : 0, 0;
        case SO_SNDBUF: return value = static_cast<int>(socket->send_buffer * 2), 0;
        case SO_RCVBUF: return value = static_cast<int>(socket->receive_buffer * 2), 0;
        default: return -ENOPROTOOPT;
    }
}

int Kernel::getsockname(int fd, SocketAddress& local) {
    int error = 0;
    detail::Socket* const socket = find_socket("getsockname", fd, error);
    if (!socket) return error;
    print(socket->local, local);
    return 0;
}

int Kernel::getpeername(int fd, SocketAddress& peer) {
    int error = 0;
    detail::Socket* const socket = find_socket("getpeername", fd, error);
    if (!socket) return error;
    if (!socket->connected()) return -ENOTCONN;
    print(socket->remote, peer);
    return 0;
}

int Kernel::open_null() {
    advance();
    const int number = free_number();
    return number < 0 ? number : install(nulls_.make(), number);
}

int Kernel::eventfd(unsigned initial, int flags) {
    advance();
    if ((flags & ~(EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE)) != 0) return -EINVAL;
    const int number = free_number();
    if (number < 0) return number;
    detail::Counter& made = counters_.make();
    made.value = initial;
    made.semaphore = (flags & EFD_SEMAPHORE) != 0;
    made.blocking = (flags & EFD_NONBLOCK) == 0;
    return install(made, number);
}

int Kernel::write_counter(int fd, std::uint64_t value) {
    int error = 0;
    detail::Counter* const counter = find_counter("write", fd, error);
    if (!counter) return error;
    if (value > counter_maximum) return -EINVAL;
    if (counter->value > counter_maximum - value) return -EAGAIN;
    host_.publish(counter);
    counter->value += value;
    watch_.wake(*counter, EPOLLIN);
    return sizeof value;
}

int Kernel::read_counter(int fd, std::uint64_t& value) {
    int error = 0;
    detail::Counter* const counter = find_counter("read", fd, error);
    if (!counter) return error;
    if (counter->value == 0) return -EAGAIN;
    host_.observe(counter);
    value = counter->semaphore ? 1 : counter->value;
    counter->value -= value;
    watch_.wake(*counter, EPOLLOUT);
    return sizeof value;
}

}  // namespace acairo::simulator
