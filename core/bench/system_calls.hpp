// Counts the system calls of a running server exactly, all threads, from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

namespace bench {

class SystemCallCounter {
public:
    virtual ~SystemCallCounter() = default;
    virtual std::uint64_t calls() = 0;  // since the counter was made
};

// By the kernel's own tracepoint: the server runs at full speed. Null where this is not permitted (it needs
// root, outside of most containers).
std::unique_ptr<SystemCallCounter> count_by_tracepoint(pid_t server);

// By ptrace: works for any child process. Each call stops the server twice, so it falls behind its clients,
// finds more of them ready at once, and shows fewer epoll_wait a message with many connections than it
// makes at full speed. The server must be killed before the counter is destroyed.
std::unique_ptr<SystemCallCounter> count_by_ptrace(pid_t server);

}  // namespace bench
