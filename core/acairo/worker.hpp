// A worker: one thread's ready queue, timers, inbox and epoll instance, and the loop over them. The nodes of all of these
// live in what waits, so that sending, arming, delivering and withdrawing allocate nothing. The only file that knows epoll.
//
// One epoll for each worker, not one for all. Measured with raw two-thread echo servers on two cores (medians of 15
// rounds): against one shared edge-triggered epoll with a claim word for each connection it needs 0.97, 1.10 and 0.93 of
// the processor time per message at 1, 64 and 1000 connections, which is near the noise, and 0.15 of the context switches
// at 1000; one shared epoll with EPOLLONESHOT needs a system call more per message. What decides is simplicity: everything
// below belongs to one thread. The price: a connection waits when its worker does not run, even if another one is idle.
//
// Threads: everything on the worker's own thread, but post(), nudge(), current() and Inbox::push(), which any thread may
// call.
// Invariants:
//   1. Only the worker's own thread resumes coroutines that belong to it.
//   2. A round is: one poll and all its events, the inbox, the timers, then each chain that is ready. No coroutine runs, and
//      no registration is recycled, between two events of a batch.
//   3. The worker sleeps only after Inbox::sleep() said that there is nothing to read.
//   4. A registration belongs to one worker, whose thread alone uses its flags and waiters; a socket that two workers use
//      has two. So an event needs no lock, and no atomic, to find its chain.
//   5. An event carries its registration's index and generation, and a recycled registration has a new generation: a stale
//      event, of a descriptor that is closed but lives on in a child process, is dropped.
//   6. A message is in at most one inbox or ring, at most once, and is delivered on the inbox's worker.
//   7. An inbox's word holds null (awake, nothing to read), the inbox itself (asleep, nothing to read), or the newest
//      message. Each change is one read-modify-write on that word, so that a message that arrives while the worker
//      goes to sleep is either seen by sleep() or told by push() that it must wake the worker: no wake-up is lost.
//   8. No timer's deadline is before its parent's.
#pragma once
#include <acairo/basics.hpp>
#include <algorithm>
#include <array>
#include <deque>

namespace acairo::inline ACAIRO_WORLD::detail {

// The one door between a worker and every other thread: many writers, one reader, no lock.
struct Inbox : Link {
    // True: the worker sleeps, and the caller must wake it.
    bool push(Message& message) noexcept {
        Link* newest = word.load(std::memory_order_relaxed);
        do {
            message.next = newest == this ? nullptr : newest;
            // Release: without this, the worker could read a message before what its sender wrote into it.
        } while (!word.compare_exchange_weak(newest, &message, std::memory_order_release, std::memory_order_relaxed));
        return newest == this;
    }
    // True: from now on the next push() must wake. False: there is something to read first.
    bool sleep() noexcept {
        Link* newest = nullptr;
        return word.compare_exchange_strong(newest, this, std::memory_order_relaxed, std::memory_order_relaxed);
    }
    // Ends the sleep and delivers everything, oldest first.
    void deliver() noexcept {
        // Acquire: the other half of push()'s release.
        Link* newest = word.exchange(nullptr, std::memory_order_acquire);
        if (newest == this) return;
        Link* oldest = nullptr;
        while (newest) oldest = std::exchange(newest, std::exchange(newest->next, oldest));
        // Alone before it is delivered, which may free it or put it into another list.
        while (oldest) static_cast<Message*>(std::exchange(oldest, std::exchange(oldest->next, oldest)))->deliver();
    }
    platform::atomic<Link*> word{nullptr};
};

// A node of a skew heap (Sleator and Tarjan, "Self-Adjusting Heaps", 1986), and delivered, no longer armed, when its
// deadline has passed. Everything is a loop: a heap may be as deep as there are timers.
struct Timer : Message {
    bool armed() const noexcept { return anchor != nullptr; }
    void arm(Timer*& root, std::chrono::nanoseconds instant) noexcept {
        check(!armed(), "a timer is armed once at a time");
        deadline = instant;
        meld(&root, root, this);
    }
    // Nothing happens when it is not armed.
    Timer& disarm() noexcept {
        if (armed()) meld(std::exchange(anchor, nullptr), std::exchange(left, nullptr), std::exchange(right, nullptr));
        return *this;
    }
    // Puts the timers of both heaps at `place`. The children of each one on the way change sides: this makes the cost
    // logarithmic, over all operations together.
    static void meld(Timer** place, Timer* a, Timer* b) noexcept {
        while (a && b) {
            if (b->deadline < a->deadline) std::swap(a, b);
            put(place, a);
            place = &a->left;
            a = put(&a->right, a->left);
        }
        put(place, a ? a : b);
    }
    // Returns what stood there.
    static Timer* put(Timer** place, Timer* timer) noexcept {
        if (timer) timer->anchor = place;
        return std::exchange(*place, timer);
    }
    std::chrono::nanoseconds deadline{0};  // not before its parent's
    Timer* left = nullptr;
    Timer* right = nullptr;
    Timer** anchor = nullptr;  // what points at it, in its parent or as the root; null when it is not armed
};

// `duration` from now, an instant of platform::now(); the largest one when that would overflow.
inline std::chrono::nanoseconds deadline_after(std::chrono::nanoseconds duration) noexcept {
    const std::chrono::nanoseconds now = platform::now();
    return duration > std::chrono::nanoseconds::max() - now ? std::chrono::nanoseconds::max() : now + duration;
}

// What the workers, chains and sockets of an executor know of it.
struct Lifetime : Pinned, std::enable_shared_from_this<Lifetime> {
    // `word`: these flags, and above them the number of live chains.
    static constexpr std::uint64_t stopped = 1, draining = 2, one_chain = 4;
    explicit Lifetime(int its_budget) noexcept : budget(its_budget) {}
    // Acquire: what the stopping thread did before stop() is visible to a task that sees it.
    bool stopping() const noexcept { return (word.load(std::memory_order_acquire) & stopped) != 0; }
    // Acquire: when a worker's thread ends, and with it what a user has thread_local there, it has seen what all chains did.
    bool ended() const noexcept { return (word.load(std::memory_order_acquire) & ~draining) == stopped; }
    const int budget;
    platform::atomic<std::uint64_t> word{0};
};

// Owns a descriptor, or nothing (-1). Throws std::system_error, which names `call`, for a result that is -errno.
struct Descriptor : Pinned {
    explicit Descriptor(int result, const char* call = "") : fd(succeed(result, call)) {}
    ~Descriptor() {
        if (fd >= 0) platform::close(fd);
    }
    int fd;
};

// What a worker knows of a chain.
struct Waiter : Timer {
    // Runs it until it is suspended, or has ended.
    virtual void run() noexcept = 0;
    // What it waits for may have happened: its operation is tried again.
    virtual void interrupt() noexcept = 0;
};

enum class Direction : std::uint8_t { read, write };

// A socket's place in a worker's epoll.
struct Registration final : Message {
    static constexpr std::uint32_t never_empty = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
    static constexpr std::uint32_t ends_read = EPOLLIN | never_empty, ends_write = EPOLLOUT | EPOLLHUP | EPOLLERR;
    Waiter*& waiter(Direction direction) noexcept { return waiters[static_cast<std::size_t>(direction)]; }
    // Who waits for `direction`, for any, tries its operation again.
    void wake(Direction direction) noexcept {
        if (waiter(direction)) waiter(direction)->interrupt();
    }
    void wake() noexcept { wake(Direction::read), wake(Direction::write); }
    // Posts it to its worker, from any thread: `retry`, its waiters try again; `closed`, they find that the socket is
    // closed, and no socket has it any more.
    enum Reason : std::uint8_t { retry = 1, closed = 2 };
    void post(Reason reason) noexcept;
    void deliver() noexcept override;

    struct Worker* worker = nullptr;
    Registration* next_of_socket = nullptr;
    std::array<Waiter*, 2> waiters{};           // by direction
    std::uint64_t name = 0;                     // what its events carry: the generation, and its index below
    platform::atomic<std::uint32_t> posted{0};  // the reasons; in the inbox while there are any
    std::uint16_t events = 0;                   // what epoll reports; 0: it does not know the socket
    // False: the last read showed the socket empty, and no event has come since. Only then does a read wait untried.
    bool readable = false;
    // RDHUP, HUP, ERR or PRI was seen: a short read no longer shows that the socket is empty, because what follows (the
    // end of stream, an error, bytes after an urgent one) raises no event of its own.
    bool sticky = false;
};

// A worker is a message itself: it ends every wait on it.
struct Worker final : Message {
    // Throws std::system_error when there is no descriptor or memory for it.
    explicit Worker(Lifetime& its_executor) : executor(its_executor) {
        // Edge-triggered and never read: each write is an edge, and its count would overflow after 2^64 of them.
        platform::event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = wake_up_event}};
        succeed(platform::epoll_ctl(epoll.fd, EPOLL_CTL_ADD, wake_up.fd, &event), "epoll_ctl, for a worker's eventfd");
    }
    // The worker whose thread this is, or null. Any thread.
    static Worker* current() noexcept { return static_cast<Worker*>(platform::thread_slot()); }
    // Delivers the message on this worker: at once when this is its thread, else soon, and wakes it. Any thread.
    void post(Message& message) noexcept {
        if (current() == this) return message.deliver();
        if (inbox.push(message)) nudge();
    }
    // Makes the worker look again whether it has ended. Any thread.
    void nudge() const noexcept {
        std::ptrdiff_t result = -EINTR;
        while (result == -EINTR) result = platform::write_counter(wake_up.fd, 1);
        // EAGAIN: the counter is full, so the worker has been woken already.
        const bool woken = result >= 0 || result == -EAGAIN;
        check(woken, "an eventfd can be written");
    }

    // The thread's body: until the executor has stopped and no chain is left.
    void run() noexcept {
        platform::thread_slot() = this;
        while (!executor.ended()) {
            const int milliseconds = ready.alone() ? milliseconds_to_next() : 0;
            poll(milliseconds == 0 || inbox.sleep() ? milliseconds : 0);
            inbox.deliver();
            if (timers) expire(platform::now());
            // As many as are ready now: without this, chains that wake one another would keep the worker from polling.
            Link end_of_round;
            end_of_round.link_before(ready);
            while (ready.next != &end_of_round) static_cast<Waiter&>(ready.next->unlink()).run();
            end_of_round.unlink();
        }
        platform::thread_slot() = nullptr;
    }
    // How long epoll_wait may sleep: rounded up, so that it never wakes before the deadline; -1: for ever.
    int milliseconds_to_next() const noexcept {
        if (!timers) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers->deadline - platform::now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
    }
    void poll(int milliseconds) noexcept {
        const int count = platform::epoll_wait(epoll.fd, events.data(), static_cast<int>(events.size()), milliseconds);
        const bool waited = count >= 0 || count == -EINTR;
        check(waited, "epoll_wait of our own descriptor fails with EINTR only");
        for (int i = 0; i < count; ++i) {
            const platform::event event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == wake_up_event) continue;
            const std::size_t index = event.data.u64 % one_generation;
            Registration& place = registrations[index / 64][index % 64];
            if (place.name != event.data.u64) continue;
            if (event.events & Registration::never_empty) place.sticky = true;
            if (event.events & Registration::ends_read) place.readable = true, place.wake(Direction::read);
            if (event.events & Registration::ends_write) place.wake(Direction::write);
        }
    }
    // Delivers every timer whose deadline is not after `now`.
    void expire(std::chrono::nanoseconds now) noexcept {
        while (timers && timers->deadline <= now) timers->disarm().deliver();
    }
    void deliver() noexcept override {
        // Each operation finds the stop when it is tried again.
        for (auto& chunk : registrations)
            for (Registration& registration : chunk) registration.wake();
        expire(std::chrono::nanoseconds::max());
    }

    // A registration that no socket has, or null when there is no memory for it.
    Registration* take() noexcept try {
        std::uint64_t name = registrations.size() * 64;
        if (!free)
            for (Registration& registration : registrations.emplace_back()) {
                registration.worker = this;
                registration.name = name++;
                registration.next_of_socket = std::exchange(free, &registration);
            }
        return std::exchange(free, free->next_of_socket);
    } catch (const std::bad_alloc&) { return nullptr; }
    void recycle(Registration& registration) noexcept {
        registration.readable = registration.sticky = false;
        registration.events = 0;
        registration.name += one_generation;
        registration.next_of_socket = std::exchange(free, &registration);
    }
    // From now on `direction` of `fd` is reported, too, and at once what is already true. 0 or -errno.
    int report(Registration& registration, int fd, Direction direction) noexcept {
        // Writability only for who asked for it: without this, a reader would get an event more for each connection.
        const std::uint32_t asked = direction == Direction::read ? EPOLLIN | EPOLLRDHUP | EPOLLPRI : EPOLLOUT;
        const auto wanted = static_cast<std::uint16_t>(registration.events | asked);
        if (wanted == registration.events) return 0;
        platform::event event{.events = wanted | EPOLLET, .data = {.u64 = registration.name}};
        const int operation = registration.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        const int error = platform::epoll_ctl(epoll.fd, operation, fd, &event);
        if (error == 0) registration.events = wanted;
        return error;
    }

    static constexpr std::uint64_t one_generation = std::uint64_t{1} << 32, wake_up_event = ~std::uint64_t{0};
    Lifetime& executor;
    Inbox inbox;
    Link ready;  // the chains that can run: the next one stands after it, the last one before it
    Timer* timers = nullptr;
    const Descriptor epoll{platform::epoll_create1(EPOLL_CLOEXEC), "epoll_create1, for a worker"};
    const Descriptor wake_up{platform::eventfd(0u, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd, to wake a worker"};
    // Registrations never move, and are given back with the worker only: a stale event may name one.
    std::deque<std::array<Registration, 64>> registrations;
    Registration* free = nullptr;
    std::array<platform::event, 256> events{};
};

inline void Registration::post(Reason reason) noexcept {
    // Acquire and release: deliver() sees what every poster did before. Who finds other reasons there must not post it
    // again: it would be twice in one list.
    if (posted.fetch_or(reason, std::memory_order_acq_rel) == 0) worker->post(*this);
}
inline void Registration::deliver() noexcept {
    const std::uint32_t reasons = posted.exchange(0, std::memory_order_acq_rel);
    wake();
    if (reasons & closed) worker->recycle(*this);
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
