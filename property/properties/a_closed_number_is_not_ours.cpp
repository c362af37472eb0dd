// A stream that is closed, once or several times, from any thread, while its number is given out again: the new owner's descriptor
// is neither closed, read, written nor reported to the old owner's tasks.
//
// It would have caught: an event of the old owner in the same batch that wakes the new one; a second close of the number; a
// deregistration that comes after the close.
// Covers: 3.33 the rest of a batch hits the new owner of a number; 3.35 a recycled registration gets the old one's error
// Covers: 3.37 a deregistration runs after close; 2.21 the errno of a deregistration that races with a close; 7.119 a write into the window
// Covers: 10.43 the new owner of a number is taken for the old one
// Covers: 10.42 an entry for a dead descriptor is inherited; 10.44 an event names a number only
#include "support.hpp"

namespace property {
namespace {

Task<void> read_to_the_end(std::shared_ptr<acairo::TCPStream> stream, std::string& received, bool& failed) {
    try {
        std::array<char, 8> buffer{};
        while (const std::size_t got = co_await stream->read_some(buffer)) received.append(buffer.data(), got);
    } catch (const acairo::Cancelled&) { failed = true; } catch (const std::system_error&) {
        failed = true;
    }
}

void a_closed_number_is_not_ours(Trial& trial) {
    const std::uint64_t closes_at = trial.below(30);
    const bool ends_first = trial.below(2) == 1;
    std::string old_received;
    std::string new_received;
    bool old_failed = false;
    bool new_failed = false;
    Pair pair(trial, 1 + static_cast<int>(trial.below(2)));
    Peer next(pair.listener.local_address());
    trial.require(next.connected(), "a listening server is connected to");
    pair.executor->spawn([&] { return read_to_the_end(pair.stream, old_received, old_failed); });
    platform::thread closer([&] { pair.stream->close(); });
    platform::thread ender([&] {
        // An event of the old owner's, at about the same time.
        pair.peer.send("old");
        ends_first ? pair.peer.end_sending() : pair.peer.close();
    });
    linger(closes_at);
    pair.stream->close();
    // Has the same number, when the close is over.
    const std::shared_ptr<acairo::TCPStream> stream = pair.accept();
    pair.executor->spawn([&] { return read_to_the_end(stream, new_received, new_failed); });
    pair.stream->close();
    trial.require(next.send("new") == 3, "the new owner's peer is there");
    next.end_sending();
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "both readers end");
    closer.join();
    ender.join();
    trial.require(!new_failed, "nothing of the old owner's comes to the new one");
    trial.require(new_received == "new", "who gets what was sent to it");
    trial.require(std::string_view("old").starts_with(old_received), "and so did the old one");
    trial.sometimes(old_failed, "a reader that the close ended");
}

const acairo::Property registered{"a_closed_number_is_not_ours",
                                  a_closed_number_is_not_ours,
                                  {.interruptions = true, .shortages = false},
                                  {"a reader that the close ended"}};

}  // namespace
}  // namespace property
