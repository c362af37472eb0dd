// A system that does not tell how many descriptors may be open: a filter of system calls may have it so.
#include "socket_test.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <string>
#include <thread>

namespace {

// From now on, for this thread only. False: no filter can be had here.
bool refuse_to_tell_limits() {
    std::array filter{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{filter.size(), filter.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

class a_limit_of_descriptors : public sockets::SocketTest {};

TEST_F(a_limit_of_descriptors, that_is_not_told_is_none) {
    bool told = true;
    std::string refusal;
    std::thread([&] {
        rlimit limit{};
        told = !refuse_to_tell_limits() || ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
        refusal = sockets::exception_of([&] { acairo::TCPListener({.maximum_connections = 1}, executor_); });
    }).join();
    EXPECT_EQ(refusal, "none");
    if (told) GTEST_SKIP() << "system calls cannot be filtered here";
}

}  // namespace
