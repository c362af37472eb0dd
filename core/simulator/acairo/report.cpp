// The text of a failure. Compiled as any other source: it runs where a run is over, and may use what it likes.
#include <execinfo.h>
#include <acairo/scheduler.hpp>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace acairo::simulator {

const char* name_of(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::passed: return "passed";
        case Verdict::deadlock: return "deadlock";
        case Verdict::livelock: return "livelock";
        case Verdict::busy: return "busy";
        case Verdict::misuse: return "misuse";
        case Verdict::reused_descriptor: return "reused descriptor";
        case Verdict::exception: return "exception";
        case Verdict::failed: return "failed";
        case Verdict::leaked_descriptor: return "leaked descriptor";
        case Verdict::leaked_memory: return "leaked memory";
        case Verdict::nondeterminism: return "nondeterminism";
    }
    return "no verdict";
}

namespace {

std::string named(const char* operation, std::uint64_t object) {
    std::string text = operation;
    if (object == 0) return text;
    // What the threads' own operations are about is a fiber, and anything else is an object.
    return text + (std::strncmp(operation, "thread.", 7) == 0 ? " of fiber " : " of object ") + std::to_string(object);
}

std::string name_of_fiber(const Fiber& fiber) {
    std::string text = "  fiber " + std::to_string(fiber.number);
    if (fiber.number == 0) return text + " (the body)";
    text += " (started by fiber " + std::to_string(fiber.starter) + " at ";
    text += fiber.started.file_name();
    return text + ":" + std::to_string(fiber.started.line()) + ")";
}

void add_state(std::string& text, const Fiber& fiber, bool current) {
    const std::string operation = named(fiber.wait.operation.name, fiber.wait.object);
    switch (fiber.state) {
        case FiberState::ready:
            text += (current ? ": runs, last step " : ": could run, next step ") + operation;
            return;
        case FiberState::failed: text += ": failed"; return;
        case FiberState::ended: text += fiber.begun ? ": has ended" : ": has not begun, and never will"; return;
        case FiberState::waiting:
            text += ": waits in " + operation + " since step " + std::to_string(fiber.since);
            break;
    }
    if (fiber.wait.deadline != never) text += ", until " + std::to_string(fiber.wait.deadline.count()) + " ns";
    if (fiber.wait.describe != nullptr) fiber.wait.describe(fiber.wait.subject, text);
}

void add_backtrace(std::string& text, Scheduler& scheduler, Fiber& fiber) {
    void* frames[24];
    const int count = scheduler.backtrace_of(fiber, frames, 24);
    char** const names = ::backtrace_symbols(frames, count);
    if (names == nullptr) return;
    for (int i = 0; i < count; ++i) text += std::string("\n      ") + names[i];
    std::free(names);
}

}  // namespace

void add_report(Scheduler& scheduler, Outcome& failure) {
    std::string whole = std::string(name_of(failure.verdict)) + " at step " + std::to_string(scheduler.steps()) + ", " +
                        std::to_string(scheduler.now().count()) + " ns: " + failure.text;
    for (Fiber* const fiber : scheduler.fibers()) {
        whole += "\n" + name_of_fiber(*fiber);
        add_state(whole, *fiber, fiber == &scheduler.current());
        if (fiber->state != FiberState::ended) add_backtrace(whole, scheduler, *fiber);
    }
    Step steps[20];
    const std::size_t count = scheduler.last_steps(steps);
    whole += "\n  the last steps:";
    for (const Step& step : std::span(steps, count)) {
        whole += "\n    " + std::to_string(step.number) + " fiber " + std::to_string(step.fiber) + " " +
                 named(step.operation, step.object);
    }
    failure.text = std::move(whole);
}

std::string text_of_exception() {
    const Unseen unseen;
    std::string what = "an exception that is no std::exception";
    try {
        throw;
    } catch (const std::exception& exception) {
        what = std::string("an exception, \"") + exception.what() + "\",";
    } catch (...) {}
    return what + " left a thread, which ends a program: catch it in the thread's function";
}

void fail_with_deadlock(Scheduler& scheduler) {
    const Unseen unseen;
    const bool over = scheduler.fibers()[0]->state == FiberState::ended;
    scheduler.fail(Verdict::deadlock,
                   std::string(over ? "the body has ended, and threads that it left" : "all threads") +
                       " wait for what can no longer come: nothing can run, and nothing is due");
}

}  // namespace acairo::simulator
