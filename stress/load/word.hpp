// What is said between the load and its peers, a message a word, over a socket that keeps them apart.
//
// Threads: one at each end.
// Invariants:
//   1. Who hears another word than the expected one, or none because the other side has gone, cannot go on: it says so and ends.
#pragma once
#include <sys/socket.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

namespace stress {

enum class Word : std::uint8_t { begin, reached, ping, pong, end, ended };

template <class T> void send_all(int fd, const T& what) {
    static_assert(std::is_trivially_copyable_v<T>);
    while (::send(fd, &what, sizeof what, MSG_NOSIGNAL) != sizeof what) {
        if (errno == EINTR) continue;
        std::perror("load: the other process cannot be told");
        std::exit(4);
    }
}
template <class T> T receive(int fd) {
    static_assert(std::is_trivially_copyable_v<T>);
    T what;
    while (::recv(fd, &what, sizeof what, 0) != sizeof what) {
        if (errno == EINTR) continue;
        std::fputs("load: the other process has ended\n", stderr);
        std::exit(4);
    }
    return what;
}
inline void tell(int fd, Word word) { send_all(fd, word); }
inline void hear(int fd, Word expected) {
    if (receive<Word>(fd) == expected) return;
    std::fputs("load: the other process says something unexpected\n", stderr);
    std::exit(4);
}

}  // namespace stress
