// Scheduler: waiting, waking, time, and the choices of others.
#include <acairo/sanitizers.hpp>
#include <acairo/scheduler.hpp>

namespace acairo::simulator {

bool Scheduler::block(const Wait& wait) {
    Fiber& self = *current_;
    self.wait = wait;
    self.deadline = wait.deadline.count();
    self.timed_out = false;
    leave_ready(self);
    self.state = FiberState::waiting;
    self.since = steps_;
    if (wait.queue != nullptr) enqueue(self, *wait.queue);
    tell_sink([&](Sink& sink) { sink.blocked(self); });
    go_to(next_after_wait());
    step();
    return !self.timed_out;
}

void Scheduler::wake(Fiber& fiber) {
    if (fiber.state != FiberState::waiting) return;
    leave_queue(fiber);
    make_ready(fiber);
    tell_sink([&](Sink& sink) { sink.woken(fiber, waker_); });
}

void Scheduler::wake_one(WaitQueue& queue) {
    const std::size_t count = waiting(queue);
    if (count == 0) return;
    Fiber* chosen = queue.first_;
    for (std::uint64_t skipped = below(count, Tag::order); skipped > 0; --skipped) chosen = chosen->next_waiting;
    wake(*chosen);
}

void Scheduler::wake_all(WaitQueue& queue) {
    while (queue.first_ != nullptr) wake(*queue.first_);
}

std::size_t Scheduler::waiting(const WaitQueue& queue) const noexcept {
    std::size_t count = 0;
    for (const Fiber* fiber = queue.first_; fiber != nullptr; fiber = fiber->next_waiting) ++count;
    return count;
}

Fiber* Scheduler::starving(const WaitQueue& queue) const noexcept {
    Fiber* fiber = queue.first_;
    while (fiber != nullptr && fiber->wanting_since + patience > steps_) fiber = fiber->next_waiting;
    return fiber;
}

std::int64_t Scheduler::next_instant() const {
    std::int64_t next = 0;
    {
        const Unseen unseen;
        next = host_->next_event().count();
    }
    for (std::size_t i = 0; i < started_; ++i) {
        const Fiber& fiber = *fibers_[i];
        if (fiber.state == FiberState::waiting && fiber.deadline < next) next = fiber.deadline;
    }
    return next;
}

bool Scheduler::let_time_pass() {
    const std::int64_t next = next_instant();
    if (next == never.count()) return false;
    if (now_ < next) {
        now_ = next;
        if (MemoryModel* const model = memory()) model->all_seen();
    }
    time_moved_at_ = steps_;
    trace(static_cast<std::uint64_t>(now_));
    waker_ = Waker::deadline;
    for (std::size_t i = 0; i < started_; ++i) {
        Fiber& fiber = *fibers_[i];
        if (fiber.state != FiberState::waiting || fiber.deadline > now_) continue;
        fiber.timed_out = true;
        wake(fiber);
    }
    waker_ = Waker::host;
    {
        const Unseen unseen;
        host_->advance(std::chrono::nanoseconds(now_));
    }
    waker_ = Waker::fiber;
    return true;
}

void Scheduler::may_let_time_pass() {
    const std::int64_t next = next_instant();
    // What is due is not a jump, and nothing is due later than never.
    const std::int64_t jump = next > now_ ? next - now_ : 0;
    if (next == never.count() || jump > options_.clock_jumped.count() || below(2, Tag::clock) == 0) return;
    --clock_jumps_;
    options_.clock_jumped -= std::chrono::nanoseconds(jump);
    current_->wait.operation = "time.passes";
    current_->wait.object = 0;
    step();
    tell_sink([](Sink& sink) { sink.faulted(); });
    let_time_pass();
}

void Scheduler::clear_up() noexcept {
    clock_jumps_ = 0;
    options_.spurious = options_.thread_failures = 0;
    memory_.turn_off();
}

std::uint64_t Scheduler::below(std::uint64_t n, Tag tag) {
    if (n == 1) return 0;
    std::uint64_t value = 0;
    {
        const Unseen unseen;
        value = choices_->below(n, tag);
    }
    trace(value);
    return value;
}

bool Scheduler::spurious() {
    std::uint32_t& in_a_row = current_->spurious_in_a_row;
    // Bounded, or a loop around a weak exchange would never end.
    const bool now = in_a_row < options_.spurious ? below(2, Tag::fault) == 1 : false;
    in_a_row = now ? in_a_row + 1 : 0;
    if (now) tell_sink([](Sink& sink) { sink.faulted(); });
    return now;
}

std::uint32_t Scheduler::older_than_newest(std::uint32_t count) {
    std::uint32_t& in_a_row = current_->older_in_a_row;
    // Bounded, as each store is seen by everybody in the end: without this, who waits for one in a loop would wait for ever.
    const bool may = in_a_row < options_.older_loads;
    const auto older = may ? static_cast<std::uint32_t>(below(std::uint64_t{count} + 1, Tag::fault)) : 0;
    in_a_row = older != 0 ? in_a_row + 1 : 0;
    if (older != 0) tell_sink([](Sink& sink) { sink.faulted(); });
    return older;
}

bool Scheduler::thread_fails() {
    if (thread_failures_ == options_.thread_failures || below(2, Tag::fault) == 0) return false;
    ++thread_failures_;
    tell_sink([](Sink& sink) { sink.faulted(); });
    return true;
}

void Scheduler::make_ready(Fiber& fiber) noexcept {
    fiber.state = FiberState::ready;
    fiber.since = steps_;
    std::uint32_t at = ready_count_++;
    for (; at > 0 && ready_[at - 1]->number > fiber.number; --at) ready_[at] = ready_[at - 1];
    ready_[at] = &fiber;
}

void Scheduler::leave_ready(Fiber& fiber) noexcept {
    std::uint32_t at = 0;
    while (ready_[at] != &fiber) ++at;
    for (--ready_count_; at < ready_count_; ++at) ready_[at] = ready_[at + 1];
}

void Scheduler::enqueue(Fiber& fiber, WaitQueue& queue) noexcept {
    fiber.previous_waiting = queue.last_;
    fiber.next_waiting = nullptr;
    (queue.last_ == nullptr ? queue.first_ : queue.last_->next_waiting) = &fiber;
    queue.last_ = &fiber;
}

void Scheduler::leave_queue(Fiber& fiber) noexcept {
    WaitQueue* const queue = fiber.wait.queue;
    if (queue == nullptr) return;
    (fiber.previous_waiting == nullptr ? queue->first_ : fiber.previous_waiting->next_waiting) = fiber.next_waiting;
    (fiber.next_waiting == nullptr ? queue->last_ : fiber.next_waiting->previous_waiting) = fiber.previous_waiting;
    fiber.wait.queue = nullptr;
}

}  // namespace acairo::simulator
