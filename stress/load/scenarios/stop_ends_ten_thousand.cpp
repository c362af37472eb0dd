// Connections that are all open, and each waits for its peer's next bytes: stop() and the destructor end all of them. What that
// takes is told, and not judged: how fast a machine is, nobody knows.
#include <ctime>

#include "../load.hpp"

namespace stress {
namespace {

void stop_ends_ten_thousand(Round& round) {
    const auto begin = acairo::simulator::real_now();
    const std::clock_t processor_before = std::clock();
    std::chrono::nanoseconds connected{};
    std::chrono::nanoseconds stopped{};
    {
        property::Server server(round.workers, serve);
        round.crowd.begin({.ports = {port_of(server.address)},
                           .peers = round.peers,
                           .manners = only(Manner::stalls) | only(Manner::is_silent),
                           .at_once = 500,
                           .tell_at = round.peers,
                           .seed = round.seed});
        round.crowd.wait();
        connected = acairo::simulator::real_now();
        require(handlers.alive() == round.peers, "each connection has its handler");
        server.executor->stop();
        stopped = acairo::simulator::real_now();
    }
    const auto over = acairo::simulator::real_now();
    const double processor = static_cast<double>(std::clock() - processor_before) / CLOCKS_PER_SEC;
    const auto seconds = [](std::chrono::nanoseconds time) {
        return std::to_string(static_cast<double>(time.count()) / 1e9);
    };
    round.remark = "connected in " + seconds(connected - begin) + " s, stop() returned after " +
                   seconds(stopped - connected) + " s, all gone " + seconds(over - stopped) + " s later; " +
                   std::to_string(processor) + " s of the processor";
}

const Scenario registered{"stop_ends_ten_thousand", stop_ends_ten_thousand, false};

}  // namespace
}  // namespace stress
