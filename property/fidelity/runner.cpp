// What each verb of a script calls.
#include "runner.hpp"

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "outcomes.hpp"

namespace fidelity {
namespace {

std::uint32_t events_of(int mask) {
    constexpr std::array<std::uint32_t, 6> bits{EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLET, EPOLLONESHOT};
    std::uint32_t events = 0;
    for (std::size_t bit = 0; bit != bits.size(); ++bit) events |= (mask >> bit & 1) != 0 ? bits[bit] : 0;
    return events;
}

}  // namespace

bool Runner::passes_over(const Step& step) const {
    const auto dirty = [&](int slot) { return at(slot).filled && at(slot).read_of_full != 0; };
    switch (step.verb) {
        case Verb::socket:
        case Verb::epoll:
        case Verb::null:
        case Verb::eventfd: return is_open(step.a);
        case Verb::pair: return step.a == step.b || is_open(step.a) || is_open(step.b);
        case Verb::accept:
        case Verb::dup: return is_open(step.b);
        case Verb::bind:
            // A port that nobody holds any more may be kept busy by TIME_WAIT.
            return step.b == 3 && state(step.c) != State::bound && state(step.c) != State::listening;
        case Verb::connect:
            // To itself, or to each other at once. To a name that its socket has no longer: somebody else may.
            if (step.c != 0) return false;
            if (SocketAddress own; calls_.getsockname(at(step.a).fd, own) == 0 &&
                                   std::memcmp(&own.storage, &at(step.b).name.storage, sizeof(::sockaddr_in)) == 0) {
                return true;
            }
            if (step.a == step.b || state(step.b) == State::connecting || at(step.b).fd == at(step.a).fd) return true;
            return is_open(step.a) && (state(step.b) != State::bound && state(step.b) != State::listening);
        // How much room there is after a little has been read is Linux's affair.
        case Verb::send:
        case Verb::send_urgent: return dirty(step.a);
        // Linux counts memory: whether the buffer is found full before or after the last of it has left, which is an edge,
        // depends on how much is in it.
        case Verb::fill: return dirty(step.a) || at(step.a).sent > small_sends;
        case Verb::recv:
        case Verb::peek:
            return at(step.a).peer >= 0 && at(at(step.a).peer).filled &&
                   (step.b > 1024 || at(at(step.a).peer).read_of_full >= small_reads);
        case Verb::add: return step.a != step.b && state(step.b) == State::epoll;
        case Verb::read:
        case Verb::write: return state(step.a) != State::counter && state(step.a) != State::no_descriptor;
        default: return false;
    }
}

void Runner::find_peer(int slot) {
    SocketAddress local, peer, other;
    if (calls_.getsockname(at(slot).fd, local) != 0 || calls_.getpeername(at(slot).fd, peer) != 0) return;
    for (int candidate = 0; candidate != slots; ++candidate) {
        if (!is_open(candidate) || calls_.getsockname(at(candidate).fd, other) != 0) continue;
        if (std::memcmp(&other.storage, &peer.storage, sizeof(::sockaddr_in)) != 0) continue;
        if (calls_.getpeername(at(candidate).fd, other) != 0) continue;
        if (std::memcmp(&other.storage, &local.storage, sizeof(::sockaddr_in)) != 0) continue;
        at(slot).peer = candidate;
        at(candidate).peer = slot;
    }
}

std::string Runner::pair(int accepted, int client) {
    SocketAddress name;
    const int listener = calls_.socket(false);
    calls_.bind(listener, loopback(false));
    calls_.listen(listener, 1);
    calls_.getsockname(listener, name);
    open(client, calls_.socket(false));
    calls_.connect(at(client).fd, name);
    calls_.settle();
    open(accepted, calls_.accept(listener));
    calls_.connect(at(client).fd, name);
    calls_.close(listener);
    find_peer(accepted);
    return text(at(accepted).fd);
}

std::string Runner::receive(int slot, int size, int flags) {
    std::vector<char> bytes(static_cast<std::size_t>(size) + 1);
    const long result = calls_.recv(at(slot).fd, bytes.data(), static_cast<std::size_t>(size), flags);
    if (result > 0 && at(slot).peer >= 0 && (flags & (MSG_PEEK | MSG_OOB)) == 0) ++at(at(slot).peer).read_of_full;
    if (result <= 0) return result == 0 ? "0 bytes" : text(result);
    return std::to_string(result) + " bytes of " + std::to_string(bytes[0]) + ".." +
           std::to_string(bytes[static_cast<std::size_t>(result) - 1]);
}

std::string Runner::fill(int slot, std::size_t number) {
    const std::vector<char> bytes(65536, static_cast<char>(number % 100));
    bool some = false;
    long result = 0;
    do {
        result = calls_.send(at(slot).fd, bytes.data(), bytes.size(), 0);
        // Once more after all has settled: only then nothing more is taken for certain.
        bool at_first = true;
        while (result > 0) {
            some = true;
            at_first = false;
            result = calls_.send(at(slot).fd, bytes.data(), bytes.size(), 0);
        }
        calls_.settle();
        if (at_first) break;
    } while (result == -EAGAIN);
    at(slot).filled = result == -EAGAIN;
    at(slot).read_of_full = 0;
    return std::string(some ? "some, then " : "none, then ") + text(result);
}

std::string Runner::drain(int slot) {
    std::vector<char> bytes(65536);
    bool some = false;
    long result = 0;
    for (bool at_first = false; !at_first;) {
        at_first = true;
        while ((result = calls_.recv(at(slot).fd, bytes.data(), bytes.size(), 0)) > 0) {
            some = true;
            at_first = false;
        }
        // An error is told once.
        if (result != -EAGAIN) break;
        calls_.settle();
    }
    if (at(slot).peer >= 0) {
        at(at(slot).peer).filled = false;
        at(at(slot).peer).sent = 0;
    }
    return std::string(some ? "some, then " : "none, then ") + text(result);
}

std::string Runner::option(const Step& step, bool set) {
    constexpr std::array<std::pair<int, int>, 5> options{{{IPPROTO_TCP, TCP_NODELAY},
                                                          {SOL_SOCKET, SO_KEEPALIVE},
                                                          {SOL_SOCKET, SO_REUSEADDR},
                                                          {SOL_SOCKET, SO_TYPE},
                                                          {SOL_SOCKET, SO_ACCEPTCONN}}};
    const auto [level, name] = options[static_cast<std::size_t>(step.b % (set ? 3 : 5))];
    int value = step.c % 2;
    if (set) return text(calls_.setsockopt(at(step.a).fd, level, name, &value, sizeof value));
    const int result = calls_.getsockopt(at(step.a).fd, level, name, value);
    return result < 0 ? text(result) : std::to_string(value);
}

std::string Runner::wait(int slot) {
    std::array<::epoll_event, 64> events{};
    const int count = calls_.epoll_wait(at(slot).fd, events.data(), static_cast<int>(events.size()));
    if (count < 0) return text(count);
    std::vector<std::string> texts;
    for (int event = 0; event < count; ++event) texts.push_back(text(events[static_cast<std::size_t>(event)]));
    std::sort(texts.begin(), texts.end());
    std::string joined;
    for (const std::string& each : texts) joined += (joined.empty() ? "" : " ") + each;
    return joined.empty() ? "no events" : joined;
}

std::string Runner::run(const Step& step, std::size_t number) {
    const int fd = at(step.a).fd;
    const std::vector<char> bytes(4096, static_cast<char>(number % 100));
    SocketAddress address;
    const auto named = [&](Call call) {
        cover(call, step.a);
        const int result =
            call == Call::getsockname ? calls_.getsockname(fd, address) : calls_.getpeername(fd, address);
        return result < 0 ? text(result) : text(address);
    };
    switch (step.verb) {
        case Verb::socket: return open(step.a, calls_.socket(step.b != 0), step.b != 0);
        case Verb::pair: return pair(step.a, step.b);
        case Verb::epoll: return open(step.a, calls_.epoll_create());
        case Verb::null: return open(step.a, calls_.open_null());
        case Verb::eventfd: return open(step.a, calls_.eventfd(static_cast<unsigned>(step.b)));
        case Verb::bind: {
            cover(Call::bind, step.a);
            address = loopback(at(step.a).v6, step.b == 1);
            if (step.b == 2) address = elsewhere();
            if (step.b == 3) address = at(step.c).name;
            const int result = calls_.bind(fd, address);
            if (result == 0) calls_.getsockname(fd, at(step.a).name);
            return text(result);
        }
        case Verb::listen: {
            cover(Call::listen, step.a);
            const int result = calls_.listen(fd, step.b);
            if (result == 0) calls_.getsockname(fd, at(step.a).name);
            return text(result);
        }
        case Verb::accept: {
            cover(Call::accept4, step.a);
            const std::string result = open(step.b, calls_.accept(fd), at(step.a).v6);
            if (is_open(step.b)) find_peer(step.b);
            return result;
        }
        case Verb::connect:
            cover(Call::connect, step.a);
            if (step.c == 0) address = at(step.b).name;
            if (step.c == 1) address = nobody_;
            return text(calls_.connect(fd, address));
        case Verb::recv: cover(Call::recv, step.a); return receive(step.a, step.b, 0);
        case Verb::peek: cover(Call::peek, step.a); return receive(step.a, step.b, MSG_PEEK);
        case Verb::recv_urgent: cover(Call::recv_urgent, step.a); return receive(step.a, step.b, MSG_OOB);
        case Verb::send:
        case Verb::send_urgent: {
            const bool urgent = step.verb == Verb::send_urgent;
            cover(urgent ? Call::send_urgent : Call::send, step.a);
            const long result = calls_.send(fd, bytes.data(), static_cast<std::size_t>(step.b), urgent ? MSG_OOB : 0);
            at(step.a).sent += std::max(result, 0L);
            return result < 0 ? text(result) : std::to_string(result) + " bytes";
        }
        case Verb::fill: cover(Call::send, step.a); return fill(step.a, number);
        case Verb::drain: cover(Call::recv, step.a); return drain(step.a);
        case Verb::shutdown:
            cover(step.b == 0 ? Call::shutdown_read : step.b == 1 ? Call::shutdown_write : Call::shutdown_both, step.a);
            return text(calls_.shutdown(fd, step.b));
        case Verb::close:
        case Verb::close_linger: {
            cover(step.verb == Verb::close ? Call::close : Call::close_linger, step.a);
            const ::linger at_once{1, 0};
            std::string result;
            if (step.verb == Verb::close_linger) {
                result = text(calls_.setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once)) + ", ";
            }
            result += text(calls_.close(fd));
            at(step.a).fd = no_descriptor;
            return result;
        }
        case Verb::dup: {
            cover(Call::dup, step.a);
            const Slot original = at(step.a);
            const int made = calls_.dup(fd);
            if (made >= 0) at(step.b) = original;
            if (made >= 0) at(step.b).fd = made;
            return text(made);
        }
        case Verb::set_option: cover(Call::set_option, step.a); return option(step, true);
        case Verb::get_option: cover(Call::get_option, step.a); return option(step, false);
        case Verb::get_error: {
            cover(Call::get_error, step.a);
            int error = 0;
            const int result = calls_.getsockopt(fd, SOL_SOCKET, SO_ERROR, error);
            return result < 0 ? text(result) : error == 0 ? "0" : ::strerrorname_np(error);
        }
        case Verb::getsockname: return named(Call::getsockname);
        case Verb::getpeername: return named(Call::getpeername);
        case Verb::add:
        case Verb::modify: {
            cover(step.verb == Verb::add ? Call::epoll_add : Call::epoll_modify, step.b);
            ::epoll_event wanted{.events = events_of(step.c), .data = {.u64 = static_cast<std::uint64_t>(step.b)}};
            const int operation = step.verb == Verb::add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
            return text(calls_.epoll_ctl(fd, operation, at(step.b).fd, &wanted));
        }
        case Verb::remove: {
            cover(Call::epoll_delete, step.b);
            ::epoll_event ignored{};
            return text(calls_.epoll_ctl(fd, EPOLL_CTL_DEL, at(step.b).fd, &ignored));
        }
        case Verb::wait: return wait(step.a);
        case Verb::read: {
            cover(Call::read_counter, step.a);
            std::uint64_t value = 0;
            const int result = calls_.read_counter(fd, value);
            return result < 0 ? text(result) : "read " + std::to_string(value);
        }
        case Verb::write: {
            cover(Call::write_counter, step.a);
            constexpr std::array<std::uint64_t, 4> values{0, 1, ~std::uint64_t{0} - 1, ~std::uint64_t{0}};
            return text(calls_.write_counter(fd, values[static_cast<std::size_t>(step.b % 4)]));
        }
    }
    return "";
}

}  // namespace fidelity
