// Addresses as texts, parsed by hand only where inet_pton(3) does not: the brackets and the port.
#include <acairo/socket.hpp>
#include <charconv>
#include <cstddef>

namespace acairo::inline ACAIRO_WORLD::detail {

namespace {

// What the address of a socket of either family begins with.
::sockaddr_in& v4(platform::address& address) noexcept { return reinterpret_cast<::sockaddr_in&>(address.storage); }
static_assert(offsetof(::sockaddr_in, sin_port) == offsetof(::sockaddr_in6, sin6_port));
void* number_of(platform::address& address) noexcept {
    auto& v6 = reinterpret_cast<::sockaddr_in6&>(address.storage);
    return address.storage.ss_family == AF_INET6 ? static_cast<void*>(&v6.sin6_addr) : &v4(address).sin_addr;
}

}  // namespace

platform::address parse_address(const std::string& text) {
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
    const char* const end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data() + colon + 1, end, port);
    demand(error == std::errc{} && parsed == end, "its port is not a number from 0 to 65535");
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

std::string to_text(platform::address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool bracketed = address.storage.ss_family == AF_INET6;
    const std::string host = ::inet_ntop(address.storage.ss_family, number_of(address), text.data(), text.size());
    return (bracketed ? "[" + host + "]:" : host + ":") + std::to_string(ntohs(v4(address).sin_port));
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
