// The script tested with itself: whatever a test relies on it to notice, it notices. The calls are made here by hand.
#include "fixture.hpp"

namespace {

using acairo::platform;

class TheScript : public testing::Test {
protected:
    // What has failed, at the end.
    std::vector<std::string> failures() { return script.finish(); }
    int open_socket(int fd) {
        script.on("socket(AF_INET)", fd);
        return platform::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }

    scripted::Script script;
    char bytes[8] = {};
};

TEST_F(TheScript, is_content_when_everything_came_as_expected) {
    ASSERT_EQ(open_socket(0), 0);
    script.receives("recv(0, 8)", "hello");
    EXPECT_EQ(platform::recv(0, bytes, 8, 0), 5);
    EXPECT_EQ(std::string(bytes), "hello");
    EXPECT_TRUE(script.is_open(0));
    platform::close(0);
    EXPECT_FALSE(script.is_open(0));
    EXPECT_EQ(failures(), std::vector<std::string>());
}

TEST_F(TheScript, names_a_call_that_it_does_not_expect) {
    open_socket(7);
    script.on("recv(7, 8)", 0);
    EXPECT_EQ(platform::recv(7, bytes, 4, 0), -EIO);
    platform::close(7);
    EXPECT_EQ(failures(), std::vector<std::string>{"step 1: expected recv(7, 8), got recv(7, 4)"});
}

TEST_F(TheScript, names_a_call_after_its_end) {
    open_socket(7);
    EXPECT_EQ(platform::send(7, bytes, 8, MSG_NOSIGNAL), -EIO);
    platform::close(7);
    EXPECT_EQ(failures(), std::vector<std::string>{"step 1: expected no more calls, got send(7, 8)"});
}

TEST_F(TheScript, names_a_step_that_is_left_over) {
    script.on("accept4(5)", 7);
    EXPECT_EQ(failures(), std::vector<std::string>{"step 0, accept4(5), was never called"});
}

TEST_F(TheScript, lets_a_step_be_skipped_that_may_be) {
    script.maybe("socket(AF_INET6)", 6);
    open_socket(7);
    script.maybe("recv(7, 8)", 1);
    script.on("recv(7, 4)", 2);
    script.maybe("recv(7, 2)", 3);
    script.maybe("recv(7, 1)", 3);
    EXPECT_EQ(platform::recv(7, bytes, 4, 0), 2);
    platform::close(7);
    EXPECT_EQ(failures(), std::vector<std::string>());
}

TEST_F(TheScript, names_the_first_step_that_came_not_when_nothing_leads_to_the_call) {
    open_socket(7);
    script.maybe("recv(7, 8)", 1);
    script.on("recv(7, 4)", 2);
    platform::recv(7, bytes, 2, 0);
    platform::close(7);
    EXPECT_EQ(failures(), std::vector<std::string>{"step 1: expected recv(7, 8), got recv(7, 2)"});
}

TEST_F(TheScript, sees_a_descriptor_that_is_left_open) {
    open_socket(7);
    EXPECT_EQ(failures(), std::vector<std::string>{"descriptor 7 was left open"});
}

TEST_F(TheScript, sees_a_descriptor_that_is_closed_twice) {
    open_socket(7);
    platform::close(7);
    platform::close(7);
    EXPECT_EQ(failures(), std::vector<std::string>{"close(7): the descriptor is not open"});
}

TEST_F(TheScript, sees_a_descriptor_that_is_used_after_close) {
    open_socket(7);
    platform::close(7);
    script.on("recv(7, 8)", 1);
    platform::recv(7, bytes, 8, 0);
    EXPECT_EQ(failures().at(0), "recv(7, 8): the descriptor is not open");
}

TEST_F(TheScript, sees_a_descriptor_that_is_closed_while_a_call_uses_it) {
    open_socket(7);
    script.on("recv(7, 8)", 1).meanwhile = [] { platform::close(7); };
    platform::recv(7, bytes, 8, 0);
    EXPECT_EQ(failures(), std::vector<std::string>{"close(7) while another call uses it"});
}

TEST_F(TheScript, sees_flags_that_are_missing) {
    script.on("socket(AF_INET)", -EMFILE);
    platform::socket(AF_INET, SOCK_STREAM, 0);
    script.on("eventfd()", -EMFILE);
    platform::eventfd(0, EFD_CLOEXEC);
    script.on("accept4(5)", -EMFILE);
    platform::accept4(5, SOCK_NONBLOCK);
    platform::epoll_create1(0);
    const std::vector<std::string> found = failures();
    EXPECT_EQ(found,
              (std::vector<std::string>{"socket: SOCK_NONBLOCK|SOCK_CLOEXEC", "eventfd: EFD_CLOEXEC|EFD_NONBLOCK",
                                        "accept4: SOCK_NONBLOCK|SOCK_CLOEXEC", "accept4(5): the descriptor is not open",
                                        "epoll_create1: EPOLL_CLOEXEC"}));
}

TEST_F(TheScript, sees_a_send_that_could_raise_a_signal) {
    open_socket(7);
    script.on("send(7, 8)", 8);
    platform::send(7, bytes, 8, 0);
    platform::close(7);
    EXPECT_EQ(failures().at(0), "send: MSG_NOSIGNAL");
}

TEST_F(TheScript, sees_a_second_registration) {
    script.on("epoll_create1()", 3);
    platform::epoll_create1(EPOLL_CLOEXEC);
    open_socket(7);
    platform::event event{.events = EPOLLIN, .data = {.u64 = 1}};
    script.on("epoll_ctl(3, ADD, 7, IN)", 0);
    script.on("epoll_ctl(3, ADD, 7, IN)", 0);
    platform::epoll_ctl(3, EPOLL_CTL_ADD, 7, &event);
    platform::epoll_ctl(3, EPOLL_CTL_ADD, 7, &event);
    platform::close(7);
    platform::close(3);
    EXPECT_EQ(failures().at(0), "epoll_ctl(3, ADD, 7, IN): it is registered");
}

TEST_F(TheScript, delivers_a_wake_up_once_and_to_its_own_epoll) {
    script.on("epoll_create1()", 3);
    script.on("eventfd()", 4);
    script.on("epoll_ctl(3, ADD, 4, IN ET)", 0);
    platform::epoll_create1(EPOLL_CLOEXEC);
    platform::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    platform::event event{.events = EPOLLIN | static_cast<std::uint32_t>(EPOLLET), .data = {.u64 = 42}};
    platform::epoll_ctl(3, EPOLL_CTL_ADD, 4, &event);
    platform::event found{};
    EXPECT_EQ(platform::epoll_wait(3, &found, 1, 0), 0);
    platform::write_counter(4, 1);
    platform::write_counter(4, 1);
    EXPECT_EQ(platform::epoll_wait(3, &found, 1, -1), 1);
    // A copy: the event is packed, and nothing may refer to what is in it.
    EXPECT_EQ(std::uint64_t{found.data.u64}, 42u);
    EXPECT_EQ(platform::epoll_wait(3, &found, 1, 0), 0);
    platform::close(4);
    platform::close(3);
    EXPECT_EQ(failures(), std::vector<std::string>());
}

TEST_F(TheScript, lets_time_pass_only_when_it_says_so) {
    script.on("epoll_create1()", 3);
    platform::epoll_create1(EPOLL_CLOEXEC);
    const auto before = platform::now();
    platform::event found{};
    EXPECT_EQ(platform::epoll_wait(3, &found, 1, 0), 0);
    EXPECT_EQ(platform::now(), before);
    script.sleeps(20ms);
    EXPECT_EQ(platform::epoll_wait(3, &found, 1, 20), 0);
    EXPECT_EQ(platform::now(), before + 20ms);
    platform::close(3);
    EXPECT_EQ(failures(), std::vector<std::string>());
}

TEST_F(TheScript, runs_a_thread_when_somebody_waits_for_it) {
    std::vector<std::string> order;
    platform::mutex mutex;
    platform::condition_variable changed;
    void* slot = nullptr;
    platform::thread_slot() = &order;
    platform::thread first([&] {
        order.push_back("first");
        slot = platform::thread_slot();
    });
    platform::thread second([&] { order.push_back("second"); });
    order.push_back("main");
    mutex.lock();
    changed.wait(mutex);
    mutex.unlock();
    second.join();
    first.join();
    EXPECT_EQ(order, (std::vector<std::string>{"main", "first", "second"}));
    EXPECT_EQ(slot, nullptr);
    EXPECT_EQ(platform::thread_slot(), &order);
    EXPECT_EQ(failures(), std::vector<std::string>());
}

TEST_F(TheScript, refuses_a_thread) {
    script.on("thread()", -EAGAIN);
    EXPECT_EQ(failure_in([] { platform::thread refused([] {}); }).error, EAGAIN);
    EXPECT_EQ(failures(), std::vector<std::string>());
}

using TheScriptDeathTest = TheScript;

TEST_F(TheScriptDeathTest, dies_when_everybody_waits) {
    platform::mutex mutex;
    platform::condition_variable changed;
    mutex.lock();
    EXPECT_DEATH(changed.wait(mutex), "everybody waits");
    EXPECT_DEATH(mutex.lock(), "will not be unlocked");
}

// A task that sleeps for ever fails by name, and its test ends by itself.
class AnUnexpectedSleep : public Scripted {
protected:
    void TearDown() override {
        executor.reset();
        EXPECT_EQ(script.finish(), std::vector<std::string>{"step 3: expected no more calls, got epoll_wait(3, 1000)"});
    }
};

TEST_F(AnUnexpectedSleep, fails_and_ends) {
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(1s); });
}

}  // namespace
