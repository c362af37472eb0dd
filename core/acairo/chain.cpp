// How a chain runs, waits, is cancelled and is destroyed.
#include <acairo/executor.hpp>

namespace acairo::inline ACAIRO_WORLD::detail {

bool Chain::run() noexcept {
    check(!parked_, "a parked chain does not run");
    budget_ = worker->state.budget;
    if (operation_ && !advance()) return false;
    if (!leaf_ && !begin()) return true;
    return run_tasks();
}

bool Chain::run_tasks() noexcept {
    Runner runner{leaf_, false};
    runner_ = &runner;
    const bool pinned = worker != nullptr;
    while (Frame* const task = std::exchange(runner.next, nullptr)) task->handle.resume();
    // Without a worker, another thread may run the chain by now: only the runner, on this stack, is ours.
    if (pinned) runner_ = nullptr;
    return runner.ended;
}

void Chain::ascend(Frame& ended) noexcept {
    check(leaf_ == &ended, "only the leaf of a chain can end");
    runner_->ended = !ended.awaiting;
    if (!ended.awaiting) return;
    leaf_ = ended.awaiting->parent;
    if (spend()) return yield();
    runner_->next = leaf_;
}

bool Chain::start(Operation& operation) noexcept {
    operation_ = &operation;
    if (!advance()) return false;
    const bool go_on = !spend();
    if (!go_on) yield();
    return go_on;
}

bool Chain::advance() noexcept {
    if (!operation_->proceed()) return false;
    Timers::withdraw(*this);
    std::exchange(operation_, nullptr)->end();
    return true;
}

void Chain::interrupt() noexcept {
    check(parked_, "only a parked chain is woken");
    operation_->withdraw();
    deliver();
}

void Chain::cancel() noexcept {
    // Its operation finds the stop when it is tried again.
    if (parked_ && stop_requested()) interrupt();
}

void Chain::expire() noexcept {
    // Woken already, by what it waited for: that wins. If it parks again, its timer is armed again.
    if (!parked_) return;
    if (operation_->outcome_ == Operation::Outcome::pending && !stop_requested()) {
        operation_->outcome_ = operation_->expired();
    }
    interrupt();
}

bool Chain::stop_requested_from(const Scope* innermost) const noexcept {
    if (worker->state.stopping()) return true;
    while (innermost && !innermost->requested()) innermost = innermost->outer;
    return innermost != nullptr;
}

// Takes a suspended chain out of everything that could still resume it.
void Chain::leave() noexcept {
    check(runner_ == nullptr, "a task is not destroyed by the chain that it runs in");
    check(Worker::current() == worker, "a suspended task is destroyed on the worker that it belongs to");
    // Its foreign awaitable may have posted it: then it must come out of the inbox first.
    worker->inbox.deliver();
    Timers::withdraw(*this);
    if (Operation* const operation = std::exchange(operation_, nullptr)) {
        operation->withdraw();
        operation->end();
    }
    parked_ = false;
    worker->ready.remove(*this);
}

void Chain::destroy(Frame& top) noexcept {
    const auto destroy_one = [](Frame& frame) {
        Frame* const parent = frame.awaiting ? frame.awaiting->parent : nullptr;
        if (parent) frame.awaiting->child = nullptr;
        frame.owner->frame = nullptr;
        frame.handle.destroy();
        return parent;
    };
    failure = nullptr;
    if (top.handle.done()) {
        // There is nothing below it, and whoever awaits it is already on its way.
        if (leaf_ == &top) leaf_ = nullptr;
        destroy_one(top);
        return;
    }
    if (worker) leave();
    for (const Frame* last = nullptr; last != &top; leaf_ = destroy_one(*leaf_)) last = leaf_;
    // The task that awaited `top` goes on, with Cancelled.
    if (leaf_ && worker) yield();
}

TaskOwner& TaskOwner::operator=(TaskOwner&& other) noexcept {
    if (this == &other) return *this;
    reset();
    frame = std::exchange(other.frame, nullptr);
    if (frame) frame->owner = this;
    return *this;
}

void TaskOwner::reset() noexcept {
    if (!frame) return;
    if (frame->chain) return frame->chain->destroy(*frame);
    std::exchange(frame, nullptr)->handle.destroy();
}

Chain& with_worker(Chain* chain) {
    if (chain && chain->worker) return *chain;
    throw std::logic_error(
        "acairo: this task has no executor; run it with Executor::spawn or Executor::sync_wait, or await it in a task "
        "that they run");
}

bool Operation::await_ready() {
    const State* const state = &with_worker(chain_).worker->state;
    check(outcome_ == Outcome::pending, "an operation is awaited once");
    if (chain_->stop_requested()) return complete(Outcome::cancelled);
    if (socket_) {
        if (state != socket_->state.get())
            throw std::logic_error(
                std::string("acairo: ") + name_ +
                " on a worker of another executor; use the executor that the stream or listener was made with");
        socket_->claim(direction_, name_);
    }
    return chain_->start(*this);
}

bool Operation::proceed() noexcept {
    // Before each attempt: without this, an operation that parks again after the worker has cancelled what was parked
    // when the stop came would wait for ever.
    if (outcome_ == Outcome::pending && chain_->stop_requested()) outcome_ = Outcome::cancelled;
    if (outcome_ != Outcome::pending) return true;
    if (!socket_) return attempt(-1);
    const Socket::Use use(*socket_);
    return use ? attempt(use.fd) : complete(Outcome::cancelled);
}

Registration* Operation::registration() noexcept {
    int error = 0;
    Registration* const place = socket_->registration(*chain_->worker, direction_, error);
    if (!place) fail(error, "epoll_ctl");
    return place;
}

bool Operation::wait(Registration* place) noexcept {
    const std::chrono::nanoseconds timeout = socket_->timeout(direction_);
    if (timeout != std::chrono::nanoseconds{0} && !chain_->armed()) {
        // One deadline for the whole operation, however often it waits.
        chain_->worker->timers.arm(*chain_, timed_ ? chain_->deadline : deadline_after(timeout));
        timed_ = true;
    }
    if (place) {
        check(place->waiter(direction_) == nullptr, "one chain waits for a direction");
        place->waiter(direction_) = chain_;
    }
    waiting_at_ = place;
    chain_->park();
    return false;
}

void Operation::rethrow(const std::string& detail) const {
    switch (outcome_) {
        case Outcome::done: return;
        case Outcome::cancelled: throw Cancelled();
        case Outcome::timed_out: throw TimedOut();
        case Outcome::no_memory: throw std::bad_alloc();
        case Outcome::failed: throw_system_error(error_, name_ + detail);
        case Outcome::pending: impossible();
    }
    impossible();
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
