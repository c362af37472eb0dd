// What is wrong, in words.
#include <acairo/misuse.hpp>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace acairo::simulator::misuse {

namespace {

[[noreturn]] void fail(std::string text) { Scheduler::running()->fail(Verdict::misuse, std::move(text)); }

std::string by(const Fiber* holder) { return holder == nullptr ? "nobody" : "fiber " + std::to_string(holder->number); }

}  // namespace

void locked_twice(std::uint64_t mutex, std::uint64_t since) {
    fail("mutex " + std::to_string(mutex) + " is locked by the thread that holds it since step " +
         std::to_string(since) +
         ": it is not recursive; unlock it first, or call a function that expects it to be held");
}

void not_held(const char* operation, std::uint64_t mutex, const Fiber* holder) {
    fail(std::string(operation) + " of mutex " + std::to_string(mutex) + ", which " + by(holder) +
         " holds: only the thread that locked it may do that; lock it here first");
}

void destroyed(const char* kind, std::uint64_t object, const char* because, const Fiber* holder) {
    std::string text = std::string(kind) + " " + std::to_string(object) + " is destroyed while " + because;
    if (holder != nullptr) text += " (" + by(holder) + ")";
    fail(std::move(text) + ": let its last user be gone first, by joining it for example");
}

void joinable(const char* operation, std::uint32_t fiber) {
    fail("a thread object is " + std::string(operation) + " while it stands for fiber " + std::to_string(fiber) +
         ", which ends a program (std::terminate): join() or detach() it first");
}

void not_joinable(const char* operation) {
    fail(std::string(operation) +
         " of an object that stands for no thread of this run: it was joined, detached or moved from; ask joinable()");
}

void joins_itself(std::uint32_t fiber) {
    fail("fiber " + std::to_string(fiber) + " joins itself, and would wait for ever: let another thread join it");
}

void outside_of_a_run(const char* operation) {
    std::fprintf(
        stderr,
        "acairo: %s outside of a simulated run, where there is one thread that nobody could wake: call it from the "
        "body that Scheduler::run() is given\n",
        operation);
    std::abort();
}

void no_thread() {
    throw std::system_error(static_cast<int>(std::errc::resource_unavailable_try_again), std::generic_category(),
                            "a simulated thread: this run's choices let it fail");
}

void add_holder(std::string& report, const Fiber* holder, std::uint64_t since) {
    report += "; held by " + by(holder) + " since step " + std::to_string(since);
}

void add_notification(std::string& report, std::uint64_t step, std::uint64_t woken) {
    if (step == 0) {
        report += "; nobody has notified it yet";
        return;
    }
    report += "; last notified at step " + std::to_string(step) + ", when " + std::to_string(woken) + " waited";
    if (woken == 0) report += ": a lost wake-up?";
}

}  // namespace acairo::simulator::misuse
