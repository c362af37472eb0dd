// Socket: a descriptor that may be used by one reader and one writer, on different threads, and closed by a third; and the
// endpoint that a listener shares with its streams.
//
// Threads: any; registration() on its worker.
// Invariants:
//   1. word_ holds closed, reading, writing, and the number of uses of the descriptor. No use begins after `closed`; whoever's
//      read-modify-write makes it {closed, 0 uses} closes the descriptor, once. So a number that the kernel has given to
//      somebody else is never used.
//   2. registrations_ is a list that only grows, under a Use; who closes the descriptor posts each entry to its worker, which
//      recycles it. So the list may be read under a Use.
//   3. The executor's state outlives the socket, and with it the registrations.
#pragma once
#include <acairo/worker.hpp>

namespace acairo::inline ACAIRO_WORLD {

// What holds for all operations of a stream.
struct TCPStreamConfiguration {
    // How long one read may take, from its first wait on; 0: as long as it likes. When the time is over it throws
    // TimedOut, and the stream stays usable.
    std::chrono::nanoseconds read_timeout{0};
    // The same for one write or connect.
    std::chrono::nanoseconds write_timeout{0};
    // TCP_NODELAY: send what there is without waiting for more.
    bool no_delay = true;
};
static_assert(std::is_trivially_destructible_v<TCPStreamConfiguration>);

namespace detail {

// "127.0.0.1:8080" or "[::1]:8080"; no names are resolved. Throws std::invalid_argument, which names the text, when it is not
// exactly a numeric address and a port (0 to 65535).
platform::address parse_address(const std::string& text);
std::string to_text(platform::address& address);

struct Endpoint;

struct Socket : Pinned {
    explicit Socket(std::shared_ptr<Endpoint> its_endpoint) noexcept : endpoint(std::move(its_endpoint)) {}
    ~Socket() {
        // First: its read-modify-write sees the newest state, which a load alone need not.
        close();
        check((word_.load(std::memory_order_acquire) & (reading | writing)) == 0, "a stream outlives its operations");
    }

    // The descriptor: it is not closed while this lives. False: it is closed already.
    struct Use : Pinned {
        explicit Use(const Socket& its_socket) noexcept : socket(its_socket), granted(socket.enter()), fd(socket.fd_) {}
        ~Use() {
            if (granted) socket.leave();
        }
        explicit operator bool() const noexcept { return granted; }
        const Socket& socket;
        const bool granted;
        const int fd;  // -1 before open()
    };

    // Takes the descriptor over, once. False: the socket is closed, and so is the descriptor now.
    bool open(int fd) noexcept {
        // Entered as for a use: without this, a close() at this moment would leave the descriptor open for ever.
        const bool entered = enter();
        if (!entered) return platform::close(fd), false;
        fd_ = fd;
        leave();
        return true;
    }
    bool opened() const noexcept { return fd_ >= 0; }
    // Closes the descriptor and is as before open(). Under a Use, before anybody else uses it.
    void give_up() noexcept { platform::close(std::exchange(fd_, -1)); }
    // True for the call that closed it. Waiters are woken on their workers.
    bool close() noexcept {
        // Acquire and release: every use on another thread comes before close(2), on whichever thread that is.
        const std::uint32_t before = word_.fetch_or(closed_flag, std::memory_order_acq_rel);
        if (before < one_use && (before & closed_flag) == 0) finish_close();
        return (before & closed_flag) == 0;
    }
    // Under a Use: another one has not ended. Acquire: when it has, what it did is visible.
    bool used_elsewhere() const noexcept { return word_.load(std::memory_order_acquire) >= 2 * one_use; }
    bool closed() const noexcept { return (word_.load(std::memory_order_acquire) & closed_flag) != 0; }
    // One operation at a time for each direction. Throws std::logic_error when there is one, and std::system_error
    // (bad_file_descriptor) when the socket is closed.
    void claim(Direction direction) {
        const std::uint32_t mine = claim_of(direction);
        // Acquire: what the last reader or writer left in the stream, perhaps on another thread, is visible to the next.
        const std::uint32_t before = word_.fetch_or(mine, std::memory_order_acquire);
        if ((before & (mine | closed_flag)) == 0) return;
        if ((before & mine) == 0) unclaim(direction);
        const std::string name = direction == Direction::write ? "a write" : "a read or accept";
        // First: who was ended by close() may not have unwound yet.
        if (before & closed_flag) throw_system_error(-EBADF, name + " after close()");
        misuse(name + " while another one waits; await one after the other");
    }
    // Release: the other half of claim()'s acquire.
    void unclaim(Direction direction) noexcept { word_.fetch_and(~claim_of(direction), std::memory_order_release); }
    // Who waits tries again.
    void retry() const noexcept {
        if (const Use use(*this); use) post(Registration::retry);
    }
    // This worker's registration, made to report `direction`; null when it cannot be, and `error` (-errno). Under a Use.
    Registration* registration(Worker& worker, Direction direction, int& error) noexcept {
        // Acquire: without this, the fields of a registration that another worker has just added could be read too early.
        Registration* first = registrations_.load(std::memory_order_acquire);
        Registration* entry = first;
        while (entry && entry->worker != &worker) entry = entry->next_of_socket;
        Registration* const fresh = entry ? nullptr : entry = worker.take();
        error = entry ? worker.report(*entry, fd_, direction) : -ENOMEM;
        if (error < 0 && fresh) worker.recycle(*fresh);
        if (error < 0) return nullptr;
        while (fresh) {
            fresh->next_of_socket = first;
            if (registrations_.compare_exchange_weak(first, fresh, std::memory_order_acq_rel)) break;
        }
        return entry;
    }
    // getsockname or getpeername, as a text. Throws std::system_error.
    std::string address_by(int (*call)(int, platform::address&) noexcept, const char* name) const {
        platform::address address;
        const Use use(*this);
        succeed(use ? call(use.fd, address) : -EBADF, name);
        return to_text(address);
    }

    const std::shared_ptr<Endpoint> endpoint;

private:
    static constexpr std::uint32_t closed_flag = 1, reading = 2, writing = 4, one_use = 8;
    static std::uint32_t claim_of(Direction way) noexcept { return way == Direction::read ? reading : writing; }
    bool enter() const noexcept {
        // Acquire, here and below: who finds it closed sees what the closing thread did before.
        std::uint32_t word = word_.load(std::memory_order_acquire);
        // In the same read-modify-write as the count: without this, close() could give the number back in between.
        while ((word & closed_flag) == 0)
            if (word_.compare_exchange_weak(word, word + one_use, std::memory_order_acquire)) return true;
        return false;
    }
    void leave() const noexcept {
        const std::uint32_t after = word_.fetch_sub(one_use, std::memory_order_acq_rel) - one_use;
        if ((after & closed_flag) && after < one_use) finish_close();
    }
    void finish_close() const noexcept {
        // The kernel forgets the registrations by itself. EINTR is not retried: the descriptor is gone, and its number may
        // already be somebody else's.
        if (opened()) platform::close(fd_);
        post(Registration::closed);
    }
    void post(Registration::Reason reason) const noexcept {
        Registration* entry = registrations_.load(std::memory_order_acquire);
        // The next one is read first: a registration is recycled as soon as it has been posted.
        while (entry) std::exchange(entry, entry->next_of_socket)->post(reason);
    }

    int fd_ = -1;
    mutable platform::atomic<std::uint32_t> word_{0};
    platform::atomic<Registration*> registrations_{nullptr};
};

// What the streams of one listener share, with it and with one another: it may go away before they do. A stream that
// connects has one of its own.
struct Endpoint : Pinned {
    // Throws std::invalid_argument for a timeout that is negative.
    Endpoint(std::shared_ptr<const Lifetime> its_executor, const TCPStreamConfiguration& streams, int its_maximum = 0)
        : executor(std::move(its_executor)), configuration(streams), maximum(static_cast<std::uint32_t>(its_maximum)) {
        for (const std::chrono::nanoseconds timeout : {streams.read_timeout, streams.write_timeout})
            require(timeout.count() >= 0, "a timeout of TCPStreamConfiguration (ns)", timeout.count(), "0 means none");
    }
    // A read-modify-write that changes nothing. Without this, the accept could see the old number while the stream that is
    // closed at that moment does not see the accept's registration yet: nobody would wake the accept.
    bool full() noexcept { return maximum != 0 && connections.fetch_add(0, std::memory_order_acq_rel) >= maximum; }
    // A stream that was counted is closed. Any thread.
    void leave() noexcept {
        if (maximum != 0 && connections.fetch_sub(1, std::memory_order_acq_rel) == maximum) listener.retry();
    }

    const std::shared_ptr<const Lifetime> executor;
    const TCPStreamConfiguration configuration;
    const std::uint32_t maximum;  // of connections; 0: no limit, and they are not counted
    platform::atomic<std::uint32_t> connections{0};
    bool listening = false;
    // Without this, it would keep itself alive: it does not own its endpoint.
    Socket listener{std::shared_ptr<Endpoint>(std::shared_ptr<void>(), this)};
};

}  // namespace detail
}  // namespace acairo::inline ACAIRO_WORLD
