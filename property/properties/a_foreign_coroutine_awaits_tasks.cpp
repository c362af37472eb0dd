// A coroutine of another library awaits a task, without an executor. The task awaits others, and awaitables of that library, which
// any thread resumes: the tasks go on over there, at once, also while the thread that came with them is still on its way out. The
// result, or the exception, comes once, and no frame is left: of what has ended, of what threw, and of what is destroyed while it
// waits.
//
// It would have caught: a thread on its way out that writes into what another one runs by now; a worker that is looked for where
// there is none; a coroutine that is not resumed, or too early; a frame that is destroyed twice, or with its awaiter only.
// Covers: 6.103 a result is dropped between its save and its dispatch; 6.105 an awaited operation completes inline
// Covers: 5.77 gone between the start and the completion
#include "support.hpp"

namespace property {
namespace {

// Goes on when it is opened, once, from any thread.
struct Gate {
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) noexcept {
        // On this thread's stack: who opens may be done with everything before the last line.
        const std::uint64_t stays = way_out;
        handle = waiting;
        const bool suspended = arrivals.fetch_add(1, std::memory_order_acq_rel) == 0;
        linger(stays);
        return suspended;
    }
    void await_resume() const noexcept {}
    // True: it was waited for, and has been resumed.
    bool open() {
        if (arrivals.fetch_add(1, std::memory_order_acq_rel) == 0) return false;
        handle.resume();
        return true;
    }
    std::uint64_t way_out = 0;
    std::coroutine_handle<> handle;
    platform::atomic<std::uint32_t> arrivals{0};
};

// Resumes inside await_suspend.
struct AtOnce {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const { waiting.resume(); }
    void await_resume() const noexcept {}
};

struct Refused {
    std::uint64_t number;
};

// One task, and what it does.
struct Step {
    std::uint64_t number = 0;
    bool waits = false;
    bool at_once = false;
    bool throws = false;
    Gate gate;
    Task<std::uint64_t> task;
};

// `frame` lives as long as the frame: its result has been taken by then.
Task<std::uint64_t> take_step(Step& step, Census::Life) {
    if (step.waits) co_await step.gate;
    // While who was here before is on its way out.
    linger(2);
    if (step.at_once) co_await AtOnce();
    if (step.throws) throw Refused{step.number};
    co_return step.number;
}

Task<std::uint64_t> take_all(std::deque<Step>& steps, Census& census, bool throws, Census::Life) {
    std::uint64_t sum = 0;
    for (Step& step : steps) {
        step.task = take_step(step, Census::Life(census));
        try {
            sum += co_await std::move(step.task);
        } catch (const Refused& refused) { sum += 1000 * refused.number; }
    }
    if (throws) throw Refused{sum};
    co_return sum;
}

// Of another library: its frame ends with it.
struct Foreign {
    struct promise_type {
        Foreign get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::abort(); }
    };
    std::coroutine_handle<> frame;
};

struct Ending {
    std::uint64_t results = 0;
    std::uint64_t exceptions = 0;
    std::uint64_t told = 0;   // the result, or what the exception brought
    std::uint64_t alive = 0;  // frames, when it was told
};

// `task` may live longer than what awaits it.
Foreign await_from_outside(Task<std::uint64_t>& task, Census& census, Ending& ending, Census::Life) {
    try {
        ending.told = co_await std::move(task);
        ++ending.results;
    } catch (const Refused& refused) {
        ending.told = refused.number;
        ++ending.exceptions;
    }
    ending.alive = census.alive();
}

void a_foreign_coroutine_awaits_tasks(Trial& trial) {
    Census census;
    Ending ending;
    std::deque<Step> steps(1 + trial.below(4));
    std::uint64_t sum = 0;
    std::uint64_t gates = 0;
    for (Step& step : steps) {
        step.number = static_cast<std::uint64_t>(&step - &steps.front()) + 1;
        step.waits = trial.below(4) != 3;
        step.gate.way_out = trial.below(5);
        step.at_once = trial.below(3) == 2;
        step.throws = trial.below(3) == 2;
        sum += step.throws ? 1000 * step.number : step.number;
        if (step.waits) ++gates;
    }
    const bool throws = trial.below(3) == 2;
    // Behind this one, nobody opens: 0: all are opened.
    const std::uint64_t left_closed = gates == 0 ? 0 : trial.below(2) * trial.below(gates + 1);
    const bool innermost_first = trial.below(2) == 1;
    const std::uint64_t pause = trial.below(6);
    std::array<std::uint64_t, 2> resumed{};
    {
        Task<std::uint64_t> task = take_all(steps, census, throws, Census::Life(census));
        const Foreign foreign = await_from_outside(task, census, ending, Census::Life(census));
        // Each opens every other gate.
        const auto open = [&](std::uint64_t which) {
            std::uint64_t at = 0;
            for (Step& step : steps) {
                if (!step.waits || at++ >= gates - left_closed || at % 2 != which) continue;
                linger(pause);
                if (step.gate.open()) ++resumed[which];
            }
        };
        platform::thread one([&] { open(0); });
        platform::thread other([&] { open(1); });
        foreign.frame.resume();
        one.join();
        other.join();
        const bool ended = ending.results + ending.exceptions != 0;
        trial.require(ended == (left_closed == 0), "it goes on when everything that it waits for has come");
        if (!ended) {
            // Nobody resumes anything any more.
            if (innermost_first)
                for (Step& step : steps) step.task = Task<std::uint64_t>();
            foreign.frame.destroy();
            trial.sometimes(innermost_first, "what waits is destroyed before who awaits it");
            trial.sometimes(!innermost_first, "who awaits is destroyed first");
        }
        trial.require(census.empty(), "every frame is gone, though the task that is awaited still has a name");
    }
    if (left_closed != 0) return;
    trial.require(ending.exceptions == (throws ? 1u : 0u), "the exception of the task comes out, once");
    trial.require(ending.results == (throws ? 0u : 1u), "and else its result does");
    trial.require(ending.told == sum, "with what every step of it has brought");
    trial.require(ending.alive == 1, "the tasks have gone by then, and only who awaited them is left");
    trial.sometimes(resumed[0] != 0 && resumed[1] != 0, "two threads took it on");
    trial.sometimes(resumed[0] + resumed[1] != gates, "one that opens first");
}

const acairo::Property registered{"a_foreign_coroutine_awaits_tasks",
                                  a_foreign_coroutine_awaits_tasks,
                                  {.interruptions = true, .shortages = false, .network = false},
                                  {"what waits is destroyed before who awaits it", "who awaits is destroyed first",
                                   "two threads took it on", "one that opens first"}};

}  // namespace
}  // namespace property
