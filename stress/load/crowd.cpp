// The peers' process: one thread, one epoll instance, and many sockets that behave badly.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <deque>
#include <optional>

#include "peers.hpp"
#include "word.hpp"

namespace stress {
namespace {

constexpr int patience = 60;           // looks, a second apart, at which nothing has happened
constexpr std::uint32_t message = 27;  // what the server's handlers read at a time, see server.hpp
constexpr std::uint32_t echoes = 5;    // of one peer
// Bytes of one peer; of a few of them more than the buffers hold.
constexpr std::uint32_t flood = 10'000;
constexpr std::uint32_t great_flood = 500'000;

char byte_at(std::uint32_t place) { return static_cast<char>('a' + place % 23); }

enum class State : std::uint8_t { idle, connecting, connected, done };

struct Peer {
    int fd = -1;
    State state = State::idle;
    Manner manner = Manner::is_silent;
    bool served = false;
    bool greeted = false;  // has read the server's greeting
    bool ended_sending = false;
    bool asked = false;
    bool eager = false;
    std::uint32_t sent = 0;
    std::uint32_t received = 0;  // without the greeting
    std::uint32_t resets_at = 0;
    std::uint32_t flood = 0;
};

class Crowd {
public:
    explicit Crowd(int control) : control_(control), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        watch(control_, EPOLLIN, all_of_them);
    }

    int run() {
        for (;;) {
            connect_some();
            std::array<::epoll_event, 256> events;
            const bool can_end = ending_ && done_ == peers_.size() && !peers_.empty();
            if (can_end) return tell_ends();
            const int limit = eager_.empty() ? 1000 : 0;  // milliseconds
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), limit);
            quiet_ = count == 0 && limit != 0 && order_ && (ending_ || !told_) ? quiet_ + 1 : 0;
            if (quiet_ == patience) return give_up();
            for (int i = 0; i < count; ++i) {
                const ::epoll_event& event = events[static_cast<std::size_t>(i)];
                if (event.data.u32 == all_of_them) {
                    if (!listen_to_control()) return 0;
                } else {
                    happened(peers_[event.data.u32], event.events);
                }
            }
            for (std::size_t turns = std::min<std::size_t>(eager_.size(), 500); turns != 0; --turns) {
                Peer& peer = peers_[eager_.front()];
                eager_.pop_front();
                peer.eager = false;
                if (wants_to_send(peer)) send_some(peer);
                look_at(peer);
            }
            if (ending_ && count < static_cast<int>(events.size())) ask_all();
            if (!told_ && order_ && reached_ >= order_->tell_at) told_ = true, tell(control_, Word::reached);
        }
    }

private:
    static constexpr std::uint32_t all_of_them = ~std::uint32_t{0};

    void watch(int fd, std::uint32_t what, std::uint32_t name) {
        ::epoll_event event{.events = what, .data = {.u32 = name}};
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0 && ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0)
            std::perror("load: epoll_ctl, of a peer"), std::exit(4);
    }
    std::uint32_t name_of(const Peer& peer) const { return static_cast<std::uint32_t>(&peer - peers_.data()); }
    std::uint64_t random() { return (random_ = random_ * 6364136223846793005u + 1442695040888963407u) >> 33; }

    bool listen_to_control() {
        Word word{};
        if (::recv(control_, &word, sizeof word, 0) != sizeof word) return false;
        if (word == Word::ping) tell(control_, Word::pong);
        if (word == Word::begin) begin(receive<Order>(control_));
        if (word == Word::end) ending_ = true;
        return true;
    }

    void begin(const Order& order) {
        order_ = order;
        random_ = order.seed;
        peers_.resize(order.peers);
        std::vector<Manner> manners;
        for (std::uint32_t i = 0; i < 8; ++i)
            if (order.manners & (1u << i)) manners.push_back(static_cast<Manner>(i));
        for (Peer& peer : peers_) {
            peer.manner = manners[random() % manners.size()];
            peer.flood = random() % 64 == 0 ? great_flood : flood;
            peer.resets_at = static_cast<std::uint32_t>(random() % (message * 3));
        }
    }

    // Those who wait for the server are not many at a time: a full backlog would make the others wait for a second.
    void connect_some() {
        if (!order_) return;
        while (begun_ < peers_.size() && waiting_ < order_->at_once) {
            Peer& peer = peers_[begun_++];
            peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (peer.fd < 0) std::perror("load: socket, of a peer"), std::exit(4);
            const int small = 1 << 14;
            if (peer.manner == Manner::never_reads) ::setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
            const int at_once = 1;
            ::setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
            ++waiting_;
            ::sockaddr_in to{};
            to.sin_family = AF_INET;
            const auto ports =
                static_cast<std::size_t>(std::ranges::count_if(order_->ports, [](auto port) { return port != 0; }));
            to.sin_port = htons(order_->ports[begun_ % ports]);
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            peer.state = State::connecting;
            const int result = ::connect(peer.fd, reinterpret_cast<::sockaddr*>(&to), sizeof to);
            if (result != 0 && errno != EINPROGRESS) {
                finish(peer, ends_.refused);
                continue;
            }
            watch(peer.fd, EPOLLOUT | EPOLLRDHUP, name_of(peer));
        }
    }

    void happened(Peer& peer, std::uint32_t events) {
        if (peer.state == State::done) return;
        if (peer.state == State::connecting) {
            int error = 0;
            ::socklen_t size = sizeof error;
            ::getsockopt(peer.fd, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) return finish(peer, ends_.refused);
            if ((events & EPOLLOUT) == 0) return;
            peer.state = State::connected;
            const bool reads = peer.manner != Manner::never_reads;
            watch(peer.fd, EPOLLRDHUP | (reads ? EPOLLIN : 0u), name_of(peer));
            if (!reads) serve(peer);
        }
        if (peer.manner != Manner::never_reads) return read_all(peer);
        if (events & EPOLLERR) return finish(peer, ends_.rst);
        if (events & (EPOLLRDHUP | EPOLLHUP)) finish(peer, ends_.fin);
    }

    void read_all(Peer& peer) {
        std::array<char, 4096> bytes;
        for (int turns = 0; turns < 16; ++turns) {
            const ::ssize_t got = ::recv(peer.fd, bytes.data(), bytes.size(), 0);
            if (got < 0 && errno == EAGAIN) return;
            if (got == 0) return finish(peer, ends_.fin);
            if (got < 0) return finish(peer, ends_.rst);
            const std::size_t greeting = std::exchange(peer.greeted, true) ? 0 : 1;
            serve(peer);
            for (std::size_t i = greeting; i < static_cast<std::size_t>(got); ++i) {
                if (bytes[i] != byte_at(peer.received) || peer.received >= peer.sent) ++ends_.wrong;
                ++peer.received;
            }
            look_at(peer);
        }
    }

    void serve(Peer& peer) {
        if (std::exchange(peer.served, true)) return;
        ++ends_.served;
        ++reached_;
        --waiting_;
        look_at(peer);
    }

    bool wants_to_send(const Peer& peer) const {
        if (peer.state != State::connected || !peer.served || peer.ended_sending) return false;
        switch (peer.manner) {
            case Manner::echoes:
            case Manner::fragments:
                return peer.sent < echoes * message && peer.received / message == peer.sent / message;
            case Manner::stalls: return peer.sent < message / 2;
            case Manner::half_closes: return true;
            case Manner::resets: return true;
            case Manner::floods:
            case Manner::never_reads: return peer.sent < peer.flood;
            case Manner::is_silent: return false;
        }
        return false;
    }
    void look_at(Peer& peer) {
        if (peer.eager || !wants_to_send(peer)) return;
        peer.eager = true;
        eager_.push_back(name_of(peer));
    }

    void send_some(Peer& peer) {
        std::uint32_t size = message - peer.sent % message;
        switch (peer.manner) {
            case Manner::fragments: size = 1; break;
            case Manner::stalls: size = message / 2 - peer.sent; break;
            case Manner::resets: size = std::min(size, peer.resets_at - peer.sent); break;
            case Manner::floods:
            case Manner::never_reads: size = std::min(peer.flood - peer.sent, 4096u); break;
            case Manner::echoes:
            case Manner::half_closes:
            case Manner::is_silent: break;
        }
        std::array<char, 4096> bytes;
        for (std::uint32_t i = 0; i < size; ++i) bytes[i] = byte_at(peer.sent + i);
        const ::ssize_t sent = ::send(peer.fd, bytes.data(), size, MSG_NOSIGNAL);
        if (sent > 0) peer.sent += static_cast<std::uint32_t>(sent);
        // It is full: this peer has sent what went. An error is seen when it reads.
        if (sent < 0) peer.ended_sending = true;
        if (peer.manner == Manner::half_closes && peer.sent >= message) {
            ::shutdown(peer.fd, SHUT_WR);
            peer.ended_sending = true;
        }
        if (peer.manner == Manner::resets && peer.sent >= peer.resets_at) {
            const ::linger at_once{1, 0};
            ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            finish(peer, ends_.left);
        }
    }

    void finish(Peer& peer, std::uint32_t& how) {
        ++how;
        if (peer.asked && &how != &ends_.left) ++ends_.asked;
        if (!peer.served) --waiting_, ++reached_;
        ++done_;
        ::close(std::exchange(peer.fd, -1));
        peer.state = State::done;
    }
    void ask_all() {
        // Those who have not begun would be refused.
        for (; begun_ < peers_.size(); ++begun_) ++waiting_, finish(peers_[begun_], ends_.refused);
        for (Peer& peer : peers_) {
            if (peer.state != State::connected || peer.asked) continue;
            peer.asked = true;
            // What it has not read may stand before the end, and leave no room for it.
            if (peer.manner == Manner::never_reads) {
                peer.manner = Manner::floods;
                watch(peer.fd, EPOLLIN | EPOLLRDHUP, name_of(peer));
            }
            read_all(peer);
            if (peer.state == State::done) continue;
            if (::send(peer.fd, "?", 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN) finish(peer, ends_.rst);
        }
    }

    int tell_ends() const {
        tell(control_, Word::ended);
        send_all(control_, ends_);
        return 0;
    }
    int give_up() {
        for (Peer& peer : peers_)
            if (peer.state != State::done) finish(peer, ends_.unanswered);
        if (!told_) tell(control_, Word::reached);
        while (!ending_ && listen_to_control()) {}
        return tell_ends();
    }

    const int control_;
    const int epoll_;
    std::optional<Order> order_;
    std::vector<Peer> peers_;
    std::size_t begun_ = 0;
    std::uint32_t waiting_ = 0;  // begun, and neither served nor done
    std::size_t done_ = 0;
    std::size_t reached_ = 0;          // served or done
    std::deque<std::uint32_t> eager_;  // want to send
    int quiet_ = 0;                    // looks
    bool told_ = false;
    bool ending_ = false;
    std::uint64_t random_ = 0;
    Ends ends_;
};

}  // namespace

int Peers::main() { return Crowd(0).run(); }

}  // namespace stress
