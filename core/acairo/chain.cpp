// How a chain runs, waits, is cancelled and is destroyed.
#include <acairo/executor.hpp>
#include <new>
#include <stdexcept>

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

void Chain::set_root(Frame& root) noexcept {
    root.chain = this;
    leaf_ = &root;
}

void Chain::descend(Awaiting& awaiting) noexcept {
    set_root(*awaiting.child);
    leaf_->awaiting = &awaiting;
    runner_->next = leaf_;
}

void Chain::ascend(Frame& ended) noexcept {
    check(leaf_ == &ended, "only the leaf of a chain can end");
    if (!ended.awaiting) {
        runner_->ended = true;
        return;
    }
    leaf_ = ended.awaiting->parent;
    if (spend()) {
        yield();
    } else {
        runner_->next = leaf_;
    }
}

bool Chain::start(Operation& operation) noexcept {
    operation_ = &operation;
    if (!advance()) return false;
    if (!spend()) return true;
    yield();
    return false;
}

bool Chain::advance() noexcept {
    Operation& operation = *operation_;
    using Outcome = Operation::Outcome;
    // Before each attempt: without this, an operation that parks again after the worker has cancelled what was parked
    // when the stop came would wait for ever.
    if (operation.outcome_ == Outcome::pending && stop_requested()) operation.outcome_ = Outcome::cancelled;
    if (operation.outcome_ == Outcome::pending && !operation.attempt()) return false;
    worker->timers.withdraw(*this);
    operation.end();
    operation_ = nullptr;
    return true;
}

void Chain::park() noexcept {
    check(!parked_, "a chain parks once at a time");
    parked_ = true;
}

void Chain::interrupt() noexcept {
    check(parked_, "only a parked chain is woken");
    operation_->withdraw();
    deliver();
}

void Chain::cancel() noexcept {
    if (!parked_) return;
    if (!stop_requested()) return;
    if (operation_->outcome_ == Operation::Outcome::pending) operation_->outcome_ = Operation::Outcome::cancelled;
    interrupt();
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
    for (const Scope* inner = innermost; inner; inner = inner->outer) {
        if (inner->requested()) return true;
    }
    return false;
}

void Chain::deliver() noexcept {
    parked_ = false;
    worker->ready.push(*this);
}

void Chain::resume_from_anywhere() noexcept {
    if (worker) {
        worker->post(*this);
    } else if (run_tasks()) {
        finish_elsewhere();
    }
}

// Takes a suspended chain out of everything that could still resume it.
void Chain::leave() noexcept {
    check(runner_ == nullptr, "a task is not destroyed by the chain that it runs in");
    check(Worker::current() == worker, "a suspended task is destroyed on the worker that it belongs to");
    // Its foreign awaitable may have posted it: then it must come out of the inbox first.
    worker->inbox.deliver();
    worker->timers.withdraw(*this);
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
    with_worker(chain_);
    check(outcome_ == Outcome::pending, "an operation is awaited once");
    if (chain_->stop_requested()) return complete(Outcome::cancelled);
    begin();
    return chain_->start(*this);
}

bool Operation::complete(Outcome outcome) noexcept {
    outcome_ = outcome;
    return true;
}

bool Operation::fail(std::ptrdiff_t result, const char* call) noexcept {
    error_ = static_cast<int>(result);
    name_ = call;
    return complete(Outcome::failed);
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
