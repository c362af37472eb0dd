// The process, and what is said to it.
#include "peers.hpp"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <system_error>
#include <type_traits>

#include "word.hpp"

extern char** environ;

namespace stress {

std::string Ends::text() const {
    return std::to_string(served) + " served; " + std::to_string(fin) + " FIN, " + std::to_string(rst) + " RST (" +
           std::to_string(asked) + " by asking), " + std::to_string(left) + " left, " + std::to_string(refused) +
           " refused";
}

Peers::Peers() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        throw std::system_error(errno, std::system_category(), "socketpair, to the peers");
    ::posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pair[1], 0);
    std::array<char*, 3> arguments{const_cast<char*>("load"), const_cast<char*>("peers"), nullptr};
    const int error = ::posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pair[1]);
    fd_ = pair[0];
    if (error != 0) throw std::system_error(error, std::system_category(), "posix_spawn, of the peers");
}

Peers::~Peers() {
    ::close(fd_);
    ::waitpid(process_, nullptr, 0);
}

void Peers::begin(const Order& order) const {
    tell(fd_, Word::begin);
    send_all(fd_, order);
}

void Peers::wait() const { hear(fd_, Word::reached); }

void Peers::chat(int messages) const {
    for (; messages != 0; --messages) {
        tell(fd_, Word::ping);
        hear(fd_, Word::pong);
    }
}

Ends Peers::end() const {
    tell(fd_, Word::end);
    hear(fd_, Word::ended);
    return receive<Ends>(fd_);
}

}  // namespace stress
