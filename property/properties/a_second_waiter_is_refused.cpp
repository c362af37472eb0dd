// Several tasks on any workers that read one stream, or write it, without asking one another: one of them has the direction, each
// other is refused with std::logic_error and harms nobody; together they get every byte once.
//
// It would have caught: a second waiter that overwrites the first one, which then sleeps for ever; a refusal that gives back a
// claim that is somebody else's.
// Covers: 3.53 two coroutines on one descriptor overwrite one another; 3.43 operations that race; 10.23 a refused registration sleeps for ever
#include "support.hpp"

namespace property {
namespace {

struct Shared {
    Trial& trial;
    std::shared_ptr<acairo::TCPStream> stream;
    platform::atomic<std::uint64_t> inside{0};
    platform::atomic<std::uint64_t> bytes{0};
};

Task<void> read_some_of_it(Shared& shared) {
    for (bool ended = false; !ended;) {
        std::array<char, 2> buffer{};
        bool refused = false;
        try {
            const std::size_t got = co_await shared.stream->read_some(buffer);
            shared.bytes.fetch_add(got, std::memory_order_relaxed);
            ended = got == 0;
        } catch (const std::logic_error&) { refused = true; }
        shared.trial.sometimes(refused, "a reader that is refused");
        if (refused) ended = true;
    }
}

void a_second_waiter_is_refused(Trial& trial) {
    const std::string sent = pattern(1 + trial.below(12));
    const std::uint64_t readers = 2 + trial.below(3);
    Pair pair(trial, 1 + static_cast<int>(trial.below(2)));
    Shared shared{trial, pair.stream};
    for (std::uint64_t i = 0; i < readers; ++i) {
        pair.executor->spawn([&] { return read_some_of_it(shared); });
    }
    platform::thread sender([&] {
        send_in_pieces(trial, pair.peer, sent);
        pair.peer.end_sending();
    });
    sender.join();
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "every reader ends");
    trial.require(shared.bytes.load(std::memory_order_acquire) == sent.size(), "every byte comes to one of them");
}

// In small buffers the sender would wait for readers, who may all have been refused but one: that one goes on.
const acairo::Property registered{"a_second_waiter_is_refused",
                                  a_second_waiter_is_refused,
                                  {.interruptions = true, .shortages = false},
                                  {"a reader that is refused"}};

}  // namespace
}  // namespace property
