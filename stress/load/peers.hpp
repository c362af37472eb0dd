// Thousands of peers in a process of their own, so that what is counted here is the server's, and each side has its own limit of
// descriptors. They connect, and then each behaves in its own manner until it has seen how its connection ends.
//
// Threads: one here, which may wait; the peers' process has one.
// Invariants:
//   1. A peer is done when it has seen FIN or RST, or was refused, or has reset its connection itself. What it has received is what
//      it had sent, in order, as far as it came.
//   2. Linux may lose a connection whose listener is closed during its handshake: its peer learns of it only when it sends. So at
//      the end each peer that has seen nothing asks, once.
//   3. Where nothing happens during `patience` looks, the peers say who is left. What they look at needs as much of the processor as
//      the look does, so that a slow machine is no failure.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace stress {

enum class Manner : std::uint8_t {
    echoes,       // sends, reads what comes back, and again
    fragments,    // the same, byte by byte
    stalls,       // sends half of what the other side waits for
    half_closes,  // sends, ends its direction, and reads on
    resets,       // sends, and resets at some moment
    floods,       // sends as much as goes, and reads it
    never_reads,  // sends as much as goes, and reads only in the end
    is_silent,
};
constexpr std::uint32_t all_manners = 0xff;
constexpr std::uint32_t only(Manner manner) { return 1u << static_cast<std::uint32_t>(manner); }

struct Order {
    std::array<std::uint16_t, 8> ports{};  // 0: no more
    std::uint32_t peers = 0;
    std::uint32_t manners = all_manners;
    std::uint32_t at_once = 0;  // so many connect at the same time
    std::uint32_t tell_at = 0;  // so many are served, or done: that is told
    std::uint64_t seed = 0;
};

struct Ends {
    std::uint32_t refused = 0;  // never connected
    std::uint32_t fin = 0;
    std::uint32_t rst = 0;
    std::uint32_t left = 0;        // reset by themselves
    std::uint32_t asked = 0;       // of all: learned it by asking
    std::uint32_t served = 0;      // of all: had the server's greeting
    std::uint32_t wrong = 0;       // of all: received what was not sent
    std::uint32_t unanswered = 0;  // saw no end
    std::string text() const;
};

class Peers {
public:
    // Throws std::system_error when there is no process for them.
    Peers();
    ~Peers();
    Peers(const Peers&) = delete;
    Peers& operator=(const Peers&) = delete;

    void begin(const Order& order) const;
    // Until `tell_at` of them are served or done.
    void wait() const;
    // So many messages to their process and back: real time passes, in which others could run.
    void chat(int messages) const;
    // The server is gone. How they ended.
    Ends end() const;

    // The process's main function: its end of the connection is descriptor 0.
    static int main();

private:
    int fd_ = -1;
    int process_ = -1;
};

}  // namespace stress
