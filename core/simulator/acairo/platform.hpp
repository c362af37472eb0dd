// The simulated world: the platform seam over the Machine's threads, clock and kernel. See <acairo/platform_contract.hpp>.
#pragma once
#define ACAIRO_WORLD simulated_world

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <acairo/machine.hpp>
#include <acairo/platform_contract.hpp>
#include <acairo/threads.hpp>
#include <cerrno>

namespace acairo::inline ACAIRO_WORLD {

struct platform {
    using mutex = simulator::Mutex;
    using condition_variable = simulator::ConditionVariable;
    using thread = simulator::Thread;
    using event = ::epoll_event;
    using address = simulator::SocketAddress;
    template <class T> using atomic = simulator::Atomic<T>;

    static std::chrono::nanoseconds now() noexcept { return simulator::now(); }
    static simulator::ThreadId this_thread() noexcept { return simulator::this_thread(); }
    static void*& thread_slot() noexcept { return simulator::thread_slot(); }

    static int socket(int family, int type, int protocol) noexcept { return machine().socket(family, type, protocol); }
    static int bind(int fd, address& to) noexcept { return machine().bind(fd, to); }
    static int listen(int fd, int backlog) noexcept { return machine().listen(fd, backlog); }
    static int accept4(int fd, int flags) noexcept { return machine().accept4(fd, flags); }
    static int connect(int fd, address& to) noexcept { return machine().connect(fd, to); }
    static std::ptrdiff_t recv(int fd, void* to, std::size_t size, int flags) noexcept {
        return machine().recv(fd, to, size, flags);
    }
    static std::ptrdiff_t send(int fd, const void* from, std::size_t size, int flags) noexcept {
        return machine().send(fd, from, size, flags);
    }
    static int shutdown(int fd, int how) noexcept { return machine().shutdown(fd, how); }
    static int close(int fd) noexcept { return machine().close(fd); }
    static int setsockopt(int fd, int level, int name, int value) noexcept {
        return machine().setsockopt(fd, level, name, &value, sizeof value);
    }
    static int getsockname(int fd, address& is) noexcept { return machine().getsockname(fd, is); }
    static int getpeername(int fd, address& is) noexcept { return machine().getpeername(fd, is); }
    static int epoll_create1(int flags) noexcept { return machine().epoll_create1(flags); }
    static int epoll_ctl(int epoll, int operation, int fd, event* wanted) noexcept {
        return machine().epoll_ctl(epoll, operation, fd, wanted);
    }
    static int epoll_wait(int epoll, event* events, int size, int milliseconds) noexcept {
        return machine().epoll_wait(epoll, events, size, milliseconds);
    }
    static int eventfd(unsigned initial, int flags) noexcept { return machine().eventfd(initial, flags); }
    static std::ptrdiff_t write_counter(int fd, std::uint64_t value) noexcept {
        return machine().write_counter(fd, value);
    }
    static std::uint64_t open_descriptors_limit() noexcept { return machine().open_descriptors_limit(); }

private:
    static simulator::Machine& machine() noexcept { return simulator::Machine::running(); }
};

static_assert(contract::Platform<platform>);

}  // namespace acairo::inline ACAIRO_WORLD
