// A connection that its peer resets, by closing it over a byte that it has not read: the reader is told so, whether it asks first,
// after a writer who was told before, or beside one on another worker; and never that the stream has ended.
//
// It would have caught: half a message that is taken for a whole one; an error that only the writer is told; a reader that asks
// between the writer's call and the writer's note of it.
// Covers: 1.11 an error is mistaken for the end; 10.6 SO_ERROR consumes the error
#include "support.hpp"

namespace property {
namespace {

Task<void> read_to_the_reset(Trial& trial, acairo::TCPStream& stream) {
    bool reset = false;
    try {
        std::array<char, 4> buffer{};
        co_await stream.read_some(buffer);
    } catch (const std::system_error&) { reset = true; }
    trial.require(reset, "a reset is told, and no clean end");
}

Task<void> write_to_the_error(acairo::TCPStream& stream) {
    try {
        for (;;) co_await stream.write_all(std::string_view("lost"));
    } catch (const std::system_error&) {}
}

void a_reset_told_to_one_is_told_to_both(Trial& trial) {
    const std::uint64_t who_is_first = trial.below(3);
    Pair pair(trial, 2);
    pair.executor->sync_wait([&]() -> Task<void> { co_await pair.stream->write_all(std::string_view("?")); });
    pair.peer.close();
    const auto write = [&] { return write_to_the_error(*pair.stream); };
    const auto read = [&] { return read_to_the_reset(trial, *pair.stream); };
    if (who_is_first == 1) pair.executor->sync_wait(write);
    if (who_is_first == 2) pair.executor->spawn(write);
    pair.executor->sync_wait(read);
    pair.executor->sync_wait(read);
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "both end");
}

// Without delays: what is unread when the peer closes decides whether it resets.
const acairo::Property registered{"a_reset_told_to_one_is_told_to_both",
                                  a_reset_told_to_one_is_told_to_both,
                                  {.interruptions = true, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
