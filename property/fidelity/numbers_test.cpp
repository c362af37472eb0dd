// The simulated kernel's numbers and epolls where Linux cannot be asked: what its host is told of them, and what it chooses.
#include <gtest/gtest.h>

#include <acairo/kernel.hpp>
#include <cerrno>
#include <deque>
#include <string>

#include "outcomes.hpp"

namespace {

using acairo::simulator::Kernel;
using acairo::simulator::KernelHost;
using acairo::simulator::State;
using acairo::simulator::Tag;

struct OrderingHost : KernelHost {
    std::uint64_t below(std::uint64_t n, Tag tag) override {
        if (choices.empty() || tag != Tag::order) return 0;
        const std::uint64_t choice = choices.front() % n;
        choices.pop_front();
        return choice;
    }
    std::chrono::nanoseconds now() override { return {}; }
    void publish(const void*) noexcept override {}
    void observe(const void*) noexcept override {}
    void misuse(const char* call, int fd, const char* why) override {
        misuses.push_back(std::string(call) + " " + std::to_string(fd) + ": " + why);
    }

    std::deque<std::uint64_t> choices;
    std::vector<std::string> misuses;
};

class By_number : public testing::Test {
protected:
    OrderingHost host;
    Kernel kernel{host};
};

TEST_F(By_number, one_event_of_several_is_the_chosen_one) {
    const int epoll = kernel.epoll_create1(0);
    for (std::uint64_t data = 0; data != 3; ++data) {
        ::epoll_event wanted{.events = EPOLLIN, .data = {.u64 = data}};
        kernel.epoll_ctl(epoll, EPOLL_CTL_ADD, kernel.eventfd(1, 0), &wanted);
    }
    host.choices = {2};
    ::epoll_event event{};
    EXPECT_EQ(kernel.epoll_wait(epoll, &event, 1), 1);
    EXPECT_EQ(std::uint64_t{event.data.u64}, 2u);
    EXPECT_TRUE(host.choices.empty());
}

TEST_F(By_number, no_epoll_watches_an_epoll) {
    const int epoll = kernel.epoll_create1(0);
    ::epoll_event wanted{.events = EPOLLIN, .data = {}};
    EXPECT_EQ(kernel.epoll_ctl(epoll, EPOLL_CTL_ADD, kernel.epoll_create1(0), &wanted), -EINVAL);
}

TEST_F(By_number, only_an_epoll_with_something_to_report_wakes_who_waits_in_it) {
    const int counter = kernel.eventfd(0, 0);
    const int epoll = kernel.epoll_create1(0);
    ::epoll_event wanted{.events = EPOLLIN, .data = {}};
    EXPECT_EQ(kernel.epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &wanted), 0);
    EXPECT_FALSE(kernel.may_report(epoll));
    kernel.write_counter(counter, 1);
    EXPECT_TRUE(kernel.may_report(epoll));
    EXPECT_FALSE(kernel.may_report(counter));
    kernel.close(epoll);
    EXPECT_FALSE(kernel.may_report(epoll));
}

TEST_F(By_number, a_number_that_is_not_open_is_nothing_and_has_no_past_of_its_own) {
    const int closed = kernel.eventfd(0, 0);
    EXPECT_TRUE(kernel.blocking(closed));
    kernel.close(closed);
    for (const int fd : {-1, 41, closed}) {
        EXPECT_FALSE(kernel.blocking(fd)) << fd;
        EXPECT_EQ(kernel.state_of(fd), State::no_descriptor) << fd;
        kernel.set_origin(fd, 5);
        EXPECT_EQ(kernel.origin(fd), fd == closed ? 5u : 0u) << fd;
    }
    EXPECT_EQ(kernel.close(-1), -EBADF);
    ASSERT_EQ(host.misuses.size(), 1u);
    EXPECT_EQ(host.misuses[0], "close -1: no such descriptor was ever opened");
}

TEST_F(By_number, what_is_open_is_listed_as_what_it_is) {
    kernel.epoll_create1(0);
    kernel.socket(AF_INET, SOCK_STREAM, 0);
    kernel.open_null();
    const int listening = kernel.socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(kernel.bind(listening, fidelity::loopback(false)), 0);
    EXPECT_EQ(kernel.listen(listening, 1), 0);
    kernel.eventfd(0, 0);
    std::vector<Kernel::OpenDescriptor> open;
    kernel.list_open(open);
    std::string kinds;
    for (const auto& each : open) kinds += std::string(each.kind) + " ";
    EXPECT_EQ(kinds, "epoll socket file listener eventfd ");
}

}  // namespace
