// What acairo throws, apart from std::system_error (a failed system call, named
// in its text), std::logic_error (misuse) and std::bad_alloc; check(), for what
// can only be a bug; and what the rest is made of: locks, and the nodes of
// lists.
#pragma once
#include <acairo/platform.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <source_location>
#include <system_error>
#include <utility>
#include <vector>

namespace acairo::inline ACAIRO_WORLD {

// A wait was ended by stop(), by a stop token, by close(), or because the awaited task was destroyed.
struct Cancelled : std::exception {
    const char* what() const noexcept override { return "acairo: the wait was cancelled"; }
};

// A stream's timeout, or that of timeout(), passed first.
struct TimedOut : std::exception {
    const char* what() const noexcept override { return "acairo: the time is over"; }
};

// TCPListener::stop() ended an accept().
struct TCPListenerStoppedError : std::exception {
    const char* what() const noexcept override { return "acairo: the listener was stopped"; }
};

// The peer ended the stream before read(n) had its n bytes.
struct EndOfStream : std::exception {
    // With what arrived before the end, which is not null.
    explicit EndOfStream(std::shared_ptr<const std::vector<char>> received) noexcept : received_(std::move(received)) {}
    const char* what() const noexcept override { return "acairo: the peer ended the stream before all bytes came"; }
    // What arrived before the end. It is no longer in the stream.
    const std::vector<char>& received() const noexcept { return *received_; }

private:
    // Shared, because an exception is copied where nothing may be thrown.
    std::shared_ptr<const std::vector<char>> received_;
};

namespace detail {

// A failed check is a bug, in acairo or in its use: it prints `what` and the caller's place on stderr, and aborts. Never
// compiled out. One condition per check, and no branch at the call site: two conditions are two checks.
inline void check(bool expected, const char* what, std::source_location at = std::source_location::current()) noexcept {
    if (expected) return;
    std::fprintf(stderr, "acairo: check failed: %s\n  at %s:%u in %s\n", what, at.file_name(), at.line(),
                 at.function_name());
    std::abort();
}

// Throws std::invalid_argument, which names the value and the remedy, when it is not valid.
inline void require(bool valid, const std::string& name, std::int64_t value, const std::string& remedy) {
    if (!valid) throw std::invalid_argument("acairo: " + name + " is " + std::to_string(value) + "; " + remedy);
}

// `result` is what the seam returned (-errno), `call` the system call and what it was for.
[[noreturn]] inline void throw_system_error(std::ptrdiff_t result, const std::string& call) {
    throw std::system_error(static_cast<int>(-result), std::system_category(), "acairo: " + call);
}
// The result of a system call, when it is no error.
inline int succeed(int result, const char* call) { return result < 0 ? throw_system_error(result, call), 0 : result; }

[[noreturn]] inline void misuse(const std::string& what) { throw std::logic_error("acairo: " + what); }

// What others point at: neither copied nor moved.
struct Pinned {
    Pinned() = default;
    Pinned(Pinned&&) = delete;
};

// A scoped lock of the platform's mutex.
struct Lock : Pinned {
    explicit Lock(platform::mutex& to_lock) noexcept : mutex(to_lock) { mutex.lock(); }
    ~Lock() { mutex.unlock(); }
    platform::mutex& mutex;
};

// A place in a ring. Alone it is a ring of its own, and unlinking it changes nothing.
struct Link : Pinned {
    bool alone() const noexcept { return next == this; }
    void link_before(Link& place) noexcept {
        next = &place;
        previous = std::exchange(place.previous, this);
        previous->next = this;
    }
    Link& unlink() noexcept {
        next->previous = previous;
        previous->next = next;
        return *(next = previous = this);
    }
    Link* next = this;
    Link* previous = this;
};

struct Message : Link {
    // Never resumes a coroutine. May free the message.
    virtual void deliver() noexcept = 0;
};

}  // namespace detail
}  // namespace acairo::inline ACAIRO_WORLD
