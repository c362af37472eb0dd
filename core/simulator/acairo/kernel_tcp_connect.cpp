// Names, ports and backlogs of simulated sockets: from a fresh socket to a connection.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. ports_ counts the sockets in bound_ by their port; a socket is in bound_ exactly while it is `bound`.
//   2. A backlog of n holds n + 1 connections, as Linux's.
#include <acairo/kernel_tcp.hpp>
#include <algorithm>
#include <cerrno>

namespace acairo::simulator::detail {
namespace {

constexpr int most_backlog = 4096;  // /proc/sys/net/core/somaxconn

}  // namespace

bool Endpoint::loopback() const noexcept {
    if (!v6) return host[0] == 127;
    return std::all_of(host.begin(), host.end() - 1, [](unsigned char byte) { return byte == 0; }) && host[15] == 1;
}

void Endpoint::set_loopback() noexcept {
    host = {};
    if (v6) {
        host[15] = 1;
    } else {
        host[0] = 127;
        host[3] = 1;
    }
}

Socket& Network::make(bool v6) {
    Socket& socket = sockets_.make();
    socket.v6 = v6;
    socket.local.v6 = socket.remote.v6 = v6;
    socket.send_buffer = configuration_.send_buffer;
    socket.receive_buffer = configuration_.receive_buffer;
    return socket;
}

bool Network::conflicts(const Socket& socket, const Endpoint& wanted) const noexcept {
    if (ports_[wanted.port] == 0) return false;
    return std::any_of(bound_.begin(), bound_.end(), [&](const Socket* other) {
        if (other == &socket || other->v6 != wanted.v6 || other->local.port != wanted.port) return false;
        if (socket.reuse_address && other->reuse_address && other->state != TCP::listen) return false;
        return other->local.any() || wanted.any() || other->local.host == wanted.host;
    });
}

bool Network::bind_port(Socket& socket, std::uint16_t port) {
    if (port == 0) {
        std::uint16_t tried = 0;
        // Upwards, round and round: a port that has just become free is not given out again at once.
        while (ports_[next_port_] != 0) {
            if (++tried == 0) return false;
            next_port_ = next_port_ == 65535 ? configuration_.first_port : static_cast<std::uint16_t>(next_port_ + 1);
        }
        port = next_port_;
        next_port_ = next_port_ == 65535 ? configuration_.first_port : static_cast<std::uint16_t>(next_port_ + 1);
    }
    socket.local.port = port;
    socket.bound = true;
    ++ports_[port];
    bound_.push_back(&socket);
    return true;
}

void Network::unbind(Socket& socket) noexcept {
    if (!socket.bound) return;
    socket.bound = false;
    --ports_[socket.local.port];
    const auto place = std::find(bound_.begin(), bound_.end(), &socket);
    *place = bound_.back();
    bound_.pop_back();
}

int Network::bind(Socket& socket, const Endpoint& to) {
    if (!to.any() && !to.loopback()) return -EADDRNOTAVAIL;
    if (socket.state != TCP::closed || socket.bound) return -EINVAL;
    if (to.port != 0 && conflicts(socket, to)) return -EADDRINUSE;
    if (!bind_port(socket, to.port)) return -EADDRINUSE;
    socket.local.host = to.host;
    socket.address_for_good = !to.any();
    socket.bound_for_good = to.port != 0;
    return 0;
}

int Network::listen(Socket& socket, int backlog) {
    if (socket.association != Association::unconnected) return -EINVAL;
    // A negative one is as large as can be.
    socket.backlog = static_cast<std::size_t>(backlog < 0 || backlog > most_backlog ? most_backlog : backlog);
    if (socket.state == TCP::listen) return 0;
    if (!socket.bound) {
        if (!bind_port(socket, 0)) return -EADDRINUSE;
    } else if (conflicts(socket, socket.local)) {
        return -EADDRINUSE;
    }
    socket.state = TCP::listen;
    socket.ending = Ending::none;
    return 0;
}

Socket* Network::listener_at(const Endpoint& to) const noexcept {
    if (ports_[to.port] == 0) return nullptr;
    Socket* found = nullptr;
    for (Socket* socket : bound_) {
        if (socket->state != TCP::listen || socket->v6 != to.v6 || socket->local.port != to.port) continue;
        if (socket->local.host == to.host) return socket;
        if (socket->local.any()) found = socket;
    }
    return found;
}

int Network::connect(Socket& socket, const Endpoint& to, int malformed) {
    int result = -EALREADY;
    if (socket.association == Association::disconnecting) return -EINVAL;
    if (socket.association == Association::connected) return -EISCONN;
    if (socket.association == Association::unconnected) {
        if (socket.state != TCP::closed) return -EISCONN;
        if (malformed != 0) return malformed;
        if (!to.any() && !to.loopback()) return -ENETUNREACH;
        if (!socket.bound && !bind_port(socket, 0)) return -EADDRNOTAVAIL;
        socket.error = 0;
        socket.done = false;
        socket.remote = to;
        if (to.any()) socket.remote.set_loopback();
        if (socket.local.any()) socket.local.set_loopback();
        socket.state = TCP::syn_sent;
        socket.association = Association::connecting;
        host_.publish(&socket.connect_stamp);
        fly(socket, Segment::Kind::syn);
        // Linux cannot know the answer yet when it decides what to return here.
        if (!socket.blocking) return -EINPROGRESS;
        result = -EINPROGRESS;
    }
    if (socket.state == TCP::syn_sent) return result;
    if (socket.state == TCP::closed) {
        result = take_error(socket);
        disconnect(socket);
        return result != 0 ? result : -ECONNABORTED;
    }
    socket.association = Association::connected;
    return 0;
}

Socket* Network::accept(Socket& listener, int& error) {
    error = listener.state == TCP::listen ? -EAGAIN : -EINVAL;
    if (listener.state != TCP::listen || listener.waiting.empty()) return nullptr;
    Socket& child = *listener.waiting.pop();
    // A client that has gone left its RST behind, which it sent after it had connected.
    host_.observe(child.peer ? &child.peer->connect_stamp : &child.incoming.reset_stamp);
    return &child;
}

}  // namespace acairo::simulator::detail
