// Binding, and accepting whatever may happen.
#include <acairo/executor.hpp>
#include <acairo/tcp_listener.hpp>
#include <algorithm>

namespace acairo::inline ACAIRO_WORLD {
namespace {

// How long accept() waits when the system has no descriptor or memory left: long enough not to spin, short enough not to
// be noticed.
constexpr std::chrono::milliseconds shortage_pause{50};
constexpr std::array shortages{EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
// Of the one connection and not of the listener, see accept(2): it died in the backlog, a firewall refused it, its network
// went away.
constexpr std::array passing{EINTR,     ECONNABORTED, EPERM,        ENETDOWN,   EPROTO,      ENOPROTOOPT,
                             EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT};

bool is_one_of(int result, std::span<const int> errors) noexcept {
    return std::ranges::find(errors, -result) != errors.end();
}

TCPListenerConfiguration validated(TCPListenerConfiguration configuration) {
    detail::require(configuration.backlog >= 1, "TCPListenerConfiguration.backlog", configuration.backlog,
                    "it must be at least 1");
    constexpr const char* name = "TCPListenerConfiguration.maximum_connections";
    const std::int64_t maximum = configuration.maximum_connections;
    detail::require(maximum >= 0, name, maximum, "it must be positive, or 0 for no limit");
    const std::uint64_t limit = platform::open_descriptors_limit();
    const std::string remedy = "but this process may open " + std::to_string(limit) +
                               " descriptors; raise RLIMIT_NOFILE (ulimit -n), or lower maximum_connections";
    detail::require(static_cast<std::uint64_t>(maximum) <= limit, name, maximum, remedy.c_str());
    return configuration;
}

// 0 or more; else throws std::system_error, with the remedy where there is one.
int succeed(int result, const char* call, const std::string& address) {
    if (result >= 0) return result;
    std::string what = std::string(call) + " " + address;
    if (result == -EADDRINUSE) what += " (end the program that listens there, or choose port 0 for a free one)";
    if (result == -EACCES) what += " (choose a port above 1023, or run with CAP_NET_BIND_SERVICE)";
    if (result == -EMFILE) what += " (raise RLIMIT_NOFILE, see ulimit -n)";
    detail::throw_system_error(result, what);
}

}  // namespace

TCPListener::TCPListener(TCPListenerConfiguration configuration, const std::shared_ptr<Executor>& executor)
    : shared_(std::make_shared<detail::ListenerState>(validated(configuration), executor->state_)) {
    const TCPStream validates(TCPStream::Key{}, executor->state_, configuration.stream);
}

void TCPListener::bind(const std::string& address) {
    platform::address wanted = detail::parse_address(address);
    {
        const detail::Socket::Use use(*shared_);
        if (!use) throw TCPListenerStoppedError();
        if (use.fd >= 0)
            throw std::logic_error("acairo: bind " + address + ": the listener is already bound to " + local_address());
    }
    const int fd = succeed(platform::socket(wanted.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                           "socket for", address);
    detail::Descriptor owner(fd);
    // Without this, a server cannot be started again while connections of its last run are in TIME_WAIT.
    succeed(platform::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1), "setsockopt SO_REUSEADDR for", address);
    // Here once instead of for each connection: Linux hands it on to the accepted sockets.
    const int no_delay = shared_->configuration.stream.no_delay ? 1 : 0;
    succeed(platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_delay), "setsockopt TCP_NODELAY for", address);
    succeed(platform::bind(fd, wanted), "bind", address);
    if (!shared_->open(std::exchange(owner.fd, -1))) throw TCPListenerStoppedError();
}

void TCPListener::listen() {
    const detail::Socket::Use use(*shared_);
    if (!use) throw TCPListenerStoppedError();
    if (use.fd < 0) throw std::logic_error("acairo: listen() before bind(); bind the listener to an address first");
    const int result = platform::listen(use.fd, shared_->configuration.backlog);
    shared_->listening = result == 0;
    if (shared_->listening) return;
    const std::string address = local_address();
    shared_->give_up();
    succeed(result, "listen on", address);
}

namespace detail {

void ListenerState::leave() noexcept {
    const std::uint32_t before = connections.fetch_sub(1, std::memory_order_acq_rel);
    if (before == static_cast<std::uint32_t>(configuration.maximum_connections)) retry();
}

bool ListenerState::full() noexcept {
    if (configuration.maximum_connections == 0) return false;
    // A read-modify-write that changes nothing. Without this, the accept could see the old number, and the stream that is
    // closed at that moment not yet the registration: nobody would wake the accept.
    const std::uint32_t open = connections.fetch_add(0, std::memory_order_acq_rel);
    return open >= static_cast<std::uint32_t>(configuration.maximum_connections);
}

}  // namespace detail

bool TCPListener::Accept::await_ready() {
    if (!listener_->listening && !listener_->closed())
        throw std::logic_error("acairo: accept() before listen(); call bind() and listen() first");
    try {
        return Operation::await_ready();
    } catch (const std::system_error&) { throw TCPListenerStoppedError(); }
}

bool TCPListener::Accept::attempt(int listening) noexcept {
    int error = 0;
    detail::Registration* const place = listener_->registration(*chain_->worker, detail::Direction::read, error);
    if (!place && !is_one_of(error, shortages)) return fail(error, "epoll_ctl, for a listener");
    // Events that come in a pause do not end it.
    if (!place || !make_stream() || chain_->armed()) return pause(place);
    // After the registration, at which a stream that is closed tells this accept to try again.
    while (place->readable && !listener_->full()) {
        const int fd = platform::accept4(listening, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) return take(fd);
        if (fd == -EAGAIN) {
            place->readable = false;
        } else if (is_one_of(fd, shortages)) {
            return pause(place);
        } else if (!is_one_of(fd, passing)) {
            return fail(fd, "accept4");
        } else if (chain_->spend()) {
            chain_->yield();
            return false;
        }
    }
    return wait(place);
}

bool TCPListener::Accept::make_stream() noexcept {
    try {
        if (!stream_)
            stream_ = std::make_shared<TCPStream>(TCPStream::Key{}, socket_->state, listener_->configuration.stream);
    } catch (const std::bad_alloc&) { return false; }
    return true;
}

bool TCPListener::Accept::take(int fd) noexcept {
    stream_->open(fd);
    if (listener_->configuration.maximum_connections != 0) {
        listener_->connections.fetch_add(1, std::memory_order_relaxed);
        stream_->listener_ = listener_;
    }
    return complete(Outcome::done);
}

bool TCPListener::Accept::pause(detail::Registration* place) noexcept {
    if (!chain_->armed()) chain_->worker->timers.arm(*chain_, detail::deadline_after(shortage_pause));
    return wait(place);
}

std::shared_ptr<TCPStream> TCPListener::Accept::await_resume() {
    if (outcome_ == Outcome::cancelled && listener_->closed()) throw TCPListenerStoppedError();
    rethrow();
    return std::move(stream_);
}

}  // namespace acairo::inline ACAIRO_WORLD
