// A task that awaits something of another library, which another thread completes, before, while or after the task is suspended:
// it goes on exactly once, on its own worker, and never on the completer's stack.
//
// It would have caught: a resume on a foreign thread; a completion between "not ready" and "suspended" that is lost or comes
// twice; a bridge that is destroyed while its resumer is still on its way out.
// Covers: 6.103 a result is dropped between its save and its dispatch; 6.105 an awaited operation completes inline
// Covers: 5.77 gone between the start and the completion; 7.119 a window between the claim and the write
#include "gate.hpp"
#include "support.hpp"

namespace property {
namespace {

Task<void> pass(Trial& trial, std::deque<Gate>& gates, std::uint64_t& passed) {
    const auto worker = platform::this_thread();
    for (Gate& gate : gates) {
        co_await gate;
        trial.require(platform::this_thread() == worker, "it goes on where it belongs");
        ++passed;
    }
}

void foreign_awaitables_resume_on_the_worker(Trial& trial) {
    std::deque<Gate> gates(1 + trial.below(4));
    const std::uint64_t pause = trial.below(6);
    std::uint64_t passed = 0;
    std::uint64_t resumed = 0;
    acairo::Executor executor({.workers = 1 + static_cast<int>(trial.below(2))});
    platform::thread opener([&] {
        for (Gate& gate : gates) {
            linger(pause);
            if (gate.open()) ++resumed;
        }
    });
    executor.sync_wait([&] { return pass(trial, gates, passed); });
    opener.join();
    trial.require(passed == gates.size(), "each is passed once");
    trial.sometimes(resumed != 0, "one that was waited for");
    trial.sometimes(resumed != gates.size(), "one that opens first");
}

const acairo::Property registered{"foreign_awaitables_resume_on_the_worker",
                                  foreign_awaitables_resume_on_the_worker,
                                  {.interruptions = true, .shortages = false},
                                  {"one that was waited for", "one that opens first"}};

}  // namespace
}  // namespace property
