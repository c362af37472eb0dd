// What system calls make of arguments that nobody should give them: the simulated kernel says what Linux says, call by call.
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <acairo/kernel.hpp>
#include <cerrno>
#include <utility>

namespace {

using acairo::simulator::Kernel;
using acairo::simulator::KernelHost;
using acairo::simulator::SocketAddress;
using acairo::simulator::Tag;

constexpr int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

struct CalmHost : KernelHost {
    std::uint64_t below(std::uint64_t, Tag) override { return 0; }
    std::chrono::nanoseconds now() override { return {}; }
    void publish(const void*) noexcept override {}
    void observe(const void*) noexcept override {}
    void misuse(const char* call, int fd, const char* why) override {
        ADD_FAILURE() << call << " of descriptor " << fd << ": " << why;
    }
};

// A call of Linux: -errno instead of -1.
long told(long result) { return result < 0 ? -errno : result; }

class A_refusal : public testing::Test {
protected:
    ~A_refusal() override { ::close(socket); }

    CalmHost host;
    Kernel kernel{host};
    const int simulated = kernel.socket(AF_INET, SOCK_STREAM | flags, 0);
    const int socket = ::socket(AF_INET, SOCK_STREAM | flags, 0);
};

TEST_F(A_refusal, of_a_socket_that_cannot_be_is_that_of_Linux) {
    struct Wanted {
        int family, type, protocol, error;
    };
    for (const auto [family, type, protocol, error] :
         {Wanted{AF_INET, SOCK_SEQPACKET | flags, 0, -ESOCKTNOSUPPORT},
          Wanted{99, SOCK_STREAM | flags, 0, -EAFNOSUPPORT},
          Wanted{AF_INET, SOCK_STREAM | flags, IPPROTO_UDP, -EPROTONOSUPPORT}}) {
        EXPECT_EQ(told(::socket(family, type, protocol)), error);
        EXPECT_EQ(kernel.socket(family, type, protocol), error);
    }
}

TEST_F(A_refusal, of_an_unknown_flag_is_that_of_Linux) {
    EXPECT_EQ(told(::accept4(socket, nullptr, nullptr, 1)), -EINVAL);
    EXPECT_EQ(kernel.accept4(simulated, 1), -EINVAL);
    EXPECT_EQ(told(::shutdown(socket, 3)), -EINVAL);
    EXPECT_EQ(kernel.shutdown(simulated, 3), -EINVAL);
    EXPECT_EQ(told(::eventfd(0, 2)), -EINVAL);
    EXPECT_EQ(kernel.eventfd(0, 2), -EINVAL);
    EXPECT_EQ(told(::epoll_create1(1)), -EINVAL);
    EXPECT_EQ(kernel.epoll_create1(1), -EINVAL);
}

TEST_F(A_refusal, of_an_address_of_the_other_family_is_that_of_Linux) {
    SocketAddress address;
    address.storage.ss_family = AF_INET6;
    address.length = sizeof(::sockaddr_in6);
    EXPECT_EQ(told(::bind(socket, reinterpret_cast<const ::sockaddr*>(&address.storage), address.length)),
              -EAFNOSUPPORT);
    EXPECT_EQ(kernel.bind(simulated, address), -EAFNOSUPPORT);
}

TEST_F(A_refusal, of_an_option_is_that_of_Linux) {
    struct Wanted {
        int level, name;
        ::socklen_t size;
        int error;
    };
    const ::linger linger{};
    for (const auto [level, name, size, error] :
         {Wanted{SOL_SOCKET, 9999, sizeof(int), -ENOPROTOOPT}, Wanted{99, SO_REUSEADDR, sizeof(int), -ENOPROTOOPT},
          Wanted{SOL_SOCKET, SO_REUSEADDR, 1, -EINVAL}, Wanted{SOL_SOCKET, SO_LINGER, sizeof(int), -EINVAL}}) {
        EXPECT_EQ(told(::setsockopt(socket, level, name, &linger, size)), error) << name;
        EXPECT_EQ(kernel.setsockopt(simulated, level, name, &linger, size), error) << name;
    }
    int value = 0;
    for (const auto& [level, name] : {std::pair(SOL_SOCKET, 9999), std::pair(99, SO_REUSEADDR)}) {
        ::socklen_t size = sizeof value;
        const long error = told(::getsockopt(socket, level, name, &value, &size));
        EXPECT_LT(error, 0) << name;
        EXPECT_EQ(kernel.getsockopt(simulated, level, name, value), -ENOPROTOOPT) << name;
    }
}

TEST_F(A_refusal, is_not_given_to_options_that_can_be_had) {
    const int on = 1;
    for (const int name : {SO_KEEPALIVE, SO_REUSEADDR, SO_TYPE, SO_ACCEPTCONN}) {
        if (name == SO_KEEPALIVE || name == SO_REUSEADDR) {
            EXPECT_EQ(::setsockopt(socket, SOL_SOCKET, name, &on, sizeof on), 0);
            EXPECT_EQ(kernel.setsockopt(simulated, SOL_SOCKET, name, on), 0);
        }
        int theirs = -1;
        int ours = -2;
        ::socklen_t size = sizeof theirs;
        EXPECT_EQ(::getsockopt(socket, SOL_SOCKET, name, &theirs, &size), 0);
        EXPECT_EQ(kernel.getsockopt(simulated, SOL_SOCKET, name, ours), 0);
        EXPECT_EQ(ours, theirs) << name;
    }
}

}  // namespace
