// What properties share: a peer that speaks to a server over plain sockets, and the counting of lives. Over the platform only,
// so in either world.
//
// Threads: a Peer belongs to one thread; a Census to all.
// Invariants:
//   1. A peer's calls block, and go on after EINTR and after what passes. What they return is the call's last word.
//   2. A peer that is destroyed closes its socket.
#pragma once
#include <acairo/acairo.hpp>
#include <acairo/property.hpp>
#include <charconv>
#include <cstring>
#include <functional>

namespace property {

using acairo::platform;
using acairo::Task;
using acairo::Trial;

// The simulator's addresses and Linux's are the same structure.
inline platform::address loopback(std::string_view address) {
    std::uint16_t port = 0;
    std::from_chars(address.data() + address.rfind(':') + 1, address.data() + address.size(), port);
    platform::address to;
    auto& v4 = reinterpret_cast<::sockaddr_in&>(to.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.length = sizeof v4;
    return to;
}

inline bool passes(std::ptrdiff_t result) { return result == -EINTR || result == -ENOBUFS || result == -ENOMEM; }

class Peer {
public:
    Peer() = default;
    // Connected, or not: see connected().
    explicit Peer(const std::string& address) {
        platform::address to = loopback(address);
        fd_ = platform::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd_ < 0) return;
        int result = platform::connect(fd_, to);
        // Interrupted, it goes on: a second call tells how it ended.
        while (result == -EINTR || result == -EALREADY || result == -EINPROGRESS) result = platform::connect(fd_, to);
        if (result < 0 && result != -EISCONN) close();
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() { close(); }

    bool connected() const noexcept { return fd_ >= 0; }
    void close() noexcept {
        if (fd_ >= 0) platform::close(std::exchange(fd_, -1));
    }
    void end_sending() const noexcept { platform::shutdown(fd_, SHUT_WR); }

    // How many of the bytes were sent before an error.
    std::size_t send(std::string_view bytes) const noexcept {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const std::ptrdiff_t result = platform::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (passes(result)) continue;
            if (result <= 0) break;
            sent += static_cast<std::size_t>(result);
        }
        return sent;
    }
    // A byte beside the stream: see MSG_OOB in tcp(7).
    void send_urgent(char byte) const noexcept {
        std::ptrdiff_t result = -EINTR;
        while (passes(result)) result = platform::send(fd_, &byte, 1, MSG_NOSIGNAL | MSG_OOB);
    }
    // At most `size` bytes, all of them unless the stream ended before.
    std::string receive(std::size_t size) {
        std::string bytes(size, '\0');
        std::size_t got = 0;
        while (got < size) {
            const std::ptrdiff_t result = platform::recv(fd_, bytes.data() + got, size - got, 0);
            if (passes(result)) continue;
            end_ = result;
            if (result <= 0) break;
            got += static_cast<std::size_t>(result);
        }
        bytes.resize(got);
        return bytes;
    }
    // The next byte, or '\0'. Allocates nothing.
    char receive_byte() noexcept {
        char byte = '\0';
        std::ptrdiff_t result = -EINTR;
        while (passes(result)) result = platform::recv(fd_, &byte, 1, 0);
        end_ = result;
        return result == 1 ? byte : '\0';
    }
    // Everything until the end of the stream. end(): 0, or the error.
    std::string receive_all() {
        std::string all;
        std::string piece;
        do {
            piece = receive(64);
            all += piece;
        } while (piece.size() == 64);
        return all;
    }
    std::ptrdiff_t end() const noexcept { return end_; }

private:
    int fd_ = -1;
    std::ptrdiff_t end_ = 1;
};

// `size` bytes that tell their place.
inline std::string pattern(std::size_t size, std::size_t from = 0) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (from + i) % 23);
    return bytes;
}

inline std::string text_of(const std::vector<char>& bytes) { return {bytes.begin(), bytes.end()}; }

// All of the bytes, cut as is chosen.
inline void send_in_pieces(Trial& trial, Peer& peer, std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t size = bytes.size() - trial.below(bytes.size());
        trial.require(peer.send(bytes.substr(0, size)) == size, "a peer that is there takes all bytes");
        bytes.remove_prefix(size);
    }
}

// Other threads may go on meanwhile, so often.
inline void linger(std::uint64_t steps) {
    platform::atomic<std::uint64_t> spent{0};
    while (steps-- != 0) spent.fetch_add(1, std::memory_order_relaxed);
}

// Counts who lives. Each life is counted twice at its end: a second end makes the count wrong, too.
class Census {
public:
    std::uint64_t alive() const noexcept { return alive_.load(std::memory_order_acquire); }
    bool empty() const noexcept { return alive() == 0; }
    class Life {
    public:
        explicit Life(Census& census) noexcept : census_(&census) {
            census_->alive_.fetch_add(1, std::memory_order_relaxed);
        }
        Life(Life&& other) noexcept : Life(*other.census_) {}
        Life(const Life& other) noexcept : Life(*other.census_) {}
        Life& operator=(const Life&) = delete;
        ~Life() { census_->alive_.fetch_sub(1, std::memory_order_acq_rel); }

    private:
        Census* census_;
    };

private:
    platform::atomic<std::uint64_t> alive_{0};
};

// What somebody writes before something that orders it, and somebody else looks at behind that.
class Written {
public:
    void write() noexcept {
        plain_ = 1;
        word_.store(1, std::memory_order_relaxed);
    }
    void require_seen(Trial& trial) const {
        trial.require(word_.load(std::memory_order_relaxed) == 1, "what was written before is seen");
        trial.require(plain_ == 1, "and so is memory that is not atomic");
    }

private:
    int plain_ = 0;                  // the thread sanitizer sees who reads it without an order
    platform::atomic<int> word_{0};  // and weak memory shows an older one
};

inline Task<void> echo(std::shared_ptr<acairo::TCPStream> stream) {
    std::array<char, 16> buffer{};
    while (const std::size_t size = co_await stream->read_some(buffer)) {
        co_await stream->write_all(std::span<const char>(buffer).first(size));
    }
}

// Accepts for ever; each connection is handled by `handler`, or closed where there is no memory for that.
inline Task<void> accept_all(acairo::Executor& executor, acairo::TCPListener& listener,
                             Task<void> (*handler)(std::shared_ptr<acairo::TCPStream>)) {
    try {
        for (;;) {
            try {
                executor.spawn(std::bind(handler, co_await listener.accept()));
            } catch (const std::bad_alloc&) {}
        }
    } catch (const acairo::TCPListenerStoppedError&) {}
}

inline void quiet(std::exception_ptr) {}

// A server on a port of its own, with `handler` for each connection.
struct Server {
    explicit Server(int workers, Task<void> (*handler)(std::shared_ptr<acairo::TCPStream>) = echo,
                    acairo::TCPListenerConfiguration configuration = {})
        : executor(std::make_shared<acairo::Executor>(
              acairo::ExecutorConfiguration{.workers = workers, .on_unhandled = quiet})),
          listener(std::make_unique<acairo::TCPListener>(configuration, executor)) {
        listener->bind("127.0.0.1:0");
        listener->listen();
        address = listener->local_address();
        // Made here: the constructor hears of a frame for which there is no memory.
        executor->spawn(
            [accepting = accept_all(*executor, *listener, handler)]() mutable { return std::move(accepting); });
    }
    // The tasks end before what they use.
    ~Server() { executor.reset(); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::shared_ptr<acairo::Executor> executor;
    std::unique_ptr<acairo::TCPListener> listener;
    std::string address;
};

// A listening socket on a port of its own, and nobody who accepts.
struct Listening {
    explicit Listening(int workers, acairo::TCPListenerConfiguration configuration = {}, int budget = 64)
        : executor(std::make_shared<acairo::Executor>(
              acairo::ExecutorConfiguration{.workers = workers, .budget = budget, .on_unhandled = quiet})),
          listener(configuration, executor) {
        listener.bind("127.0.0.1:0");
        listener.listen();
    }
    // The tasks end before what they use.
    ~Listening() { executor.reset(); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    std::shared_ptr<acairo::TCPStream> accept() const {
        return executor->sync_wait(
            [this]() -> Task<std::shared_ptr<acairo::TCPStream>> { co_return co_await listener.accept(); });
    }

    std::shared_ptr<acairo::Executor> executor;
    acairo::TCPListener listener;
};

// An accepted stream, and the peer at its other end.
struct Pair : Listening {
    explicit Pair(Trial& trial, int workers = 1, acairo::TCPStreamConfiguration configuration = {}, int budget = 64)
        : Listening(workers, {.stream = configuration}, budget), peer(listener.local_address()) {
        trial.require(peer.connected(), "a listening server is connected to");
        stream = accept();
    }
    Peer peer;
    std::shared_ptr<acairo::TCPStream> stream;
};

}  // namespace property
