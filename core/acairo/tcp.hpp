// TCPStream: a connected socket; TCPListener: a socket that accepts connections. Each operation is an awaitable without a
// frame of its own.
//
// Threads, of a stream: operations are awaited on a worker of the stream's executor and resume there. One reader and one
// writer may wait at once, on different workers. close(), shutdown() and the addresses may be called from any thread. The
// stream must outlive its operations. Of a listener: bind() and listen() on one thread, before the first accept(); accept()
// is awaited on a worker of the listener's executor and resumes there, one at a time; stop() and local_address() from any
// thread. A listener that is destroyed is stopped.
// Invariants:
//   1. pending_ holds bytes that a read(n) received and did not deliver; the next read delivers them first. It belongs to
//      whoever has claimed the read direction.
//   2. bytes_sent_ counts what the kernel took, whatever became of the operation that sent it.
#pragma once
#include <acairo/executor.hpp>
#include <span>

namespace acairo::inline ACAIRO_WORLD {

class TCPStream : detail::Socket {
    struct Key {};
    struct Connect;
    struct Transfer;
    struct ReadExactly;
    struct ReadSome;
    struct WriteAll;
    struct WriteVector;

public:
    // A connection to `address`, a text as for TCPListener::bind. Throws std::invalid_argument at once when it is none.
    // Awaited, resumes on the task's worker and throws std::system_error (socket, connect, ...), Cancelled,
    // std::bad_alloc, and TimedOut after the configuration's write_timeout.
    static Connect connect(const std::shared_ptr<Executor>& executor, const std::string& address,
                           TCPStreamConfiguration configuration = {});

    // Exactly `size` bytes. Throws EndOfStream, with what came before, when the peer ended the stream; Cancelled,
    // TimedOut, std::system_error (recv, epoll_ctl), std::bad_alloc: then the bytes that had arrived stay in the stream,
    // and the next read delivers them first. After a reset, reads give its error and never a clean end.
    // After close(): std::system_error (bad_file_descriptor). While another read waits: std::logic_error.
    ReadExactly read(std::size_t size) noexcept;
    // Between 1 and `to.size()` bytes, as soon as there are any; 0: the peer ended the stream, or `to` is empty. `to` must
    // live until then. Throws as read(), but no EndOfStream.
    ReadSome read_some(std::span<char> to) noexcept;
    // All of the bytes. Throws Cancelled, TimedOut, std::system_error (send, epoll_ctl): bytes_sent() tells how many
    // were sent. Never SIGPIPE. After close() and while another write waits: as read().
    WriteVector write(std::vector<char> from) noexcept;
    // As write(); `from` must live until then.
    WriteAll write_all(std::span<const char> from) noexcept;

    // Ends the sending direction: the peer reads what was sent and then the end of stream. Throws std::system_error
    // (shutdown; bad_file_descriptor after close()). That the peer has already reset the connection is no error.
    void shutdown() {
        const Use use(*this);
        const int result = use ? platform::shutdown(use.fd, SHUT_WR) : -EBADF;
        if (result != -ENOTCONN) detail::succeed(result, "shutdown");
    }
    // Closes the descriptor. Operations that wait complete with Cancelled. Any thread, any number of times.
    void close() noexcept {
        if (Socket::close() && opened()) endpoint_->leave();
    }

    // "127.0.0.1:8080", "[::1]:8080". Throw std::system_error (getsockname, getpeername).
    std::string local_address() const { return address_by(platform::getsockname, "getsockname"); }
    std::string peer_address() const { return address_by(platform::getpeername, "getpeername"); }
    // How many bytes the kernel has taken. Exact when no write is in progress.
    std::uint64_t bytes_sent() const noexcept { return bytes_sent_.load(std::memory_order_relaxed); }

    TCPStream(Key, std::shared_ptr<detail::Endpoint> its_endpoint) noexcept
        : Socket(*its_endpoint), endpoint_(std::move(its_endpoint)) {}
    ~TCPStream() { close(); }

private:
    friend class TCPListener;
    // Nothing is gained by more in one call, and no size overflows on its way through the kernel.
    static constexpr std::size_t largest_transfer = std::size_t{1} << 30;
    // read(n) makes room as bytes arrive: n may be what a peer claims, and may be more than there is memory.
    static constexpr std::size_t largest_growth = std::size_t{1} << 16;
    // How many bytes were moved from pending_.
    std::ptrdiff_t take_pending(std::span<char> to) noexcept {
        const auto size = static_cast<std::ptrdiff_t>(std::min(to.size(), pending_.size()));
        std::copy_n(pending_.begin(), size, to.begin());
        pending_.erase(pending_.begin(), pending_.begin() + size);
        return size;
    }

    std::vector<char> pending_;
    platform::atomic<std::uint64_t> bytes_sent_{0};
    // The error that broke the connection, -errno: the kernel reports it once, and an end of stream afterwards.
    platform::atomic<std::int32_t> broken_{0};
    const std::shared_ptr<detail::Endpoint> endpoint_;
};

// A read or a write.
struct TCPStream::Transfer : detail::Operation {
    Transfer(const char* its_name, TCPStream& its_stream, detail::Direction way = detail::Direction::read) noexcept
        : Operation(its_name, &its_stream, way) {}
    TCPStream& stream() const noexcept { return static_cast<TCPStream&>(*socket); }
    // This worker's registration, when the socket may have something to read. Null: the operation waits, or has failed.
    detail::Registration* readable() noexcept {
        detail::Registration* const place = chain->registration();
        return !place || place->readable ? place : (chain->wait(*place), nullptr);
    }
    // One recv(2); EINTR is repeated. What it shows of the socket's readiness is noted in `place`. Negative: the operation
    // waits, or has failed.
    std::ptrdiff_t receive(int fd, detail::Registration& place, std::span<char> to) noexcept {
        const std::size_t size = std::min(to.size(), largest_transfer);
        std::ptrdiff_t result = -EINTR;
        while (result == -EINTR) result = platform::recv(fd, to.data(), size, 0);
        // A short read shows that the socket is empty: the next one waits without trying.
        const bool is_short = result > 0 && static_cast<std::size_t>(result) < size && !place.sticky;
        if (is_short || result == -EAGAIN) place.readable = false;
        if (result == 0) result = stream().broken_.load(std::memory_order_relaxed);
        if (result < 0) wait_or_break(result, "recv");
        return result;
    }
    // After a system call has given an error.
    void wait_or_break(std::ptrdiff_t result, const char* call) noexcept {
        const bool passes = result == -EAGAIN || result == -ENOMEM || result == -ENOBUFS || result == -EPERM;
        // Told to the writer, it is not told again: without this, a read would see a clean end of stream.
        if (!passes && (result != -EPIPE || direction == detail::Direction::read))
            stream().broken_.store(static_cast<std::int32_t>(result), std::memory_order_relaxed);
        chain->wait_or_fail(result, call);
    }
};

struct [[nodiscard]] TCPStream::ReadSome final : Transfer {
    ReadSome(TCPStream& its_stream, std::span<char> its_to) noexcept : Transfer("read_some", its_stream), to(its_to) {}
    std::size_t await_resume() const { return rethrow(), static_cast<std::size_t>(received); }
    void attempt(int fd) noexcept override {
        received = stream().take_pending(to);
        if (received != 0 || to.empty()) return complete();
        detail::Registration* const place = readable();
        if (place) received = receive(fd, *place, to);
        if (place && received >= 0) complete();
    }
    const std::span<char> to;
    std::ptrdiff_t received = 0;
};

struct [[nodiscard]] TCPStream::ReadExactly final : Transfer {
    ReadExactly(TCPStream& its_stream, std::size_t its_size) noexcept : Transfer("read", its_stream), size(its_size) {}
    std::vector<char> await_resume() {
        rethrow();
        if (before_end) throw EndOfStream(std::move(before_end));
        return std::move(received);
    }
    void attempt(int fd) noexcept override try {
        std::vector<char>& pending = stream().pending_;
        while (pending.size() < size) {
            detail::Registration* const place = readable();
            if (!place) return;
            const std::size_t before = pending.size();
            pending.resize(before + std::min(size - before, largest_growth));
            const std::ptrdiff_t result = receive(fd, *place, std::span(pending).subspan(before));
            pending.resize(before + static_cast<std::size_t>(std::max<std::ptrdiff_t>(result, 0)));
            if (result < 0) return;
            if (result > 0) continue;
            before_end = std::make_shared<const std::vector<char>>(std::move(pending));
            return complete();
        }
        // While the direction is still claimed: without this, another reader could take the bytes first.
        if (pending.size() == size) return received.swap(pending), complete();
        received.resize(size);
        stream().take_pending(received);
        complete();
    } catch (const std::bad_alloc&) { outcome = Outcome::no_memory; }
    const std::size_t size;
    std::vector<char> received;
    std::shared_ptr<const std::vector<char>> before_end;
};

struct [[nodiscard]] TCPStream::WriteAll : Transfer {
    WriteAll(TCPStream& its_stream, std::span<const char> from) noexcept
        : Transfer("write", its_stream, detail::Direction::write), rest(from) {}
    void await_resume() const { rethrow(); }
    void attempt(int fd) noexcept override {
        while (!rest.empty()) {
            const std::size_t size = std::min(rest.size(), largest_transfer);
            std::ptrdiff_t result = -EINTR;
            while (result == -EINTR) result = platform::send(fd, rest.data(), size, MSG_NOSIGNAL);
            if (result < 0) return wait_or_break(result, "send");
            rest = rest.subspan(static_cast<std::size_t>(result));
            // No read-modify-write: only the one writer counts.
            const std::uint64_t sent = stream().bytes_sent() + static_cast<std::uint64_t>(result);
            stream().bytes_sent_.store(sent, std::memory_order_relaxed);
        }
        complete();
    }
    std::span<const char> rest;
};

// Owns what it writes. The base's span survives moving the vector: a vector's elements do not move with it.
struct [[nodiscard]] TCPStream::WriteVector final : WriteAll {
    WriteVector(TCPStream& its_stream, std::vector<char> from) noexcept
        : WriteAll(its_stream, from), buffer(std::move(from)) {}
    const std::vector<char> buffer;
};

struct [[nodiscard]] TCPStream::Connect final : Transfer {
    Connect(std::shared_ptr<TCPStream> its_stream, const platform::address& its_peer) noexcept
        : Transfer("connect", *its_stream, detail::Direction::write), made(std::move(its_stream)), peer(its_peer) {}
    std::shared_ptr<TCPStream> await_resume() {
        rethrow(outcome == Outcome::failed ? detail::to_text(peer) : std::string());
        return std::move(made);
    }
    void attempt(int fd) noexcept override {
        const int result = fd < 0 ? start() : progress(fd);
        result == -EINPROGRESS ? chain->wait_or_fail(-EAGAIN, name) : result < 0 ? fail(result, name) : complete();
    }
    int start() noexcept {
        name = "socket to ";
        const int fd = platform::socket(peer.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) return fd;
        made->open(fd);
        name = "setsockopt TCP_NODELAY to ";
        int result = platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, socket->endpoint.configuration.no_delay);
        if (result < 0) return result;
        name = "connect to ";
        result = platform::connect(fd, peer);
        // After EINTR the attempt goes on; a second call would be another one.
        return result == -EINTR ? -EINPROGRESS : result;
    }
    static int progress(int fd) noexcept {
        int error = 0;
        const int asked = platform::getsockopt(fd, SOL_SOCKET, SO_ERROR, error);
        if (asked < 0 || error != 0) return std::min(asked, -error);
        // No error yet is not success: readiness may have been reported for something else.
        platform::address connected;
        const int result = platform::getpeername(fd, connected);
        return result == -ENOTCONN ? -EINPROGRESS : result;
    }
    std::shared_ptr<TCPStream> made;
    platform::address peer;
};

struct TCPListenerConfiguration {
    // For each accepted stream.
    TCPStreamConfiguration stream{};
    // Connections that may wait to be accepted, see listen(2); at least 1.
    int backlog = 4096;
    // Open streams of this listener; accept() pauses when there are as many. 0: no limit but that of the process.
    int maximum_connections = 0;
};
static_assert(std::is_trivially_destructible_v<TCPListenerConfiguration>);

class TCPListener : detail::Pinned {
    struct Accept;

public:
    // Throws std::invalid_argument for a configuration that cannot be.
    TCPListener(TCPListenerConfiguration configuration, const std::shared_ptr<Executor>& executor);
    ~TCPListener() { stop(); }

    // "127.0.0.1:8080" or "[::1]:8080"; port 0: one that is free, see local_address(). Throws std::invalid_argument when
    // it is no address, std::system_error when it cannot be had (the listener is as before, and may be bound again),
    // std::logic_error when it is bound already, TCPListenerStoppedError after stop().
    void bind(const std::string& address);
    // Connections may come from now on. Throws std::system_error; std::logic_error before bind().
    void listen();

    // The next connection. Dead connections are skipped; when descriptors or memory are short, or maximum_connections are
    // open, it pauses and goes on: none of that ends it. Throws TCPListenerStoppedError, Cancelled; std::system_error
    // (accept4, epoll_ctl) for what cannot pass; std::logic_error before listen() and while another accept waits.
    Accept accept() const;

    // The address that it is bound to, with the port that the kernel chose. Throws std::system_error (getsockname).
    std::string local_address() const {
        return shared_->listener.address_by(platform::getsockname, "getsockname of a listener");
    }
    // Closes the socket; a waiting accept() ends with TCPListenerStoppedError. Any thread, any number of times.
    void stop() noexcept { shared_->listener.close(); }

private:
    const int backlog_;
    const std::shared_ptr<detail::Endpoint> shared_;
};

struct [[nodiscard]] TCPListener::Accept final : detail::Operation {
    // How long accept() waits when the system has no descriptor or memory left: long enough not to spin, short enough not to
    // be noticed.
    static constexpr std::chrono::milliseconds shortage_pause{50};
    static constexpr std::array shortages{EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
    // Of the one connection and not of the listener, see accept(2): it died in the backlog, a firewall refused it, its network
    // went away.
    static constexpr std::array passing{EINTR,     ECONNABORTED, EPERM,        ENETDOWN,   EPROTO,      ENOPROTOOPT,
                                        EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT};

    static bool is_one_of(int result, std::span<const int> errors) noexcept {
        return std::ranges::find(errors, -result) != errors.end();
    }
    explicit Accept(std::shared_ptr<detail::Endpoint> its_endpoint) noexcept
        : Operation("accept", &its_endpoint->listener), endpoint(std::move(its_endpoint)) {}
    bool await_ready() {
        if (!endpoint->listening && !socket->closed())
            detail::misuse("accept() before listen(); call bind() and listen() first");
        try {
            return Operation::await_ready();
        } catch (const std::system_error&) { throw TCPListenerStoppedError(); }
    }
    std::shared_ptr<TCPStream> await_resume() {
        if (outcome == Outcome::cancelled && socket->closed()) throw TCPListenerStoppedError();
        rethrow();
        return std::move(stream);
    }
    void attempt(int listening) noexcept override {
        detail::Registration* const place = chain->registration();
        if (!place && !is_one_of(error, shortages)) return fail(error, "epoll_ctl, for a listener");
        try {
            if (!stream) stream = std::make_shared<TCPStream>(TCPStream::Key{}, endpoint);
        } catch (const std::bad_alloc&) { return pause(place); }
        // Events that come in a pause do not end it.
        if (!place || chain->armed()) return pause(place);
        // After the registration, at which a stream that is closed tells this accept to try again.
        while (place->readable && !endpoint->full()) {
            const int fd = platform::accept4(listening, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0) {
                if (endpoint->maximum != 0) endpoint->connections.fetch_add(1, std::memory_order_relaxed);
                stream->open(fd);
                return complete();
            }
            if (fd == -EAGAIN) place->readable = false;
            if (is_one_of(fd, shortages)) return pause(place);
            if (fd != -EAGAIN && !is_one_of(fd, passing)) return fail(fd, "accept4");
            if (fd != -EAGAIN && chain->yields()) return;
        }
        chain->park(place);
    }
    Outcome expired() const noexcept override { return Outcome::pending; }
    // Waits for the timer, and not for ever.
    void pause(detail::Registration* place) noexcept {
        outcome = Outcome::pending;
        if (!chain->armed()) chain->arm(chain->worker->timers, detail::deadline_after(shortage_pause));
        chain->park(place);
    }

    const std::shared_ptr<detail::Endpoint> endpoint;
    // Made before the connection is accepted: when there is no memory, the connection stays in the backlog.
    std::shared_ptr<TCPStream> stream;
};

// Here, where they are complete.
inline auto TCPStream::connect(const std::shared_ptr<Executor>& executor, const std::string& address,
                               TCPStreamConfiguration configuration) -> Connect {
    const platform::address peer = detail::parse_address(address);
    auto endpoint = std::make_shared<detail::Endpoint>(executor->state_, configuration);
    return {std::make_shared<TCPStream>(Key{}, std::move(endpoint)), peer};
}
inline auto TCPStream::read(std::size_t size) noexcept -> ReadExactly { return {*this, size}; }
inline auto TCPStream::read_some(std::span<char> to) noexcept -> ReadSome { return {*this, to}; }
inline auto TCPStream::write(std::vector<char> from) noexcept -> WriteVector { return {*this, std::move(from)}; }
inline auto TCPStream::write_all(std::span<const char> from) noexcept -> WriteAll { return {*this, from}; }
inline auto TCPListener::accept() const -> Accept { return Accept(shared_); }

}  // namespace acairo::inline ACAIRO_WORLD
