// Starting, ending, choosing and failing; waiting is in waiting.cpp.
#include <execinfo.h>
#include <acairo/sanitizers.hpp>
#include <acairo/scheduler.hpp>
#include <thread>

namespace acairo::simulator {

Scheduler* Scheduler::running_ = nullptr;

Scheduler::Scheduler(Host& host) : host_(&host) {
    static const bool started = (std::thread([] {}).join(), true);
    (void)started;
}

Scheduler::~Scheduler() {
    for (std::size_t i = 0; i < made_; ++i) delete fibers_[i];
}

Outcome Scheduler::run(Choices& choices, const Options& options, void (*body)(void*), void* argument) {
    if (running_ != nullptr) {
        running_->fail(
            Verdict::misuse,
            "a run was started within a run: a process has one at a time; call the inner body as a function");
    }
    reset(choices, options);
    running_ = this;
    start(next_fiber(), body, argument, std::source_location());
    current_ = fibers_[0];
    thread_.switch_to(current_->context);
    clean_up();
    running_ = nullptr;
    outcome_.steps = steps_;
    outcome_.trace_hash = hash_;
    outcome_.time = now();
    return std::move(outcome_);
}

void Scheduler::reset(Choices& choices, const Options& options) noexcept {
    choices_ = &choices;
    options_ = options;
    outcome_ = Outcome{};
    current_ = nullptr;
    steps_ = hash_ = objects_ = time_moved_at_ = overdue_at_ = 0;
    check_at_ = options.step_limit < time_patience ? options.step_limit : time_patience;
    now_ = options.start.count();
    static std::uint32_t runs = 0;
    serial_ = ++runs;
    ready_count_ = alive_ = thread_failures_ = 0;
    clock_jumps_ = options.clock_jumps;
    started_ = 0;
    memory_.reset(options.older_loads != 0);
}

void Scheduler::clean_up() {
    for (std::size_t i = 0; i < started_; ++i) {
        Fiber& fiber = *fibers_[i];
        if (fiber.state == FiberState::ended) continue;
        // Whatever it did is over, and the next run comes after it.
        fiber.context.publish_for(this);
        fiber.context.abandon();
    }
    observe(this);
}

Fiber& Scheduler::next_fiber() {
    if (started_ == most_fibers) {
        fail(Verdict::misuse,
             "a run may start 1,000 threads, and this one starts more: use fewer, or end the run earlier");
    }
    if (started_ == made_) {
        const Unseen unseen;  // the run's own memory is counted
        fibers_[made_] = new Fiber;
        ++made_;
    }
    Fiber& fiber = *fibers_[started_];
    fiber.number = static_cast<std::uint32_t>(started_++);
    fiber.state = FiberState::ended;
    fiber.begun = false;
    return fiber;
}

void Scheduler::start(Fiber& fiber, void (*entry)(void*), void* argument, std::source_location where) {
    fiber.entry = entry;
    fiber.argument = argument;
    fiber.wait = Wait{"thread.begin", fiber.number};
    fiber.timed_out = false;
    fiber.next_waiting = fiber.previous_waiting = nullptr;
    fiber.joiners = WaitQueue();
    fiber.slot = nullptr;
    fiber.spurious_in_a_row = fiber.older_in_a_row = 0;
    if (current_ != nullptr && memory_.on()) memory()->starts(fiber.number);
    fiber.starter = current_ == nullptr ? 0 : current_->number;
    fiber.started = where;
    fiber.context.prepare(&Scheduler::body_of, &fiber);
    ++alive_;
    make_ready(fiber);
    tell_sink([&](Sink& sink) { sink.started(fiber); });
    publish(&fiber.entry);
}

FiberContext& Scheduler::body_of(void* it) {
    Fiber& fiber = *static_cast<Fiber*>(it);
    Scheduler& scheduler = *running_;
    observe(&fiber.entry);
    fiber.begun = true;
    scheduler.step();
    std::string text;
    try {
        fiber.entry(fiber.argument);
    } catch (...) { text = text_of_exception(); }
    // Behind the handler: without this, nobody would free the exception, as nobody goes on here.
    if (!text.empty()) scheduler.fail(Verdict::exception, std::move(text));
    return scheduler.end(fiber);
}

FiberContext& Scheduler::end(Fiber& fiber) {
    publish(&fiber.joiners);
    publish(this);
    leave_ready(fiber);
    fiber.state = FiberState::ended;
    fiber.since = steps_;
    tell_sink([&](Sink& sink) { sink.ended(fiber); });
    wake_all(fiber.joiners);
    if (--alive_ == 0) return thread_;
    Fiber& next = next_after_wait();
    current_ = &next;
    return next.context;
}

void Scheduler::point(Operation operation, std::uint64_t object) {
    if (clock_jumps_ != 0) may_let_time_pass();
    current_->wait.operation = operation;
    current_->wait.object = object;
    if (ready_count_ > 1) go_to(pick(true));
    step();
}

void Scheduler::pass(Operation operation) {
    current_->wait.operation = operation;
    current_->wait.object = 0;
    if (ready_count_ > 1 && steps_ >= overdue_at_) {
        if (Fiber* const late = overdue()) go_to(overtaken(*late, true));
    }
    step();
}

void Scheduler::step() {
    ++steps_;
    const Wait& wait = current_->wait;
    const std::uint32_t fiber = current_->number;
    trace(wait.operation.hash ^ (std::uint64_t{fiber} << 48) ^ wait.object);
    Step& last = last_steps_[steps_ % remembered_steps];
    last.number = steps_;
    last.fiber = fiber;
    last.operation = wait.operation.name;
    last.object = wait.object;
    tell_sink([&](Sink& sink) { sink.stepped(last); });
    if (steps_ >= check_at_) check_limits();
}

void Scheduler::check_limits() {
    if (steps_ >= options_.step_limit) {
        // Also where no memory is left.
        const Unseen unseen;
        fail(Verdict::livelock,
             "the limit of steps is reached (Options::step_limit): something is repeated and never comes to its end; "
             "raise the limit if the run is only long");
    }
    if (steps_ - time_moved_at_ >= time_patience) {
        time_moved_at_ = steps_;
        let_time_pass();
    }
    const std::uint64_t time_due = time_moved_at_ + time_patience;
    check_at_ = time_due < options_.step_limit ? time_due : options_.step_limit;
}

Fiber& Scheduler::pick(bool current_can) {
    if (ready_count_ == 1) return *ready_[0];
    if (steps_ >= overdue_at_) {
        if (Fiber* const late = overdue()) return overtaken(*late, current_can);
    }
    std::size_t count = 0;
    const auto add = [&](const Fiber& fiber, bool runs_now) {
        Candidate& candidate = candidates_[count++];
        candidate.fiber = fiber.number;
        candidate.operation = fiber.wait.operation.name;
        candidate.object = fiber.wait.object;
        candidate.runs_now = runs_now;
    };
    if (current_can) add(*current_, true);
    for (std::uint32_t i = 0; i < ready_count_; ++i) {
        if (!current_can || ready_[i] != current_) add(*ready_[i], false);
    }
    std::size_t chosen = 0;
    {
        const Unseen unseen;
        chosen = choices_->thread({candidates_.data(), count});
    }
    trace(chosen);
    Fiber& next = *fibers_[candidates_[chosen].fiber];
    tell_sink([&](Sink& sink) { sink.chose(next, count, current_can); });
    return next;
}

Fiber& Scheduler::overtaken(Fiber& late, bool current_can) {
    tell_sink([&](Sink& sink) { sink.chose(late, 1, current_can); });
    return late;
}

Fiber* Scheduler::overdue() noexcept {
    // Two at least can run.
    Fiber* longest = ready_[ready_[0] == current_ ? 1 : 0];
    for (std::uint32_t i = 0; i < ready_count_; ++i) {
        Fiber* const fiber = ready_[i];
        if (fiber != current_ && fiber->since < longest->since) longest = fiber;
    }
    overdue_at_ = longest->since + patience;
    return steps_ >= overdue_at_ ? longest : nullptr;
}

Fiber& Scheduler::next_after_wait() {
    while (ready_count_ == 0) {
        if (!let_time_pass()) fail_with_deadlock(*this);
        // Without this, a host whose events wake nobody would keep the run going for ever.
        if (ready_count_ != 0) break;
        ++steps_;
        last_steps_[steps_ % remembered_steps] = {steps_, current_->number, "time.passes", 0};
        if (steps_ >= check_at_) check_limits();
    }
    return pick(false);
}

void Scheduler::go_to(Fiber& next) {
    Fiber& self = *current_;
    if (&next == &self) return;
    if (self.state == FiberState::ready) self.since = steps_;
    current_ = &next;
    self.context.switch_to(next.context);
    if (backtrace_.frames != nullptr) answer_backtrace(self);
}

void Scheduler::fail(Verdict verdict, std::string text) {
    {
        const Unseen unseen;
        outcome_.verdict = verdict;
        outcome_.text.swap(text);
        add_report(*this, outcome_);
        host_->failed(verdict, outcome_.text);
    }
    current_->state = FiberState::failed;
    current_->context.switch_to(thread_);
    __builtin_unreachable();
}

int Scheduler::backtrace_of(Fiber& fiber, void** frames, int size) {
    if (&fiber == current_) {
        const Unseen unseen;
        return ::backtrace(frames, size);
    }
    if (!fiber.begun || fiber.state == FiberState::ended) return 0;
    backtrace_.frames = frames;
    backtrace_.size = size;
    backtrace_.asker = current_;
    current_->context.switch_to(fiber.context);
    return backtrace_.size;
}

void Scheduler::answer_backtrace(Fiber& fiber) {
    while (backtrace_.frames != nullptr) {
        {
            // It writes where another fiber has its array.
            const Unseen unseen;
            backtrace_.size = ::backtrace(backtrace_.frames, backtrace_.size);
        }
        backtrace_.frames = nullptr;
        fiber.context.switch_to(backtrace_.asker->context);
    }
}

std::size_t Scheduler::last_steps(std::span<Step> to) const noexcept {
    const std::uint64_t held = steps_ < remembered_steps ? steps_ : remembered_steps;
    const std::uint64_t count = held < to.size() ? held : to.size();
    for (std::uint64_t i = 0; i < count; ++i) to[i] = last_steps_[(steps_ - count + 1 + i) % remembered_steps];
    return count;
}

void Scheduler::saw(std::int64_t value) noexcept {
    tell_sink([&](Sink& sink) { sink.saw(value); });
}

void Scheduler::trace(std::uint64_t value) noexcept {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15u;
    hash_ ^= hash_ >> 29;
}

}  // namespace acairo::simulator
