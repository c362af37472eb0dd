// Two threads drain while peers of all manners are served, one with a limit that passes: the tasks that do not end by themselves,
// because their peer stalls, are ended.
#include "../load.hpp"

namespace stress {
namespace {

void drain_ends_what_is_left(Round& round) {
    property::Server server(round.workers, serve);
    round.crowd.begin({.ports = {port_of(server.address)},
                       .peers = round.peers,
                       .at_once = 500,
                       .tell_at = round.peers / 2 + static_cast<std::uint32_t>(round.below(round.peers / 2)),
                       .seed = round.seed});
    round.crowd.wait();
    server.listener->stop();
    acairo::platform::thread other([&] { server.executor->drain(std::chrono::milliseconds(round.below(20))); });
    const bool drained = server.executor->drain(std::chrono::milliseconds(50));
    other.join();
    server.executor.reset();
    round.remark = drained ? "drained" : "ended by the drain's limit";
}

const Scenario registered{"drain_ends_what_is_left", drain_ends_what_is_left};

}  // namespace
}  // namespace stress
