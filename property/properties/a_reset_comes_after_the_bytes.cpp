// A peer that resets the connection, by closing it over bytes that it has not read: what it had sent is delivered first, then
// its error, never a clean end; the same error again, and for a writer EPIPE or the error, without a signal.
//
// It would have caught: bytes lost with an error; an error that is consumed by whoever asks for SO_ERROR, so that the reader
// sees an end; a broken stream that is read to the end without an error; a signal that ends the process.
// Covers: 2.19 a write to a closed peer raises SIGPIPE; 2.29 ENOTCONN from shutdown; 10.6 SO_ERROR consumes the error
// Covers: 10.8 a second write raises SIGPIPE
#include "support.hpp"

namespace property {
namespace {

Task<void> read_to_the_error(Trial& trial, acairo::TCPStream& stream, std::string& received, bool& reset) {
    for (int errors = 0; errors < 2;) {
        try {
            std::array<char, 5> buffer{};
            const std::size_t got = co_await stream.read_some(buffer);
            trial.require(errors == 0, "no byte comes after an error, and no clean end");
            received.append(buffer.data(), got);
            if (got == 0) co_return;
        } catch (const std::system_error& error) {
            trial.require(error.code() == std::errc::connection_reset, "a reset is told as a reset");
            reset = true;
            ++errors;
        }
    }
    bool failed = false;
    try {
        co_await stream.write_all(std::string_view("lost"));
    } catch (const std::system_error&) { failed = true; }
    trial.require(failed, "nothing can be written after a reset");
    stream.shutdown();
}

void a_reset_comes_after_the_bytes(Trial& trial) {
    const std::string sent = pattern(trial.below(20));
    const bool early = trial.below(2) == 1;
    std::string received;
    bool reset = false;
    Pair pair(trial);
    pair.executor->sync_wait([&]() -> Task<void> { co_await pair.stream->write_all(std::string_view("?")); });
    const auto send = [&] {
        trial.require(pair.peer.send(sent) == sent.size(), "a peer that is there takes all bytes");
        pair.peer.close();
    };
    platform::thread sender(send);
    if (early) sender.join();
    pair.executor->sync_wait([&] { return read_to_the_error(trial, *pair.stream, received, reset); });
    if (!early) sender.join();
    trial.require(received == sent, "what was sent before the reset is delivered");
    trial.sometimes(reset && !sent.empty(), "bytes, and then the reset");
    trial.sometimes(reset && sent.empty(), "nothing but the reset");
}

// Without delays: what is unread when the peer closes decides whether it resets.
const acairo::Property registered{"a_reset_comes_after_the_bytes",
                                  a_reset_comes_after_the_bytes,
                                  {.interruptions = true, .shortages = false, .network = false},
                                  {"bytes, and then the reset", "nothing but the reset"}};

}  // namespace
}  // namespace property
