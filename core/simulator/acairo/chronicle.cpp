// Writing moments down, with the stacks of the fibers that they happen on.
#include <execinfo.h>
#include <acairo/chronicle.hpp>
#include <algorithm>

namespace acairo::simulator {
namespace {

// Without the frames of this file and of the scheduler; what else is the simulator's is left out when sources are looked up.
Stack stack_here() {
    std::array<void*, 14> frames{};
    ::backtrace(frames.data(), static_cast<int>(frames.size()));
    Stack stack{};
    std::copy(frames.begin() + 2, frames.end(), stack.begin());
    return stack;
}

}  // namespace

Moment& Chronicle::add(Moment::Kind kind, const Fiber& fiber) {
    Scheduler& scheduler = *Scheduler::running();
    Moment& moment = memory_->moment[memory_->moments % most_moments];
    moment = Moment{};
    moment.kind = kind;
    moment.fiber = fiber.number;
    moment.step = scheduler.steps();
    moment.time = scheduler.now();
    // Last: without this, a process that dies here leaves a moment that is not there.
    ++memory_->moments;
    return moment;
}

void Chronicle::started(const Fiber& fiber) {
    ThreadStart& start = memory_->thread[fiber.number];
    start = ThreadStart{};
    start.starter = fiber.starter;
    start.step = Scheduler::running()->steps();
    start.where = fiber.started;
    if (fiber.number != 0) start.stack = stack_here();
    memory_->threads = fiber.number + 1;
}

void Chronicle::chose(const Fiber& chosen, std::size_t candidates, bool could_go_on) {
    const std::uint32_t current = Scheduler::running()->current().number;
    candidates_ = static_cast<std::uint32_t>(candidates);
    ran_before_ = current;
    preempts_ = could_go_on && chosen.number != current;
}

void Chronicle::stepped(const Step& step) {
    Moment& moment = add(Moment::Kind::step, Scheduler::running()->current());
    moment.operation = step.operation;
    moment.object = step.object;
    moment.candidates = std::exchange(candidates_, 0);
    moment.other = ran_before_;
    moment.preempts = std::exchange(preempts_, false);
    moment.stack = stack_here();
}

void Chronicle::saw(std::int64_t value) {
    Moment* const step = last_step();
    if (!step) return;
    step->has_value = true;
    step->value = value;
}

void Chronicle::faulted() {
    if (Moment* const step = last_step()) step->faulty = true;
}

Moment* Chronicle::last_step() {
    if (memory_->moments == 0) return nullptr;
    Moment& last = memory_->moment[(memory_->moments - 1) % most_moments];
    return last.kind == Moment::Kind::step ? &last : nullptr;
}

void Chronicle::blocked(const Fiber& fiber) {
    Moment& moment = add(Moment::Kind::block, fiber);
    moment.operation = fiber.wait.operation.name;
    moment.object = fiber.wait.object;
}

void Chronicle::woken(const Fiber& fiber, Waker by) {
    Moment& moment = add(Moment::Kind::wake, fiber);
    moment.waker = by;
    moment.other = Scheduler::running()->current().number;
}

void Chronicle::ended(const Fiber& fiber) { add(Moment::Kind::end, fiber); }

std::vector<Moment> Chronicle::moments_of(const Memory& memory) {
    std::vector<Moment> moments;
    const std::uint64_t kept = std::min<std::uint64_t>(memory.moments, most_moments);
    for (std::uint64_t i = memory.moments - kept; i < memory.moments; ++i) {
        moments.push_back(memory.moment[i % most_moments]);
    }
    return moments;
}

std::vector<ThreadStart> Chronicle::threads_of(const Memory& memory) {
    return {memory.thread.begin(), memory.thread.begin() + static_cast<std::ptrdiff_t>(memory.threads)};
}

}  // namespace acairo::simulator
