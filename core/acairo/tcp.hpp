// TCPStream: a connected socket; TCPListener: a socket that accepts connections.
//
// Threads, of a stream: operations are awaited on a worker of the stream's executor and resume there. One reader and one
// writer may wait at once, on different workers. close(), shutdown() and the addresses may be called from any thread. The
// stream must outlive its operations. Of a listener: bind() and listen() on one thread, before the first accept(); accept()
// is awaited on a worker of the listener's executor and resumes there, one at a time; stop() from any thread, and
// local_address(), too, while neither bind() nor listen() is running. A listener that is destroyed is stopped.
#pragma once
#include <acairo/operations.hpp>

namespace acairo::inline ACAIRO_WORLD {

// A connected socket.
class TCPStream : detail::Stream {
public:
    // A connection to `address`, a text as for TCPListener::bind. Throws std::invalid_argument at once when it is none.
    // Awaited, resumes on the task's worker and throws std::system_error (socket, connect, ...), Cancelled,
    // std::bad_alloc, and TimedOut after the configuration's write_timeout.
    static detail::Connect connect(const std::shared_ptr<Executor>& executor, const std::string& address,
                                   TCPStreamConfiguration configuration = {}) {
        const platform::address peer = detail::parse_address(address);
        auto made = std::make_shared<TCPStream>(std::make_shared<detail::Endpoint>(executor->state_, configuration));
        return {*made, std::move(made), peer};
    }

    // Exactly `size` bytes. Throws EndOfStream, with what came before, when the peer ended the stream; Cancelled,
    // TimedOut, std::system_error (recv, epoll_ctl), std::bad_alloc: then the bytes that had arrived stay in the stream,
    // and the next read delivers them first. A reset is never told as a clean end: reads give its error, unless the peer had
    // ended the stream before it.
    // After close(): std::system_error (bad_file_descriptor). While another read waits: std::logic_error.
    detail::ReadExactly read(std::size_t size) noexcept { return {*this, size}; }
    // Between 1 and `to.size()` bytes, as soon as there are any; 0: the peer ended the stream, or `to` is empty. `to` must
    // live until then. Throws as read(), but no EndOfStream.
    detail::ReadSome read_some(std::span<char> to) noexcept { return {*this, to}; }
    // All of the bytes. Throws Cancelled, TimedOut, std::system_error (send, epoll_ctl): bytes_sent() tells how many
    // were sent. Never SIGPIPE. After close() and while another write waits: as read().
    detail::WriteVector write(std::vector<char> from) noexcept { return {*this, std::move(from)}; }
    // As write(); `from` must live until then.
    detail::WriteAll write_all(std::span<const char> from) noexcept { return {*this, from}; }

    // Ends the sending direction: the peer reads what was sent and then the end of stream. Throws std::system_error
    // (shutdown; bad_file_descriptor after close()). That the peer has already reset the connection is no error.
    void shutdown() {
        const Use use(*this);
        const int result = use ? platform::shutdown(use.fd, SHUT_WR) : -EBADF;
        if (result != -ENOTCONN) detail::succeed(result, "shutdown");
    }
    // Closes the descriptor. Operations that wait complete with Cancelled. Any thread, any number of times; the stream must
    // live until it returns: who calls it on another thread than the stream's tasks has a shared_ptr of its own.
    void close() noexcept {
        if (Socket::close() && opened()) endpoint->leave();
    }

    // "127.0.0.1:8080", "[::1]:8080". Throws std::system_error (getsockname).
    std::string local_address() const { return address_by(platform::getsockname, "getsockname"); }
    // The same of the other end. Throws std::system_error (getpeername).
    std::string peer_address() const { return address_by(platform::getpeername, "getpeername"); }
    // How many bytes the kernel has taken. Exact when no write is in progress.
    std::uint64_t bytes_sent() const noexcept { return Stream::bytes_sent.load(std::memory_order_relaxed); }

    using Stream::Stream;
    ~TCPStream() { close(); }

    friend detail::Accept;
};

namespace detail {

struct [[nodiscard]] Accept final : Operation {
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
    explicit Accept(std::shared_ptr<Endpoint> at) noexcept : Operation(&at->listener), endpoint(std::move(at)) {}
    bool await_ready(Chain* awaited_in = nullptr) {
        if (!endpoint->listening && !socket->closed()) misuse("accept() before listen(); call that first");
        try {
            return Operation::await_ready(awaited_in);
        } catch (const std::system_error&) { throw TCPListenerStoppedError(); }
    }
    std::shared_ptr<TCPStream> await_resume() {
        if (outcome == Outcome::cancelled && socket->closed()) throw TCPListenerStoppedError();
        rethrow();
        return std::move(stream);
    }
    void attempt(int listening) noexcept override {
        Registration* const place = chain->registration();
        if (!place && !is_one_of(error, shortages)) return;
        try {
            if (!stream) stream = std::make_shared<TCPStream>(endpoint);
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
            if (is_one_of(fd, shortages)) return pause(place);
            place->readable = fd != -EAGAIN;
            if (place->readable && !is_one_of(fd, passing)) return fail(fd, Call::accept4);
            if (place->readable && chain->yields()) return;
        }
        chain->park(place);
    }
    Outcome expired() const noexcept override { return Outcome::pending; }
    // Waits for the timer, and not for ever.
    void pause(Registration* place) noexcept {
        outcome = Outcome::pending;
        if (!chain->armed()) chain->arm(chain->worker->timers, deadline_after(shortage_pause));
        chain->park(place);
    }

    const std::shared_ptr<Endpoint> endpoint;
    // Made before the connection is accepted: when there is no memory, the connection stays in the backlog.
    std::shared_ptr<TCPStream> stream;
};

}  // namespace detail

// What holds for a listener and the streams that it accepts.
struct TCPListenerConfiguration {
    // For each accepted stream.
    TCPStreamConfiguration stream{};
    // Connections that may wait to be accepted, see listen(2); at least 1.
    int backlog = 4096;
    // Open streams of this listener; accept() pauses when there are as many. 0: no limit but that of the process.
    int maximum_connections = 0;
};
static_assert(std::is_trivially_destructible_v<TCPListenerConfiguration>);

// A socket that accepts connections.
class TCPListener : detail::Pinned {
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
    detail::Accept accept() const { return detail::Accept(shared_); }

    // The address that it is bound to, with the port that the kernel chose. Throws std::system_error (getsockname).
    std::string local_address() const { return shared_->listener.address_by(platform::getsockname, "getsockname"); }
    // Closes the socket; a waiting accept() ends with TCPListenerStoppedError. Any thread, any number of times.
    // With its own reference: a task that it ends may own this listener.
    void stop() noexcept { std::shared_ptr(shared_)->listener.close(); }

private:
    const int backlog_;
    const std::shared_ptr<detail::Endpoint> shared_;
};

}  // namespace acairo::inline ACAIRO_WORLD
