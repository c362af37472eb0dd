// A few tasks that are moved, assigned, awaited and dropped in any order, against a model: an await of one that is there runs
// it once; of one that was moved from, or has been awaited, throws std::logic_error, and leaves everything as it was.
//
// It would have caught: a second await that overwrites the first one's continuation; a null handle that is resumed; an
// assignment that leaks the frame it replaces.
// Covers: 5.89 a defaulted move leaves the moved-from object engaged; 10.26 await of a moved-from task; 10.27 a second await
// Covers: 10.29 a move forgets the state; 10.55 a null handle is resumed
#include "support.hpp"

namespace property {
namespace {

Task<int> one(Census& census, std::uint64_t& runs) {
    const Census::Life local(census);
    ++runs;
    co_await acairo::sleep_for(std::chrono::microseconds(static_cast<std::int64_t>(runs % 2)));
    co_return 7;
}

Task<void> play(Trial& trial, Census& census, std::uint64_t& runs) {
    std::array<Task<int>, 3> tasks;
    std::array<bool, 3> there{};
    for (std::uint64_t steps = 1 + trial.below(12); steps != 0; --steps) {
        const std::size_t at = trial.below(3);
        const std::size_t to = trial.below(3);
        switch (trial.below(4)) {
            case 0:
                tasks[at] = one(census, runs);
                there[at] = true;
                break;
            case 1:
                tasks[to] = std::move(tasks[at]);
                there[to] = there[at];
                if (to != at) there[at] = false;
                break;
            case 2:
                tasks[at] = {};
                there[at] = false;
                break;
            default: {
                const std::uint64_t before = runs;
                bool refused = false;
                try {
                    const int result = co_await std::move(tasks[at]);
                    trial.require(result == 7, "its result comes");
                } catch (const std::logic_error&) { refused = true; }
                trial.require(refused != there[at], "what is there is awaited, and nothing else");
                trial.require(runs == before + (there[at] ? 1 : 0), "it runs once");
                trial.sometimes(refused, "an await of nothing");
                there[at] = false;
            }
        }
    }
}

void a_task_is_awaited_once(Trial& trial) {
    Census census;
    std::uint64_t runs = 0;
    acairo::Executor executor({.workers = 1});
    bool played = false;
    executor.sync_wait([&]() -> Task<void> {
        co_await play(trial, census, runs);
        played = true;
    });
    trial.require(played, "what is waited for runs to its end");
    trial.require(census.empty(), "each frame is gone");
}

const acairo::Property registered{"a_task_is_awaited_once",
                                  a_task_is_awaited_once,
                                  {.interruptions = true, .shortages = false},
                                  {"an await of nothing"}};

}  // namespace
}  // namespace property
