// Outcomes in words.
#include "outcomes.hpp"

#include <netinet/in.h>

#include <cstring>

namespace fidelity {

std::string text(long result) { return result < 0 ? ::strerrorname_np(static_cast<int>(-result)) : "ok"; }

std::string text(const ::epoll_event& event) {
    std::string bits;
    const auto add = [&](std::uint32_t bit, const char* name) {
        if (event.events & bit) bits += bits.empty() ? name : std::string("|") + name;
    };
    add(EPOLLIN, "IN");
    add(EPOLLPRI, "PRI");
    add(EPOLLOUT, "OUT");
    add(EPOLLRDHUP, "RDHUP");
    add(EPOLLHUP, "HUP");
    add(EPOLLERR, "ERR");
    return std::to_string(event.data.u64) + ":" + bits;
}

std::string text(const SocketAddress& address) {
    std::string host = "other";
    int port = 0;
    if (address.storage.ss_family == AF_INET) {
        ::sockaddr_in in{};
        std::memcpy(&in, &address.storage, sizeof in);
        port = in.sin_port;
        if (in.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) host = "127.0.0.1";
        if (in.sin_addr.s_addr == 0) host = "0.0.0.0";
    } else {
        ::sockaddr_in6 in6{};
        std::memcpy(&in6, &address.storage, sizeof in6);
        port = in6.sin6_port;
        if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr)) host = "[::1]";
        if (IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr)) host = "[::]";
    }
    return host + (port == 0 ? ":0" : ":port");
}

SocketAddress loopback(bool v6, bool any) {
    SocketAddress address;
    if (v6) {
        ::sockaddr_in6 in6{};
        in6.sin6_family = AF_INET6;
        if (!any) in6.sin6_addr = in6addr_loopback;
        std::memcpy(&address.storage, &in6, sizeof in6);
        address.length = sizeof in6;
    } else {
        ::sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
        std::memcpy(&address.storage, &in, sizeof in);
        address.length = sizeof in;
    }
    return address;
}

SocketAddress elsewhere() {
    SocketAddress address = loopback(false);
    auto& in = reinterpret_cast<::sockaddr_in&>(address.storage);
    in.sin_addr.s_addr = htonl(0xC0000201);  // 192.0.2.1, which is nobody's
    in.sin_port = std::uint16_t{0x0900};     // any: the way there is what is missing
    return address;
}

}  // namespace fidelity
