// What comes after close() or stop() is told so, even while the operation that was ended by it has not yet unwound.
#include "socket_test.hpp"
#include "support.hpp"

#include <chrono>
#include <future>

namespace property {
namespace {

using acairo::Task;

TEST(a_closed_stream, is_bad_file_descriptor_to_the_next_reader_before_the_last_one_has_unwound) {
    auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    std::string waiting;
    work->spawn([&]() -> Task<void> { waiting = co_await ending(streams.first->read(1)); });
    settle(*work);
    EXPECT_EQ(work->sync_wait([&]() -> Task<std::string> {
        streams.first->close();
        co_return co_await ending(streams.first->read(1));
    }),
              "bad_file_descriptor");
    settle(*work);
    EXPECT_EQ(waiting, "Cancelled");
}

// Its time is over, too, when the worker looks again; but close() came first.
TEST(a_closed_stream, ends_a_read_with_cancelled_whose_time_is_over_afterwards) {
    constexpr auto limit = std::chrono::milliseconds(1);
    const auto work = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    const auto stream = work->sync_wait([&]() -> Task<std::shared_ptr<acairo::TCPStream>> {
        const acairo::TCPStreamConfiguration configuration{.read_timeout = limit};
        co_return co_await acairo::TCPStream::connect(work, listener.local_address(), configuration);
    });
    std::string waiting;
    std::promise<void> parked;
    std::promise<void> closed;
    // Both run in one round of the worker, in this order: it looks at no timer in between.
    const auto read = [&]() -> Task<void> { waiting = co_await ending(stream->read(1)); };
    const auto keep_the_worker = [&]() -> Task<void> {
        const auto over = std::chrono::steady_clock::now() + limit;
        parked.set_value();
        closed.get_future().wait();
        while (std::chrono::steady_clock::now() <= over) {}
        co_return;
    };
    work->spawn([&]() -> Task<void> {
        work->spawn(read);
        work->spawn(keep_the_worker);
        co_return;
    });
    parked.get_future().wait();
    stream->close();
    closed.set_value();
    EXPECT_TRUE(work->drain(std::chrono::hours(1)));
    EXPECT_EQ(waiting, "Cancelled");
}

TEST(a_stopped_listener, says_so_to_the_next_accept_before_the_last_one_has_unwound) {
    auto work = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    std::string waiting;
    work->spawn([&]() -> Task<void> { waiting = co_await ending(listener.accept()); });
    settle(*work);
    EXPECT_EQ(work->sync_wait([&]() -> Task<std::string> {
        listener.stop();
        co_return co_await ending(listener.accept());
    }),
              "TCPListenerStoppedError");
    settle(*work);
    EXPECT_EQ(waiting, "TCPListenerStoppedError");
}

TEST(a_stopped_executor, says_so_to_the_next_reader_and_writer_before_the_last_ones_have_unwound) {
    const std::vector<char> more_than_fits(std::size_t{64} << 20, 'x');
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    const auto read = [&] { return ending(streams.first->read(1)); };
    const auto write = [&] { return ending(streams.first->write_all(more_than_fits)); };
    std::string reading;
    std::string writing;
    work->spawn([&]() -> Task<void> { reading = co_await read(); });
    work->spawn([&]() -> Task<void> { writing = co_await write(); });
    settle(*work);
    EXPECT_EQ(work->sync_wait([&]() -> Task<std::string> {
        work->stop();
        const std::string next_read = co_await read();
        const std::string next_write = co_await write();
        EXPECT_EQ(reading + writing, "") << "they have not unwound";
        co_return next_read + " and " + next_write;
    }),
              "Cancelled and Cancelled");
    EXPECT_TRUE(work->drain(std::chrono::hours(1)));
    EXPECT_EQ(reading, "Cancelled");
    EXPECT_EQ(writing, "Cancelled");
}

// With a budget of one completion, a wait that completes at once lets others run; this one does not even begin.
TEST(a_stopped_executor, suspends_nobody_who_waits) {
    const auto work = executor(1, 1);
    const Streams streams = work->sync_wait([&] { return connected(work); });
    bool other_ran = false;
    int cancelled = 0;
    work->sync_wait([&]() -> Task<void> {
        work->spawn([&]() -> Task<void> {
            other_ran = true;
            co_return;
        });
        work->stop();
        for (int i = 0; i < 3; ++i) {
            try {
                co_await acairo::sleep_for(std::chrono::nanoseconds(0));
            } catch (const acairo::Cancelled&) { ++cancelled; }
            try {
                co_await streams.first->read(1);
            } catch (const acairo::Cancelled&) { ++cancelled; }
        }
        EXPECT_FALSE(other_ran);
    });
    EXPECT_EQ(cancelled, 6);
}

TEST(a_listener_with_a_limit, has_room_after_a_close_before_who_reads_there_has_unwound) {
    const auto work = executor();
    acairo::TCPListener listener({.maximum_connections = 1}, work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    // The limit is for a broken core only.
    const auto accept = [&] {
        return acairo::timeout(std::chrono::milliseconds(raw::hang_guard_milliseconds), listener.accept());
    };
    for (int i = 0; i < 3; ++i) {
        const raw::Client client(listener.local_address());
        const auto stream = work->sync_wait(accept);
        std::string waiting;
        work->spawn([&]() -> Task<void> { waiting = co_await ending(stream->read(1)); });
        settle(*work);
        work->sync_wait([&]() -> Task<void> {
            stream->close();
            EXPECT_EQ(waiting, "");
            co_return;
        });
        settle(*work);
        EXPECT_EQ(waiting, "Cancelled");
    }
}

}  // namespace
}  // namespace property
