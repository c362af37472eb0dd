// Parsing by hand only where inet_pton(3) does not: the brackets and the port.
#include <acairo/socket.hpp>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>

namespace acairo::inline ACAIRO_WORLD::detail {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
    throw std::invalid_argument("acairo: \"" + text + "\" is not an address: " + why +
                                "; write \"127.0.0.1:8080\" or \"[::1]:8080\"");
}

std::uint16_t parse_port(const std::string& text, std::string_view port) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error == std::errc{} && end == port.data() + port.size()) return htons(number);
    refuse(text, "its port is not a number from 0 to 65535");
}

bool to_number(int family, std::string_view host, void* to) {
    // inet_pton reads to the first zero byte: without this test, "127.0.0.1\0.evil" would be 127.0.0.1.
    if (host.find('\0') != std::string_view::npos) return false;
    return ::inet_pton(family, std::string(host).c_str(), to) == 1;
}

template <class Family>
Family& as(platform::address& address) noexcept {
    address.length = sizeof(Family);
    return reinterpret_cast<Family&>(address.storage);
}

}  // namespace

platform::address parse_address(const std::string& text) {
    const std::string_view all = text;
    const std::size_t colon = all.rfind(':');
    if (colon == std::string_view::npos) refuse(text, "it has no port");
    const std::string_view host = all.substr(0, colon);
    const std::uint16_t port = parse_port(text, all.substr(colon + 1));
    platform::address address;
    if (host.starts_with('[') && host.ends_with(']')) {
        auto& v6 = as<::sockaddr_in6>(address);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = port;
        if (to_number(AF_INET6, host.substr(1, host.size() - 2), &v6.sin6_addr)) return address;
    } else {
        auto& v4 = as<::sockaddr_in>(address);
        v4.sin_family = AF_INET;
        v4.sin_port = port;
        if (to_number(AF_INET, host, &v4.sin_addr)) return address;
    }
    refuse(text, "its host is not a numeric IPv4 address, or an IPv6 address in brackets");
}

std::string to_text(platform::address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.storage.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const ::sockaddr_in6&>(address.storage);
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
    }
    const auto& v4 = reinterpret_cast<const ::sockaddr_in&>(address.storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
