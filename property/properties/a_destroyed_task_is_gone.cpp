// A chain of tasks that is suspended in any wait and destroyed at any of its tasks by a neighbour: everything below is destroyed
// at once and exactly once, who awaited it goes on with Cancelled, and what it waited for wakes nobody.
//
// It would have caught: a timer, a registration or a place in a queue that still names a frame that is gone; a frame that is
// destroyed by two owners; an awaiter that waits for ever for a task that is gone.
// Covers: 3.45 a waker stays registered when its wait is given up; 5.77 gone between the start and the completion
// Covers: 5.87 an event on a frame is notified after the frame has gone; 6.111 a wait on a stack outlives a cancelled wait
// Covers: 10.28 a destroyed task is resumed where it waited
// Covers: 4.63 who awaits a destroyed task is lost; 4.67 a timer stays when its wait is destroyed; 5.93 frames are abandoned
#include "support.hpp"

namespace property {
namespace {

struct Chain {
    Trial& trial;
    acairo::TCPStream& stream;
    Census census;
    std::vector<Task<void>> tasks;  // by depth; each is awaited by the one before
    std::uint64_t waits_for = 0;
    std::uint64_t ended_by_cancel = 0;
    bool finished = false;
};

Task<void> link(Chain& chain, std::size_t depth) {
    const Census::Life local(chain.census);
    if (depth + 1 < chain.tasks.size()) {
        co_await std::move(chain.tasks[depth + 1]);
    } else if (chain.waits_for == 0) {
        co_await acairo::sleep_for(std::chrono::microseconds(3));
    } else if (chain.waits_for == 1) {
        co_await chain.stream.read(1);
    } else {
        co_await acairo::timeout(std::chrono::microseconds(2), chain.stream.read(1));
    }
}

Task<void> root(Chain& chain) {
    try {
        co_await std::move(chain.tasks[0]);
    } catch (const acairo::Cancelled&) { ++chain.ended_by_cancel; } catch (const acairo::TimedOut&) {
    }
    chain.finished = true;
}

Task<void> destroy_one(Chain& chain, std::size_t victim, std::uint64_t after) {
    for (std::uint64_t i = 0; i < after; ++i) co_await acairo::sleep_for(std::chrono::microseconds(1));
    const bool alive = !chain.finished;
    chain.tasks[victim] = {};
    chain.trial.require(chain.finished || chain.ended_by_cancel == 0, "nobody is resumed by who destroys");
    chain.trial.sometimes(alive && after > 0, "destroyed while it waits");
}

void a_destroyed_task_is_gone(Trial& trial) {
    // With 1, a task that has ended stands there while who awaited it waits for its turn: it may outlive that one.
    Pair pair(trial, 1, {}, trial.below(2) == 0 ? 64 : 1);
    Chain chain{trial, *pair.stream, {}, {}, trial.below(3), 0, false};
    const std::uint64_t depth = 1 + trial.below(4);
    const std::size_t victim = trial.below(depth);
    const std::uint64_t after = trial.below(4);
    // Whether the wait would have ended by itself, at about the same time.
    const bool comes = trial.below(2) == 1 || chain.waits_for == 1;
    chain.tasks.resize(depth);
    for (std::size_t i = 0; i < depth; ++i) chain.tasks[i] = link(chain, i);
    pair.executor->spawn([&] { return root(chain); });
    pair.executor->spawn([&] { return destroy_one(chain, victim, after); });
    if (comes) trial.require(pair.peer.send("?") == 1, "a peer that is there takes a byte");
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "who awaited it goes on");
    trial.require(chain.finished, "and ends");
    trial.require(chain.census.empty(), "each frame is gone, once");
    trial.sometimes(chain.ended_by_cancel == 1, "an awaiter that goes on with Cancelled");
}

const acairo::Property registered{"a_destroyed_task_is_gone",
                                  a_destroyed_task_is_gone,
                                  {.interruptions = true, .shortages = false},
                                  {"destroyed while it waits", "an awaiter that goes on with Cancelled"}};

}  // namespace
}  // namespace property
