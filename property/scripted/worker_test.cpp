// A worker's loop: epoll_wait that is interrupted, early or late; events that are stale; the eventfd that wakes it.
#include "fixture.hpp"

#include <string_view>

namespace {

using AWorker = Scripted;

TEST_F(AWorker, sleeps_the_rest_after_a_signal) {
    script.on("epoll_wait(3, 100)", -EINTR).lasting = 30ms;
    script.on("epoll_wait(3, 70)", -EINTR).lasting = 69ms;
    script.sleeps(1ms);
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(100ms); });
}

TEST_F(AWorker, sleeps_on_after_a_signal_when_there_is_no_deadline) {
    const auto listening = listener();
    registers(5);
    script.on("epoll_wait(3, -1)", -EINTR);
    script.on("epoll_wait(3, -1)", -EINTR);
    script.on("epoll_wait(3, -1)", 0).meanwhile = [&] { listening->stop(); };
    run([&]() -> acairo::Task<> { co_await throws<acairo::TCPListenerStoppedError>(listening->accept()); });
}

TEST_F(AWorker, sleeps_the_rest_when_it_was_woken_early) {
    script.on("epoll_wait(3, 100)", 0).lasting = 99'999'999ns;
    script.sleeps(1ms);
    const auto before = script.now();
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(100ms); });
    EXPECT_GE(script.now() - before, 100ms);
}

TEST_F(AWorker, may_be_woken_late) {
    script.on("epoll_wait(3, 100)", 0).lasting = 1h;
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(100ms); });
}

TEST_F(AWorker, rounds_a_sleep_up) {
    script.sleeps(2ms);
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(1001us); });
}

TEST_F(AWorker, does_not_poll_at_exactly_the_deadline) {
    script.sleeps(1ms);
    script.sleeps(1ms);
    run([]() -> acairo::Task<> {
        co_await acairo::sleep_for(1ms);
        co_await acairo::sleep_for(1ms);
    });
}

TEST_F(AWorker, sleeps_as_long_as_the_interface_can_express) {
    script.on("epoll_wait(3, 1073741824)", 0).meanwhile = [this] { executor->stop(); };
    run([]() -> acairo::Task<> { co_await throws<acairo::Cancelled>(acairo::sleep_for(24h * 365)); });
}

TEST_F(AWorker, ignores_an_event_of_a_descriptor_that_was_closed) {
    run([this]() -> acairo::Task<> {
        {
            const std::shared_ptr<acairo::TCPStream> first = co_await connected();
            registers(7);
            script.ready({{7, EPOLLIN | EPOLLRDHUP}});
            script.receives("recv(7, 1)", "a");
            co_await first->read(1);
        }
        const std::shared_ptr<acairo::TCPStream> second = co_await connected();
        registers(7);
        // A child process that inherited the first one's description keeps its registration alive.
        script.ready({{7, EPOLLIN | EPOLLRDHUP | EPOLLHUP, true}});
        script.ready({{7, EPOLLIN, true}, {7, EPOLLIN}});
        script.receives("recv(7, 2)", "b");
        // Had an RDHUP of the first one counted, the next read would try before it waits.
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 1)", "c");
        const std::vector<char> bytes = co_await second->read(2);
        EXPECT_EQ(to_string(bytes), "bc");
    });
}

TEST_F(AWorker, ignores_events_of_a_descriptor_that_was_closed_and_not_replaced) {
    run([this]() -> acairo::Task<> {
        {
            const std::shared_ptr<acairo::TCPStream> connection = co_await connected();
            registers(7);
            script.ready({{7, EPOLLIN}});
            script.receives("recv(7, 1)", "a");
            co_await connection->read(1);
        }
        script.on("epoll_wait(3, 10)", 1).events = {{7, EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR, true}};
        script.sleeps(10ms);
        co_await acairo::sleep_for(10ms);
    });
}

TEST_F(AWorker, survives_a_batch_in_which_the_first_event_s_task_closes_the_second_one_s_stream) {
    run([this]() -> acairo::Task<> {
        const std::shared_ptr<acairo::TCPStream> first = co_await connected();
        std::shared_ptr<acairo::TCPStream> second = co_await connected({}, 8);
        bool cancelled = false;
        executor->spawn([&]() -> acairo::Task<> { cancelled = co_await throws<acairo::Cancelled>(second->read(1)); });
        registers(7);
        registers(8);
        script.ready({{7, EPOLLIN}, {8, EPOLLIN}});
        script.receives("recv(7, 1)", "a");
        co_await first->read(1);
        second->close();
        script.sleeps(1ms);
        co_await acairo::sleep_for(1ms);
        EXPECT_TRUE(cancelled);
    });
}

TEST_F(AWorker, takes_events_in_any_order_and_several_of_one_descriptor) {
    run([this]() -> acairo::Task<> {
        const std::shared_ptr<acairo::TCPStream> first = co_await connected();
        const std::shared_ptr<acairo::TCPStream> second = co_await connected({}, 8);
        std::string order;
        executor->spawn([&]() -> acairo::Task<> {
            co_await second->read(1);
            order += '8';
        });
        registers(7);
        registers(8);
        script.ready({{8, EPOLLIN}, {7, EPOLLIN}, {8, EPOLLIN}});
        script.receives("recv(8, 1)", "b");
        script.receives("recv(7, 1)", "a");
        co_await first->read(1);
        order += '7';
        EXPECT_EQ(order, "87");
    });
}

TEST_F(AWorker, is_woken_by_another_thread_and_sleeps_again) {
    bool ran = false;
    script.on("epoll_wait(3, 100)", 0).meanwhile = [&] {
        executor->spawn([&]() -> acairo::Task<> {
            ran = true;
            co_return;
        });
    };
    script.on("epoll_wait(3, 100)", 0).lasting = 100ms;
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(100ms); });
    EXPECT_TRUE(ran);
}

// The shortest sleep is one: what comes in it is done at once, and not when the timer comes.
TEST_F(AWorker, is_woken_by_another_thread_though_its_timer_is_only_a_millisecond_ahead) {
    const auto before = script.now();
    std::chrono::nanoseconds waited = 1h;
    script.on("epoll_wait(3, 1)", 1).meanwhile = [&] {
        executor->spawn([&]() -> acairo::Task<> {
            waited = script.now() - before;
            co_return;
        });
    };
    script.on("write_counter(4)", 8);
    script.sleeps(1ms);
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(1ms); });
    EXPECT_EQ(waited, 0ns);
}

TEST_F(AWorker, is_woken_when_a_signal_interrupts_the_wake_up) {
    script.on("epoll_wait(3, 1000)", 0).meanwhile = [this] { executor->stop(); };
    script.on("write_counter(4)", -EINTR);
    script.on("write_counter(4)", -EINTR);
    script.on("write_counter(4)", 8);
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(1s); });
}

TEST_F(AWorker, counts_a_full_eventfd_as_a_wake_up) {
    script.on("epoll_wait(3, 1000)", 1).meanwhile = [this] { executor->stop(); };
    script.on("write_counter(4)", -EAGAIN);
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(1s); });
}

using AWorker_DeathTest = AWorker;

TEST_F(AWorker_DeathTest, that_cannot_be_woken_is_a_bug) {
    EXPECT_DEATH(
        {
            script.on("epoll_wait(3, 1000)", 0).meanwhile = [this] { executor->stop(); };
            script.on("write_counter(4)", -EBADF);
            run([]() -> acairo::Task<> { co_await acairo::sleep_for(1s); });
        },
        "check failed: an eventfd can be written");
}

TEST_F(AWorker_DeathTest, that_cannot_wait_is_a_bug) {
    EXPECT_DEATH(
        {
            script.on("epoll_wait(3, 1000)", -EBADF);
            run([]() -> acairo::Task<> { co_await acairo::sleep_for(1s); });
        },
        "check failed: epoll_wait of our own descriptor fails with EINTR only");
}

TEST_F(AWorker, never_reads_its_eventfd_and_does_not_spin_on_it) {
    script.on("epoll_wait(3, 100)", 1).events = {{4, EPOLLIN}};
    script.on("epoll_wait(3, 100)", 1).events = {{4, EPOLLIN}};
    script.sleeps(100ms);
    run([]() -> acairo::Task<> { co_await acairo::sleep_for(100ms); });
}

TEST_F(AWorker, ends_every_wait_when_the_executor_is_stopped) {
    const auto listening = listener();
    std::shared_ptr<acairo::TCPStream> reader;
    std::shared_ptr<acairo::TCPStream> writer;
    int ended = 0;
    run([&]() -> acairo::Task<> {
        reader = co_await connected();
        writer = co_await connected({}, 8);
        executor->spawn([&]() -> acairo::Task<> { ended += co_await throws<acairo::Cancelled>(listening->accept()); });
        executor->spawn([&]() -> acairo::Task<> { ended += co_await throws<acairo::Cancelled>(reader->read(1)); });
        executor->spawn([&]() -> acairo::Task<> {
            ended += co_await throws<acairo::Cancelled>(writer->write_all(std::string_view("x")));
        });
        registers(5);
        registers(7);
        script.on("send(8, 1)", -EAGAIN);
        script.on("epoll_ctl(3, ADD, 8, OUT ET)", 0);
        script.on("epoll_wait(3, 1000)", 0).meanwhile = [this] { executor->stop(); };
        ended += co_await throws<acairo::Cancelled>(acairo::sleep_for(1s));
    });
    EXPECT_EQ(ended, 4);
    // What is held outside any coroutine stays its owner's to close.
    EXPECT_TRUE(script.is_open(7));
    reader.reset();
    writer.reset();
}

}  // namespace
