// What comes after close() or stop() is told so, even while the operation that was ended by it has not yet unwound.
#include "support.hpp"

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

}  // namespace
}  // namespace property
