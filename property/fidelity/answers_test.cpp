// Options, numbers, counters, urgent bytes and ends, each on this machine's Linux and in the simulated kernel: the same calls,
// the same answers.
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "calls.hpp"
#include "outcomes.hpp"

namespace {

using fidelity::Calls;
using fidelity::LinuxCalls;
using fidelity::loopback;
using fidelity::SimulatedCalls;
using fidelity::SocketAddress;

enum class World { Linux, simulated };

class An_answer : public testing::TestWithParam<World> {
protected:
    // {accepted, client}
    std::array<int, 2> pair() {
        const int listening = calls->socket(false);
        EXPECT_EQ(calls->bind(listening, loopback(false)), 0);
        EXPECT_EQ(calls->listen(listening, 1), 0);
        SocketAddress name;
        calls->getsockname(listening, name);
        const int client = calls->socket(false);
        EXPECT_EQ(calls->connect(client, name), -EINPROGRESS);
        calls->settle();
        const int accepted = calls->accept(listening);
        calls->close(listening);
        return {accepted, client};
    }
    void send(int fd, std::string_view bytes, int flags = 0) {
        EXPECT_EQ(calls->send(fd, bytes.data(), bytes.size(), flags), static_cast<long>(bytes.size()));
        calls->settle();
    }
    // The bytes, or the error.
    std::string receive(int fd, int flags = 0) {
        std::array<char, 100> bytes{};
        const long result = calls->recv(fd, bytes.data(), bytes.size(), flags);
        return result < 0 ? fidelity::text(result) : std::string(bytes.data(), static_cast<std::size_t>(result));
    }
    int option(int fd, int level, int name) {
        int value = -1;
        EXPECT_EQ(calls->getsockopt(fd, level, name, value), 0);
        return value;
    }
    void set_option(int fd, int name, int value) {
        EXPECT_EQ(calls->setsockopt(fd, SOL_SOCKET, name, &value, sizeof value), 0);
    }

    LinuxCalls on_linux;
    SimulatedCalls simulated;
    Calls* const calls = GetParam() == World::Linux ? static_cast<Calls*>(&on_linux) : &simulated;
};

TEST_P(An_answer, about_a_buffer_is_twice_what_was_asked_for) {
    const int fd = calls->socket(false);
    set_option(fd, SO_SNDBUF, 10'000);
    set_option(fd, SO_RCVBUF, 12'000);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_SNDBUF), 20'000);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_RCVBUF), 24'000);
}

TEST_P(An_answer, about_a_buffer_that_was_asked_to_be_huge_or_negative_is_twice_the_most_that_there_may_be) {
    const auto limit = [](const char* name) {
        int most = 212'992;
        if (GetParam() == World::Linux) std::ifstream(std::string("/proc/sys/net/core/") + name) >> most;
        return most;
    };
    const int fd = calls->socket(false);
    for (const int asked : {1'000'000'000, -1}) {
        set_option(fd, SO_SNDBUF, 1);
        set_option(fd, SO_RCVBUF, 1);
        set_option(fd, SO_SNDBUF, asked);
        set_option(fd, SO_RCVBUF, asked);
        EXPECT_EQ(option(fd, SOL_SOCKET, SO_SNDBUF), 2 * limit("wmem_max")) << asked;
        EXPECT_EQ(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * limit("rmem_max")) << asked;
    }
}

TEST_P(An_answer, about_keepalive_is_what_was_said_last) {
    const int fd = calls->socket(false);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    set_option(fd, SO_KEEPALIVE, 1);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    set_option(fd, SO_KEEPALIVE, 0);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST_P(An_answer, about_an_option_of_TCP_that_there_is_not_is_a_refusal_and_changes_none_that_there_is) {
    const int fd = calls->socket(false);
    int value = 1;
    EXPECT_EQ(calls->setsockopt(fd, IPPROTO_TCP, 9999, &value, sizeof value), -ENOPROTOOPT);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(calls->getsockopt(fd, IPPROTO_TCP, 9999, value), -ENOPROTOOPT);
    EXPECT_EQ(calls->setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), 0);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST_P(An_answer, to_who_reads_from_the_closed_is_an_error_only_where_the_close_lingers_for_no_time) {
    struct Wanted {
        ::linger linger;
        const char* read;
    };
    for (const auto& [linger, read] :
         {Wanted{{.l_onoff = 1, .l_linger = 0}, "ECONNRESET"}, Wanted{{.l_onoff = 1, .l_linger = 5}, ""},
          Wanted{{.l_onoff = 0, .l_linger = 0}, ""}}) {
        const auto [accepted, client] = pair();
        EXPECT_EQ(calls->setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
        EXPECT_EQ(calls->close(client), 0);
        calls->settle();
        EXPECT_EQ(receive(accepted), read) << linger.l_onoff << ' ' << linger.l_linger;
    }
}

TEST_P(An_answer, to_who_only_looks_at_an_urgent_byte_leaves_it_there) {
    const auto [accepted, client] = pair();
    send(client, "abc", MSG_OOB);
    EXPECT_EQ(receive(accepted, MSG_OOB | MSG_PEEK), "c");
    EXPECT_EQ(receive(accepted, MSG_OOB), "c");
    EXPECT_EQ(receive(accepted, MSG_OOB), "EINVAL") << "it is taken";
    EXPECT_EQ(receive(accepted), "ab");
}

TEST_P(An_answer, of_the_stream_has_an_urgent_byte_that_another_one_has_overtaken) {
    const auto [accepted, client] = pair();
    send(client, "ab");
    send(client, "c", MSG_OOB);
    send(client, "d", MSG_OOB);
    send(client, "e");
    EXPECT_EQ(receive(accepted, MSG_OOB), "d");
    EXPECT_EQ(receive(accepted), "abc");
    EXPECT_EQ(receive(accepted), "e");
}

TEST_P(An_answer, of_the_stream_lacks_it_where_the_reader_stands_in_front_of_it) {
    const auto [accepted, client] = pair();
    send(client, "c", MSG_OOB);
    send(client, "d", MSG_OOB);
    send(client, "e");
    EXPECT_EQ(receive(accepted), "e");
}

TEST_P(An_answer, of_an_epoll_refuses_what_no_epoll_does) {
    const int epoll = calls->epoll_create();
    const int counter = calls->eventfd(1);
    ::epoll_event event{.events = EPOLLIN, .data = {.u64 = 7}};
    EXPECT_EQ(calls->epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event), 0);
    EXPECT_EQ(calls->epoll_ctl(epoll, 99, counter, &event), -EINVAL);
    EXPECT_EQ(calls->epoll_wait(epoll, &event, 0), -EINVAL);
    EXPECT_EQ(calls->epoll_wait(counter, &event, 1), -EINVAL);
    EXPECT_EQ(calls->epoll_wait(epoll, &event, 1), 1);
    std::uint64_t value = 0;
    EXPECT_EQ(calls->read_counter(epoll, value), -EINVAL);
    EXPECT_EQ(calls->write_counter(epoll, 1), -EINVAL);
}

TEST_P(An_answer, about_a_negative_number_is_that_nothing_is_open) {
    char byte = 0;
    EXPECT_EQ(calls->close(-1), -EBADF);
    EXPECT_EQ(calls->recv(-1, &byte, 1, 0), -EBADF);
    EXPECT_EQ(calls->dup(-1), -EBADF);
}

TEST_P(An_answer, to_who_has_no_number_left_is_the_same_for_every_kind) {
    const int last = calls->eventfd(0);
    ::rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const ::rlimit none_left{static_cast<::rlim_t>(last) + 1, before.rlim_max};
    if (GetParam() == World::Linux) { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0); }
    simulated.kernel.set_descriptors_limit(static_cast<std::uint64_t>(last) + 1);
    const std::array answers{calls->eventfd(0), calls->epoll_create(), calls->open_null(), calls->socket(false),
                             calls->dup(last)};
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(answers, (std::array{-EMFILE, -EMFILE, -EMFILE, -EMFILE, -EMFILE}));
    EXPECT_EQ(calls->close(last), 0);
}

INSTANTIATE_TEST_SUITE_P(everywhere, An_answer, testing::Values(World::Linux, World::simulated), [](const auto& each) {
    return std::string(each.param == World::Linux ? "on_Linux" : "simulated");
});

// What the calls of a script cannot ask for.
TEST(A_semaphore, is_read_one_by_one) {
    SimulatedCalls simulated;
    const int linux_fd = ::eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    const int fd = simulated.kernel.eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    for (const int wanted : {8, 8, -EAGAIN}) {
        std::uint64_t theirs = 0;
        std::uint64_t ours = 0;
        const auto result = ::read(linux_fd, &theirs, sizeof theirs);
        EXPECT_EQ(result < 0 ? -errno : result, wanted);
        EXPECT_EQ(simulated.kernel.read_counter(fd, ours), wanted);
        EXPECT_EQ(theirs, wanted < 0 ? 0u : 1u);
        EXPECT_EQ(ours, theirs);
    }
    ::close(linux_fd);
}

TEST(A_socket, may_be_asked_for_with_the_name_of_its_protocol) {
    SimulatedCalls simulated;
    const int linux_fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    EXPECT_GE(linux_fd, 0);
    EXPECT_EQ(simulated.kernel.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
    ::close(linux_fd);
}

}  // namespace
