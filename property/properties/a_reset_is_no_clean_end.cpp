// A connection that the peer resets ends with an error for its reader, also when the writer, on another worker, is told first:
// never with a clean end of stream.
//
// It would have caught: an error that send(2) took from the kernel, and that the reader's recv(2), before it was noted, takes for
// an end of stream.
// Covers: 1.11 an error is mistaken for the end; 10.6 the error is told once, and to the other direction
#include "support.hpp"

namespace property {
namespace {

Task<void> read_to_the_end(Trial& trial, std::shared_ptr<acairo::TCPStream> stream) {
    std::array<char, 16> buffer{};
    try {
        while (co_await stream->read_some(buffer) != 0) {}
        trial.require(false, "a reset connection has no clean end");
    } catch (const std::system_error&) {}
}

Task<void> write_to_the_end(std::shared_ptr<acairo::TCPStream> stream) {
    const std::string bytes = pattern(40);
    try {
        for (;;) co_await stream->write_all(bytes);
    } catch (const std::system_error&) {}
}

void a_reset_is_no_clean_end(Trial& trial) {
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 2});
    acairo::TCPListener listener({}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    Peer peer(listener.local_address());
    trial.require(peer.connected(), "a listening server is connected to");
    const auto stream = executor->sync_wait([&]() -> Task<std::shared_ptr<acairo::TCPStream>> {
        auto accepted = co_await listener.accept();
        co_await accepted->write_all(std::string_view("ab"));
        co_return accepted;
    });
    executor->spawn([&] { return read_to_the_end(trial, stream); });
    executor->spawn([&] { return write_to_the_end(stream); });
    // There is a byte that nobody has received: closing is a reset.
    trial.require(peer.receive(1).size() == 1, "the first of two bytes comes");
    peer.close();
    trial.require(executor->drain(std::chrono::seconds(100)), "reader and writer end");
    listener.stop();
}

const acairo::Property registered{
    "a_reset_is_no_clean_end", a_reset_is_no_clean_end, {.interruptions = false, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
