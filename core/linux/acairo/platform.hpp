// The world as it is: the platform seam over std:: threads and Linux system calls. See <acairo/platform_contract.hpp>.
#pragma once
#define ACAIRO_WORLD linux_world

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <acairo/platform_contract.hpp>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace acairo::inline ACAIRO_WORLD {

struct platform {
    using mutex = std::mutex;
    using thread = std::thread;
    using event = ::epoll_event;
    template <class T> using atomic = std::atomic<T>;

    // Over any lock, and so over a mutex that the caller holds.
    struct condition_variable : std::condition_variable_any {
        bool wait_until(mutex& held, std::chrono::nanoseconds deadline) {
            const std::chrono::steady_clock::time_point instant(deadline);
            return std::condition_variable_any::wait_until(held, instant) == std::cv_status::no_timeout;
        }
    };

    // A socket address of either family, with the length that the system calls want.
    struct address {
        ::sockaddr_storage storage{};
        ::socklen_t length = sizeof(::sockaddr_storage);
        ::sockaddr* get() noexcept { return reinterpret_cast<::sockaddr*>(&storage); }
    };

    static std::chrono::nanoseconds now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }
    static std::thread::id this_thread() noexcept { return std::this_thread::get_id(); }
    [[gnu::noinline]] static void*& thread_slot() noexcept {
        static constinit thread_local void* slot = nullptr;
        return slot;
    }

    // The system call of that name: -errno instead of -1.
    template <auto call> struct SystemCall {
        auto operator()(auto... arguments) const noexcept { return checked(call(arguments...)); }
    };
    static constexpr SystemCall<::socket> socket{};
    static constexpr SystemCall<::listen> listen{};
    static constexpr SystemCall<::recv> recv{};
    static constexpr SystemCall<::send> send{};
    static constexpr SystemCall<::shutdown> shutdown{};
    static constexpr SystemCall<::close> close{};
    static constexpr SystemCall<::epoll_create1> epoll_create1{};
    static constexpr SystemCall<::epoll_ctl> epoll_ctl{};
    static constexpr SystemCall<::epoll_wait> epoll_wait{};
    static constexpr SystemCall<::eventfd> eventfd{};
    static int bind(int fd, address& to) noexcept { return checked(::bind(fd, to.get(), to.length)); }
    static int accept4(int fd, int flags) noexcept { return checked(::accept4(fd, nullptr, nullptr, flags)); }
    static int connect(int fd, address& to) noexcept { return checked(::connect(fd, to.get(), to.length)); }
    static int setsockopt(int fd, int level, int name, int value) noexcept {
        return checked(::setsockopt(fd, level, name, &value, sizeof value));
    }
    static int getsockname(int fd, address& is) noexcept { return checked(::getsockname(fd, is.get(), &is.length)); }
    static int getpeername(int fd, address& is) noexcept { return checked(::getpeername(fd, is.get(), &is.length)); }
    static std::ptrdiff_t write_counter(int fd, std::uint64_t value) noexcept {
        return checked(::write(fd, &value, sizeof value));
    }
    static std::uint64_t open_descriptors_limit() noexcept {
        ::rlimit limit{};
        return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
    }

private:
    template <class R> static R checked(R result) noexcept { return result < 0 ? static_cast<R>(-errno) : result; }
};

static_assert(contract::Platform<platform>);

}  // namespace acairo::inline ACAIRO_WORLD
