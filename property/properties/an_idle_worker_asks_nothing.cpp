// A connection that has read, and has written more than its peer took at once, and then has nothing to do: its worker sleeps.
//
// It would have caught: a second registration that is no longer edge-triggered; readiness that is told for ever.
// Covers: 3.39 EPOLLET is dropped; 3.47 what wakes stays readable; 2.17 a spin over readiness
#include "support.hpp"

namespace property {
namespace {

Task<void> talk(acairo::TCPStream& stream, std::size_t size) {
    std::array<char, 1> asked{};
    co_await stream.read_some(asked);
    co_await stream.write_all(pattern(size));
    co_await stream.read_some(asked);
}

void an_idle_worker_asks_nothing(Trial& trial) {
    const std::size_t size = 1 + trial.below(3000);
    Pair pair(trial);
    platform::thread talker([&] { pair.executor->sync_wait([&] { return talk(*pair.stream, size); }); });
    trial.require(pair.peer.send("?") == 1, "a peer that is there takes a byte");
    linger(trial.below(20));
    trial.require(pair.peer.receive(size) == pattern(size), "everything comes");
    // Nothing happens for a while: who asks epoll all the same is busy.
    acairo::Executor idle({.workers = 1});
    idle.sync_wait([]() -> Task<void> { co_await acairo::sleep_for(std::chrono::seconds(1)); });
    pair.peer.end_sending();
    talker.join();
}

const acairo::Property registered{"an_idle_worker_asks_nothing",
                                  an_idle_worker_asks_nothing,
                                  {.interruptions = true, .shortages = false, .clock = false}};

}  // namespace
}  // namespace property
