// The life and the end of a simulated connection: what arrives, what it changes, and who is told. The states and the order
// of their changes are those of Linux (net/ipv4/tcp_input.c), because programs can see them.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. A socket whose state is closed never leaves that state by what arrives.
//   2. What has arrived stays readable whatever comes after it; an RST drops only what the other side has not launched.
#include <acairo/kernel_tcp.hpp>
#include <algorithm>
#include <cerrno>

namespace acairo::simulator::detail {
namespace {

// How long a segment can take. The first is calm; the others are below, at and above what a timeout of a test may be.
constexpr std::array<std::chrono::nanoseconds, 4> delays{std::chrono::nanoseconds{0}, std::chrono::microseconds{10},
                                                         std::chrono::milliseconds{1}, std::chrono::milliseconds{50}};
constexpr std::chrono::seconds repeat_syn{1};
constexpr std::chrono::milliseconds probe_window{200};

}  // namespace

Network::Network(KernelHost& host, const KernelConfiguration& configuration, Watch& watch)
    : host_(host), configuration_(configuration), watch_(watch), ports_(65536), next_port_(configuration.first_port) {}

void Network::fly(Socket& to, Segment::Kind kind, std::uint64_t end, bool urgent, std::chrono::nanoseconds at_least) {
    const std::uint64_t choice = configuration_.delays ? host_.below(delays.size(), Tag::clock) : 0;
    const std::chrono::nanoseconds delay = delays[choice] + at_least;
    Segment segment{kind, urgent, end, next_order_++, {}};
    Pipe& pipe = to.incoming;
    // Nothing but an RST can overtake what the window holds back, and then nobody needs to ask for the window.
    if (pipe.probed && kind == Segment::Kind::reset) forget_flight(to);
    if (delay == delay.zero() && pipe.flight.empty()) return deliver(to, segment);
    segment.due = std::max(host_.now() + delay, pipe.last_due);
    pipe.last_due = segment.due;
    pipe.flight.push(segment);
    if (!to.flies) flying_.push_back(&to);
    to.flies = true;
    next_due_ = std::min(next_due_, segment.due);
}

void Network::advance() {
    while (next_due_ <= host_.now()) {
        // The order of launch decides between what is due at once: without it, the place in the pool would.
        const auto before = [](const Socket* one, const Socket* other) {
            const Segment& first = one->incoming.flight.front();
            const Segment& second = other->incoming.flight.front();
            return first.due != second.due ? first.due < second.due : first.order < second.order;
        };
        const auto next = std::min_element(flying_.begin(), flying_.end(), before);
        Socket& to = **next;
        const Segment segment = to.incoming.flight.pop();
        if (to.incoming.flight.empty()) {
            to.flies = false;
            flying_.erase(next);
        }
        deliver(to, segment);
        find_next_due();
    }
}

void Network::deliver(Socket& to, const Segment& segment) {
    switch (segment.kind) {
        case Segment::Kind::syn: return arrive_syn(to);
        case Segment::Kind::data: return arrive(to, segment);
        case Segment::Kind::fin: return arrive_fin(to);
        case Segment::Kind::reset: return arrive_reset(to);
        case Segment::Kind::probe: to.incoming.probed = false; return transmit(to);
    }
}

void Network::reopen_window(Socket& receiver) {
    Pipe& pipe = receiver.incoming;
    if (!receiver.shut_read) return transmit(receiver);
    // Who has shut down reading does not say that there is room again: the sender finds out when its timer asks.
    if (!pipe.stalled || std::exchange(pipe.probed, true)) return;
    fly(receiver, Segment::Kind::probe, 0, false, probe_window);
}

void Network::arrive(Socket& to, const Segment& data) {
    Pipe& pipe = to.incoming;
    // Whoever ended here has sent or received an RST: the sender hears of it anyway.
    if (to.state == TCP::closed) return;
    if (data.urgent) {
        // Of urgent bytes only the last is: an older one that nobody took becomes a byte among others, unless the reader
        // stands in front of it.
        if (pipe.urgent != Pipe::Urgent::none && pipe.urgent_at == pipe.read) ++pipe.read;
        pipe.urgent = Pipe::Urgent::valid;
        pipe.urgent_at = data.end - 1;
        pipe.urgent_byte = pipe.bytes.at(pipe.urgent_at);
    }
    const bool this_side_ended = to.state == TCP::fin_wait1 || to.state == TCP::fin_wait2;
    if (this_side_ended && to.shut_read) {
        // Data that nobody can read aborts the connection, on both sides.
        send_reset(to);
        to.error = ECONNRESET;
        withdraw_unsent(to);
        finish(to, Ending::reset);
        watch_.wake(to, EPOLLERR);
        return;
    }
    pipe.arrived = data.end;
    watch_.wake(to, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLPRI);
    if (to.peer) acknowledge_data(*to.peer);
    hear_of_window(to);
}

// Whatever arrives says how much room its sender has by now.
void Network::hear_of_window(Socket& to) {
    if (!to.peer || !to.peer->incoming.stalled) return;
    Pipe& pipe = to.peer->incoming;
    // Nobody needs to ask for it any more. In front of what flies there may still be data.
    if (pipe.probed && !pipe.flight.empty() && pipe.flight.front().kind == Segment::Kind::probe) {
        pipe.probed = false;
        forget_flight(*to.peer);
    }
    transmit(*to.peer);
}

void Network::arrive_fin(Socket& to) {
    if (to.state == TCP::closed) return;
    to.incoming.fin_arrived = true;
    to.shut_read = true;
    to.done = true;
    Socket* const sender = to.peer;
    if (to.state == TCP::fin_wait2)
        finish(to, Ending::graceful);
    else
        to.state = to.state == TCP::fin_wait1 ? TCP::closing : TCP::close_wait;
    watch_.wake(to, 0);
    if (sender) acknowledge_fin(*sender);
    hear_of_window(to);
}

void Network::acknowledge_fin(Socket& sender) {
    if (sender.state == TCP::fin_wait1) {
        sender.state = TCP::fin_wait2;
        watch_.wake(sender, 0);
    } else if (sender.state == TCP::closing || sender.state == TCP::last_ack) {
        finish(sender, Ending::graceful);
    }
}

void Network::arrive_reset(Socket& to) {
    if (to.state == TCP::closed) return;
    to.incoming.reset_arrived = true;
    to.error = to.state == TCP::close_wait ? EPIPE : ECONNRESET;
    withdraw_unsent(to);
    finish(to, Ending::reset);
    watch_.wake(to, EPOLLERR);
}

void Network::arrive_syn(Socket& client) {
    Socket* const listener = listener_at(client.remote);
    if (!listener) {
        client.error = ECONNREFUSED;
        finish(client, Ending::refused);
        watch_.wake(client, EPOLLERR);
        return;
    }
    if (listener->waiting.size() > listener->backlog) {
        fly(client, Segment::Kind::syn, 0, false, repeat_syn);
        return;
    }
    Socket& child = make(listener->v6);
    child.state = TCP::established;
    child.association = Association::connected;
    child.local = client.remote;
    child.remote = client.local;
    child.bound = true;
    ++ports_[child.local.port];
    bound_.push_back(&child);
    child.reuse_address = listener->reuse_address;
    child.linger_zero = listener->linger_zero;
    child.no_delay = listener->no_delay;
    child.keep_alive = listener->keep_alive;
    child.send_buffer = listener->send_buffer;
    child.receive_buffer = listener->receive_buffer;
    child.peer = &client;
    client.peer = &child;
    client.state = TCP::established;
    watch_.wake(client, 0);
    listener->waiting.push(&child);
    watch_.wake(*listener, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLPRI);
}

int Network::shutdown(Socket& socket, bool read, bool write) {
    if (socket.association == Association::connecting) {
        socket.association = socket.connected() ? Association::connected : Association::disconnecting;
    }
    if ((socket.state == TCP::listen && read) || socket.state == TCP::syn_sent) {
        disconnect(socket);
        watch_.wake(socket, 0);
        return 0;
    }
    const int result = socket.state == TCP::closed ? -ENOTCONN : 0;
    if (socket.state != TCP::listen) {
        socket.shut_read |= read;
        socket.shut_write |= write;
        if (write) send_fin(socket);
    }
    watch_.wake(socket, 0);
    return result;
}

void Network::send_fin(Socket& from) {
    if (from.state == TCP::established) {
        from.state = TCP::fin_wait1;
    } else if (from.state == TCP::close_wait) {
        from.state = TCP::last_ack;
    } else {
        return;
    }
    if (!from.peer) return finish(from, Ending::graceful);
    Pipe& pipe = from.peer->incoming;
    host_.publish(&pipe.fin_stamp);
    pipe.fin_written = true;
    transmit(*from.peer);
}

void Network::send_reset(Socket& from) {
    if (!from.peer) return;
    withdraw_unsent(from);
    Pipe& pipe = from.peer->incoming;
    host_.publish(&pipe.reset_stamp);
    fly(*from.peer, Segment::Kind::reset);
}

void Network::withdraw_unsent(Socket& from) noexcept {
    if (!from.peer) return;
    Pipe& pipe = from.peer->incoming;
    pipe.written = pipe.launched;
    pipe.fin_written = false;
    pipe.mark_written = false;
}

void Network::finish(Socket& socket, Ending ending) {
    socket.state = TCP::closed;
    socket.ending = ending;
    socket.shut_read = socket.shut_write = true;
    if (!socket.bound_for_good) unbind(socket);
    watch_.wake(socket, 0);
    if (socket.abandoned) release(socket);
}

void Network::disconnect(Socket& socket) {
    if (socket.state == TCP::listen) {
        while (!socket.waiting.empty()) abandon(*socket.waiting.pop());
    } else if (socket.state == TCP::syn_sent) {
        socket.error = ECONNRESET;
        // Without this, a second connect of this socket would wait for the SYN of the first.
        forget_flight(socket);
    }
    socket.state = TCP::closed;
    socket.ending = Ending::none;
    socket.association = Association::unconnected;
    socket.shut_read = socket.shut_write = socket.done = false;
    if (!socket.bound_for_good) unbind(socket);
    if (!socket.address_for_good) socket.local.host = {};
    watch_.wake(socket, EPOLLERR);
}

// The owner goes without a word to the other side but an RST.
void Network::abandon(Socket& socket) {
    if (socket.connected()) {
        // After both FINs there is nothing to abort, unless this side's is still behind a closed window.
        const bool both_end = socket.state == TCP::closing || socket.state == TCP::last_ack;
        const Pipe* const outgoing = socket.peer ? &socket.peer->incoming : nullptr;
        const bool all_sent = !outgoing || (outgoing->launched == outgoing->written && !outgoing->fin_written);
        socket.state = TCP::closed;
        if (!both_end || !all_sent) send_reset(socket);
    }
    release(socket);
}

void Network::close(Socket& socket) {
    socket.shut_read = socket.shut_write = true;
    if (socket.state == TCP::listen) disconnect(socket);
    if (!socket.connected()) return release(socket);
    const Pipe& pipe = socket.incoming;
    // Who throws away what he has not read tells the other side that it is lost.
    if (pipe.arrived != pipe.read) {
        socket.state = TCP::closed;
        send_reset(socket);
        return release(socket);
    }
    if (socket.linger_zero) return abandon(socket);
    socket.abandoned = true;
    send_fin(socket);
}

void Network::release(Socket& socket) noexcept {
    socket.state = TCP::closed;
    unbind(socket);
    if (socket.peer) socket.peer->peer = nullptr;
    socket.peer = nullptr;
    forget_flight(socket);
    ended_.push_back(&socket);
}

void Network::forget_flight(Socket& socket) noexcept {
    if (!socket.flies) return;
    socket.flies = false;
    socket.incoming.flight.clear();
    socket.incoming.last_due = {};
    flying_.erase(std::find(flying_.begin(), flying_.end(), &socket));
    find_next_due();
}

void Network::find_next_due() noexcept {
    next_due_ = std::chrono::nanoseconds::max();
    for (const Socket* flying : flying_) next_due_ = std::min(next_due_, flying->incoming.flight.front().due);
}

void Network::reap() {
    for (Socket* socket : ended_) sockets_.recycle(*socket);
    ended_.clear();
}

void Network::reset() noexcept {
    for (const Socket* socket : bound_) ports_[socket->local.port] = 0;
    bound_.clear();
    flying_.clear();
    ended_.clear();
    sockets_.recycle_all();
    next_port_ = configuration_.first_port;
    next_order_ = 0;
    next_due_ = std::chrono::nanoseconds::max();
}

}  // namespace acairo::simulator::detail
