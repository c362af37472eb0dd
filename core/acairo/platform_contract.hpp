// The contract of a world: what <acairo/platform.hpp> must provide, apart from any of its implementations.
//
// The core is compiled once for each world: core/linux is the world as it is; a test or a simulator brings another.
// CMake chooses a world by include path; no source ever asks which one it is in. A world's header
//   - defines the macro ACAIRO_WORLD, the name of its inline namespace, so that objects of two worlds do not link;
//   - defines `acairo::platform`, a type that models `contract::Platform`, and ends in that static_assert.
//
// Rules for all of it:
//   1. No call touches errno. A system call returns its result, or -errno; its name is that of its manual page.
//   2. Nothing here throws but the constructor of `thread` (std::system_error), and nothing allocates but that.
//   3. Every descriptor that is made is close-on-exec and, where it can be, non-blocking: the caller passes the flags.
//   4. Atomics are used with an explicit order, never seq_cst; `wait`, `notify_*` and fences are not used.
#pragma once
#include <atomic>  // std::memory_order only
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace acairo::contract {

// A mutex as std::mutex: not recursive, no fairness promised. It may be destroyed by the thread that locked it last,
// even while the thread that unlocked before is still inside unlock().
template <class M>
concept Mutex = std::default_initializable<M> && requires(M m) {
    m.lock();
    m.unlock();
};

// A condition variable as std::condition_variable: may wake without a notification, so each wait stands in a loop.
// wait_until takes an instant of platform::now() and returns false when that instant has passed.
template <class C, class M>
concept ConditionVariable = std::default_initializable<C> && requires(C c, M m, std::chrono::nanoseconds deadline) {
    c.wait(m);
    { c.wait_until(m, deadline) } -> std::same_as<bool>;
    c.notify_all();
};

// A thread as std::thread, less what the core does not need: started by its constructor (which throws
// std::system_error when the system refuses), and joined or detached before it is destroyed.
template <class T>
concept Thread = std::default_initializable<T> && std::movable<T> && requires(T t) {
    T([] {});
    t.join();
    t.detach();
    { t.joinable() } -> std::same_as<bool>;
    { T::hardware_concurrency() } -> std::convertible_to<unsigned>;
};

// An atomic word as std::atomic<T>, for the integers and pointers that the core shares between threads.
template <class A, class T>
concept Atomic = requires(A a, T value, T& expected) {
    { a.load(std::memory_order_acquire) } -> std::same_as<T>;
    a.store(value, std::memory_order_release);
    { a.exchange(value, std::memory_order_acq_rel) } -> std::same_as<T>;
    { a.compare_exchange_weak(expected, value, std::memory_order_acq_rel, std::memory_order_acquire) } -> std::same_as<bool>;
};

template <class A, class T>
concept AtomicInteger = Atomic<A, T> && requires(A a, T value) {
    { a.fetch_add(value, std::memory_order_relaxed) } -> std::same_as<T>;
    { a.fetch_sub(value, std::memory_order_acq_rel) } -> std::same_as<T>;
    { a.fetch_or(value, std::memory_order_acq_rel) } -> std::same_as<T>;
    { a.fetch_and(value, std::memory_order_acq_rel) } -> std::same_as<T>;
};

// The system calls. Sizes and flags are those of the manual page; `accept4` takes no address, the socket options are
// plain ints, `write_counter` is write(2) of an eventfd's eight bytes, and `open_descriptors_limit` is the soft limit
// of RLIMIT_NOFILE.
template <class P>
concept SystemCalls = requires(int fd, void* to, const void* from, std::size_t size, typename P::address& address,
                               typename P::event* events) {
    { P::socket(0, 0, 0) } noexcept -> std::same_as<int>;
    { P::bind(fd, address) } noexcept -> std::same_as<int>;
    { P::listen(fd, 0) } noexcept -> std::same_as<int>;
    { P::accept4(fd, 0) } noexcept -> std::same_as<int>;
    { P::connect(fd, address) } noexcept -> std::same_as<int>;
    { P::recv(fd, to, size, 0) } noexcept -> std::same_as<std::ptrdiff_t>;
    { P::send(fd, from, size, 0) } noexcept -> std::same_as<std::ptrdiff_t>;
    { P::shutdown(fd, 0) } noexcept -> std::same_as<int>;
    { P::close(fd) } noexcept -> std::same_as<int>;
    { P::setsockopt(fd, 0, 0, 0) } noexcept -> std::same_as<int>;
    { P::getsockopt(fd, 0, 0, fd) } noexcept -> std::same_as<int>;
    { P::getsockname(fd, address) } noexcept -> std::same_as<int>;
    { P::getpeername(fd, address) } noexcept -> std::same_as<int>;
    { P::epoll_create1(0) } noexcept -> std::same_as<int>;
    { P::epoll_ctl(fd, 0, fd, events) } noexcept -> std::same_as<int>;
    { P::epoll_wait(fd, events, 0, 0) } noexcept -> std::same_as<int>;
    { P::eventfd(0u, 0) } noexcept -> std::same_as<int>;
    { P::write_counter(fd, std::uint64_t{}) } noexcept -> std::same_as<int>;
    { P::open_descriptors_limit() } noexcept -> std::same_as<std::uint64_t>;
};

// now():          an instant of a clock that never goes back, since some fixed moment.
// this_thread():  tells threads apart; equal exactly on one thread.
// thread_slot():  one pointer for each thread, null at first. Never inlined: a compiler may keep the address of a
//                 thread-local variable in a coroutine's frame over a suspension.
template <class P>
concept Platform =
    SystemCalls<P> && Mutex<typename P::mutex> && ConditionVariable<typename P::condition_variable, typename P::mutex> &&
    Thread<typename P::thread> && AtomicInteger<typename P::template atomic<std::uint32_t>, std::uint32_t> &&
    Atomic<typename P::template atomic<void*>, void*> && requires {
        { P::now() } noexcept -> std::same_as<std::chrono::nanoseconds>;
        { P::this_thread() == P::this_thread() } -> std::convertible_to<bool>;
        { P::thread_slot() } noexcept -> std::same_as<void*&>;
    };

}  // namespace acairo::contract
