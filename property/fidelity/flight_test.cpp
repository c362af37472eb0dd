// The simulated kernel where Linux cannot be asked: what is under way when something else happens, windows of a few bytes, and
// ports that have all been given out.
#include <gtest/gtest.h>

#include <acairo/kernel.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <string>
#include <string_view>

#include "outcomes.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::simulator::Kernel;
using acairo::simulator::KernelConfiguration;
using acairo::simulator::KernelHost;
using acairo::simulator::SocketAddress;
using acairo::simulator::State;
using acairo::simulator::Tag;
using fidelity::loopback;

constexpr int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
// Of the choices how long a segment takes; 0 is no time.
constexpr std::uint64_t after_50_ms = 3;
constexpr ::linger no_lingering{1, 0};

struct ChoosingHost : KernelHost {
    std::uint64_t below(std::uint64_t n, Tag tag) override {
        ++asked;
        if (choices.empty() || tag != Tag::clock) return 0;
        const std::uint64_t choice = choices.front() % n;
        choices.pop_front();
        return choice;
    }
    std::chrono::nanoseconds now() override { return time; }
    void publish(const void*) noexcept override {}
    void observe(const void*) noexcept override {}
    void misuse(const char* call, int fd, const char* why) override {
        ADD_FAILURE() << call << " of descriptor " << fd << ": " << why;
    }

    std::deque<std::uint64_t> choices;
    int asked = 0;
    std::chrono::nanoseconds time{};
};

class In_flight : public testing::Test {
protected:
    int listener(const SocketAddress& at = loopback(false), int backlog = 8) {
        const int fd = socket(false);
        EXPECT_EQ(kernel.bind(fd, at), 0);
        EXPECT_EQ(kernel.listen(fd, backlog), 0);
        return fd;
    }
    int socket(bool v6) { return kernel.socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | flags, 0); }
    SocketAddress name(int fd) {
        SocketAddress local;
        EXPECT_EQ(kernel.getsockname(fd, local), 0);
        return local;
    }
    int port(int fd) {
        const SocketAddress own = name(fd);
        return ntohs(reinterpret_cast<const ::sockaddr_in&>(own.storage).sin_port);
    }
    // {accepted, client}
    std::array<int, 2> pair() {
        const int listening = listener();
        const int client = socket(false);
        EXPECT_EQ(kernel.connect(client, name(listening)), -EINPROGRESS);
        const int accepted = kernel.accept4(listening, flags);
        kernel.close(listening);
        return {accepted, client};
    }
    void send(int fd, std::string_view bytes, int its_flags = 0) {
        EXPECT_EQ(kernel.send(fd, bytes.data(), bytes.size(), its_flags | MSG_NOSIGNAL),
                  static_cast<std::ptrdiff_t>(bytes.size()));
    }
    std::string receive(int fd, int its_flags = 0) {
        std::array<char, 100> bytes{};
        const auto result = kernel.recv(fd, bytes.data(), bytes.size(), its_flags);
        return result < 0 ? fidelity::text(result) : std::string(bytes.data(), static_cast<std::size_t>(result));
    }
    int error(int fd) {
        int value = -1;
        EXPECT_EQ(kernel.getsockopt(fd, SOL_SOCKET, SO_ERROR, value), 0);
        return value;
    }
    void close_with_a_reset(int fd) {
        EXPECT_EQ(kernel.setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_lingering, sizeof no_lingering), 0);
        EXPECT_EQ(kernel.close(fd), 0);
    }
    int watch(int fd, std::uint32_t events, std::uint64_t data = 7) {
        const int epoll = kernel.epoll_create1(EPOLL_CLOEXEC);
        ::epoll_event wanted{.events = events, .data = {.u64 = data}};
        EXPECT_EQ(kernel.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted), 0);
        return epoll;
    }
    int events(int epoll) {
        std::array<::epoll_event, 8> reported{};
        return kernel.epoll_wait(epoll, reported.data(), 8);
    }

    ChoosingHost host;
    Kernel kernel{host, {.descriptors = 10'000, .send_buffer = 40, .receive_buffer = 10, .fragments = false}};
};

// --- windows ---------------------------------------------------------------------------------------------------------

TEST_F(In_flight, a_window_that_no_reader_announces_is_found_open_after_200_ms) {
    const auto [reader, sender] = pair();
    kernel.shutdown(reader, SHUT_RD);
    send(sender, "0123456789abcde");
    EXPECT_EQ(receive(reader), "0123456789");
    EXPECT_EQ(receive(reader), "") << "it has shut down reading";
    EXPECT_EQ(kernel.next_event(), 200ms);
    host.time = 199ms;
    EXPECT_EQ(receive(reader), "");
    host.time = 200ms;
    EXPECT_EQ(receive(reader), "abcde");
    EXPECT_EQ(kernel.next_event(), std::chrono::nanoseconds::max());
}

TEST_F(In_flight, a_question_about_the_window_stays_behind_the_bytes_that_it_follows) {
    const auto [reader, sender] = pair();
    send(sender, "01234");
    host.choices = {after_50_ms};
    send(sender, "56789ab");
    kernel.shutdown(reader, SHUT_RD);
    EXPECT_EQ(receive(reader), "01234") << "now there is room, of which the sender does not hear";
    send(reader, "x");
    EXPECT_EQ(receive(sender), "x");
    host.time = 50ms;
    EXPECT_EQ(receive(reader), "56789");
    host.time = 199ms;
    EXPECT_EQ(receive(reader), "");
    host.time = 200ms;
    EXPECT_EQ(receive(reader), "ab");
}

TEST_F(In_flight, an_urgent_byte_behind_a_closed_window_is_not_known_before_its_segment) {
    const auto [reader, sender] = pair();
    send(sender, "0123456789abcde", MSG_OOB);
    EXPECT_EQ(receive(reader, MSG_OOB), "EINVAL");
    EXPECT_EQ(receive(reader), "0123456789");
    EXPECT_EQ(receive(reader, MSG_OOB), "e");
    EXPECT_EQ(receive(reader), "abcd");
}

TEST_F(In_flight, a_buffer_that_has_become_smaller_than_what_is_in_it_has_no_room) {
    const auto [reader, sender] = pair();
    send(sender, "0123456789abcdefghijABCDEFGHIJ");
    const int epoll = watch(sender, EPOLLOUT);
    EXPECT_EQ(events(epoll), 1);
    EXPECT_EQ(kernel.setsockopt(sender, SOL_SOCKET, SO_SNDBUF, 8), 0);
    EXPECT_EQ(events(epoll), 0);
    EXPECT_EQ(kernel.send(sender, "x", 1, MSG_NOSIGNAL), -EAGAIN);
    EXPECT_EQ(receive(reader), "0123456789");
    EXPECT_EQ(events(epoll), 0);
    EXPECT_EQ(receive(reader), "abcdefghij");
    EXPECT_EQ(events(epoll), 1) << "everything has left it";
    EXPECT_EQ(kernel.send(sender, "0123456789", 10, MSG_NOSIGNAL), 8);
}

TEST_F(In_flight, a_buffer_of_no_size_holds_one_byte) {
    const auto [reader, sender] = pair();
    EXPECT_EQ(kernel.setsockopt(sender, SOL_SOCKET, SO_SNDBUF, 0), 0);
    EXPECT_EQ(kernel.setsockopt(reader, SOL_SOCKET, SO_RCVBUF, 0), 0);
    EXPECT_EQ(kernel.send(sender, "ab", 2, MSG_NOSIGNAL), 1);
    EXPECT_EQ(kernel.send(sender, "bc", 2, MSG_NOSIGNAL), 1);
    EXPECT_EQ(kernel.send(sender, "c", 1, MSG_NOSIGNAL), -EAGAIN);
    EXPECT_EQ(receive(reader), "a");
    EXPECT_EQ(receive(reader), "b");
}

// --- ends ------------------------------------------------------------------------------------------------------------

TEST_F(In_flight, a_fin_of_a_side_that_has_aborted_meanwhile_ends_nothing_there) {
    const auto [other, side] = pair();
    host.choices = {after_50_ms};
    kernel.shutdown(side, SHUT_RDWR);
    send(other, "nobody can read this");
    EXPECT_EQ(kernel.state_of(side), State::reset);
    host.time = 50ms;
    EXPECT_EQ(receive(other), "") << "the end comes first";
    EXPECT_EQ(error(other), EPIPE) << "and then the reset";
    EXPECT_EQ(kernel.state_of(side), State::reset);
    EXPECT_EQ(error(side), ECONNRESET);
}

TEST_F(In_flight, bytes_that_nobody_can_read_abort_also_where_their_sender_is_gone) {
    const auto [other, side] = pair();
    kernel.shutdown(side, SHUT_RDWR);
    host.choices = {after_50_ms};
    send(other, "x");
    close_with_a_reset(other);
    EXPECT_EQ(kernel.state_of(side), State::local_end);
    host.time = 50ms;
    EXPECT_EQ(error(side), ECONNRESET);
    EXPECT_EQ(kernel.state_of(side), State::reset);
    EXPECT_EQ(kernel.next_event(), std::chrono::nanoseconds::max());
}

TEST_F(In_flight, two_resets_may_pass_each_other) {
    const auto [one, other] = pair();
    host.choices = {after_50_ms};
    close_with_a_reset(one);
    EXPECT_EQ(kernel.state_of(other), State::established);
    close_with_a_reset(other);
    EXPECT_EQ(kernel.open_descriptors(), 0u);
    EXPECT_EQ(kernel.next_event(), std::chrono::nanoseconds::max()) << "what flies to nobody is forgotten";
}

TEST_F(In_flight, a_close_without_lingering_sends_no_reset_after_both_ends_unless_its_own_is_held_back) {
    for (const bool held_back : {false, true}) {
        const auto [other, side] = pair();
        if (held_back) send(side, "0123456789abcde");
        if (!held_back) host.choices = {after_50_ms};
        kernel.shutdown(side, SHUT_WR);
        kernel.shutdown(other, SHUT_WR);
        EXPECT_EQ(kernel.state_of(side), State::both_ends);
        const int asked = host.asked;
        close_with_a_reset(side);
        EXPECT_EQ(host.asked - asked, held_back ? 1 : 0) << "segments";
        host.time += 50ms;
        EXPECT_EQ(receive(other), held_back ? "0123456789" : "");
        EXPECT_EQ(receive(other), held_back ? "ECONNRESET" : "");
    }
}

// --- ports and backlogs ----------------------------------------------------------------------------------------------

TEST_F(In_flight, ports_are_given_out_upwards_and_round_until_there_is_none) {
    Kernel few(host, {.first_port = 65533});
    const auto made = [&] { return few.socket(AF_INET, SOCK_STREAM | flags, 0); };
    const auto bound = [&](int& fd) { return few.bind(fd = made(), loopback(false)); };
    const auto port_of = [&](int fd) {
        SocketAddress own;
        EXPECT_EQ(few.getsockname(fd, own), 0);
        return int{ntohs(reinterpret_cast<const ::sockaddr_in&>(own.storage).sin_port)};
    };
    std::array<int, 4> fds{};
    for (int number : {0, 1, 2}) {
        int& fd = fds[static_cast<std::size_t>(number)];
        EXPECT_EQ(bound(fd), 0);
        EXPECT_EQ(port_of(fd), 65533 + number);
    }
    EXPECT_EQ(bound(fds[3]), -EADDRINUSE);
    EXPECT_EQ(few.listen(fds[3], 1), -EADDRINUSE);
    EXPECT_EQ(few.listen(fds[0], 1), 0) << "who has a port needs none";
    SocketAddress listening;
    few.getsockname(fds[0], listening);
    EXPECT_EQ(few.connect(fds[3], listening), -EADDRNOTAVAIL);
    EXPECT_EQ(few.connect(fds[1], listening), -EINPROGRESS);
    EXPECT_EQ(few.close(fds[2]), 0);
    EXPECT_EQ(few.listen(fds[3], 1), 0);
    EXPECT_EQ(port_of(fds[3]), 65535);
}

TEST_F(In_flight, no_backlog_is_larger_than_4096) {
    for (const int backlog : {-1, 4097}) {
        const int listening = listener(loopback(false), backlog);
        int client = -1;
        for (int number = 0; number != 4097; ++number) {
            client = socket(false);
            kernel.connect(client, name(listening));
        }
        EXPECT_EQ(kernel.state_of(client), State::established) << "it holds one more than it says";
        client = socket(false);
        EXPECT_EQ(kernel.connect(client, name(listening)), -EINPROGRESS);
        EXPECT_EQ(kernel.state_of(client), State::connecting);
        kernel.reset();
    }
}

TEST_F(In_flight, nothing_flies_to_another_machine) {
    EXPECT_EQ(kernel.connect(socket(false), fidelity::elsewhere()), -ENETUNREACH);
    SocketAddress other = loopback(true);
    reinterpret_cast<::sockaddr_in6&>(other.storage).sin6_addr.s6_addr[0] = 0x20;
    EXPECT_EQ(kernel.connect(socket(true), other), -ENETUNREACH);
    const int listening = listener();
    EXPECT_EQ(kernel.connect(socket(false), name(listening)), -EINPROGRESS);
    SocketAddress any = loopback(false, true);
    reinterpret_cast<::sockaddr_in&>(any.storage).sin_port = htons(static_cast<std::uint16_t>(port(listening)));
    EXPECT_EQ(kernel.connect(socket(false), any), -EINPROGRESS) << "the address of all is this machine's";
    EXPECT_EQ(kernel.next_event(), std::chrono::nanoseconds::max());
}

}  // namespace
