// The threads of a simulated world: what contract::Threads in <acairo/platform_contract.hpp> asks for, as fibers of the
// Scheduler. Each operation is one scheduling point and then happens at once; so every interleaving of operations can be
// chosen, and what threads do between two operations is never interrupted.
//
// Threads: all fibers of a run. Outside of a run there is one thread: mutexes and atomics then work without a scheduler, and
// what would have to wait, or start a thread, ends the process with a message.
// Invariants:
//   1. Happens-before, as the thread sanitizer is told: a mutex's unlock to its next locks, a thread's start to its beginning,
//      its end to its join, and what the real std::atomic instructions order. Nothing else, so that a race is a race here
//      when it is one on any machine. A condition variable orders only through its mutex.
//   2. A load sees the newest store, or another one that its memory order allows: see memory_model.hpp. The thread sanitizer is
//      told of the newest.
//   3. What is undefined behaviour or ends a program elsewhere ends the run here (Verdict::misuse): unlocking what another
//      thread holds, locking twice, waiting without the lock, destroying what is held, waited for, or joinable.
//   4. Objects are numbered in the order of their creation in the run; those that are older, in the order of first use.
#pragma once
#include <acairo/operation.hpp>
#include <acairo/scheduler.hpp>
#include <atomic>
#include <concepts>
#include <cstring>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

namespace acairo::simulator {

// What operations are about. Not moved: others wait for it where it is.
class Numbered {
public:
    constexpr Numbered() noexcept {
        if (!std::is_constant_evaluated()) created();
    }
    Numbered(const Numbered&) = delete;
    Numbered& operator=(const Numbered&) = delete;

    // The scheduling point before `operation`, and the number. Outside of a run it does nothing and is 0.
    std::uint64_t point(Operation operation) const noexcept;
    // Its number in this run. True if this run sees it for the first time: whatever it remembers is of another run.
    bool is_new() const noexcept;
    std::uint64_t number() const noexcept { return number_; }
    // Tells what the operation of the last point() saw or left here, where that is a number: no address is ever told.
    template <class T> T saw(T value) const noexcept {
        if constexpr (std::is_integral_v<T>) saw_number(static_cast<std::int64_t>(value));
        return value;
    }

    // What a load sees, where `newest` was stored last.
    template <class T> T loaded(T newest, std::memory_order order) const noexcept {
        return value_of<T>(loaded_bits(bits_of(newest), order));
    }
    // A store, or a read-modify-write, has left `after` where `before` was; one that failed has seen the newest.
    template <class T> void stored(T before, T after, std::memory_order order) const noexcept {
        stored_bits(bits_of(before), bits_of(after), order);
    }
    void looked(std::memory_order order) const noexcept;
    template <class T> void modified(T before, T after, std::memory_order order) const noexcept {
        modified_bits(bits_of(before), bits_of(after), order);
    }

private:
    template <class T> static std::uint64_t bits_of(T value) noexcept {
        static_assert(sizeof value <= sizeof(std::uint64_t));
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof value);
        return bits;
    }
    template <class T> static T value_of(std::uint64_t bits) noexcept {
        T value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    std::uint64_t loaded_bits(std::uint64_t newest, std::memory_order order) const noexcept;
    void stored_bits(std::uint64_t before, std::uint64_t after, std::memory_order order) const noexcept;
    void modified_bits(std::uint64_t before, std::uint64_t after, std::memory_order order) const noexcept;
    void created() noexcept;
    static void saw_number(std::int64_t value) noexcept;
    mutable std::uint32_t run_ = 0;
    mutable std::uint32_t number_ = 0;
};

class Mutex {
public:
    constexpr Mutex() noexcept = default;
    ~Mutex();
    void lock() noexcept;
    void unlock() noexcept;

private:
    friend class ConditionVariable;
    void enter() noexcept;
    void acquire(Scheduler& scheduler) noexcept;
    void release(Scheduler& scheduler) noexcept;
    void check_held(Scheduler& scheduler, const char* operation) const noexcept;
    static void describe(const void* mutex, std::string& report);

    Numbered self_;
    Fiber* holder_ = nullptr;
    std::uint64_t held_since_ = 0;  // the step
    WaitQueue queue_;
};

class ConditionVariable {
public:
    constexpr ConditionVariable() noexcept = default;
    ~ConditionVariable();
    // May return without a notification: see Options::spurious.
    void wait(Mutex& held) noexcept { wait_for_either(held, never); }
    // False when `deadline` has passed.
    bool wait_until(Mutex& held, std::chrono::nanoseconds deadline) noexcept { return wait_for_either(held, deadline); }
    void notify_all() noexcept;

private:
    bool wait_for_either(Mutex& held, std::chrono::nanoseconds deadline) noexcept;
    static void describe(const void* condition, std::string& report);

    Numbered self_;
    WaitQueue queue_;
    std::uint64_t notified_ = 0;  // the step of the last notification
    std::uint64_t woken_by_it_ = 0;
};

// Tells threads apart. The default one is no thread.
class ThreadId {
public:
    constexpr ThreadId() noexcept = default;
    constexpr explicit ThreadId(std::uint32_t fiber) noexcept : value_(fiber + 1) {}
    bool operator==(const ThreadId&) const = default;

private:
    std::uint32_t value_ = 0;
};

class Thread {
public:
    Thread() noexcept = default;
    // Throws std::system_error(EAGAIN) where Options::thread_failures allows it and a choice wants it.
    template <class Function> requires(!std::same_as<std::remove_cvref_t<Function>, Thread>)
    explicit Thread(Function&& function, std::source_location where = std::source_location::current()) {
        using Callable = std::decay_t<Function>;
        Fiber& fiber = prepare();
        if constexpr (sizeof(Callable) <= FiberContext::room_size && alignof(Callable) <= alignof(std::max_align_t)) {
            start(fiber, &call<Callable>, ::new (fiber.context.room()) Callable(std::forward<Function>(function)),
                  where);
        } else {
            start(fiber, &call_and_delete<Callable>, new Callable(std::forward<Function>(function)), where);
        }
    }
    Thread(Thread&& other) noexcept;
    Thread& operator=(Thread&& other) noexcept;
    ~Thread();

    bool joinable() const noexcept { return fiber_ != nullptr; }
    ThreadId get_id() const noexcept { return fiber_ == nullptr ? ThreadId() : ThreadId(fiber_->number); }
    void join();
    void detach();
    // Options::processors.
    static unsigned hardware_concurrency() noexcept;

private:
    template <class Callable> static void call(void* place) {
        struct Place {
            ~Place() { callable.~Callable(); }
            Callable& callable;
        } const it{*static_cast<Callable*>(place)};
        std::move(it.callable)();
    }
    template <class Callable> static void call_and_delete(void* place) {
        const std::unique_ptr<Callable> it(static_cast<Callable*>(place));
        std::move (*it)();
    }
    static Fiber& prepare();
    void start(Fiber& fiber, void (*entry)(void*), void* argument, std::source_location where);
    void check_not_joinable(const char* operation) const noexcept;
    Fiber& taken(Operation operation);

    Fiber* fiber_ = nullptr;
    std::uint32_t run_ = 0;
};

// The operations that the core needs of std::atomic, with the order always said: see Invariant 2 for what it does here.
template <class T> class Atomic {
public:
    constexpr Atomic() noexcept = default;
    constexpr Atomic(T value) noexcept : value_(value) {}

    T load(std::memory_order order) const noexcept {
        self_.point("atomic.load");
        return self_.saw(self_.loaded(value_.load(order), order));
    }
    void store(T value, std::memory_order order) noexcept {
        self_.point("atomic.store");
        self_.stored(value_.load(std::memory_order_relaxed), value, order);
        value_.store(self_.saw(value), order);
    }
    T exchange(T value, std::memory_order order) noexcept {
        self_.point("atomic.exchange");
        return modified(value_.exchange(value, order), order);
    }
    template <class Difference> T fetch_add(Difference value, std::memory_order order) noexcept {
        self_.point("atomic.fetch_add");
        return modified(value_.fetch_add(static_cast<Step<Difference>>(value), order), order);
    }
    template <class Difference> T fetch_sub(Difference value, std::memory_order order) noexcept {
        self_.point("atomic.fetch_sub");
        return modified(value_.fetch_sub(static_cast<Step<Difference>>(value), order), order);
    }
    T fetch_or(T value, std::memory_order order) noexcept {
        self_.point("atomic.fetch_or");
        return modified(value_.fetch_or(value, order), order);
    }
    T fetch_and(T value, std::memory_order order) noexcept {
        self_.point("atomic.fetch_and");
        return modified(value_.fetch_and(value, order), order);
    }
    bool compare_exchange_strong(T& expected, T value, std::memory_order success, std::memory_order failure) noexcept {
        self_.point("atomic.compare_exchange");
        return exchanged(expected, value, success, failure);
    }
    bool compare_exchange_weak(T& expected, T value, std::memory_order success, std::memory_order failure) noexcept {
        if (fails_for_no_reason()) {
            expected = self_.loaded(value_.load(failure), failure);
            return self_.saw(false);
        }
        // The strong one: on some machines the weak one fails by a choice that is not ours.
        return exchanged(expected, value, success, failure);
    }

    // With one order, as std::atomic has it: of a failure, the same without its release.
    bool compare_exchange_weak(T& expected, T value, std::memory_order order) noexcept {
        return compare_exchange_weak(expected, value, order, of_failure(order));
    }

private:
    template <class Difference> using Step = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;
    static constexpr std::memory_order of_failure(std::memory_order order) noexcept {
        if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
        return order == std::memory_order_release ? std::memory_order_relaxed : order;
    }
    T modified(T before, std::memory_order order) noexcept {
        self_.modified(before, value_.load(std::memory_order_relaxed), order);
        return self_.saw(before);
    }
    bool exchanged(T& expected, T value, std::memory_order success, std::memory_order failure) noexcept {
        const bool done = value_.compare_exchange_strong(expected, value, success, failure);
        if (done) {
            self_.modified(expected, value, success);
        } else {
            self_.looked(failure);
        }
        return self_.saw(done);
    }
    bool fails_for_no_reason() const noexcept;

    Numbered self_;
    std::atomic<T> value_{};
};

// The scheduling point before a weak exchange on `object`, and whether it fails for no reason.
bool weak_exchange_fails(const Numbered& object) noexcept;

template <class T> bool Atomic<T>::fails_for_no_reason() const noexcept { return weak_exchange_fails(self_); }

// Of a run's clock; 0 outside of a run. A thread that only asks for the time is still overtaken: see Scheduler, invariant 1.
std::chrono::nanoseconds now() noexcept;
ThreadId this_thread() noexcept;
// One pointer for each thread, null at first.
void*& thread_slot() noexcept;
void sleep_until(std::chrono::nanoseconds deadline);

}  // namespace acairo::simulator
