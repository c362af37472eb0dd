// What both kinds of clients are made of: a non-blocking socket in an epoll, with one message going out and
// coming back.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bench {

using Clock = std::chrono::steady_clock;

class ClientEpoll {
public:
    ClientEpoll();
    ClientEpoll(const ClientEpoll&) = delete;
    ClientEpoll& operator=(const ClientEpoll&) = delete;
    ~ClientEpoll();

    void add(int fd, std::uint32_t index);
    // One event for each connection with news, its index in data.u32. Throws when ten seconds pass without
    // any.
    std::span<const epoll_event> wait();

private:
    int fd_;
    std::array<epoll_event, 1024> events_;
};

// The bytes that all connections of one load send and receive.
class Message {
public:
    explicit Message(std::size_t bytes) : out(bytes, '.') {}

    std::string out;
    std::array<char, 65536> in;
};

class ClientSocket {
public:
    explicit ClientSocket(std::uint32_t index) : index_(index) {}
    ClientSocket(ClientSocket&& other) noexcept;
    ~ClientSocket() { close(); }

    // Starts connecting to 127.0.0.1:port. On loopback the answer comes within the call, so that a send may
    // follow at once; where it does not, advance() sends when the connection stands.
    void connect(std::uint16_t port, ClientEpoll& epoll);
    void close();

    void begin(Message& message, Clock::time_point now);
    // Goes on with what the socket allows; true once, when the whole message is back.
    bool advance(Message& message);
    std::uint32_t nanoseconds_since_begin(Clock::time_point now) const;

private:
    void send(Message& message);
    void check_stamp(const char* bytes) const;

    struct Stamp {
        std::uint32_t index;
        std::uint32_t sequence;
    };

    int fd_ = -1;
    std::uint32_t index_;
    std::uint32_t sequence_ = 0;
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
    bool under_way_ = false;
    Clock::time_point begun_;
};

}  // namespace bench
