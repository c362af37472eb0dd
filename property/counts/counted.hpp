// Counters of what a thread asks of the system and of the heap, and a gate that makes them repeatable.
//
// interposed_test.cpp defines recv, send, epoll_wait and so on, pthread_mutex_lock, and operator new in this executable: each
// counts and then does what it is for. A thread is counted while `tally` points somewhere; the others run as ever.
// Invariants:
//   1. A call is counted before it is made, so that who has seen its effect sees its count.
//   2. Memory from operator new holds 0xFF at first: what reads it before writing it does not find the zeros that it
//      would find by chance.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace counts {

enum class Call : std::uint8_t {
    accept4,
    bind,
    close,
    connect,
    epoll_create1,
    epoll_ctl,
    epoll_wait,
    eventfd,
    getpeername,
    getsockname,
    getsockopt,
    listen,
    read,
    recv,
    send,
    setsockopt,
    shutdown,
    socket,
    write,
};
inline constexpr std::array<const char*, 19> names{
    "accept4", "bind",        "close",       "connect",    "epoll_create1", "epoll_ctl", "epoll_wait",
    "eventfd", "getpeername", "getsockname", "getsockopt", "listen",        "read",      "recv",
    "send",    "setsockopt",  "shutdown",    "socket",     "write"};

// Counted on one thread, read on any.
struct Tally {
    std::array<std::atomic<std::int64_t>, names.size()> calls{};
    std::atomic<std::int64_t> locks{0};
    std::atomic<std::int64_t> allocations{0};
    std::atomic<std::int64_t> bytes{0};  // allocated and not freed, as they were asked for
};

// What a Tally said at one moment, or what came between two.
struct Counts {
    Counts() = default;
    explicit Counts(const Tally& tally)
        : locks(tally.locks.load(std::memory_order_relaxed)),
          allocations(tally.allocations.load(std::memory_order_relaxed)),
          bytes(tally.bytes.load(std::memory_order_relaxed)) {
        for (std::size_t i = 0; i < calls.size(); ++i) calls[i] = tally.calls[i].load(std::memory_order_relaxed);
    }
    Counts operator-(const Counts& before) const {
        Counts between = *this;
        for (std::size_t i = 0; i < calls.size(); ++i) between.calls[i] -= before.calls[i];
        between.locks -= before.locks;
        between.allocations -= before.allocations;
        between.bytes -= before.bytes;
        return between;
    }
    std::int64_t of(Call call) const { return calls[static_cast<std::size_t>(call)]; }
    std::int64_t system_calls() const {
        std::int64_t sum = 0;
        for (const std::int64_t count : calls) sum += count;
        return sum;
    }
    // "epoll_wait 100, recv 6400, send 6400".
    std::string text() const {
        std::string all;
        for (std::size_t i = 0; i < calls.size(); ++i) {
            if (calls[i] != 0) all += (all.empty() ? "" : ", ") + (names[i] + (" " + std::to_string(calls[i])));
        }
        return all;
    }

    std::array<std::int64_t, names.size()> calls{};
    std::int64_t locks = 0;
    std::int64_t allocations = 0;
    std::int64_t bytes = 0;
};

// While a thread has one: its epoll_wait finds nothing while the gate is closed. So a client can send on all of its
// connections before the server looks, and how many events come at once no longer depends on who runs when.
class Gate {
public:
    void close() {
        const std::lock_guard lock(mutex_);
        open_ = false;
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        idle_ = false;
        changed_.notify_all();
    }
    // When it returns, the server has done everything and waits again.
    void await_idle() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return idle_; });
    }
    int wait(int epoll, epoll_event* events, int size, int milliseconds);

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = true;
    bool idle_ = false;
};

// The next `times` calls of this kind, on counted threads, fail with `error`. close(2) has closed nevertheless, as Linux does.
struct Fault {
    std::atomic<int> times{0};
    std::atomic<int> error{0};
};

// False where the sanitizer's operator new cannot be replaced.
extern const bool heap_is_counted;
extern thread_local constinit Tally* tally;
extern thread_local constinit Gate* gate;
extern std::array<Fault, names.size()> faults;
// Of the whole process.
extern std::atomic<std::int64_t> allocations;

// Runs in the next recv of a counted thread, before the kernel does.
extern std::function<void()> in_recv;

inline void fail(Call call, int error, int times) {
    Fault& fault = faults[static_cast<std::size_t>(call)];
    fault.error.store(error, std::memory_order_relaxed);
    fault.times.store(times, std::memory_order_release);
}

}  // namespace counts
