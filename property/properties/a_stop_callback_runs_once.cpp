// Stop callbacks that are made, called and destroyed on several threads, while several threads request the stop: exactly one
// request wins; each callback that stood then has run when its destructor returns or never will; each runs at most once, in
// its constructor when the stop came before; one may destroy itself.
//
// It would have caught: a destructor that returns while its callback runs; a callback that is lost between the look at the flag
// and the list; two threads that both think to have been the first.
// Covers: 6.101 deregistration races, and two destructors that both look first; 6.95 a callback in its own constructor; 6.109 race and crash
// Covers: 5.85 a cancellation handler is used after it was freed; 7.121 destroyed while the last user unlocks
// Covers: 4.73 a callback at the address of one that has gone
// Covers: 6.97 a stop that came before is lost; 6.99 two requests both win
#include "support.hpp"

namespace property {
namespace {

struct Tally {
    Trial& trial;
    platform::atomic<std::uint32_t> runs{0};
    bool alive = true;
};

struct Note {
    Tally* tally;
    void operator()() const noexcept {
        tally->trial.require(tally->alive, "a callback runs within its object's life");
        tally->runs.fetch_add(1, std::memory_order_acq_rel);
    }
};

void a_stop_callback_runs_once(Trial& trial) {
    const acairo::StopSource source;
    platform::atomic<std::uint32_t> winners{0};
    std::deque<Tally> tallies;
    const std::uint64_t each = 1 + trial.below(3);
    const std::uint64_t pause = trial.below(5);
    for (std::uint64_t i = 0; i < 2 * each; ++i) tallies.emplace_back(trial);
    const auto make_some = [&](std::size_t first) {
        for (std::size_t i = first; i < first + each; ++i) {
            Tally& tally = tallies[i];
            {
                const acairo::StopCallback callback(source.get_token(), Note{&tally});
                if (i % 2 == 0) linger(pause);
            }
            // From here on it must not run.
            tally.alive = false;
        }
    };
    const auto request = [&] {
        linger(pause);
        if (source.request_stop()) winners.fetch_add(1, std::memory_order_relaxed);
    };
    std::optional<acairo::StopCallback<std::function<void()>>> itself;
    bool destroyed_itself = false;
    itself.emplace(source.get_token(), [&] {
        itself.reset();
        destroyed_itself = true;
    });
    platform::thread maker([&] { make_some(0); });
    platform::thread one([&] { request(); });
    platform::thread other([&] { request(); });
    make_some(each);
    for (platform::thread* thread : {&maker, &one, &other}) thread->join();
    trial.require(winners.load(std::memory_order_acquire) == 1, "one request is the first");
    trial.require(destroyed_itself, "a callback that was there runs, and may destroy itself");
    for (Tally& tally : tallies) {
        const std::uint32_t runs = tally.runs.load(std::memory_order_acquire);
        trial.require(runs <= 1, "each callback runs at most once");
        trial.sometimes(runs == 0, "a callback that is gone before the stop");
        trial.sometimes(runs == 1, "a callback that runs");
    }
    Tally late(trial);
    const acairo::StopCallback callback(source.get_token(), Note{&late});
    trial.require(late.runs.load(std::memory_order_acquire) == 1, "after a stop it runs in its constructor");
}

const acairo::Property registered{"a_stop_callback_runs_once",
                                  a_stop_callback_runs_once,
                                  {.interruptions = true, .shortages = false},
                                  {"a callback that is gone before the stop", "a callback that runs"}};

}  // namespace
}  // namespace property
