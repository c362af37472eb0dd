// One client: connecting, sending, receiving and checking one message at a time. One thread.
#include "client_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace bench {
namespace {

void require(bool succeeded, const char* call) {
    if (!succeeded) throw std::system_error(errno, std::system_category(), std::string("client: ") + call);
}

}  // namespace

ClientEpoll::ClientEpoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) { require(fd_ >= 0, "epoll_create1"); }

ClientEpoll::~ClientEpoll() { ::close(fd_); }

void ClientEpoll::add(int fd, std::uint32_t index) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u32 = index}};
    require(::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

std::span<const epoll_event> ClientEpoll::wait() {
    int ready;
    do ready = ::epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), 10'000);
    while (ready < 0 && errno == EINTR);
    require(ready >= 0, "epoll_wait");
    if (ready == 0) throw std::runtime_error("the server has not answered for ten seconds");
    return std::span(events_).first(static_cast<std::size_t>(ready));
}

ClientSocket::ClientSocket(ClientSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      index_(other.index_),
      sequence_(other.sequence_),
      sent_(other.sent_),
      received_(other.received_),
      under_way_(other.under_way_),
      begun_(other.begun_) {}

void ClientSocket::connect(std::uint16_t port, ClientEpoll& epoll) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require(fd_ >= 0, "socket");
    const int on = 1;
    require(::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt(TCP_NODELAY)");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    // EADDRNOTAVAIL: the 28,000 ports of a long churn are all in TIME_WAIT; a shorter --seconds uses fewer.
    require(result == 0 || errno == EINPROGRESS, "connect");
    epoll.add(fd_, index_);
}

void ClientSocket::close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void ClientSocket::begin(Message& message, Clock::time_point now) {
    begun_ = now;
    ++sequence_;
    sent_ = received_ = 0;
    under_way_ = true;
    send(message);
}

void ClientSocket::send(Message& message) {
    const Stamp stamp{index_, sequence_};
    std::memcpy(message.out.data(), &stamp, sizeof stamp);
    std::memcpy(message.out.data() + message.out.size() - sizeof stamp, &stamp, sizeof stamp);
    const ssize_t sent = ::send(fd_, message.out.data() + sent_, message.out.size() - sent_, MSG_NOSIGNAL);
    if (sent > 0) sent_ += static_cast<std::size_t>(sent);
    require(sent >= 0 || errno == EAGAIN, "send");
}

bool ClientSocket::advance(Message& message) {
    if (!under_way_) return false;  // An edge of writability, nothing more.
    if (sent_ < message.out.size()) send(message);
    while (received_ < message.out.size()) {
        const ssize_t result = ::recv(fd_, message.in.data(), message.in.size(), 0);
        if (result < 0 && errno == EAGAIN) return false;
        require(result >= 0, "recv");
        if (result == 0) throw std::runtime_error("the server closed a connection in the middle of a message");
        const auto count = static_cast<std::size_t>(result);
        if (received_ == 0 && count >= sizeof(Stamp)) check_stamp(message.in.data());
        received_ += count;
        if (received_ > message.out.size()) throw std::runtime_error("the server sent more than it received");
        if (received_ == message.out.size() && count >= sizeof(Stamp))
            check_stamp(message.in.data() + count - sizeof(Stamp));
        if (count < message.in.size()) break;  // A short read: the next edge tells of more.
    }
    under_way_ = received_ < message.out.size();
    return !under_way_;
}

void ClientSocket::check_stamp(const char* bytes) const {
    Stamp stamp;
    std::memcpy(&stamp, bytes, sizeof stamp);
    if (stamp.index != index_ || stamp.sequence != sequence_)
        throw std::runtime_error("the server sent another connection's bytes");
}

std::uint32_t ClientSocket::nanoseconds_since_begin(Clock::time_point now) const {
    return static_cast<std::uint32_t>(std::chrono::nanoseconds(now - begun_).count());
}

}  // namespace bench
