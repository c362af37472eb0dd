// A worker: one thread's ready queue, timers, inbox and epoll instance, and the loop over them.
//
// One epoll for each worker, not one for all. Measured with raw two-thread echo servers on two cores (medians of 15
// rounds): against one shared edge-triggered epoll with a claim word for each connection it needs 0.97, 1.10 and 0.93 of
// the processor time per message at 1, 64 and 1000 connections, which is near the noise, and 0.15 of the context switches
// at 1000; one shared epoll with EPOLLONESHOT needs a system call more per message. What decides is simplicity: everything
// below belongs to one thread. The price: a connection waits when its worker does not run, even if another one is idle.
//
// Threads: everything on the worker's own thread, but post(), nudge() and current(), which any thread may call.
// Invariants:
//   1. Only the worker's own thread resumes coroutines that belong to it.
//   2. A round is: one poll and all its events, the inbox, the timers, then each chain that is ready. No coroutine runs, and
//      no registration is recycled, between two events of a batch.
//   3. The worker sleeps only after Inbox::sleep() said that there is nothing to read.
//   4. A registration belongs to one worker, whose thread alone uses its flags and waiters; a socket that two workers use
//      has two. So an event needs no lock, and no atomic, to find its chain.
//   5. An event carries its registration's index and generation, and a recycled registration has a new generation: a stale
//      event, of a descriptor that is closed but lives on in a child process, is dropped.
#pragma once
#include <acairo/inbox.hpp>
#include <acairo/timers.hpp>
#include <array>
#include <deque>

namespace acairo::inline ACAIRO_WORLD::detail {

class Chain;
class State;
class Worker;
enum class Direction : std::uint8_t { read, write };

// Owns a descriptor, or nothing (-1). Throws std::system_error, which names `call`, for a result that is -errno.
struct Descriptor : Pinned {
    explicit Descriptor(int result, const char* call = "") : fd(result) {
        if (fd < 0) throw_system_error(fd, call);
    }
    ~Descriptor() {
        if (fd >= 0) platform::close(fd);
    }
    int fd;
};

// A socket's place in a worker's epoll.
struct Registration final : Message {
    Chain*& waiter(Direction direction) noexcept { return waiters[static_cast<std::size_t>(direction)]; }
    // The chain that waits for `direction` tries its operation again.
    void wake(Direction direction) noexcept;
    // Posts it to its worker, from any thread: `retry`, its reader tries again; `closed`, both waiters do, and find that
    // the socket is closed.
    enum Reason : std::uint8_t { retry = 1, closed = 2 };
    void post(Reason reason) noexcept;
    void deliver() noexcept override;

    Worker* worker = nullptr;
    Registration* next_of_socket = nullptr;
    std::array<Chain*, 2> waiters{};
    std::uint32_t index = 0;
    platform::atomic<std::uint32_t> posted{0};  // the reasons; in the inbox while there are any
    std::uint32_t generation = 0;
    std::uint32_t events = 0;  // what epoll reports; 0: it does not know the socket
    // False: the last read showed the socket empty, and no event has come since. Only then does a read wait untried.
    bool readable = false;
    // RDHUP, HUP, ERR or PRI was seen: a short read no longer shows that the socket is empty, because what follows (the
    // end of stream, an error, bytes after an urgent one) raises no event of its own.
    bool sticky = false;
};

// A worker is a message itself: it ends every wait on it.
class Worker final : Message {
public:
    // Throws std::system_error when there is no descriptor or memory for it.
    explicit Worker(State& its_state);

    // The thread's body: until the executor has stopped and no chain is left.
    void run() noexcept;
    // Delivers the message on this worker: at once when this is its thread, else soon, and wakes it. Any thread.
    void post(Message& message) noexcept;
    // Ends every wait on this worker. Any thread, once.
    void post_stop() noexcept { post(*this); }
    // Makes the worker look again whether it has ended. Any thread.
    void nudge() const noexcept;
    // The worker whose thread this is, or null. Any thread.
    static Worker* current() noexcept { return static_cast<Worker*>(platform::thread_slot()); }

    // A registration that no socket has, or null when there is no memory for it.
    Registration* take() noexcept;
    void recycle(Registration& registration) noexcept;
    // From now on `direction` of `fd` is reported, too, and at once what is already true. 0 or -errno.
    int report(Registration& registration, int fd, Direction direction) noexcept;

    State& state;
    Inbox inbox;
    ReadyQueue ready;
    Timers timers;

private:
    void deliver() noexcept override;
    void poll(int milliseconds) noexcept;

    const Descriptor epoll_{platform::epoll_create1(EPOLL_CLOEXEC), "epoll_create1, for a worker"};
    const Descriptor wake_up_{platform::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd, to wake a worker"};
    // Registrations never move, and are given back with the worker only: a stale event may name one.
    static constexpr std::uint32_t chunk_size = 64;
    std::deque<std::array<Registration, chunk_size>> registrations_;
    Registration* free_ = nullptr;
    std::array<platform::event, 256> events_{};
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
