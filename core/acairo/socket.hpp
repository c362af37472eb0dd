// Socket: a descriptor that may be used by one reader and one writer, on different threads, and closed by a third; and
// what the operations on it share.
//
// Threads: close(), claim(), unclaim() and Use from any thread; what takes a Worker, on that worker.
// Invariants:
//   1. word_ holds closed, reading, writing, and the number of system calls that use the descriptor now. No call begins
//      after `closed`; whoever's read-modify-write makes it {closed, 0 calls} closes the descriptor, once. So a number that
//      the kernel has given to somebody else is never used.
//   2. registrations_ is a list that only grows, until close() exchanges it for the closed mark and posts each entry to its
//      worker. A registration that comes too late sees the mark.
//   3. The executor's state outlives the socket, and with it the registrations.
#pragma once
#include <acairo/chain.hpp>

namespace acairo::inline ACAIRO_WORLD::detail {

// "127.0.0.1:8080" or "[::1]:8080"; no names are resolved. Throws std::invalid_argument, which names the text, when it is not
// exactly a numeric address and a port (0 to 65535).
platform::address parse_address(const std::string& text);
std::string to_text(platform::address& address);

class Socket : Pinned {
public:
    explicit Socket(std::shared_ptr<State> its_state) noexcept : state(std::move(its_state)) {}
    ~Socket();

    // Takes the descriptor over. Once.
    void open(int fd) noexcept { fd_ = fd; }
    bool is_open() const noexcept { return fd_ >= 0; }
    // True for the call that closed it. Waiters are woken on their workers.
    bool close() noexcept;
    bool closed() const noexcept;
    // One operation at a time for each direction.
    enum class Claim : std::uint8_t { granted, taken, closed };
    Claim claim(Direction direction) noexcept;
    void unclaim(Direction direction) noexcept;

    // The descriptor, for one system call: it is not closed while this lives. False: it is closed already.
    struct Use : Pinned {
        explicit Use(Socket& its_socket) noexcept : socket(its_socket), granted(socket.enter()), fd(socket.fd_) {}
        ~Use() { if (granted) socket.leave(); }
        explicit operator bool() const noexcept { return granted; }
        Socket& socket;
        const bool granted;
        const int fd;
    };

    // This worker's registration, or null.
    Registration* registration(const Worker& worker) const noexcept;
    // As above, made to report `direction`; null and `error` when it cannot be (0: the socket is closed).
    Registration* registration_for(Worker& worker, Direction direction, int& error) noexcept;
    // getsockname or getpeername, as a text. Throws std::system_error.
    std::string address_by(int (*call)(int, platform::address&) noexcept, const char* name);

    const std::shared_ptr<State> state;

private:
    bool enter() noexcept;
    void leave() noexcept;

    int fd_ = -1;
    platform::atomic<std::uint32_t> word_{0};
    platform::atomic<Registration*> registrations_{nullptr};
};

// What reads, writes, accepts and connects share: the claim of one direction of a socket, and waiting for it.
class SocketOperation : public Operation {
protected:
    SocketOperation(Socket& its_socket, Direction direction, const char* name, std::chrono::nanoseconds timeout = {}) noexcept
        : socket(&its_socket), name_(name), timeout_(timeout), direction_(direction) {}

    // Throws std::logic_error when another operation has the direction, or when the task runs on another executor than the
    // socket's; std::system_error (bad_file_descriptor) when the socket is closed.
    void begin() override;
    void end() noexcept final { socket->unclaim(direction_); }
    bool withdraw() noexcept override;

    // Waits until the socket may be ready, or until the timeout. False, for attempt() to return, but when the outcome is
    // known at once: the socket is closed, or cannot be registered.
    bool wait() noexcept;
    // The same at a registration, or, when that is null, for the chain's timer only.
    bool wait_at(Registration* place) noexcept;
    // This worker's registration, made when there is none. Null: it cannot be had (`error`, -errno), or the socket is
    // closed (0).
    Registration* registration(int& error) noexcept;
    // As above; when it is null, the outcome is known.
    Registration* registration() noexcept;
    Worker& worker() const noexcept { return *chain_->worker; }

    Socket* socket;

private:
    const char* name_;
    Registration* waiting_at_ = nullptr;
    std::chrono::nanoseconds timeout_;
    Direction direction_;
    bool timed_ = false;
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
