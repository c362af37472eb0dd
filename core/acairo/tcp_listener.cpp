// Binding, and accepting whatever may happen.
#include <acairo/executor.hpp>
#include <acairo/tcp_listener.hpp>
#include <algorithm>
#include <new>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD {
namespace {

// How long accept() waits when the system has no descriptor or memory left: long enough not to spin, short enough not to
// be noticed.
constexpr std::chrono::milliseconds shortage_pause{50};
constexpr std::array shortages{EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
// Of the one connection and not of the listener, see accept(2): it died in the backlog, a firewall refused it, its network
// went away.
constexpr std::array passing{EINTR,  ECONNABORTED, EPERM,        ENETDOWN,   EPROTO,      ENOPROTOOPT, EHOSTDOWN,
                             ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT};

bool is_one_of(int result, std::span<const int> errors) noexcept { return std::ranges::find(errors, -result) != errors.end(); }

void require(bool satisfied, const std::string& problem) {
    if (!satisfied) throw std::invalid_argument("acairo: TCPListenerConfiguration." + problem);
}

TCPListenerConfiguration validated(TCPListenerConfiguration configuration) {
    detail::check_timeouts(configuration.stream);
    require(configuration.backlog >= 1,
            "backlog is " + std::to_string(configuration.backlog) + "; it must be at least 1");
    const int maximum = configuration.maximum_connections;
    require(maximum >= 0, "maximum_connections is " + std::to_string(maximum) + "; it must be positive, or 0 for no limit");
    const std::uint64_t limit = platform::open_descriptors_limit();
    require(static_cast<std::uint64_t>(maximum) <= limit,
            "maximum_connections is " + std::to_string(maximum) + ", but this process may open " + std::to_string(limit) +
                " descriptors; raise RLIMIT_NOFILE (ulimit -n), or lower maximum_connections");
    return configuration;
}

// Closes a descriptor that nobody has taken over yet.
class Closer {
public:
    explicit Closer(int fd) noexcept : fd_(fd) {}
    Closer(const Closer&) = delete;
    Closer& operator=(const Closer&) = delete;
    ~Closer() {
        if (fd_ >= 0) platform::close(fd_);
    }
    int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_;
};

void succeed(int result, const char* call, const std::string& address) {
    if (result >= 0) return;
    std::string what = std::string(call) + " " + address;
    if (result == -EADDRINUSE) what += " (end the program that listens there, or choose port 0 for a free one)";
    if (result == -EACCES) what += " (choose a port above 1023, or run with CAP_NET_BIND_SERVICE)";
    if (result == -EMFILE) what += " (raise RLIMIT_NOFILE, see ulimit -n)";
    detail::throw_system_error(result, what);
}

}  // namespace

TCPListener::TCPListener(TCPListenerConfiguration configuration, const std::shared_ptr<Executor>& executor)
    : shared_(std::make_shared<detail::ListenerState>(validated(configuration), executor->state_)) {
    if (configuration.maximum_connections == 0) return;
    shared_->admission = std::make_shared<detail::Admission>(configuration.maximum_connections);
}

void TCPListener::bind(const std::string& address) {
    detail::Socket& socket = shared_->socket;
    if (socket.closed()) throw TCPListenerStoppedError();
    if (socket.is_open()) throw std::logic_error("acairo: bind " + address + ": the listener is already bound to " + local_address());
    platform::address wanted = detail::parse_address(address);
    const int fd = platform::socket(wanted.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    succeed(fd, "socket for", address);
    Closer closer(fd);
    // Without this, a server cannot be started again while connections of its last run are in TIME_WAIT.
    succeed(platform::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1), "setsockopt SO_REUSEADDR for", address);
    // Here once instead of for each connection: Linux hands it on to the accepted sockets.
    const int no_delay = shared_->configuration.stream.no_delay ? 1 : 0;
    succeed(platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_delay), "setsockopt TCP_NODELAY for", address);
    succeed(platform::bind(fd, wanted), "bind", address);
    socket.open(closer.release());
}

void TCPListener::listen() {
    const detail::Socket::Use use(shared_->socket);
    if (!use) throw TCPListenerStoppedError();
    if (use.fd < 0) throw std::logic_error("acairo: listen() before bind(); bind the listener to an address first");
    const int result = platform::listen(use.fd, shared_->configuration.backlog);
    if (result < 0) succeed(result, "listen on", local_address());
    shared_->listening = true;
}

namespace detail {

void Accept::begin() {
    if (socket->closed()) throw TCPListenerStoppedError();
    if (!listener_->listening) throw std::logic_error("acairo: accept() before listen(); call bind() and listen() first");
    SocketOperation::begin();
}

bool Accept::attempt() noexcept {
    at_limit_ = false;
    if (chain_->armed()) return pause();  // an event in a pause does not end it
    for (;;) {
        if (!make_stream()) return pause();
        int error = 0;
        Registration* const place = registration(error);
        if (is_one_of(error, shortages)) return pause();
        if (!place) return error == 0 ? complete(Outcome::cancelled) : fail(error, "epoll_ctl, for a listener");
        if (listener_->admission && !listener_->admission->may_enter(*chain_)) {
            at_limit_ = true;
            return wait();
        }
        if (!place->readable) return wait();
        const int result = accept_one();
        if (result == 0) return complete(Outcome::done);
        if (result == -ECANCELED) return complete(Outcome::cancelled);
        if (result == -EAGAIN) {
            place->readable = false;
        } else if (is_one_of(result, shortages)) {
            return pause();
        } else if (!is_one_of(result, passing)) {
            return fail(result, "accept4");
        } else if (chain_->spend()) {
            chain_->yield();
            return false;
        }
    }
}

bool Accept::make_stream() noexcept {
    if (stream_) return true;
    try {
        stream_ = std::make_shared<TCPStream>(TCPStream::Key{}, socket->state, listener_->configuration.stream);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

int Accept::accept_one() noexcept {
    const Socket::Use use(*socket);
    if (!use) return -ECANCELED;
    const int fd = platform::accept4(use.fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return fd;
    stream_->socket_.open(fd);
    if (listener_->admission) {
        stream_->admission_ = listener_->admission;
        listener_->admission->enter();
    }
    return 0;
}

bool Accept::pause() noexcept {
    if (!chain_->armed()) worker().timers.arm(*chain_, deadline_after(shortage_pause));
    return wait_at(socket->registration(worker()));
}

bool Accept::withdraw() noexcept {
    SocketOperation::withdraw();
    return !at_limit_ || listener_->admission->withdraw(*chain_);
}

std::shared_ptr<TCPStream> Accept::await_resume() {
    if (outcome_ == Outcome::cancelled && socket->closed()) throw TCPListenerStoppedError();
    rethrow();
    return std::move(stream_);
}

}  // namespace detail
}  // namespace acairo::inline ACAIRO_WORLD
