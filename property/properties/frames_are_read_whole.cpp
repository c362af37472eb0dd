// Messages with a length in front of them, as protocols have it, answered one by one: however the bytes are cut, also in the
// middle of a length, each message is read whole, and nothing of the next one with it.
//
// It would have caught: a parser's state that is lost at a cut; bytes of the next message that a read takes and drops; a peer
// that waits for an answer, and a server that waits for a byte that it has.
// Covers: 1.5 a frame is split in the middle of its payload; 1.7 reading exactly what is available, then waiting; 1.3 loops at the end
#include "support.hpp"

namespace property {
namespace {

std::string frame(std::string_view text) {
    return std::string(1, static_cast<char>(text.size() / 16)) + std::string(1, static_cast<char>(text.size() % 16)) +
           std::string(text);
}

Task<void> answer_frames(acairo::TCPStream& stream) {
    try {
        for (;;) {
            const auto head = co_await stream.read(2);
            const std::size_t size = static_cast<std::size_t>(head[0]) * 16 + static_cast<std::size_t>(head[1]);
            std::vector<char> body = co_await stream.read(size);
            co_await stream.write(std::move(body));
        }
    } catch (const acairo::EndOfStream&) {}
}

void frames_are_read_whole(Trial& trial) {
    std::vector<std::string> messages;
    for (std::uint64_t i = trial.below(4); i != 0; --i) messages.push_back(pattern(trial.below(40), i));
    const bool one_by_one = trial.below(2) == 0;
    Pair pair(trial);
    pair.executor->spawn([&] { return answer_frames(*pair.stream); });
    std::string all;
    std::string expected;
    for (const std::string& message : messages) {
        if (one_by_one) {
            send_in_pieces(trial, pair.peer, frame(message));
            trial.require(pair.peer.receive(message.size()) == message, "each message is answered before the next one");
        } else {
            all += frame(message);
            expected += message;
        }
    }
    platform::thread sender([&] {
        send_in_pieces(trial, pair.peer, all);
        pair.peer.end_sending();
    });
    trial.require(pair.peer.receive(expected.size()) == expected, "messages that come together are told apart");
    sender.join();
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "the end between two messages is an end");
}

const acairo::Property registered{
    "frames_are_read_whole", frames_are_read_whole, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
