// The world as it is on a bad day: core/linux's threads and system calls, with a delay, drawn from a seed, before and after each
// lock, atomic and call, and with what the kernel may do to any program: see <acairo/delays.hpp> and
// <acairo/platform_contract.hpp>.
//
// What is injected is true of some machine. EINTR: the call was not made (a connection's attempt goes on, and a descriptor is
// closed, all the same: connect(2), close(2)). A cut transfer: of any send, and of a recv whose descriptor blocks; never of one that
// does not block, where a short answer says that the socket is empty. Events come in any order, and not all at once. A condition
// variable wakes, and a weak exchange fails, without a reason. A shortage is told by the call that would have met it.
#pragma once
#include <fcntl.h>
#include <acairo/delays.hpp>
#include <acairo/platform_contract.hpp>
#include <algorithm>
#include <array>
#include <functional>

// Under another name: two inline namespaces with one `platform` would make it ambiguous.
#define platform LinuxPlatform
#include "../../../core/linux/acairo/platform.hpp"
#undef platform
#undef ACAIRO_WORLD
#define ACAIRO_WORLD stress_world

namespace acairo::inline ACAIRO_WORLD {
namespace stress_detail {

// Outside of the platform: clang 19 crashes where a class deduces what a function of its own, further below, returns.
template <class Made> auto slowly(Made made) noexcept {
    stress::delay();
    const auto result = made();
    stress::delay();
    return result;
}
template <class Made> std::invoke_result_t<Made> call(std::span<const int> errors, Made made) noexcept {
    if (const int error = stress::error_of(errors)) return stress::delay(), -error;
    return slowly(made);
}

}  // namespace stress_detail

struct platform : LinuxPlatform {
    struct mutex : LinuxPlatform::mutex {
        void lock() { stress::delay(), LinuxPlatform::mutex::lock(), stress::delay(); }
        void unlock() { stress::delay(), LinuxPlatform::mutex::unlock(), stress::delay(); }
    };

    struct condition_variable : LinuxPlatform::condition_variable {
        void wait(mutex& held) {
            if (stress::wakes_for_nothing()) return held.unlock(), held.lock();
            LinuxPlatform::condition_variable::wait(held);
        }
        bool wait_until(mutex& held, std::chrono::nanoseconds deadline) {
            if (stress::wakes_for_nothing()) return held.unlock(), held.lock(), true;
            return LinuxPlatform::condition_variable::wait_until(held, deadline);
        }
        void notify_all() noexcept {
            stress::delay(), LinuxPlatform::condition_variable::notify_all(), stress::delay();
        }
    };

    // With a stream of its own.
    struct thread : LinuxPlatform::thread {
        template <class F> struct Body {
            void operator()() {
                stress::begin_thread(stream);
                stress::delay();
                called();
            }
            stress::Life life;  // ends after what it called
            std::uint64_t stream;
            F called;
        };
        thread() = default;
        template <std::invocable F> explicit thread(F body)
            : LinuxPlatform::thread(Body<F>{{}, stress::split(), std::move(body)}) {}
    };

    template <class T> struct atomic : private std::atomic<T> {
        using Base = std::atomic<T>;
        using Order = std::memory_order;
        constexpr explicit(false) atomic(T value = T()) noexcept : Base(value) {}
        T load(Order order) const noexcept {
            return stress_detail::slowly([&] { return Base::load(order); });
        }
        void store(T value, Order order) noexcept { stress::delay(), Base::store(value, order), stress::delay(); }
        T exchange(T value, Order order) noexcept {
            return stress_detail::slowly([&] { return Base::exchange(value, order); });
        }
        T fetch_add(T value, Order order) noexcept {
            return stress_detail::slowly([&] { return Base::fetch_add(value, order); });
        }
        T fetch_sub(T value, Order order) noexcept {
            return stress_detail::slowly([&] { return Base::fetch_sub(value, order); });
        }
        T fetch_or(T value, Order order) noexcept {
            return stress_detail::slowly([&] { return Base::fetch_or(value, order); });
        }
        T fetch_and(T value, Order order) noexcept {
            return stress_detail::slowly([&] { return Base::fetch_and(value, order); });
        }
        bool compare_exchange_strong(T& expected, T wanted, Order success, Order failure) noexcept {
            return stress_detail::slowly(
                [&] { return Base::compare_exchange_strong(expected, wanted, success, failure); });
        }
        bool compare_exchange_weak(T& expected, T wanted, Order success, Order failure) noexcept {
            if (stress::wakes_for_nothing()) return expected = load(failure), false;
            return stress_detail::slowly(
                [&] { return Base::compare_exchange_weak(expected, wanted, success, failure); });
        }
        bool compare_exchange_weak(T& expected, T wanted, Order order) noexcept {
            if (stress::wakes_for_nothing()) return expected = load(std::memory_order_relaxed), false;
            return stress_detail::slowly([&] { return Base::compare_exchange_weak(expected, wanted, order); });
        }
    };

    static int socket(int family, int type, int protocol) noexcept {
        return stress_detail::call(no_socket, [&] { return LinuxPlatform::socket(family, type, protocol); });
    }
    static int bind(int fd, address& to) noexcept {
        return stress_detail::slowly([&] { return LinuxPlatform::bind(fd, to); });
    }
    static int listen(int fd, int backlog) noexcept {
        return stress_detail::slowly([&] { return LinuxPlatform::listen(fd, backlog); });
    }
    static int accept4(int fd, int flags) noexcept {
        return stress_detail::call(no_connection, [&] { return LinuxPlatform::accept4(fd, flags); });
    }
    static int connect(int fd, address& to) noexcept {
        const int result = stress_detail::slowly([&] { return LinuxPlatform::connect(fd, to); });
        const bool goes_on = result == 0 || result == -EINPROGRESS;
        return goes_on && stress::error_of(interrupted) != 0 ? -EINTR : result;
    }
    static std::ptrdiff_t recv(int fd, void* to, std::size_t size, int flags) noexcept {
        const std::size_t wanted = (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? size : stress::cut(size);
        return stress_detail::call(interrupted, [&] { return LinuxPlatform::recv(fd, to, wanted, flags); });
    }
    static std::ptrdiff_t send(int fd, const void* from, std::size_t size, int flags) noexcept {
        return stress_detail::call(interrupted,
                                   [&] { return LinuxPlatform::send(fd, from, stress::cut(size), flags); });
    }
    static int shutdown(int fd, int how) noexcept {
        return stress_detail::slowly([&] { return LinuxPlatform::shutdown(fd, how); });
    }
    static int close(int fd) noexcept {
        const int result = stress_detail::slowly([&] { return LinuxPlatform::close(fd); });
        return result == 0 ? -stress::error_of(closed_all_the_same) : result;
    }
    static int epoll_create1(int flags) noexcept {
        return stress_detail::call(no_descriptor, [&] { return LinuxPlatform::epoll_create1(flags); });
    }
    static int epoll_ctl(int epoll, int operation, int fd, event* wanted) noexcept {
        const auto made = [&] { return LinuxPlatform::epoll_ctl(epoll, operation, fd, wanted); };
        return operation == EPOLL_CTL_ADD ? stress_detail::call(no_watch, made) : stress_detail::slowly(made);
    }
    static int epoll_wait(int epoll, event* events, int size, int milliseconds) noexcept {
        const int most = static_cast<int>(stress::cut(static_cast<std::size_t>(size)));
        const int count = stress_detail::call(
            interrupted, [&] { return LinuxPlatform::epoll_wait(epoll, events, most, milliseconds); });
        const std::span reported(events, static_cast<std::size_t>(std::max(count, 0)));
        for (std::size_t i = 1; i < reported.size(); ++i) std::swap(reported[i], reported[i - stress::pick(i + 1)]);
        return count;
    }
    static int eventfd(unsigned initial, int flags) noexcept {
        return stress_detail::call(no_descriptor, [&] { return LinuxPlatform::eventfd(initial, flags); });
    }
    static std::ptrdiff_t write_counter(int fd, std::uint64_t value) noexcept {
        return stress_detail::call(interrupted, [&] { return LinuxPlatform::write_counter(fd, value); });
    }

private:
    static constexpr std::array interrupted{EINTR}, closed_all_the_same{EINTR};
    static constexpr std::array no_socket{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    static constexpr std::array no_descriptor{EMFILE, ENFILE, ENOMEM};
    static constexpr std::array no_connection{EINTR, EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    static constexpr std::array no_watch{ENOMEM, ENOSPC};
};

static_assert(contract::Platform<platform>);

}  // namespace acairo::inline ACAIRO_WORLD
