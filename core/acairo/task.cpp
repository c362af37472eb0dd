// What a task's parts do whatever its type is.
#include <acairo/task.hpp>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD::detail {
namespace {

PromiseBase* startable(PromiseBase* task) {
    if (!task) throw std::logic_error("acairo: this task was moved from, or has been awaited: a task is awaited once");
    if (task->chain) throw std::logic_error("acairo: this task is being awaited: a task is awaited once");
    return task;
}

void rethrow_of(Chain& chain, TaskOwner& owner) {
    if (!chain.failure) return;
    std::exception_ptr failure = std::exchange(chain.failure, nullptr);
    owner.reset();
    std::rethrow_exception(std::move(failure));
}

}  // namespace

TaskOwner::TaskOwner(PromiseBase& owned) noexcept : promise(&owned) { owned.owner = this; }

TaskOwner::TaskOwner(TaskOwner&& other) noexcept : promise(std::exchange(other.promise, nullptr)) {
    if (promise) promise->owner = this;
}

TaskOwner& TaskOwner::operator=(TaskOwner&& other) noexcept {
    if (this == &other) return *this;
    reset();
    promise = std::exchange(other.promise, nullptr);
    if (promise) promise->owner = this;
    return *this;
}

void TaskOwner::reset() noexcept {
    if (!promise) return;
    if (promise->chain) return promise->chain->destroy(*promise);
    std::exchange(promise, nullptr)->frame.destroy();
}

Task<void> Promise<void>::get_return_object() noexcept { return Task<void>(*this); }

AwaitTaskBase::AwaitTaskBase(PromiseBase* to_await) : child(startable(to_await)) {}

void AwaitTaskBase::rethrow() const {
    if (!child) throw Cancelled();
    rethrow_of(*parent->chain, *child->owner);
}

AwaitFromForeignBase::AwaitFromForeignBase(PromiseBase* to_await) : Chain(nullptr), root(startable(to_await)) { set_root(*root); }

void AwaitFromForeignBase::rethrow() { rethrow_of(*this, *root->owner); }

}  // namespace acairo::inline ACAIRO_WORLD::detail
