// Peers of all manners come and go, and at some moment several threads at once stop the listener, stop the executor, drain it, and
// spawn: all of it ends.
#include "../load.hpp"

namespace stress {
namespace {

using acairo::platform;
using acairo::Task;

void stop_races_everybody(Round& round) {
    property::Server server(round.workers, serve);
    round.crowd.begin({.ports = {port_of(server.address)},
                       .peers = round.peers,
                       .at_once = 500,
                       .tell_at = static_cast<std::uint32_t>(round.below(round.peers)),
                       .seed = round.seed});
    round.crowd.wait();
    property::Census spawned;
    std::vector<platform::thread> threads;
    threads.emplace_back([&] { server.listener->stop(); });
    threads.emplace_back([&] { server.executor->drain(std::chrono::milliseconds(1)); });
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            try {
                for (int tasks = 0; tasks < 1000; ++tasks) {
                    server.executor->spawn([life = property::Census::Life(spawned)]() -> Task<void> {
                        co_await acairo::sleep_for(std::chrono::hours(1));
                    });
                }
            } catch (const acairo::Cancelled&) {}
        });
    }
    threads.emplace_back([&] { server.executor->stop(); });
    threads.emplace_back([&] {
        bool refused = false;
        try {
            server.executor->sync_wait([]() -> Task<void> { co_await acairo::sleep_for(std::chrono::hours(1)); });
        } catch (const acairo::Cancelled&) { refused = true; }
        static_cast<void>(refused);
    });
    for (platform::thread& thread : threads) thread.join();
    server.executor.reset();
    require(spawned.empty(), "each callable is destroyed");
}

const Scenario registered{"stop_races_everybody", stop_races_everybody};

}  // namespace
}  // namespace stress
