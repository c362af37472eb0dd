// close() from another thread ends a waiting reader and a waiting writer, on whichever workers, with Cancelled; later operations
// are bad_file_descriptor; the descriptor is closed once.
//
// It would have caught: a descriptor that is closed under a system call; a number that is used after it was given to somebody
// else; a waiter that nobody wakes.
// Covers: 7.119 close comes between a claim of the descriptor and its use; 3.43 two directions and a close race
// Covers: 10.43 the new owner of a number is taken for the old one
#include "support.hpp"

namespace property {
namespace {

Task<void> expect_end(Trial& trial, platform::atomic<std::uint32_t>& ended, Task<void> operation) {
    try {
        co_await std::move(operation);
    } catch (const acairo::Cancelled&) {
    } catch (const std::system_error& error) {
        trial.require(error.code() == std::errc::bad_file_descriptor, "after close() it is bad_file_descriptor");
    }
    ended.fetch_add(1, std::memory_order_relaxed);
}

Task<void> read_for_ever(std::shared_ptr<acairo::TCPStream> stream) { co_await stream->read(1'000'000); }

Task<void> write_for_ever(std::shared_ptr<acairo::TCPStream> stream) {
    const std::string bytes = pattern(5000);
    for (;;) co_await stream->write_all(bytes);
}

void close_ends_both_waiters(Trial& trial) {
    platform::atomic<std::uint32_t> ended{0};
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 2});
    acairo::TCPListener listener({}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    Peer peer(listener.local_address());
    trial.require(peer.connected(), "a listening server is connected to");
    const auto accept = [&]() -> Task<std::shared_ptr<acairo::TCPStream>> { co_return co_await listener.accept(); };
    const auto stream = executor->sync_wait(accept);
    executor->spawn([&] { return expect_end(trial, ended, read_for_ever(stream)); });
    executor->spawn([&] { return expect_end(trial, ended, write_for_ever(stream)); });
    for (std::uint64_t i = trial.below(6); i != 0; --i) static_cast<void>(platform::now());
    stream->close();
    // Its number may be given out again at once.
    Peer second(listener.local_address());
    trial.require(executor->drain(std::chrono::seconds(100)), "both waiters end");
    trial.require(ended.load(std::memory_order_acquire) == 2, "each of them once");
    listener.stop();
}

const acairo::Property registered{
    "close_ends_both_waiters", close_ends_both_waiters, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
