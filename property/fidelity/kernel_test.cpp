// The simulated kernel where Linux cannot be asked: numbers, misuse, choices, virtual time, and happens-before edges.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <acairo/kernel.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <string>

namespace {

using namespace std::chrono_literals;
using acairo::simulator::Kernel;
using acairo::simulator::KernelConfiguration;
using acairo::simulator::KernelHost;
using acairo::simulator::SocketAddress;
using acairo::simulator::Tag;

constexpr int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

struct TestHost : KernelHost {
    std::uint64_t below(std::uint64_t n, Tag tag) override {
        if (n < 2) return 0;
        asked.push_back(tag);
        if (choices.empty() || tag != about) return 0;
        const std::uint64_t choice = choices.front() % n;
        choices.pop_front();
        return choice;
    }
    std::chrono::nanoseconds now() override { return time; }
    void publish(const void* object) noexcept override { published.push_back(object); }
    void observe(const void* object) noexcept override {
        if (std::find(published.begin(), published.end(), object) != published.end()) ++edges;
    }
    void misuse(const char* call, int fd, const char* why) override {
        misuses.push_back(std::string(call) + " " + std::to_string(fd) + ": " + why);
    }

    Tag about = Tag::clock;
    std::deque<std::uint64_t> choices;
    std::vector<Tag> asked;
    std::chrono::nanoseconds time{};
    std::vector<const void*> published;
    int edges = 0;
    std::vector<std::string> misuses;
};

struct KernelTest : testing::Test {
    TestHost host;
    Kernel kernel{host};

    int listener() {
        const int fd = kernel.socket(AF_INET, SOCK_STREAM | flags, 0);
        SocketAddress any;
        any.storage.ss_family = AF_INET;
        any.length = sizeof(::sockaddr_in);
        EXPECT_EQ(kernel.bind(fd, any), 0);
        EXPECT_EQ(kernel.listen(fd, 8), 0);
        return fd;
    }
    int client(int of) {
        SocketAddress name;
        kernel.getsockname(of, name);
        const int fd = kernel.socket(AF_INET, SOCK_STREAM | flags, 0);
        EXPECT_EQ(kernel.connect(fd, name), -EINPROGRESS);
        return fd;
    }
    // {accepted, client}; the listener is closed.
    std::array<int, 2> pair() {
        const int listening = listener();
        const int connecting = client(listening);
        const int accepted = kernel.accept4(listening, flags);
        kernel.close(listening);
        return {accepted, connecting};
    }
    long receive(int fd, std::size_t size = 100) {
        std::array<char, 100> bytes{};
        return kernel.recv(fd, bytes.data(), size, 0);
    }
    int watch(int fd, std::uint32_t events) {
        const int epoll = kernel.epoll_create1(EPOLL_CLOEXEC);
        ::epoll_event wanted{.events = events, .data = {.u64 = 7}};
        EXPECT_EQ(kernel.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted), 0);
        return epoll;
    }
    int edges_of(auto&& work) {
        host.edges = 0;
        work();
        return host.edges;
    }
};

// --- descriptors -----------------------------------------------------------------------------------------------------

TEST_F(KernelTest, descriptors_are_the_lowest_free_number_from_0) {
    EXPECT_EQ(kernel.eventfd(0, 0), 0);
    EXPECT_EQ(kernel.epoll_create1(0), 1);
    EXPECT_EQ(kernel.socket(AF_INET, SOCK_STREAM, 0), 2);
    EXPECT_EQ(kernel.close(0), 0);
    EXPECT_EQ(kernel.close(1), 0);
    EXPECT_EQ(kernel.dup(2), 0);
    EXPECT_EQ(kernel.open_null(), 1);
    EXPECT_EQ(kernel.eventfd(0, 0), 3);
}

TEST_F(KernelTest, no_number_is_given_out_at_the_limit_and_a_connection_stays_in_the_backlog) {
    const int listening = listener();
    client(listening);
    kernel.set_descriptors_limit(2);
    EXPECT_EQ(kernel.accept4(listening, flags), -EMFILE);
    EXPECT_EQ(kernel.socket(AF_INET, SOCK_STREAM, 0), -EMFILE);
    EXPECT_EQ(kernel.dup(listening), -EMFILE);
    kernel.set_descriptors_limit(3);
    EXPECT_EQ(kernel.accept4(listening, flags), 2);
}

TEST_F(KernelTest, use_of_a_number_that_is_not_open_is_misuse_and_says_which) {
    const int fd = kernel.eventfd(0, 0);
    kernel.close(fd);
    EXPECT_EQ(kernel.close(fd), -EBADF);
    EXPECT_EQ(kernel.listen(41, 1), -EBADF);
    ASSERT_EQ(host.misuses.size(), 2u);
    EXPECT_EQ(host.misuses[0].rfind("close 0: the descriptor is closed", 0), 0u) << host.misuses[0];
    EXPECT_EQ(host.misuses[1].rfind("listen 41: no such descriptor was ever opened", 0), 0u) << host.misuses[1];
}

TEST_F(KernelTest, a_send_that_raises_sigpipe_is_misuse) {
    const auto [accepted, connected] = pair();
    kernel.shutdown(accepted, SHUT_WR);
    EXPECT_EQ(kernel.send(accepted, "x", 1, MSG_NOSIGNAL), -EPIPE);
    EXPECT_TRUE(host.misuses.empty());
    EXPECT_EQ(kernel.send(accepted, "x", 1, 0), -EPIPE);
    EXPECT_EQ(host.misuses.size(), 1u);
}

TEST_F(KernelTest, what_is_open_is_listed_with_its_kind_and_origin) {
    const int listening = listener();
    kernel.set_origin(kernel.eventfd(0, 0), 5);
    std::vector<Kernel::OpenDescriptor> open;
    kernel.list_open(open);
    ASSERT_EQ(open.size(), 2u);
    EXPECT_EQ(std::string(open[0].kind), "listener");
    EXPECT_EQ(std::string(open[1].kind), "eventfd");
    EXPECT_EQ(open[1].origin, 5u);
    kernel.close(listening);
    kernel.set_origin(listening, 6);
    EXPECT_EQ(kernel.origin(listening), 6u);
    EXPECT_EQ(kernel.open_descriptors(), 1u);
}

// --- time and choices ------------------------------------------------------------------------------------------------

TEST_F(KernelTest, a_delayed_message_arrives_at_its_time_and_those_after_it_not_before) {
    const auto [accepted, connected] = pair();
    host.choices = {2};  // 1 ms
    kernel.send(connected, "one", 3, MSG_NOSIGNAL);
    kernel.send(connected, "two", 3, MSG_NOSIGNAL);
    EXPECT_EQ(receive(accepted), -EAGAIN);
    EXPECT_EQ(kernel.next_event(), 1ms);
    const std::uint64_t before = kernel.epoch();
    host.time = 1ms;
    kernel.advance();
    EXPECT_NE(kernel.epoch(), before);
    EXPECT_EQ(receive(accepted), 6);
    EXPECT_EQ(kernel.next_event(), std::chrono::nanoseconds::max());
}

TEST_F(KernelTest, a_fin_and_a_reset_stay_behind_the_bytes_before_them) {
    for (const bool reset : {false, true}) {
        const auto [accepted, connected] = pair();
        host.choices = {2};
        kernel.send(connected, "one", 3, MSG_NOSIGNAL);
        const ::linger at_once{1, 0};
        if (reset) kernel.setsockopt(connected, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        kernel.close(connected);
        EXPECT_EQ(receive(accepted), -EAGAIN);
        host.time += 1s;
        EXPECT_EQ(receive(accepted), 3);
        EXPECT_EQ(receive(accepted), reset ? -ECONNRESET : 0);
    }
}

TEST_F(KernelTest, a_message_may_be_cut) {
    const auto [accepted, connected] = pair();
    host.about = Tag::transfer;
    host.choices = {1};  // one byte alone
    const int epoll = watch(accepted, EPOLLIN);
    kernel.send(connected, "message", 7, MSG_NOSIGNAL);
    EXPECT_EQ(receive(accepted), 7);  // no delay between the pieces
    host.asked.clear();
    kernel.send(connected, "x", 1, MSG_NOSIGNAL);
    EXPECT_EQ(std::count(host.asked.begin(), host.asked.end(), Tag::transfer), 0) << "a byte cannot be cut";
    kernel.close(epoll);
}

TEST_F(KernelTest, events_come_in_the_chosen_order_and_number) {
    const int epoll = kernel.epoll_create1(0);
    for (std::uint64_t name = 0; name != 3; ++name) {
        ::epoll_event wanted{.events = EPOLLIN, .data = {.u64 = name}};
        kernel.epoll_ctl(epoll, EPOLL_CTL_ADD, kernel.eventfd(1, 0), &wanted);
    }
    std::array<::epoll_event, 8> events{};
    ASSERT_EQ(kernel.epoll_wait(epoll, events.data(), 8), 3);
    EXPECT_EQ(std::uint64_t{events[0].data.u64}, 0u);
    EXPECT_EQ(std::uint64_t{events[2].data.u64}, 2u);
    host.about = Tag::order;
    host.choices = {1, 2, 0};  // one fewer; the last first; then the first
    ASSERT_EQ(kernel.epoll_wait(epoll, events.data(), 8), 2);
    EXPECT_EQ(std::uint64_t{events[0].data.u64}, 2u);
    EXPECT_EQ(std::uint64_t{events[1].data.u64}, 0u);
}

TEST_F(KernelTest, a_client_that_met_a_full_backlog_tries_again_after_a_second) {
    const int listening = listener();
    kernel.listen(listening, 0);
    client(listening);
    const int late = client(listening);
    SocketAddress peer;
    EXPECT_EQ(kernel.getpeername(late, peer), -ENOTCONN);
    EXPECT_EQ(kernel.next_event(), 1s);
    EXPECT_GE(kernel.accept4(listening, flags), 0);
    host.time = 1s;
    EXPECT_EQ(kernel.getpeername(late, peer), 0);
}

TEST_F(KernelTest, a_reset_kernel_is_as_new) {
    const auto run = [&] {
        const auto [accepted, connected] = pair();
        SocketAddress name;
        kernel.getsockname(connected, name);
        kernel.send(connected, "abc", 3, MSG_NOSIGNAL);
        return std::tuple(accepted, connected, reinterpret_cast<const ::sockaddr_in&>(name.storage).sin_port,
                          kernel.epoch());
    };
    const auto first = run();
    kernel.reset();
    EXPECT_EQ(kernel.open_descriptors(), 0u);
    EXPECT_EQ(run(), first);
    EXPECT_EQ(receive(std::get<0>(first)), 3);
}

TEST_F(KernelTest, a_blocking_descriptor_says_so_and_connects_in_one_call) {
    const int listening = listener();
    SocketAddress name;
    kernel.getsockname(listening, name);
    const int fd = kernel.socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_TRUE(kernel.blocking(fd));
    EXPECT_FALSE(kernel.blocking(listening));
    EXPECT_EQ(kernel.connect(fd, name), 0);
    EXPECT_EQ(receive(fd), -EAGAIN);
}

// --- happens-before edges --------------------------------------------------------------------------------------------

TEST_F(KernelTest, bytes_a_fin_and_a_reset_order_the_read_of_them_after_their_cause) {
    const auto [accepted, connected] = pair();
    EXPECT_EQ(edges_of([&] { receive(accepted); }), 0);
    kernel.send(connected, "abc", 3, MSG_NOSIGNAL);
    kernel.send(connected, "def", 3, MSG_NOSIGNAL);
    EXPECT_EQ(edges_of([&] { receive(accepted, 3); }), 1) << "the second send has nothing to do with it";
    EXPECT_EQ(edges_of([&] { receive(accepted, 3); }), 1);
    EXPECT_EQ(edges_of([&] { receive(accepted, 3); }), 0);
    kernel.shutdown(connected, SHUT_WR);
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(receive(accepted), 0); }), 1);
    const auto [other, resetting] = pair();
    kernel.send(other, "x", 1, MSG_NOSIGNAL);
    kernel.close(resetting);
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(receive(other), -ECONNRESET); }), 1);
}

TEST_F(KernelTest, an_event_is_after_its_registration_and_after_what_it_reports) {
    const auto [accepted, connected] = pair();
    const int epoll = watch(accepted, EPOLLIN | EPOLLOUT | EPOLLET);
    std::array<::epoll_event, 4> events{};
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(kernel.epoll_wait(epoll, events.data(), 4), 1); }), 1);
    kernel.send(connected, "abc", 3, MSG_NOSIGNAL);
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(kernel.epoll_wait(epoll, events.data(), 4), 1); }), 2);
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(kernel.epoll_wait(epoll, events.data(), 4), 0); }), 0);
}

TEST_F(KernelTest, a_counter_orders_its_reader_and_its_epoll_after_its_writer) {
    const int counter = kernel.eventfd(0, 0);
    const int epoll = watch(counter, EPOLLIN);
    std::array<::epoll_event, 4> events{};
    std::uint64_t value = 0;
    EXPECT_EQ(edges_of([&] { kernel.read_counter(counter, value); }), 0);
    kernel.write_counter(counter, 1);
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(kernel.epoll_wait(epoll, events.data(), 4), 1); }), 2);
    EXPECT_EQ(edges_of([&] { EXPECT_EQ(kernel.read_counter(counter, value), 8); }), 1);
}

TEST_F(KernelTest, an_accepted_connection_is_after_its_connect) {
    const int listening = listener();
    client(listening);
    EXPECT_EQ(edges_of([&] { kernel.accept4(listening, flags); }), 1);
}

}  // namespace
