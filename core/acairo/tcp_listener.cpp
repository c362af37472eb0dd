// Binding, and accepting whatever may happen.
#include <acairo/executor.hpp>
#include <acairo/tcp_listener.hpp>

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

// The listener's step towards `address`: 0 or more; else throws std::system_error, with the remedy where there is one.
int step(const char* call, const std::string& address, int result) {
    const char* const remedy = result == -EADDRINUSE
                                   ? " (end the program that listens there, or choose port 0 for a free one)"
                               : result == -EACCES ? " (choose a port above 1023, or run with CAP_NET_BIND_SERVICE)"
                               : result == -EMFILE ? " (raise RLIMIT_NOFILE, see ulimit -n)"
                                                   : "";
    if (result < 0) detail::throw_system_error(result, call + (" " + address) + remedy);
    return result;
}

}  // namespace

TCPListener::TCPListener(TCPListenerConfiguration configuration, const std::shared_ptr<Executor>& executor)
    : configuration_(validated(configuration)),
      shared_(std::make_shared<detail::Endpoint>(
          executor->state_, std::array{configuration.stream.read_timeout, configuration.stream.write_timeout},
          configuration.maximum_connections)) {}

void TCPListener::bind(const std::string& address) {
    platform::address wanted = detail::parse_address(address);
    if (shared_->listener.closed()) throw TCPListenerStoppedError();
    if (shared_->listener.opened())
        detail::misuse("bind " + address + ": the listener is already bound to " + local_address());
    const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const int fd = step("socket for", address, platform::socket(wanted.storage.ss_family, kind, 0));
    detail::Descriptor owner(fd, "");
    // Without this, a server cannot be started again while connections of its last run are in TIME_WAIT.
    step("setsockopt SO_REUSEADDR for", address, platform::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    // Here once instead of for each connection: Linux hands it on to the accepted sockets.
    const int no_delay = configuration_.stream.no_delay ? 1 : 0;
    step("setsockopt TCP_NODELAY for", address, platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_delay));
    step("bind", address, platform::bind(fd, wanted));
    if (!shared_->listener.open(std::exchange(owner.fd, -1))) throw TCPListenerStoppedError();
}

void TCPListener::listen() {
    const detail::Socket::Use use(shared_->listener);
    if (!use) throw TCPListenerStoppedError();
    if (use.fd < 0) detail::misuse("listen() before bind(); bind the listener to an address first");
    const int result = platform::listen(use.fd, configuration_.backlog);
    shared_->listening = result == 0;
    if (shared_->listening) return;
    const std::string address = local_address();
    shared_->listener.give_up();
    step("listen on", address, result);
}

bool TCPListener::Accept::await_ready() {
    if (!endpoint->listening && !socket->closed())
        detail::misuse("accept() before listen(); call bind() and listen() first");
    try {
        return Operation::await_ready();
    } catch (const std::system_error&) { throw TCPListenerStoppedError(); }
}

void TCPListener::Accept::attempt(int listening) noexcept {
    detail::Registration* const place = registration();
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
            endpoint->enter();
            stream->open(fd);
            return complete();
        }
        if (fd == -EAGAIN) place->readable = false;
        if (is_one_of(fd, shortages)) return pause(place);
        if (fd != -EAGAIN && !is_one_of(fd, passing)) return fail(fd, "accept4");
        if (fd != -EAGAIN && chain->yields()) return;
    }
    park(place);
}

// Waits for the timer, and not for ever.
void TCPListener::Accept::pause(detail::Registration* place) noexcept {
    outcome = Outcome::pending;
    if (!chain->armed()) chain->arm(chain->worker->timers, detail::deadline_after(shortage_pause));
    park(place);
}

}  // namespace acairo::inline ACAIRO_WORLD
