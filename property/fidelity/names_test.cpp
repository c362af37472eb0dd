// Addresses, ports and backlogs, each on this machine's Linux and in the simulated kernel: who may have which name, who is found
// by it, and who waits in front of it.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "calls.hpp"
#include "outcomes.hpp"

namespace {

using fidelity::Calls;
using fidelity::elsewhere;
using fidelity::LinuxCalls;
using fidelity::loopback;
using fidelity::SimulatedCalls;
using fidelity::SocketAddress;

enum class World { Linux, calm, delayed };

std::unique_ptr<Calls> calls_of(World world) {
    if (world == World::Linux) return std::make_unique<LinuxCalls>();
    return std::make_unique<SimulatedCalls>(3, world == World::delayed, world == World::delayed);
}

// Both families have it at the same place.
std::uint16_t port_of(const SocketAddress& address) {
    return reinterpret_cast<const ::sockaddr_in&>(address.storage).sin_port;
}

SocketAddress with_port(SocketAddress address, std::uint16_t port) {
    reinterpret_cast<::sockaddr_in&>(address.storage).sin_port = port;
    return address;
}

SocketAddress second_loopback() {
    SocketAddress address = loopback(false);
    reinterpret_cast<::sockaddr_in&>(address.storage).sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    return address;
}

SocketAddress v6_of(std::uint8_t first, std::uint8_t last) {
    SocketAddress address = loopback(true, true);
    auto& in6 = reinterpret_cast<::sockaddr_in6&>(address.storage);
    in6.sin6_addr.s6_addr[0] = first;
    in6.sin6_addr.s6_addr[15] = last;
    return address;
}

class A_name : public testing::TestWithParam<World> {
protected:
    SocketAddress name(int fd) {
        SocketAddress local;
        EXPECT_EQ(calls.getsockname(fd, local), 0);
        return local;
    }
    int socket(bool v6, bool reuses) {
        const int fd = calls.socket(v6);
        const int on = reuses ? 1 : 0;
        EXPECT_EQ(calls.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
        return fd;
    }
    int bound(const SocketAddress& to, bool reuses = false) {
        const int fd = socket(to.storage.ss_family == AF_INET6, reuses);
        EXPECT_EQ(calls.bind(fd, to), 0);
        return fd;
    }
    int refusal(const SocketAddress& to, bool reuses = false) {
        return calls.bind(socket(to.storage.ss_family == AF_INET6, reuses), to);
    }
    // Two on one port, which somebody else may have taken at the other address.
    std::array<int, 2> bound_on_one_port(const SocketAddress& one, const SocketAddress& other) {
        for (int attempt = 0;; ++attempt) {
            const int first = bound(one);
            const int second = calls.socket(other.storage.ss_family == AF_INET6);
            const int result = calls.bind(second, with_port(other, port_of(name(first))));
            if (result != -EADDRINUSE || attempt == 20) {
                EXPECT_EQ(result, 0);
                return {first, second};
            }
        }
    }
    // Bound to a port that was asked for by its number, which nobody else can have taken meanwhile.
    int bound_by_number() {
        const int first = bound(loopback(false), true);
        const int second = bound(name(first), true);
        calls.close(first);
        return second;
    }
    int connecting(const SocketAddress& to) {
        const int fd = calls.socket(to.storage.ss_family == AF_INET6);
        EXPECT_EQ(calls.connect(fd, to), -EINPROGRESS);
        return fd;
    }
    int error(int fd) {
        int value = 0;
        EXPECT_EQ(calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, value), 0);
        return value;
    }
    // LinuxCalls counts a client at the listener of its port, at whatever address: it would wait for its connection for ever.
    int error_without_settling(int fd) {
        if (GetParam() != World::Linux) calls.settle();
        int value = 0;
        for (int asked = 0; value == 0 && asked != 1'000'000; ++asked) value = error(fd);
        return value;
    }

    const std::unique_ptr<Calls> owned = calls_of(GetParam());
    Calls& calls = *owned;
};

TEST_P(A_name, belongs_to_one_socket_and_the_name_of_all_addresses_to_none_beside_it) {
    const SocketAddress taken = name(bound(loopback(false)));
    EXPECT_EQ(refusal(taken), -EADDRINUSE);
    EXPECT_EQ(refusal(with_port(loopback(false, true), port_of(taken))), -EADDRINUSE);
    bound_on_one_port(loopback(false), second_loopback());
    const SocketAddress of_all = name(bound(loopback(false, true)));
    EXPECT_EQ(refusal(with_port(loopback(false), port_of(of_all))), -EADDRINUSE);
}

TEST_P(A_name, is_shared_by_those_who_all_reuse_addresses_until_one_listens) {
    const int first = bound(loopback(false), true);
    EXPECT_EQ(refusal(name(first), false), -EADDRINUSE);
    const int second = bound(name(first), true);
    EXPECT_EQ(calls.listen(first, 1), 0);
    EXPECT_EQ(calls.listen(second, 1), -EADDRINUSE);
    EXPECT_EQ(refusal(name(first), true), -EADDRINUSE);
    EXPECT_EQ(calls.listen(first, 2), 0) << "who listens may say so again";
    const int alone = bound(loopback(false), false);
    EXPECT_EQ(refusal(name(alone), true), -EADDRINUSE);
}

TEST_P(A_name, of_one_family_leaves_its_port_to_the_other) {
    const auto [v4, v6] = bound_on_one_port(loopback(false, true), loopback(true, true));
    EXPECT_EQ(calls.listen(v4, 1), 0);
    EXPECT_EQ(calls.listen(v6, 1), 0);
    for (const bool six : {true, false}) {
        const int client = connecting(with_port(loopback(six), port_of(name(v4))));
        calls.settle();
        EXPECT_EQ(error(client), 0);
        EXPECT_EQ(calls.accept(six ? v4 : v6), -EAGAIN);
        EXPECT_GE(calls.accept(six ? v6 : v4), 0);
    }
}

TEST_P(A_name, must_be_one_of_this_machine) {
    EXPECT_EQ(refusal(elsewhere()), -EADDRNOTAVAIL);
    EXPECT_EQ(refusal(v6_of(0, 2)), -EADDRNOTAVAIL) << "almost that of loopback";
    EXPECT_EQ(refusal(v6_of(0x20, 1)), -EADDRNOTAVAIL);
    EXPECT_EQ(refusal(v6_of(0, 1)), 0);
}

TEST_P(A_name, that_is_too_long_is_none) {
    SocketAddress longer = loopback(false);
    longer.length = sizeof longer.storage + 1;
    EXPECT_EQ(calls.bind(calls.socket(false), longer), -EINVAL);
    EXPECT_EQ(calls.connect(calls.socket(false), longer), -EINVAL);
    SocketAddress as_long_as_can_be = loopback(false);
    as_long_as_can_be.length = sizeof as_long_as_can_be.storage;
    EXPECT_EQ(calls.bind(calls.socket(false), as_long_as_can_be), 0);
}

TEST_P(A_name, finds_no_listener_of_another_address) {
    // The other name is taken, so that nobody else can listen there.
    const auto [beside, listening] = bound_on_one_port(loopback(false), second_loopback());
    EXPECT_EQ(calls.listen(listening, 1), 0);
    EXPECT_EQ(error_without_settling(connecting(name(beside))), ECONNREFUSED);
    EXPECT_EQ(calls.accept(listening), -EAGAIN);
}

TEST_P(A_name, that_was_asked_for_outlives_a_connect_that_was_refused) {
    const SocketAddress nobody = name(bound(loopback(false)));
    const int fd = bound_by_number();
    const SocketAddress own = name(fd);
    EXPECT_EQ(calls.connect(fd, nobody), -EINPROGRESS);
    calls.settle();
    EXPECT_EQ(error(fd), ECONNREFUSED);
    EXPECT_EQ(refusal(own, false), -EADDRINUSE);
    EXPECT_EQ(refusal(own, true), 0) << "it is still shared by those who reuse addresses";
}

TEST_P(A_name, that_was_asked_for_outlives_the_shutdown_of_its_listener) {
    const int fd = bound_by_number();
    EXPECT_EQ(calls.listen(fd, 1), 0);
    EXPECT_EQ(calls.shutdown(fd, SHUT_RDWR), 0);
    EXPECT_EQ(refusal(name(fd)), -EADDRINUSE);
    EXPECT_EQ(calls.listen(fd, 1), 0);
    const int client = connecting(name(fd));
    calls.settle();
    EXPECT_EQ(error(client), 0);
    EXPECT_GE(calls.accept(fd), 0);
}

class A_backlog : public A_name {};

TEST_P(A_backlog, of_a_negative_number_is_a_large_one) {
    const int listening = bound(loopback(false));
    EXPECT_EQ(calls.listen(listening, -1), 0);
    for (int client = 0; client != 5; ++client) connecting(name(listening));
    calls.settle();
    for (int client = 0; client != 5; ++client) EXPECT_GE(calls.accept(listening), 0) << client;
}

// Also where it is never empty for long: more come while some are taken.
TEST_P(A_backlog, is_accepted_in_the_order_of_the_connects) {
    const int listening = bound(loopback(false));
    EXPECT_EQ(calls.listen(listening, 300), 0);
    std::vector<int> clients;
    std::size_t accepted = 0;
    const auto connect = [&](int count) {
        for (int client = 0; client != count; ++client) {
            clients.push_back(connecting(name(listening)));
            calls.settle();
        }
    };
    const auto accept = [&](std::size_t count) {
        for (; count != 0; --count, ++accepted) {
            SocketAddress peer;
            EXPECT_EQ(calls.getpeername(calls.accept(listening), peer), 0);
            ASSERT_EQ(port_of(peer), port_of(name(clients[accepted]))) << accepted;
        }
    };
    connect(150);
    accept(70);
    connect(1);
    accept(30);
    connect(1);
    accept(52);
    EXPECT_EQ(calls.accept(listening), -EAGAIN);
}

class A_connect : public A_name {};

TEST_P(A_connect, that_was_refused_and_then_shut_down_is_the_last_of_its_socket) {
    const SocketAddress nobody = name(bound(loopback(false)));
    const int fd = connecting(nobody);
    calls.settle();
    EXPECT_EQ(calls.shutdown(fd, SHUT_RDWR), -ENOTCONN);
    EXPECT_EQ(calls.connect(fd, nobody), -EINVAL);
}

TEST_P(A_connect, from_a_name_that_was_bound_has_that_name) {
    const int listening = bound(loopback(false));
    EXPECT_EQ(calls.listen(listening, 1), 0);
    const int fd = bound(second_loopback());
    const SocketAddress own = name(fd);
    EXPECT_EQ(calls.connect(fd, name(listening)), -EINPROGRESS);
    calls.settle();
    SocketAddress peer;
    EXPECT_EQ(calls.getpeername(calls.accept(listening), peer), 0);
    EXPECT_EQ(std::memcmp(&peer.storage, &own.storage, sizeof(::sockaddr_in)), 0);
}

const auto worlds = testing::Values(World::Linux, World::calm, World::delayed);
const auto name_of_world = [](const auto& each) {
    return std::string(each.param == World::Linux ? "on_Linux" : each.param == World::calm ? "simulated" : "delayed");
};
INSTANTIATE_TEST_SUITE_P(everywhere, A_name, worlds, name_of_world);
INSTANTIATE_TEST_SUITE_P(everywhere, A_backlog, worlds, name_of_world);
INSTANTIATE_TEST_SUITE_P(everywhere, A_connect, worlds, name_of_world);

}  // namespace
