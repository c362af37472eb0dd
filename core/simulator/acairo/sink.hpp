// Who is told of everything that the Scheduler does: each step, each choice of a thread, who waits and who wakes whom. A
// timeline is drawn from it. A run without one pays a test of a pointer for each of these.
//
// Threads: called on the fiber that runs, unseen by the thread sanitizer; it must not make a fiber wait.
// Invariants:
//   1. A choice of a thread is told before the step that it leads to, and every step that somebody chose begins with it.
//   2. A fiber is started before all else that is told of it; between its blocked() and its woken() it makes no step.
//   3. Nothing that a sink does changes the run: the trace hash is the same without it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace acairo::simulator {

struct Fiber;
struct Step;

// What ended a wait: the fiber that runs, the fiber's own deadline, or something outside of the threads (the network).
enum class Waker : std::uint8_t { fiber, deadline, host };

class Sink {
public:
    virtual ~Sink() = default;
    virtual void started(const Fiber& fiber) = 0;
    // `candidates` of 1: not a choice, but the turn of a fiber that was kept waiting too long. `could_go_on`: the fiber that
    // runs is among them.
    virtual void chose(const Fiber& chosen, std::size_t candidates, bool could_go_on) = 0;
    virtual void stepped(const Step& step) = 0;
    // What the last step saw, or left, in its object.
    virtual void saw(std::int64_t value) = 0;
    // The last step fails, or does not wait, for no reason but a choice of the tag `fault`.
    virtual void faulted() = 0;
    virtual void blocked(const Fiber& fiber) = 0;
    virtual void woken(const Fiber& fiber, Waker by) = 0;
    virtual void ended(const Fiber& fiber) = 0;
};

}  // namespace acairo::simulator
