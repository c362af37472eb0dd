// Socket: a descriptor that may be used by one reader and one writer, on different threads, and closed by a third.
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

namespace acairo::inline ACAIRO_WORLD::detail {

// "127.0.0.1:8080" or "[::1]:8080"; no names are resolved. Throws std::invalid_argument, which names the text, when it is not
// exactly a numeric address and a port (0 to 65535).
platform::address parse_address(const std::string& text);
std::string to_text(platform::address& address);

class Socket : Pinned {
public:
    explicit Socket(std::shared_ptr<State> its_state) noexcept : state(std::move(its_state)) {}
    ~Socket();
    std::chrono::nanoseconds& timeout(Direction direction) noexcept {
        return timeouts_[static_cast<std::size_t>(direction)];
    }

    // Takes the descriptor over, once. False: the socket is closed, and so is the descriptor now.
    bool open(int fd) noexcept;
    // Closes the descriptor and is as before open(). Under a Use, before anybody else uses it.
    void give_up() noexcept { platform::close(std::exchange(fd_, -1)); }
    // True for the call that closed it. Waiters are woken on their workers.
    bool close() noexcept;
    bool closed() const noexcept { return (word_.load(std::memory_order_acquire) & closed_flag) != 0; }
    // One operation at a time for each direction. Throws std::logic_error, which names `call`, when there is one, and
    // std::system_error (bad_file_descriptor) when the socket is closed.
    void claim(Direction direction, const char* call);
    void unclaim(Direction direction) noexcept {
        // Release: the other half of claim()'s acquire.
        word_.fetch_and(~claim_of(direction), std::memory_order_release);
    }
    // Who waits to read tries again.
    void retry() noexcept;

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

    // This worker's registration, made to report `direction`; null when it cannot be, and `error` (-errno). Under a Use.
    Registration* registration(Worker& worker, Direction direction, int& error) noexcept;
    // getsockname or getpeername, as a text. Throws std::system_error.
    std::string address_by(int (*call)(int, platform::address&) noexcept, const char* name) const;

    const std::shared_ptr<State> state;

private:
    static constexpr std::uint32_t closed_flag = 1, reading = 2, writing = 4, one_use = 8;
    static std::uint32_t claim_of(Direction direction) noexcept {
        return direction == Direction::read ? reading : writing;
    }
    bool enter() const noexcept;
    void leave() const noexcept;
    void finish_close() const noexcept;

    std::array<std::chrono::nanoseconds, 2> timeouts_{};  // 0: none
    int fd_ = -1;
    mutable platform::atomic<std::uint32_t> word_{0};
    platform::atomic<Registration*> registrations_{nullptr};
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
