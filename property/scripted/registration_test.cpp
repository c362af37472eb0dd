// A stream's place in its worker's epoll: it is used again when epoll refused it or its stream is closed, and what epoll refused
// is asked for again.
#include "fixture.hpp"

#include <string_view>

namespace {

class ARegistration : public Scripted {
protected:
    // More than a worker makes places for at once.
    static constexpr int many = 200;
    // How often this worker has made places.
    static std::size_t times_made() { return acairo::detail::Worker::current()->registrations.size(); }
};

TEST_F(ARegistration, that_epoll_refuses_is_used_for_the_next_read) {
    run([this]() -> acairo::Task<> {
        stream = co_await connected();
        for (int i = 0; i < many; ++i) {
            script.on("epoll_ctl(3, ADD, 7, IN PRI RDHUP ET)", -ENOMEM);
            const Failure failure = co_await failure_of(stream->read(1));
            EXPECT_EQ(failure.error, ENOMEM);
        }
        EXPECT_EQ(times_made(), 1u);
        stream.reset();
    });
}

TEST_F(ARegistration, of_a_closed_stream_is_used_for_the_next_one) {
    run([this]() -> acairo::Task<> {
        for (int i = 0; i < many; ++i) {
            stream = co_await connected();
            registers(7);
            script.ready({{7, EPOLLIN}});
            script.receives("recv(7, 1)", "x");
            co_await stream->read(1);
            stream.reset();
        }
        EXPECT_EQ(times_made(), 1u);
    });
}

TEST_F(ARegistration, of_a_stream_that_another_thread_closes_is_used_for_the_next_one) {
    run([this]() -> acairo::Task<> {
        for (int i = 0; i < many; ++i) {
            stream = co_await connected();
            registers(7);
            script.on("epoll_wait(3, -1)", 0).meanwhile = [this] { stream->close(); };
            const bool cancelled = co_await throws<acairo::Cancelled>(stream->read(1));
            EXPECT_TRUE(cancelled);
            stream.reset();
        }
        EXPECT_EQ(times_made(), 1u);
    });
}

TEST_F(ARegistration, that_epoll_does_not_extend_is_extended_by_the_next_write) {
    run([this]() -> acairo::Task<> {
        stream = co_await connected();
        registers(7);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 1)", "?");
        co_await stream->read(1);
        script.on("send(7, 1)", -EAGAIN);
        script.on("epoll_ctl(3, MOD, 7, IN PRI OUT RDHUP ET)", -ENOMEM);
        const Failure failure = co_await failure_of(stream->write_all(std::string_view("!")));
        EXPECT_EQ(failure.error, ENOMEM);
        EXPECT_TRUE(contains(failure.text, "epoll_ctl"));
        // Without asking again, nothing would tell that there is room.
        script.on("send(7, 1)", -EAGAIN);
        script.on("epoll_ctl(3, MOD, 7, IN PRI OUT RDHUP ET)", 0);
        script.ready({{7, EPOLLOUT}});
        script.on("send(7, 1)", 1);
        co_await stream->write_all(std::string_view("!"));
        // The reader's part was never lost.
        script.on("recv(7, 1)", -EAGAIN);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 1)", "?");
        co_await stream->read(1);
        stream.reset();
    });
}

}  // namespace
