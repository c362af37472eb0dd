// A thread writes something down, and then stops a listener or closes a stream, at any moment; a task that hears of it, by
// TCPListenerStoppedError or bad_file_descriptor, finds what was written; and so does a thread that asks for its address.
//
// It would have caught: a flag for "closed" that is set, or looked at, without an order: by who begins an operation, by an
// accept that was stopped after it had begun, and by who only uses the descriptor.
// Covers: 3.43 operations that race; 10.31 a plain bool is read without the lock
#include <deque>

#include "support.hpp"

namespace property {
namespace {

// Nothing else orders the two: what is awaited here waits for nothing that the other thread does.
Task<void> accept_until_stopped(Trial& trial, const acairo::TCPListener& listener, const Written& written) {
    for (bool stopped = false; !stopped;) {
        // Not a part of the await: how often it is owned is counted by who stops, too, and that would order the two.
        auto accept = listener.accept();
        try {
            co_await accept;
        } catch (const acairo::TCPListenerStoppedError&) { stopped = true; }
        if (stopped) written.require_seen(trial);
    }
    trial.sometimes(true, "an accept hears of the stop");
}

Task<void> read_until_closed(Trial& trial, acairo::TCPStream& stream, const Written& written) {
    bool closed = false;
    for (int i = 0; i < 30 && !closed; ++i) {
        try {
            co_await stream.read_some({});
        } catch (const acairo::Cancelled&) {
            // Closed while it read; that orders nothing.
        } catch (const std::system_error&) { closed = true; }
    }
    trial.sometimes(closed, "a read hears of the close");
    if (closed) written.require_seen(trial);
}

// Now and then: a use during the close would order the two.
void ask_for_the_address(Trial& trial, const auto& socket, const Written& written, std::uint64_t pause) {
    bool closed = false;
    for (int i = 0; i < 4 && !closed; ++i) {
        linger(pause);
        try {
            socket.local_address();
        } catch (const std::system_error&) { closed = true; }
    }
    trial.sometimes(closed, "an address is asked for behind the close");
    if (closed) written.require_seen(trial);
}

void who_hears_of_a_close_sees_what_came_before(Trial& trial) {
    const bool of_a_stream = trial.below(2) == 1;
    const std::uint64_t pause = trial.below(12);
    const std::uint64_t clients = trial.below(3);
    const std::uint64_t closes_at = trial.below(24);
    Pair pair(trial);
    std::deque<Peer> peers;
    for (std::uint64_t i = 0; i < clients; ++i) peers.emplace_back(pair.listener.local_address());
    Written written;
    platform::thread closer([&] {
        linger(closes_at);
        written.write();
        of_a_stream ? pair.stream->close() : pair.listener.stop();
    });
    pair.executor->spawn([&] {
        return of_a_stream ? read_until_closed(trial, *pair.stream, written)
                           : accept_until_stopped(trial, pair.listener, written);
    });
    of_a_stream ? ask_for_the_address(trial, *pair.stream, written, pause)
                : ask_for_the_address(trial, pair.listener, written, pause);
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "who hears of it ends");
    closer.join();
}

const acairo::Property registered{
    "who_hears_of_a_close_sees_what_came_before",
    who_hears_of_a_close_sees_what_came_before,
    {.shortages = false},
    {"an accept hears of the stop", "a read hears of the close", "an address is asked for behind the close"}};

}  // namespace
}  // namespace property
