// Mutexes, condition variables and threads over the scheduler.
#include <acairo/misuse.hpp>
#include <acairo/sanitizers.hpp>
#include <acairo/threads.hpp>

namespace acairo::simulator {

void Numbered::created() noexcept { is_new(); }

bool Numbered::is_new() const noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr || run_ == scheduler->serial()) return false;
    run_ = scheduler->serial();
    number_ = static_cast<std::uint32_t>(scheduler->next_object());
    return true;
}

std::uint64_t Numbered::point(Operation operation) const noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return 0;
    is_new();
    scheduler->point(operation, number_);
    return number_;
}

void Numbered::saw_number(std::int64_t value) noexcept {
    if (Scheduler* const scheduler = Scheduler::running()) scheduler->saw(value);
}

std::uint64_t Numbered::loaded_bits(std::uint64_t newest, std::memory_order order) const noexcept {
    Scheduler* const scheduler = Scheduler::running();
    MemoryModel* const memory = scheduler == nullptr ? nullptr : scheduler->memory();
    if (memory == nullptr) return newest;
    const std::uint32_t possible = memory->older_stores(number_, order);
    const std::uint32_t older = possible == 0 ? 0 : scheduler->older_than_newest(possible);
    return memory->loads(number_, newest, older, order);
}

void Numbered::looked(std::memory_order order) const noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    if (MemoryModel* const memory = scheduler->memory()) memory->loads(number_, 0, 0, order);
}

void Numbered::stored_bits(std::uint64_t before, std::uint64_t after, std::memory_order order) const noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    if (MemoryModel* const memory = scheduler->memory()) memory->stores(number_, before, after, order);
}

void Numbered::modified_bits(std::uint64_t before, std::uint64_t after, std::memory_order order) const noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    if (MemoryModel* const memory = scheduler->memory()) memory->modifies(number_, before, after, order);
}

void Mutex::enter() noexcept {
    if (!self_.is_new()) return;
    // A run that failed was left with this mutex held.
    holder_ = nullptr;
    queue_ = WaitQueue();
}

void Mutex::lock() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    enter();
    self_.point("mutex.lock");
    if (holder_ == &scheduler->current()) misuse::locked_twice(self_.number(), held_since_);
    acquire(*scheduler);
}

void Mutex::acquire(Scheduler& scheduler) noexcept {
    Fiber& self = scheduler.current();
    self.wanting_since = scheduler.steps();
    while (holder_ != nullptr && holder_ != &self) {
        scheduler.block({"mutex.lock", self_.number(), never, &queue_, this, &Mutex::describe});
    }
    holder_ = &self;
    held_since_ = scheduler.steps();
    observe(this);
    if (MemoryModel* const memory = scheduler.memory()) memory->acquires(static_cast<std::uint32_t>(self_.number()));
}

void Mutex::unlock() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    enter();
    self_.point("mutex.unlock");
    check_held(*scheduler, "mutex.unlock");
    release(*scheduler);
}

void Mutex::release(Scheduler& scheduler) noexcept {
    publish(this);
    if (MemoryModel* const memory = scheduler.memory()) memory->releases(static_cast<std::uint32_t>(self_.number()));
    // Without this, two that always hold it when others run would keep it to themselves for ever.
    holder_ = scheduler.starving(queue_);
    if (holder_ != nullptr) {
        scheduler.wake(*holder_);
        return;
    }
    // One is enough, and it may find the mutex taken again: whoever was not woken is woken by a later unlock.
    scheduler.wake_one(queue_);
}

void Mutex::check_held(Scheduler& scheduler, const char* operation) const noexcept {
    if (holder_ != &scheduler.current()) misuse::not_held(operation, self_.number(), holder_);
}

Mutex::~Mutex() {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    enter();
    if (holder_ != nullptr) misuse::destroyed("mutex", self_.number(), "a thread holds it", holder_);
    forget(this);
}

void Mutex::describe(const void* mutex, std::string& report) {
    const Mutex& self = *static_cast<const Mutex*>(mutex);
    misuse::add_holder(report, self.holder_, self.held_since_);
}

bool ConditionVariable::wait_for_either(Mutex& held, std::chrono::nanoseconds deadline) noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) misuse::outside_of_a_run("condition.wait");
    if (self_.is_new()) queue_ = WaitQueue(), notified_ = 0;
    const std::uint64_t number = self_.point("condition.wait");
    held.check_held(*scheduler, "condition.wait");
    bool in_time = true;
    if (scheduler->spurious()) {
        held.release(*scheduler);
        scheduler->point("condition.wake", number);
        in_time = scheduler->now() < deadline;
    } else {
        // Nothing runs between this unlock and the wait: without this, every notification could be lost.
        held.release(*scheduler);
        in_time = scheduler->block({"condition.wait", number, deadline, &queue_, this, &ConditionVariable::describe});
    }
    held.acquire(*scheduler);
    return in_time;
}

void ConditionVariable::notify_all() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    if (self_.is_new()) queue_ = WaitQueue();
    self_.point("condition.notify");
    notified_ = scheduler->steps();
    woken_by_it_ = scheduler->waiting(queue_);
    scheduler->wake_all(queue_);
}

ConditionVariable::~ConditionVariable() {
    if (Scheduler::running() == nullptr || self_.is_new()) return;
    if (!queue_.empty()) misuse::destroyed("condition variable", self_.number(), "a thread waits for it", nullptr);
}

void ConditionVariable::describe(const void* condition, std::string& report) {
    const ConditionVariable& self = *static_cast<const ConditionVariable*>(condition);
    misuse::add_notification(report, self.notified_, self.woken_by_it_);
}

Fiber& Thread::prepare() {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) misuse::outside_of_a_run("thread.start");
    scheduler->point("thread.start", scheduler->fibers().size());
    if (scheduler->thread_fails()) misuse::no_thread();
    return scheduler->next_fiber();
}

void Thread::start(Fiber& fiber, void (*entry)(void*), void* argument, std::source_location where) {
    Scheduler::running()->start(fiber, entry, argument, where);
    fiber_ = &fiber;
    run_ = Scheduler::running()->serial();
}

Thread::Thread(Thread&& other) noexcept : fiber_(other.fiber_), run_(other.run_) { other.fiber_ = nullptr; }

Thread& Thread::operator=(Thread&& other) noexcept {
    check_not_joinable("assigned to");
    fiber_ = other.fiber_;
    run_ = other.run_;
    other.fiber_ = nullptr;
    return *this;
}

Thread::~Thread() { check_not_joinable("destroyed"); }

void Thread::check_not_joinable(const char* operation) const noexcept {
    const Scheduler* const scheduler = Scheduler::running();
    // A thread of another run ended with it.
    if (fiber_ == nullptr || scheduler == nullptr || run_ != scheduler->serial()) return;
    misuse::joinable(operation, fiber_->number);
}

Fiber& Thread::taken(Operation operation) {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) misuse::outside_of_a_run(operation.name);
    if (fiber_ == nullptr || run_ != scheduler->serial()) misuse::not_joinable(operation.name);
    scheduler->point(operation, fiber_->number);
    Fiber& fiber = *fiber_;
    fiber_ = nullptr;
    return fiber;
}

void Thread::join() {
    Fiber& fiber = taken("thread.join");
    Scheduler& scheduler = *Scheduler::running();
    if (&fiber == &scheduler.current()) misuse::joins_itself(fiber.number);
    while (fiber.state != FiberState::ended) { scheduler.block({"thread.join", fiber.number, never, &fiber.joiners}); }
    observe(&fiber.joiners);
    if (MemoryModel* const memory = scheduler.memory()) memory->joins(fiber.number);
}

void Thread::detach() { taken("thread.detach"); }

unsigned Thread::hardware_concurrency() noexcept {
    const Scheduler* const scheduler = Scheduler::running();
    return scheduler == nullptr ? 1 : scheduler->options().processors;
}

bool weak_exchange_fails(const Numbered& object) noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return false;
    object.point("atomic.compare_exchange_weak");
    return scheduler->spurious();
}

std::chrono::nanoseconds now() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return std::chrono::nanoseconds(0);
    scheduler->pass("now");
    return scheduler->now();
}

ThreadId this_thread() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    return ThreadId(scheduler == nullptr ? Scheduler::most_fibers : scheduler->current().number);
}

void*& thread_slot() noexcept {
    static constinit void* outside = nullptr;
    Scheduler* const scheduler = Scheduler::running();
    return scheduler == nullptr ? outside : scheduler->current().slot;
}

void sleep_until(std::chrono::nanoseconds deadline) {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) misuse::outside_of_a_run("sleep_until");
    scheduler->block({"sleep_until", 0, deadline});
}

}  // namespace acairo::simulator
