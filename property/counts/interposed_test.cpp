// The definitions that stand in front of the C library's, and the tests that they count: a counter that always says 0
// would prove everything.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "counted.hpp"

// clang's ThreadSanitizer brings an operator new that cannot be replaced; what is counted with it is skipped there.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ACAIRO_FIXED_OPERATOR_NEW
#endif
#endif

namespace counts {

thread_local constinit Tally* tally = nullptr;
thread_local constinit Gate* gate = nullptr;
std::array<Fault, names.size()> faults;
std::atomic<std::int64_t> allocations{0};
std::function<void()> in_recv;

namespace {

void count(Call call) {
    if (tally) tally->calls[static_cast<std::size_t>(call)].fetch_add(1, std::memory_order_relaxed);
}

bool fails(Call call) {
    if (!tally) return false;
    Fault& fault = faults[static_cast<std::size_t>(call)];
    int left = fault.times.load(std::memory_order_acquire);
    while (left > 0) {
        if (!fault.times.compare_exchange_weak(left, left - 1, std::memory_order_acquire)) continue;
        errno = fault.error.load(std::memory_order_relaxed);
        return true;
    }
    return false;
}

template <class R = int, class... Arguments> R call(Call what, long number, Arguments... arguments) {
    count(what);
    if (fails(what)) return -1;
    return static_cast<R>(::syscall(number, arguments...));
}

int wait(int epoll, epoll_event* events, int size, int milliseconds) {
    return static_cast<int>(::syscall(SYS_epoll_pwait, epoll, events, size, milliseconds, nullptr, std::size_t{8}));
}

class Uncounted {
public:
    Uncounted() = default;
    Uncounted(const Uncounted&) = delete;
    Uncounted& operator=(const Uncounted&) = delete;
    ~Uncounted() { tally = before_; }

private:
    Tally* const before_ = std::exchange(tally, nullptr);
};

}  // namespace

int Gate::wait(int epoll, epoll_event* events, int size, int milliseconds) {
    const Uncounted uncounted;
    std::unique_lock lock(mutex_);
    for (;;) {
        if (!open_) {
            changed_.wait(lock);
            continue;
        }
        const int ready = counts::wait(epoll, events, size, 0);
        idle_ = ready == 0 && milliseconds != 0;
        if (!idle_) return ready;
        changed_.notify_all();
        // What was sent before the gate was opened is there, unless the kernel delivered it late.
        changed_.wait_for(lock, std::chrono::milliseconds(1));
    }
}

#ifdef ACAIRO_FIXED_OPERATOR_NEW
const bool heap_is_counted = false;
}  // namespace counts
#else
const bool heap_is_counted = true;

namespace {

// In front of what is given out: its size, and where it begins.
struct Header {
    std::size_t size;
    void* begin;
};

void* allocate(std::size_t size, std::size_t alignment) {
    const std::size_t room = std::max(alignment, sizeof(Header));
    void* const begin = std::aligned_alloc(room, (size + room + room - 1) / room * room);
    if (!begin) return nullptr;
    void* const given = static_cast<char*>(begin) + room;
    ::new (static_cast<Header*>(given) - 1) Header{size, begin};
    std::memset(given, 0xff, size);
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (tally) {
        tally->allocations.fetch_add(1, std::memory_order_relaxed);
        tally->bytes.fetch_add(static_cast<std::int64_t>(size), std::memory_order_relaxed);
    }
    return given;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
    if (void* const given = allocate(size, alignment)) return given;
    throw std::bad_alloc();
}

void release(void* given) noexcept {
    if (!given) return;
    const Header header = *(static_cast<Header*>(given) - 1);
    if (tally) tally->bytes.fetch_sub(static_cast<std::int64_t>(header.size), std::memory_order_relaxed);
    std::free(header.begin);
}

constexpr std::size_t usual = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace
}  // namespace counts

void* operator new(std::size_t size) { return counts::allocate_or_throw(size, counts::usual); }
void* operator new[](std::size_t size) { return counts::allocate_or_throw(size, counts::usual); }
void* operator new(std::size_t size, std::align_val_t to) {
    return counts::allocate_or_throw(size, static_cast<std::size_t>(to));
}
void* operator new[](std::size_t size, std::align_val_t to) {
    return counts::allocate_or_throw(size, static_cast<std::size_t>(to));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counts::allocate(size, counts::usual); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counts::allocate(size, counts::usual); }
void operator delete(void* given) noexcept { counts::release(given); }
void operator delete[](void* given) noexcept { counts::release(given); }
void operator delete(void* given, std::size_t) noexcept { counts::release(given); }
void operator delete[](void* given, std::size_t) noexcept { counts::release(given); }
void operator delete(void* given, std::align_val_t) noexcept { counts::release(given); }
void operator delete[](void* given, std::align_val_t) noexcept { counts::release(given); }
void operator delete(void* given, std::size_t, std::align_val_t) noexcept { counts::release(given); }
void operator delete[](void* given, std::size_t, std::align_val_t) noexcept { counts::release(given); }
void operator delete(void* given, const std::nothrow_t&) noexcept { counts::release(given); }
void operator delete[](void* given, const std::nothrow_t&) noexcept { counts::release(given); }
#endif

using counts::Call;

extern "C" {

// A sanitizer must see the locks; it has its own definition under this name.
[[gnu::weak]] int __interceptor_pthread_mutex_lock(pthread_mutex_t* mutex);

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    if (counts::tally) counts::tally->locks.fetch_add(1, std::memory_order_relaxed);
    if (__interceptor_pthread_mutex_lock) return __interceptor_pthread_mutex_lock(mutex);
    using Lock = int (*)(pthread_mutex_t*);
    static constinit std::atomic<Lock> next{nullptr};
    Lock lock = next.load(std::memory_order_relaxed);
    if (!lock) {
        lock = reinterpret_cast<Lock>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
        next.store(lock, std::memory_order_relaxed);
    }
    return lock(mutex);
}

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
    return counts::call(Call::accept4, SYS_accept4, fd, address, length, flags);
}
int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
    return counts::call(Call::bind, SYS_bind, fd, address, length);
}
int close(int fd) {
    counts::count(Call::close);
    const int result = static_cast<int>(::syscall(SYS_close, fd));
    return counts::fails(Call::close) ? -1 : result;
}
int connect(int fd, const sockaddr* address, socklen_t length) {
    return counts::call(Call::connect, SYS_connect, fd, address, length);
}
int epoll_create1(int flags) noexcept { return counts::call(Call::epoll_create1, SYS_epoll_create1, flags); }
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
    return counts::call(Call::epoll_ctl, SYS_epoll_ctl, epoll, operation, fd, event);
}
int epoll_wait(int epoll, epoll_event* events, int size, int milliseconds) {
    counts::count(Call::epoll_wait);
    if (counts::fails(Call::epoll_wait)) return -1;
    if (counts::gate) return counts::gate->wait(epoll, events, size, milliseconds);
    return counts::wait(epoll, events, size, milliseconds);
}
int eventfd(unsigned initial, int flags) noexcept { return counts::call(Call::eventfd, SYS_eventfd2, initial, flags); }
int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
    return counts::call(Call::getpeername, SYS_getpeername, fd, address, length);
}
int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
    return counts::call(Call::getsockname, SYS_getsockname, fd, address, length);
}
int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
    return counts::call(Call::getsockopt, SYS_getsockopt, fd, level, name, value, length);
}
int listen(int fd, int backlog) noexcept { return counts::call(Call::listen, SYS_listen, fd, backlog); }
ssize_t read(int fd, void* to, std::size_t size) { return counts::call<ssize_t>(Call::read, SYS_read, fd, to, size); }
ssize_t recv(int fd, void* to, std::size_t size, int flags) {
    if (counts::tally && counts::in_recv) std::exchange(counts::in_recv, nullptr)();
    return counts::call<ssize_t>(Call::recv, SYS_recvfrom, fd, to, size, flags, nullptr, nullptr);
}
ssize_t send(int fd, const void* from, std::size_t size, int flags) {
    return counts::call<ssize_t>(Call::send, SYS_sendto, fd, from, size, flags, nullptr, std::size_t{0});
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t length) noexcept {
    return counts::call(Call::setsockopt, SYS_setsockopt, fd, level, name, value, length);
}
int shutdown(int fd, int how) noexcept { return counts::call(Call::shutdown, SYS_shutdown, fd, how); }
int socket(int family, int type, int protocol) noexcept {
    return counts::call(Call::socket, SYS_socket, family, type, protocol);
}
ssize_t write(int fd, const void* from, std::size_t size) {
    return counts::call<ssize_t>(Call::write, SYS_write, fd, from, size);
}

}  // extern "C"

namespace {

using counts::Counts;
using counts::Tally;

// Counts this thread as long as it lives.
class Counting {
public:
    explicit Counting(Tally& tally) { counts::tally = &tally; }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;
    ~Counting() { counts::tally = nullptr; }
};

TEST(InterposedTest, each_system_call_is_counted_once) {
    Tally tally;
    {
        const Counting counting(tally);
        const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        sockaddr address{};
        socklen_t length = sizeof address;
        ::bind(listener, &address, sizeof address);
        ::listen(listener, 1);
        ::accept4(listener, nullptr, nullptr, 0);
        ::getsockname(listener, &address, &length);
        ::getpeername(listener, &address, &length);
        int value = 0;
        length = sizeof value;
        ::getsockopt(listener, SOL_SOCKET, SO_ERROR, &value, &length);
        ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &value, length);
        ::shutdown(-1, SHUT_WR);
        ::connect(-1, &address, sizeof address);
        char byte = 0;
        ::recv(-1, &byte, 1, 0);
        ::send(-1, &byte, 1, 0);
        EXPECT_EQ(::read(-1, &byte, 1), -1);
        EXPECT_EQ(::write(-1, &byte, 1), -1);
        const int epoll = ::epoll_create1(0);
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, -1, nullptr);
        epoll_event event{};
        ::epoll_wait(epoll, &event, 1, 0);
        ::close(::eventfd(0, 0));
        ::syscall(SYS_close, epoll);
        ::syscall(SYS_close, listener);
    }
    const Counts counted(tally);
    for (std::size_t i = 0; i < counts::names.size(); ++i) EXPECT_EQ(counted.calls[i], 1) << counts::names[i];
}

TEST(InterposedTest, locks_allocations_and_bytes_are_counted) {
    Tally tally;
    std::mutex mutex;
    std::unique_ptr<std::array<char, 100>> kept;
    {
        const Counting counting(tally);
        mutex.lock();
        kept = std::make_unique<std::array<char, 100>>();
        const std::vector<int> gone(10);
    }
    mutex.unlock();
    const Counts counted(tally);
    EXPECT_EQ(counted.locks, 1);
    if (!counts::heap_is_counted) GTEST_SKIP() << "the sanitizer's operator new cannot be replaced";
    EXPECT_EQ(counted.allocations, 2);
    EXPECT_EQ(counted.bytes, 100);
}

TEST(InterposedTest, nothing_is_counted_on_other_threads) {
    const Tally tally;
    (void)std::make_unique<int>();
    EXPECT_EQ(Counts(tally).allocations, 0);
}

}  // namespace
