// Addresses as texts, parsed by hand only where inet_pton(3) does not, the brackets and the port; and a listener's way to its
// socket.
#include <acairo/tcp.hpp>
#include <charconv>

namespace acairo::inline ACAIRO_WORLD {

// What the address of a socket of either family begins with.
static ::sockaddr_in& v4(platform::address& of) noexcept { return reinterpret_cast<::sockaddr_in&>(of.storage); }
static_assert(offsetof(::sockaddr_in, sin_port) == offsetof(::sockaddr_in6, sin6_port));
static void* number_of(platform::address& address) noexcept {
    auto& v6 = reinterpret_cast<::sockaddr_in6&>(address.storage);
    return address.storage.ss_family == AF_INET6 ? static_cast<void*>(&v6.sin6_addr) : &v4(address).sin_addr;
}

platform::address detail::parse_address(const std::string& text) {
    const auto demand = [&](bool met, const char* why) {
        // Up to a zero byte: what() ends there.
        if (!met)
            throw std::invalid_argument("acairo: \"" + std::string(text.c_str()) + "\" is not an address: " + why +
                                        "; write \"127.0.0.1:8080\" or \"[::1]:8080\"");
    };
    // inet_pton reads to the first zero byte: without this, "127.0.0.1\0.evil:80" would be 127.0.0.1.
    demand(text.find('\0') == std::string::npos, "a zero byte follows");
    const std::size_t colon = text.rfind(':');
    demand(colon != std::string::npos, "it has no port");
    std::uint16_t port = 0;
    const auto [parsed, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    demand(error == std::errc{} && parsed == text.data() + text.size(), "its port is not a number from 0 to 65535");
    std::string host = text.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    platform::address address;
    address.storage.ss_family = bracketed ? AF_INET6 : AF_INET;
    address.length = bracketed ? sizeof(::sockaddr_in6) : sizeof(::sockaddr_in);
    v4(address).sin_port = htons(port);
    const bool numeric = ::inet_pton(address.storage.ss_family, host.c_str(), number_of(address)) == 1;
    demand(numeric, "its host is not a numeric IPv4 address, or an IPv6 address in brackets");
    return address;
}

std::string detail::to_text(platform::address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool bracketed = address.storage.ss_family == AF_INET6;
    const std::string host = ::inet_ntop(address.storage.ss_family, number_of(address), text.data(), text.size());
    return (bracketed ? "[" + host + "]:" : host + ":") + std::to_string(ntohs(v4(address).sin_port));
}

// The listener's step towards `address`: 0 or more; else throws std::system_error, with the remedy where there is one.
static int step(const char* call, const std::string& address, int result) {
    const char* const remedy = result == -EADDRINUSE ? " (end the program that listens there, or choose port 0)"
                               : result == -EACCES   ? " (choose a port above 1023, or run with CAP_NET_BIND_SERVICE)"
                               : result == -EMFILE   ? " (raise RLIMIT_NOFILE, see ulimit -n)"
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
    const int maximum = configuration.maximum_connections;
    detail::require(maximum >= 0, name, maximum, "it must be positive, or 0 for no limit");
    const std::uint64_t limit = platform::open_descriptors_limit();
    const std::string remedy = " descriptors may be open in this process; raise RLIMIT_NOFILE (ulimit -n), or lower it";
    detail::require(std::cmp_less_equal(maximum, limit), name, maximum, std::to_string(limit) + remedy);
}

void TCPListener::bind(const std::string& address) {
    platform::address wanted = detail::parse_address(address);
    if (shared_->listener.closed()) throw TCPListenerStoppedError();
    if (shared_->listener.opened())
        detail::misuse("bind " + address + ": the listener is already bound to " + local_address());
    const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    detail::Descriptor owner(step("socket for", address, platform::socket(wanted.storage.ss_family, kind, 0)));
    // Without this, a server cannot be started again while connections of its last run are in TIME_WAIT.
    step("setsockopt SO_REUSEADDR for", address, platform::setsockopt(owner.fd, SOL_SOCKET, SO_REUSEADDR, 1));
    // Here once instead of for each connection: Linux hands it on to the accepted sockets.
    const int no_delay = shared_->configuration.no_delay ? 1 : 0;
    step("setsockopt TCP_NODELAY for", address, platform::setsockopt(owner.fd, IPPROTO_TCP, TCP_NODELAY, no_delay));
    step("bind", address, platform::bind(owner.fd, wanted));
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
