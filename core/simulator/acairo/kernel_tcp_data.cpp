// Bytes of simulated connections: sending, flying, receiving, urgent data, and readiness.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. A window that was closed opens only when half of the receiver's buffer is free, and a socket whose sender has met a
//      full buffer is reported writable only when a third of that is free: so little progress makes no edge.
//   2. A send may succeed without an edge before it.
#include <acairo/kernel_tcp.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace acairo::simulator::detail {

void Ring::put(std::uint64_t position, const char* from, std::size_t size) noexcept {
    const std::size_t begin = position & (bytes_.size() - 1);
    const std::size_t first = std::min(size, bytes_.size() - begin);
    std::memcpy(bytes_.data() + begin, from, first);
    std::memcpy(bytes_.data(), from + first, size - first);
}

void Ring::append(std::uint64_t begin, std::uint64_t end, const char* from, std::size_t size) {
    const std::size_t held = static_cast<std::size_t>(end - begin);
    if (held + size > bytes_.size()) {
        std::size_t capacity = std::max<std::size_t>(bytes_.size(), 256);
        while (capacity < held + size) capacity *= 2;
        std::vector<char> old(held);
        if (held != 0) copy(begin, old.data(), held);
        bytes_.resize(capacity);
        if (held != 0) put(begin, old.data(), held);
    }
    put(end, from, size);
}

void Ring::copy(std::uint64_t from, char* to, std::size_t size) const noexcept {
    if (size == 0) return;
    const std::size_t begin = from & (bytes_.size() - 1);
    const std::size_t first = std::min(size, bytes_.size() - begin);
    std::memcpy(to, bytes_.data() + begin, first);
    std::memcpy(to + first, bytes_.data(), size - first);
}

int Network::take_error(Socket& socket) noexcept { return -std::exchange(socket.error, 0); }

std::size_t Network::unacknowledged(const Socket& socket) const noexcept {
    if (socket.state == TCP::closed) return 0;
    if (!socket.peer) return socket.lost;
    return static_cast<std::size_t>(socket.peer->incoming.written - socket.peer->incoming.arrived);
}

bool Network::writable(const Socket& socket) const noexcept {
    const std::size_t queued = unacknowledged(socket);
    return queued <= socket.send_buffer && socket.send_buffer - queued >= queued / 2;
}

void Network::acknowledge_data(Socket& sender) {
    if (!sender.no_space || !writable(sender)) return;
    sender.no_space = false;
    watch_.wake(sender, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

void Network::transmit(Socket& receiver) {
    Pipe& pipe = receiver.incoming;
    while (pipe.launched < pipe.written) {
        // A delivery of this loop may have ended it.
        if (receiver.state == TCP::closed) return;
        // The sender does not know of the room yet.
        if (pipe.probed) return;
        const std::uint64_t taken = pipe.launched - pipe.read;
        const std::uint64_t room = receiver.receive_buffer > taken ? receiver.receive_buffer - taken : 0;
        if (room == 0 || (pipe.stalled && room < receiver.receive_buffer / 2)) {
            pipe.stalled = true;
            return;
        }
        pipe.stalled = false;
        std::uint64_t size = std::min(pipe.written - pipe.launched, room);
        // A mark ends its segment.
        const bool marked = pipe.mark_written && pipe.launched + size >= pipe.mark;
        if (marked) size = pipe.mark - pipe.launched;
        if (configuration_.fragments && size > 1 && !marked) {
            switch (host_.below(std::min<std::uint64_t>(size, 4), Tag::transfer)) {
                case 1: size = 1; break;
                case 2: size -= 1; break;
                case 3: size /= 2; break;
                default: break;
            }
        }
        pipe.launched += size;
        const bool urgent = pipe.mark_written && pipe.launched == pipe.mark;
        if (urgent) pipe.mark_written = false;
        fly(receiver, Segment::Kind::data, pipe.launched, urgent);
    }
    if (!pipe.fin_written) return;
    pipe.fin_written = false;
    fly(receiver, Segment::Kind::fin);
}

std::ptrdiff_t Network::send(Socket& socket, const char* from, std::size_t size, int flags) {
    if (socket.state != TCP::established && socket.state != TCP::close_wait) {
        if (const int error = take_error(socket)) return error;
        return socket.state == TCP::syn_sent ? -EAGAIN : -EPIPE;
    }
    if (size == 0) return 0;
    const std::size_t queued = unacknowledged(socket);
    const std::size_t sent = queued < socket.send_buffer ? std::min(size, socket.send_buffer - queued) : 0;
    if (sent < size) socket.no_space = true;
    if (sent == 0) return -EAGAIN;
    if (!socket.peer) {
        // The other side is gone, and its RST is on its way. Nobody acknowledges this.
        socket.lost += sent;
        return static_cast<std::ptrdiff_t>(sent);
    }
    Pipe& pipe = socket.peer->incoming;
    pipe.bytes.append(pipe.read, pipe.written, from, sent);
    pipe.written += sent;
    if (flags & MSG_OOB) {
        pipe.mark_written = true;
        pipe.mark = pipe.written;
    }
    if (pipe.sends - pipe.observed == Pipe::stamps) --pipe.sends;
    const std::size_t stamp = pipe.sends++ % Pipe::stamps;
    pipe.send_end[stamp] = pipe.written;
    host_.publish(&pipe.send_stamp[stamp]);
    transmit(*socket.peer);
    return static_cast<std::ptrdiff_t>(sent);
}

// Sends of which a byte has been read.
void Network::observe_read(Pipe& pipe) {
    while (pipe.observed < pipe.sends) {
        const std::size_t stamp = pipe.observed % Pipe::stamps;
        host_.observe(&pipe.send_stamp[stamp]);
        if (pipe.send_end[stamp] > pipe.read) return;
        ++pipe.observed;
        if (pipe.send_end[stamp] == pipe.read) return;
    }
}

void Network::observe_arrived(Socket& socket) {
    const Pipe& pipe = socket.incoming;
    for (std::uint64_t send = pipe.observed; send < pipe.sends; ++send) {
        const std::size_t stamp = send % Pipe::stamps;
        const std::uint64_t begin = send == pipe.observed ? pipe.read : pipe.send_end[(send - 1) % Pipe::stamps];
        if (begin >= pipe.arrived) break;
        host_.observe(&pipe.send_stamp[stamp]);
    }
    if (pipe.fin_arrived) host_.observe(&pipe.fin_stamp);
    if (pipe.reset_arrived) host_.observe(&pipe.reset_stamp);
}

std::ptrdiff_t Network::recv_urgent(Socket& socket, char* to, std::size_t size, int flags) {
    Pipe& pipe = socket.incoming;
    if (pipe.urgent != Pipe::Urgent::valid) return -EINVAL;
    if (socket.state == TCP::closed && !socket.done) return -ENOTCONN;
    observe_arrived(socket);
    if ((flags & MSG_PEEK) == 0) pipe.urgent = Pipe::Urgent::taken;
    if (size == 0) return 0;
    *to = pipe.urgent_byte;
    return 1;
}

// The urgent byte is not part of the stream: a read ends in front of it, and the next one begins behind it.
void Network::skip_urgent(Socket& socket, std::uint64_t& position, std::size_t& usable) const noexcept {
    const Pipe& pipe = socket.incoming;
    if (pipe.urgent == Pipe::Urgent::none || pipe.urgent_at < position) return;
    const std::uint64_t ahead = pipe.urgent_at - position;
    if (ahead >= usable) return;
    if (ahead != 0) {
        usable = static_cast<std::size_t>(ahead);
        return;
    }
    ++position;
    --usable;
}

std::ptrdiff_t Network::recv(Socket& socket, char* to, std::size_t size, int flags) {
    if (socket.state == TCP::listen) return -ENOTCONN;
    if (flags & MSG_OOB) return recv_urgent(socket, to, size, flags);
    Pipe& pipe = socket.incoming;
    // As it is when the call begins: bytes and an end that come because this read makes room are for the next one.
    const bool done = socket.done;
    const bool shut_read = socket.shut_read;
    std::uint64_t position = pipe.read;
    std::size_t copied = 0;
    do {
        if (pipe.urgent != Pipe::Urgent::none && pipe.urgent_at == position && copied != 0) break;
        std::size_t usable = std::min(static_cast<std::size_t>(pipe.arrived - position), size - copied);
        if (pipe.arrived == position) break;
        skip_urgent(socket, position, usable);
        pipe.bytes.copy(position, to + copied, usable);
        position += usable;
        copied += usable;
    } while (copied < size);
    const bool found = copied != 0 || (size == 0 && pipe.arrived != pipe.read);
    if ((flags & MSG_PEEK) != 0) {
        if (found) observe_arrived(socket);
    } else if (position != pipe.read) {
        pipe.read = position;
        if (pipe.urgent != Pipe::Urgent::none && position > pipe.urgent_at) pipe.urgent = Pipe::Urgent::none;
        observe_read(pipe);
        reopen_window(socket);
    }
    if (found) return static_cast<std::ptrdiff_t>(copied);
    if (pipe.fin_arrived) host_.observe(&pipe.fin_stamp);
    if (pipe.reset_arrived) host_.observe(&pipe.reset_stamp);
    if (done) return 0;
    if (const int error = take_error(socket)) return error;
    if (shut_read) return 0;
    return socket.state == TCP::closed ? -ENOTCONN : -EAGAIN;
}

std::uint32_t Network::poll(Socket& socket) noexcept {
    constexpr std::uint32_t in = EPOLLIN | EPOLLRDNORM;
    constexpr std::uint32_t out = EPOLLOUT | EPOLLWRNORM;
    if (socket.state == TCP::listen) return socket.waiting.empty() ? 0 : in;
    std::uint32_t events = 0;
    if (socket.state == TCP::closed || (socket.shut_read && socket.shut_write)) events |= EPOLLHUP;
    if (socket.shut_read) events |= in | EPOLLRDHUP;
    if (socket.state != TCP::syn_sent) {
        const Pipe& pipe = socket.incoming;
        const bool in_front = pipe.urgent != Pipe::Urgent::none && pipe.urgent_at == pipe.read;
        // The urgent byte itself is nothing to read.
        if (pipe.arrived - pipe.read >= (in_front ? 2u : 1u)) events |= in;
        if (socket.shut_write || writable(socket)) {
            events |= out;
        } else {
            // Without this, who has only asked, and not met a full buffer, would wait for ever.
            socket.no_space = true;
        }
        if (pipe.urgent == Pipe::Urgent::valid) events |= EPOLLPRI;
    }
    if (socket.error != 0) events |= EPOLLERR;
    return events;
}

}  // namespace acairo::simulator::detail
