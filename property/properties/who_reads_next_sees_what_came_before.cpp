// A neighbour writes something down, and then destroys a task that waits in a read; a task on another worker, whose reads were
// refused until then, finds what was written as soon as one is not.
//
// It would have caught: a direction that is given back, or claimed, without an order.
// Covers: 3.43 operations that race
#include "support.hpp"

namespace property {
namespace {

struct Shared {
    Trial& trial;
    acairo::TCPStream& stream;
    Task<void> waiting;
    Written written;
};

Task<void> wait_for_a_byte(acairo::TCPStream& stream) {
    std::array<char, 1> buffer{};
    co_await stream.read_some(buffer);
}

Task<void> wait_until_destroyed(Shared& shared) {
    try {
        co_await std::move(shared.waiting);
    } catch (const acairo::Cancelled&) {}
}

Task<void> destroy_who_waits(Shared& shared, std::uint64_t ends_after) {
    shared.written.write();
    shared.waiting = {};
    // The end of this task orders it, too, with what others do on the executor.
    linger(ends_after);
    co_return;
}

// It waits for nothing, and so for nobody who would order the two.
Task<void> read_until_not_refused(Shared& shared) {
    bool refused = true;
    bool waited = false;
    for (int i = 0; i < 30 && refused; ++i) {
        try {
            co_await shared.stream.read_some({});
            refused = false;
        } catch (const std::logic_error&) { waited = true; }
    }
    if (refused) co_return;
    shared.trial.sometimes(waited, "refused, and then not");
    shared.written.require_seen(shared.trial);
}

void who_reads_next_sees_what_came_before(Trial& trial) {
    const std::uint64_t ends_after = trial.below(40);
    Pair pair(trial, 2);
    Shared shared{trial, *pair.stream, wait_for_a_byte(*pair.stream), {}};
    // They are dealt out in turn: those who wait and destroy are on the second worker, who reads next on the first.
    pair.executor->spawn([&] { return wait_until_destroyed(shared); });
    for (int worker = 0; worker < 2; ++worker) pair.executor->sync_wait([]() -> Task<void> { co_return; });
    pair.executor->spawn([&] { return read_until_not_refused(shared); });
    pair.executor->spawn([&] { return destroy_who_waits(shared, ends_after); });
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "who reads for nothing ends");
}

const acairo::Property registered{"who_reads_next_sees_what_came_before",
                                  who_reads_next_sees_what_came_before,
                                  {.shortages = false},
                                  {"refused, and then not"}};

}  // namespace
}  // namespace property
