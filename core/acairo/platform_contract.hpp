// The contract of a world: what <acairo/platform.hpp> must provide, apart from any of its implementations.
//
// The core is compiled once for each world: core/linux is the world as it is; a test or a simulator brings another.
// CMake chooses a world by include path; no source ever asks which one it is in. A world's header
//   - defines the macro ACAIRO_WORLD, the name of its inline namespace, so that objects of two worlds do not link;
//   - defines `acairo::platform`, a type that models `contract::Platform`, and ends in that static_assert.
//
// Rules for all of it:
//   1. No call touches errno. A system call returns its result, or -errno; its name is that of its manual page.
//   2. Nothing here throws but the constructor of `thread` (std::system_error), and nothing allocates but that and the
//      constructor of `condition_variable`.
//   3. Every descriptor that is made is close-on-exec and, where it can be, non-blocking: the caller passes the flags.
//   4. Atomics are used with an explicit order, never seq_cst; `wait`, `notify_*` and fences are not used.
//
// What is in it:
//   mutex                As std::mutex: not recursive, no fairness promised.
//   condition_variable   As std::condition_variable, over a mutex that the caller holds: it may wake without a
//                        notification, so each wait stands in a loop. wait_until takes an instant of now() and returns
//                        false when that instant has passed.
//   thread               As std::thread, less what the core does not need. Joined or detached before it is destroyed.
//   atomic<T>            As std::atomic<T>, for the integers and pointers that the core shares between threads.
//   now()                An instant of a clock that never goes back, since some fixed moment.
//   this_thread()        Tells threads apart; equal exactly on one thread.
//   thread_slot()        One pointer for each thread, null at first. Never inlined: a compiler may keep the address of a
//                        thread-local variable in a coroutine's frame over a suspension.
//   the system calls     Sizes and flags are those of the manual page. accept4 takes no address; socket options are
//                        plain ints; write_counter is write(2) of an eventfd's eight bytes; open_descriptors_limit is
//                        the soft limit of RLIMIT_NOFILE.
#pragma once
#include <atomic>  // for the orders
#include <chrono>
#include <concepts>
#include <cstdint>

namespace acairo::contract {

template <class P>
concept Platform =
    requires(int fd, void* bytes, typename P::address& address, typename P::event* events, typename P::mutex mutex,
             typename P::condition_variable condition, typename P::thread thread,
             typename P::template atomic<std::uint64_t> word, std::uint64_t value, std::memory_order order) {
        requires noexcept(P::socket(0, 0, 0), P::bind(fd, address), P::listen(fd, 0), P::connect(fd, address));
        requires noexcept(P::accept4(fd, 0), P::shutdown(fd, 0), P::close(fd), P::setsockopt(fd, 0, 0, 0));
        requires noexcept(P::getsockname(fd, address), P::getpeername(fd, address), P::epoll_create1(0));
        requires noexcept(P::epoll_ctl(fd, 0, fd, events), P::epoll_wait(fd, events, 0, 0));
        requires noexcept(P::eventfd(0u, 0), P::write_counter(fd, value));
        { P::recv(fd, bytes, std::size_t{}, 0) } noexcept -> std::same_as<std::ptrdiff_t>;
        { P::send(fd, bytes, std::size_t{}, 0) } noexcept -> std::same_as<std::ptrdiff_t>;
        { P::open_descriptors_limit() } noexcept -> std::same_as<std::uint64_t>;

        mutex.lock(), mutex.unlock(), condition.wait(mutex), condition.notify_all();
        { condition.wait_until(mutex, P::now()) } -> std::same_as<bool>;
        requires std::movable<typename P::thread> && std::constructible_from<typename P::thread, void (*)()>;
        thread.join(), thread.detach(), P::thread::hardware_concurrency(), thread.get_id() == P::this_thread();
        word.load(order), word.store(value, order), word.exchange(value, order), word.fetch_add(value, order);
        word.fetch_sub(value, order), word.fetch_or(value, order), word.fetch_and(value, order);
        word.compare_exchange_weak(value, value, order, order);
        word.compare_exchange_strong(value, value, order, order);

        { P::now() } noexcept -> std::same_as<std::chrono::nanoseconds>;
        { P::this_thread() == P::this_thread() } -> std::convertible_to<bool>;
        { P::thread_slot() } noexcept -> std::same_as<void*&>;
    };

}  // namespace acairo::contract
