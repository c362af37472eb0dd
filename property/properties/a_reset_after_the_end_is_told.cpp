// A connection of which both sides have ended their sending, and that the peer then resets, over bytes that it has not read: a
// reader may still see the end of the stream; but once the writer was told of the reset, each later read gives its error, also
// when a reader on another worker saw the end at that very moment.
//
// It would have caught: a reader whose clean end is noted over the error that the writer has just noted.
// Covers: 1.11 an error is mistaken for the end; 10.6 the error is told once, and to the other direction
#include "support.hpp"

namespace property {
namespace {

// More than the kernels of both sides take: bytes are left that only the reset removes, and the end of this side behind them.
Task<void> write_until_it_waits(acairo::TCPStream& stream) {
    const std::string bytes = pattern(4096);
    try {
        for (;;) co_await acairo::timeout(std::chrono::milliseconds(1), stream.write_all(bytes));
    } catch (const acairo::TimedOut&) {}
}

Task<void> read_often(acairo::TCPStream& stream, std::uint64_t times) {
    std::array<char, 4> buffer{};
    try {
        while (times-- != 0) co_await stream.read_some(buffer);
    } catch (const std::system_error&) {}
}

// True: it was told of the reset. Before that, it is told that this side has ended its sending, which is no reset.
Task<bool> write_often(acairo::TCPStream& stream, std::uint64_t times) {
    while (times-- != 0) {
        try {
            co_await stream.write_all(std::string_view("late"));
        } catch (const std::system_error& error) {
            if (error.code() == std::errc::connection_reset) co_return true;
        }
    }
    co_return false;
}

Task<bool> read_fails(acairo::TCPStream& stream) {
    std::array<char, 4> buffer{};
    try {
        co_await stream.read_some(buffer);
    } catch (const std::system_error&) { co_return true; }
    co_return false;
}

void a_reset_after_the_end_is_told(Trial& trial) {
    const std::uint64_t reads = 1 + trial.below(8);
    const std::uint64_t writes = 8 - trial.below(8);
    const std::uint64_t closes_at = trial.below(8);
    Pair pair(trial, 2);
    acairo::TCPStream& stream = *pair.stream;
    pair.peer.end_sending();
    pair.executor->sync_wait([&] { return write_until_it_waits(stream); });
    stream.shutdown();
    platform::thread reader([&] { pair.executor->sync_wait([&] { return read_often(stream, reads); }); });
    platform::thread closer([&] {
        linger(closes_at);
        pair.peer.close();
    });
    const bool told = pair.executor->sync_wait([&] { return write_often(stream, writes); });
    closer.join();
    reader.join();
    trial.sometimes(told, "a writer that is told of the reset");
    if (!told) return;
    for (int again = 0; again < 2; ++again) {
        const bool failed = pair.executor->sync_wait([&] { return read_fails(stream); });
        trial.require(failed, "after a reset that was told, a read has no clean end");
    }
}

const acairo::Property registered{"a_reset_after_the_end_is_told",
                                  a_reset_after_the_end_is_told,
                                  {.interruptions = true, .shortages = false, .network = false},
                                  {"a writer that is told of the reset"}};

}  // namespace
}  // namespace property
