// read(n) of a size at the limits (1, 2^31 - 1, 2^31, 2^32, the largest there is), as a peer may claim it, when few bytes come:
// they are delivered with EndOfStream, in a buffer of their own size and not of the claim's.
//
// It would have caught: a size that is cut to an int, so that the read returns nothing or for ever; memory that is had before
// any byte came; an allocation that ends the process.
// Covers: 10.19 sizes are cut to an int
#include "support.hpp"

namespace property {
namespace {

constexpr std::array<std::size_t, 6> sizes{1,
                                           (std::size_t{1} << 31) - 1,
                                           std::size_t{1} << 31,
                                           (std::size_t{1} << 32),
                                           (std::size_t{1} << 32) + 1,
                                           std::numeric_limits<std::size_t>::max()};

void a_claim_of_size_is_not_believed(Trial& trial) {
    const std::string sent = pattern(trial.below(30));
    const std::size_t claim = sizes[trial.below(sizes.size())];
    std::string received;
    Pair pair(trial);
    platform::thread sender([&] {
        send_in_pieces(trial, pair.peer, sent);
        pair.peer.end_sending();
    });
    pair.executor->sync_wait([&]() -> Task<void> {
        try {
            for (;;) received += text_of(co_await pair.stream->read(claim));
        } catch (const acairo::EndOfStream& end) {
            received += text_of(end.received());
            trial.require(end.received().capacity() <= std::size_t{1} << 20, "room is made as bytes come");
        }
    });
    sender.join();
    trial.require(received == sent, "what came is delivered");
}

const acairo::Property registered{
    "a_claim_of_size_is_not_believed", a_claim_of_size_is_not_believed, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
