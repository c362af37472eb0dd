// What gdb is told.
#include <unistd.h>
#include <acairo/debugger.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace acairo::simulator {

int start_gdb(const std::string& token, const char* program) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    ::execlp("gdb", "gdb", "-q", "-ex", "set breakpoint pending on", "-ex", "break acairo::simulator::Scheduler::fail",
             "-ex", "break __sanitizer::Die", "-ex", "run", "--args", self.c_str(), "repro", token.c_str(), "--here",
             nullptr);
    std::fprintf(stderr, "%s: gdb cannot be started: %s; install Debian's package gdb\n", program,
                 std::strerror(errno));
    return 2;
}

}  // namespace acairo::simulator
