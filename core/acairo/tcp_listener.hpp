// TCPListener: a socket that accepts connections.
//
// Threads: bind() and listen() on one thread, before the first accept(); accept() is awaited on a worker of the
// listener's executor and resumes there, one at a time; stop() and local_address() from any thread. A listener that is
// destroyed is stopped.
#pragma once
#include <acairo/tcp_stream.hpp>

namespace acairo::inline ACAIRO_WORLD {

struct TCPListenerConfiguration {
    // For each accepted stream.
    TCPStreamConfiguration stream{};
    // Connections that may wait to be accepted, see listen(2); at least 1.
    int backlog = 4096;
    // Open streams of this listener; accept() pauses when there are as many. 0: no limit but that of the process.
    int maximum_connections = 0;
};
static_assert(std::is_trivially_destructible_v<TCPListenerConfiguration>);

namespace detail {

// What a listener shares with its accept and its streams: the listener may go away before them.
struct ListenerState : Socket {
    ListenerState(const TCPListenerConfiguration& its_configuration, const std::shared_ptr<State>& its_state)
        : Socket(its_state), configuration(its_configuration) {}
    // A stream was closed. Any thread.
    void leave() noexcept;
    bool full() noexcept;

    const TCPListenerConfiguration configuration;
    platform::atomic<std::uint32_t> connections{0};
    bool listening = false;
};

}  // namespace detail

class TCPListener {
    class Accept;

public:
    // Throws std::invalid_argument for a configuration that cannot be.
    TCPListener(TCPListenerConfiguration configuration, const std::shared_ptr<Executor>& executor);
    TCPListener(const TCPListener&) = delete;
    TCPListener& operator=(const TCPListener&) = delete;
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
        return shared_->address_by(platform::getsockname, "getsockname of a listener");
    }
    // Closes the socket; a waiting accept() ends with TCPListenerStoppedError. Any thread, any number of times.
    void stop() noexcept { shared_->close(); }

private:
    const std::shared_ptr<detail::ListenerState> shared_;
};

class [[nodiscard]] TCPListener::Accept final : public detail::Operation {
public:
    explicit Accept(std::shared_ptr<detail::ListenerState> listener) noexcept
        : Operation("accept", listener.get()), listener_(std::move(listener)) {}
    bool await_ready();
    std::shared_ptr<TCPStream> await_resume();

private:
    bool attempt(int fd) noexcept override;
    Outcome expired() noexcept override { return Outcome::pending; }
    bool make_stream() noexcept;
    bool take(int fd) noexcept;
    bool pause(detail::Registration* place) noexcept;

    const std::shared_ptr<detail::ListenerState> listener_;
    // Made before the connection is accepted: when there is no memory, the connection stays in the backlog.
    std::shared_ptr<TCPStream> stream_;
};
inline auto TCPListener::accept() const -> Accept { return Accept(shared_); }

}  // namespace acairo::inline ACAIRO_WORLD
