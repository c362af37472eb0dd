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
    const TCPListenerConfiguration configuration_;
    const std::shared_ptr<detail::Endpoint> shared_;
};

struct [[nodiscard]] TCPListener::Accept final : detail::Operation {
    explicit Accept(std::shared_ptr<detail::Endpoint> its_endpoint) noexcept
        : Operation("accept", &its_endpoint->listener), endpoint(std::move(its_endpoint)) {}
    bool await_ready();
    std::shared_ptr<TCPStream> await_resume() {
        if (outcome == Outcome::cancelled && socket->closed()) throw TCPListenerStoppedError();
        rethrow();
        return std::move(stream);
    }
    void attempt(int listening) noexcept override;
    Outcome expired() const noexcept override { return Outcome::pending; }
    void pause(detail::Registration* place) noexcept;

    const std::shared_ptr<detail::Endpoint> endpoint;
    // Made before the connection is accepted: when there is no memory, the connection stays in the backlog.
    std::shared_ptr<TCPStream> stream;
};
inline auto TCPListener::accept() const -> Accept { return Accept(shared_); }

}  // namespace acairo::inline ACAIRO_WORLD
