// A listener's way to its socket.
#include <acairo/tcp.hpp>

namespace acairo::inline ACAIRO_WORLD {

// The listener's step towards `address`: 0 or more; else throws std::system_error, with the remedy where there is one.
static int step(const char* call, const std::string& address, int result) {
    const char* const remedy = result == -EADDRINUSE
                                   ? " (end the program that listens there, or choose port 0 for a free one)"
                               : result == -EACCES ? " (choose a port above 1023, or run with CAP_NET_BIND_SERVICE)"
                               : result == -EMFILE ? " (raise RLIMIT_NOFILE, see ulimit -n)"
                                                   : "";
    if (result < 0) detail::throw_system_error(result, call + (" " + address) + remedy);
    return result;
}

TCPListener::TCPListener(TCPListenerConfiguration configuration, const std::shared_ptr<Executor>& executor)
    : backlog_(configuration.backlog),
      shared_(std::make_shared<detail::Endpoint>(executor->state_, configuration.stream,
                                                 configuration.maximum_connections)) {
    detail::require(backlog_ >= 1, "TCPListenerConfiguration.backlog", backlog_, "it must be at least 1");
    constexpr const char* name = "TCPListenerConfiguration.maximum_connections";
    const std::int64_t maximum = configuration.maximum_connections;
    detail::require(maximum >= 0, name, maximum, "it must be positive, or 0 for no limit");
    const std::uint64_t limit = platform::open_descriptors_limit();
    detail::require(static_cast<std::uint64_t>(maximum) <= limit, name, maximum,
                    "but this process may open " + std::to_string(limit) +
                        " descriptors; raise RLIMIT_NOFILE (ulimit -n), or lower maximum_connections");
}

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
    const int no_delay = shared_->configuration.no_delay ? 1 : 0;
    step("setsockopt TCP_NODELAY for", address, platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_delay));
    step("bind", address, platform::bind(fd, wanted));
    if (!shared_->listener.open(std::exchange(owner.fd, -1))) throw TCPListenerStoppedError();
}

void TCPListener::listen() {
    const detail::Socket::Use use(shared_->listener);
    if (!use) throw TCPListenerStoppedError();
    if (use.fd < 0) detail::misuse("listen() before bind(); bind the listener to an address first");
    const int result = platform::listen(use.fd, backlog_);
    shared_->listening = result == 0;
    if (shared_->listening) return;
    const std::string address = local_address();
    shared_->listener.give_up();
    step("listen on", address, result);
}

}  // namespace acairo::inline ACAIRO_WORLD
