// Calls answered by Linux over loopback, and how to see that loopback has settled.
//
// Threads: one at a time.
// Invariants:
//   1. settle() never sleeps and never asks the simulated kernel: it observes the sockets (TCP_INFO, poll) until each has had
//      everything acknowledged that it has sent, or stands before a closed window; each listener holds as many connections
//      as were made; and each socket whose other side has ended shows that.
//   2. Buffers are small and fixed, so that few bytes fill them.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "calls.hpp"

namespace fidelity {
namespace {

constexpr std::uint8_t tcp_syn_sent = 2, tcp_closed = 7, tcp_listening = 10;

template <class R> R checked(R result) { return result < 0 ? static_cast<R>(-errno) : result; }

int port_of(const SocketAddress& address) {
    // Both families have it at the same place.
    return ntohs(reinterpret_cast<const ::sockaddr_in*>(&address.storage)->sin_port);
}

::tcp_info info_of(int fd) {
    ::tcp_info info{};
    ::socklen_t size = sizeof info;
    ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info;
}

bool all_sent(int fd) {
    int unsent = 0;
    return ::ioctl(fd, SIOCOUTQNSD, &unsent) == 0 && unsent == 0;
}

int readiness(int fd) {
    ::pollfd asked{fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    ::poll(&asked, 1, 0);
    return asked.revents;
}

}  // namespace

LinuxCalls::~LinuxCalls() {
    for (const auto& [fd, known] : open_) {
        // Without this, thousands of scripts would leave thousands of connections in TIME_WAIT.
        const ::linger at_once{1, 0};
        if (known->socket) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(fd);
    }
}

LinuxCalls::Known* LinuxCalls::known(int fd) {
    const auto found = open_.find(fd);
    return found == open_.end() ? nullptr : found->second.get();
}

LinuxCalls::Known* LinuxCalls::with_ports(int port, int peer_port, int& fd) {
    for (const auto& [number, known] : open_) {
        if (known->port != port || known->peer_port != peer_port || port == 0) continue;
        fd = number;
        return known.get();
    }
    return nullptr;
}

int LinuxCalls::socket(bool v6) {
    const int fd = checked(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0) return fd;
    constexpr int buffer = 32768;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    constexpr int one = 1;
    if (v6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    open_[fd] = std::make_shared<Known>();
    open_[fd]->socket = true;
    return fd;
}

int LinuxCalls::bind(int fd, const SocketAddress& to) { return checked(::bind(fd, to.get(), to.length)); }
int LinuxCalls::listen(int fd, int backlog) { return checked(::listen(fd, backlog)); }

int LinuxCalls::accept(int fd) {
    SocketAddress peer, local;
    const int made = checked(::accept4(fd, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (made < 0) return made;
    --known(fd)->queued;
    const auto child = std::make_shared<Known>();
    open_[made] = child;
    child->socket = true;
    ::getsockname(made, local.get(), &local.length);
    child->port = port_of(local);
    child->peer_port = port_of(peer);
    int client = -1;
    const bool client_is_gone = !with_ports(child->peer_port, child->port, client);
    child->expects_end = client_is_gone && held_back_.erase({child->peer_port, child->port}) == 0;
    return made;
}

int LinuxCalls::connect(int fd, const SocketAddress& to) {
    const int listening = port_of(to);
    Known* listener = nullptr;
    bool full = false;
    for (const auto& [number, other] : open_) {
        const ::tcp_info info = other->socket ? info_of(number) : ::tcp_info{};
        SocketAddress local;
        if (info.tcpi_state != tcp_listening) continue;
        ::getsockname(number, local.get(), &local.length);
        if (port_of(local) != listening || local.storage.ss_family != to.storage.ss_family) continue;
        listener = other.get();
        full = info.tcpi_unacked > info.tcpi_sacked;
    }
    const bool was_new = known(fd) && info_of(fd).tcpi_state == tcp_closed;
    const int result = checked(::connect(fd, to.get(), to.length));
    if (result != -EINPROGRESS || !was_new) return result;
    Known& client = *known(fd);
    SocketAddress local;
    ::getsockname(fd, local.get(), &local.length);
    client.port = port_of(local);
    client.peer_port = listening;
    client.stuck = listener && full;
    if (listener && !full) ++listener->queued;
    return result;
}

long LinuxCalls::recv(int fd, void* to, std::size_t size, int flags) { return checked(::recv(fd, to, size, flags)); }
long LinuxCalls::send(int fd, const void* from, std::size_t size, int flags) {
    return checked(::send(fd, from, size, flags | MSG_NOSIGNAL));
}

void LinuxCalls::other_side_ends(int fd, bool all_sent) {
    const Known& ending = *known(fd);
    int other = -1;
    Known* const side = with_ports(ending.peer_port, ending.port, other);
    if (side && all_sent) side->expects_end = true;
    if (!all_sent) held_back_.insert({ending.port, ending.peer_port});
}

int LinuxCalls::shutdown(int fd, int how) {
    const int result = checked(::shutdown(fd, how));
    Known* const ending = known(fd);
    if (ending && ending->socket && result == 0) {
        if (info_of(fd).tcpi_state == tcp_closed) ending->queued = 0;
        if (how != SHUT_RD) other_side_ends(fd, all_sent(fd));
    }
    return result;
}

int LinuxCalls::close(int fd) {
    Known* const ending = known(fd);
    if (ending && --ending->descriptors == 0 && ending->socket) {
        ::linger lingers{};
        ::socklen_t size = sizeof lingers;
        ::getsockopt(fd, SOL_SOCKET, SO_LINGER, &lingers, &size);
        char byte = 0;
        const bool unread = ::recv(fd, &byte, 1, MSG_PEEK) > 0;
        other_side_ends(fd, unread || lingers.l_onoff != 0 || all_sent(fd));
        // Connections in its backlog are reset.
        for (const auto& [number, other] : open_) {
            if (ending->queued > 0 && other->socket && other->peer_port == ending->port && ending->port != 0) {
                int accepted = -1;
                if (!with_ports(other->peer_port, other->port, accepted)) other->expects_end = !other->stuck;
            }
        }
    }
    open_.erase(fd);
    return checked(::close(fd));
}

int LinuxCalls::dup(int fd) {
    const int made = checked(::dup(fd));
    if (made < 0) return made;
    open_[made] = open_.at(fd);
    ++open_[made]->descriptors;
    return made;
}

int LinuxCalls::setsockopt(int fd, int level, int name, const void* value, ::socklen_t size) {
    return checked(::setsockopt(fd, level, name, value, size));
}
int LinuxCalls::getsockopt(int fd, int level, int name, int& value) {
    ::socklen_t size = sizeof value;
    return checked(::getsockopt(fd, level, name, &value, &size));
}
int LinuxCalls::getsockname(int fd, SocketAddress& local) {
    return checked(::getsockname(fd, local.get(), &local.length));
}
int LinuxCalls::getpeername(int fd, SocketAddress& peer) {
    return checked(::getpeername(fd, peer.get(), &peer.length));
}

int LinuxCalls::epoll_create() {
    const int fd = checked(::epoll_create1(EPOLL_CLOEXEC));
    if (fd >= 0) open_[fd] = std::make_shared<Known>();
    return fd;
}
int LinuxCalls::epoll_ctl(int epoll, int operation, int fd, ::epoll_event* wanted) {
    return checked(::epoll_ctl(epoll, operation, fd, wanted));
}
int LinuxCalls::epoll_wait(int epoll, ::epoll_event* events, int size) {
    return checked(::epoll_wait(epoll, events, size, 0));
}
int LinuxCalls::open_null() {
    const int fd = checked(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (fd >= 0) open_[fd] = std::make_shared<Known>();
    return fd;
}
int LinuxCalls::eventfd(unsigned initial) {
    const int fd = checked(::eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC));
    if (fd >= 0) open_[fd] = std::make_shared<Known>();
    return fd;
}
int LinuxCalls::read_counter(int fd, std::uint64_t& value) {
    return static_cast<int>(checked(::read(fd, &value, sizeof value)));
}
int LinuxCalls::write_counter(int fd, std::uint64_t value) {
    return static_cast<int>(checked(::write(fd, &value, sizeof value)));
}

bool LinuxCalls::settled(std::string& why) {
    for (const auto& [fd, known] : open_) {
        if (!known->socket) continue;
        const ::tcp_info info = info_of(fd);
        if (info.tcpi_state == tcp_listening) {
            why = "a listener holds " + std::to_string(info.tcpi_unacked) + " connections, " +
                  std::to_string(known->queued) + " were made";
            SocketAddress local;
            ::getsockname(fd, local.get(), &local.length);
            known->port = port_of(local);
            if (info.tcpi_unacked != known->queued) return false;
            continue;
        }
        if (info.tcpi_state == tcp_closed || known->stuck) continue;
        if (info.tcpi_state == tcp_syn_sent || info.tcpi_unacked != 0) {
            why = "a socket has unacknowledged segments in state " + std::to_string(info.tcpi_state);
            int other = -1;
            // Acknowledges at once what it would acknowledge in 40 ms.
            constexpr int one = 1;
            if (with_ports(known->peer_port, known->port, other)) {
                ::setsockopt(other, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
            }
            return false;
        }
        if (known->expects_end && (readiness(fd) & (POLLRDHUP | POLLHUP | POLLERR)) == 0) {
            why = "a socket does not see that the other side has ended, in state " + std::to_string(info.tcpi_state);
            return false;
        }
    }
    return true;
}

void LinuxCalls::settle() {
    // What has not settled once makes the whole script worthless.
    if (!unsettled_.empty()) return;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{1};
    std::string why;
    while (!settled(why)) {
        if (std::chrono::steady_clock::now() < deadline) continue;
        if (unsettled_.empty()) unsettled_ = why;
        return;
    }
}

}  // namespace fidelity
