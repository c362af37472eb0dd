// Connections that are all open, and from which nothing comes: no worker runs, however many there are. Counted while other processes
// run, and the least of some rounds: at first the workers may be on their way to sleep.
#include "../load.hpp"

namespace stress {
namespace {

constexpr int rounds = 20;
constexpr int messages = 200;

void nobody_moves(Round& round) {
    const std::vector<int> others = numbers_in("/proc/self/task");
    property::Server server(round.workers, serve);
    round.crowd.begin({.ports = {port_of(server.address)},
                       .peers = round.peers,
                       .manners = only(Manner::stalls) | only(Manner::is_silent),
                       .at_once = 500,
                       .tell_at = round.peers,
                       .seed = round.seed});
    round.crowd.wait();
    std::uint64_t switches = ~std::uint64_t{0};
    std::uint64_t ticks = switches;
    for (int i = 0; i < rounds && (switches != 0 || ticks != 0); ++i) {
        const Threads before(others);
        round.crowd.chat(messages);
        const Threads after(others);
        switches = std::min(switches, after.switches - before.switches);
        ticks = std::min(ticks, after.ticks - before.ticks);
    }
    require(switches == 0, "a worker was switched to although nobody moved");
    require(ticks == 0, "a worker ran although nobody moved");
    round.remark = "no switch, no tick of the workers during " + std::to_string(messages) + " messages elsewhere";
}

const Scenario registered{"nobody_moves", nobody_moves, false};

}  // namespace
}  // namespace stress
