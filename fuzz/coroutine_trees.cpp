// Trees of coroutines that await, throw, catch, sleep, time out and are destroyed unstarted.
// Covers: 5.93 frames are abandoned; 5.79 a task is destroyed between its end and its final suspension
#include "connection.hpp"

namespace fuzz {
namespace {

using property::Census;

struct Withered : std::exception {};

// The number of its nodes that have ended well.
Task<std::uint64_t> tree(Trial& trial, Census& census, std::uint64_t depth, Census::Life) {
    const Census::Life local(census);
    std::uint64_t nodes = 1;
    for (std::uint64_t branches = depth == 0 ? 0 : trial.below(4); branches != 0; --branches) {
        Task<std::uint64_t> branch = tree(trial, census, depth - 1, Census::Life(census));
        const auto time = std::chrono::milliseconds(static_cast<std::int64_t>(trial.below(3)));
        try {
            switch (trial.below(5)) {
                case 0: nodes += co_await std::move(branch); break;
                case 1: nodes += co_await acairo::timeout(time, std::move(branch)); break;
                case 2: co_await acairo::sleep_for(time); break;  // never started
                case 3: nodes += co_await acairo::with_stop_token(acairo::StopToken(), std::move(branch)); break;
                case 4: throw Withered();
            }
        } catch (const Withered&) {
            if (trial.below(2) == 0) throw;
        } catch (const acairo::TimedOut&) {}
    }
    co_return nodes;
}

void every_frame_of_a_tree_is_destroyed(Trial& trial) {
    Census census;
    acairo::Executor executor({.workers = 1});
    try {
        const std::uint64_t nodes = executor.sync_wait([&] { return tree(trial, census, 4, Census::Life(census)); });
        trial.require(nodes != 0, "a tree counts itself");
    } catch (const Withered&) {}
    trial.require(census.empty(), "every frame and argument is destroyed when the tree has ended");
}

const acairo::Property registered{"every_frame_of_a_tree_is_destroyed", every_frame_of_a_tree_is_destroyed,
                                  no_shortages};
const Target target{"coroutine_trees", registered.name, "leaked_frame"};

}  // namespace
}  // namespace fuzz
