// What a task's parts do whatever its type is.
#include <acairo/task.hpp>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD::detail {

Frame* startable(Frame* task) {
    if (!task) throw std::logic_error("acairo: this task was moved from, or has been awaited: a task is awaited once");
    if (task->handle.done()) throw std::logic_error("acairo: this task has ended: a task is awaited once");
    if (task->chain) throw std::logic_error("acairo: this task is being awaited: a task is awaited once");
    return task;
}

void rethrow(Chain& chain, TaskOwner& owner) {
    if (!chain.failure) return;
    std::exception_ptr failure = std::exchange(chain.failure, nullptr);
    owner.reset();
    std::rethrow_exception(std::move(failure));
}

Task<void> Promise<void>::get_return_object() noexcept { return Task<void>(*this); }

}  // namespace acairo::inline ACAIRO_WORLD::detail
