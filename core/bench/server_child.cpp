// fork and exec of a server, and what /proc and the kernel's clocks say about it.
#include "server_child.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace bench {
namespace {

void require(bool succeeded, const char* call) {
    if (!succeeded) throw std::system_error(errno, std::system_category(), call);
}

std::string path_of(const ServerKind& kind) {
    return std::filesystem::read_symlink("/proc/self/exe").replace_filename(kind.executable);
}

// Runs in the child. Only calls that are allowed after fork.
[[noreturn]] void execute(const char* path, const char* workers, const char* buffers, const char* counter_fd,
                          int output, const cpu_set_t& cpus) {
    if (::sched_setaffinity(0, sizeof cpus, &cpus) == 0 && ::dup2(output, STDOUT_FILENO) >= 0)
        ::execl(path, path, workers, buffers, counter_fd, static_cast<char*>(nullptr));
    std::perror(path);
    ::_exit(127);
}

}  // namespace

Placement::Placement(bool apart) : apart_(apart) {
    cpu_set_t allowed;
    require(::sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &allowed)) allowed_.push_back(cpu);
}

void Placement::pin_driver() const {
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    CPU_SET(apart_ ? allowed_.back() : allowed_.front(), &chosen);
    require(::sched_setaffinity(0, sizeof chosen, &chosen) == 0, "sched_setaffinity");
}

cpu_set_t Placement::server(int workers) const {
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    for (std::size_t index = 0; index < std::min(static_cast<std::size_t>(workers), allowed_.size()); ++index)
        CPU_SET(allowed_[index], &chosen);
    return chosen;
}

bool is_built(const ServerKind& kind) { return ::access(path_of(kind).c_str(), X_OK) == 0; }

ServerChild::ServerChild(const ServerKind& kind, const Placement& placement) {
    const int memory = ::memfd_create("heap count", 0);  // inherited by the server
    require(memory >= 0 && ::ftruncate(memory, sizeof(HeapCount)) == 0, "memfd_create");
    void* page = ::mmap(nullptr, sizeof(HeapCount), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    require(page != MAP_FAILED, "mmap");
    heap_ = new (page) HeapCount;

    int output[2];
    require(::pipe2(output, O_CLOEXEC) == 0, "pipe2");
    const std::string path = path_of(kind);
    const std::string workers = std::to_string(kind.workers);
    const std::string counter_fd = std::to_string(memory);
    const cpu_set_t cpus = placement.server(kind.workers);
    pid_ = ::fork();
    require(pid_ >= 0, "fork");
    if (pid_ == 0)
        execute(path.c_str(), workers.c_str(), kind.one_buffer ? "one" : "own", counter_fd.c_str(), output[1], cpus);
    ::close(output[1]);
    ::close(memory);
    std::FILE* lines = ::fdopen(output[0], "r");
    unsigned port = 0;
    const bool reported = std::fscanf(lines, "%u", &port) == 1;
    std::fclose(lines);
    if (!reported) throw std::runtime_error(kind.executable + " ended before it reported its port");
    port_ = static_cast<std::uint16_t>(port);
}

ServerChild::~ServerChild() {
    ::kill(pid_, SIGKILL);
    // A tracer may have reaped it; then this fails, and nothing is left to wait for.
    ::waitpid(pid_, nullptr, 0);
    ::munmap(heap_, sizeof(HeapCount));
}

std::uint64_t ServerChild::processor_nanoseconds() const {
    clockid_t clock;
    timespec time{};
    require(::clock_getcpuclockid(pid_, &clock) == 0 && ::clock_gettime(clock, &time) == 0,
            "clock_gettime of the server");
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t ServerChild::heap_allocations() const { return heap_->allocations.load(std::memory_order_relaxed); }

std::uint64_t ServerChild::anonymous_bytes() const {
    std::ifstream lines("/proc/" + std::to_string(pid_) + "/smaps_rollup");
    for (std::string word; lines >> word;) {
        std::uint64_t kilobytes = 0;
        if (word == "Anonymous:" && lines >> kilobytes) return kilobytes * 1024;
    }
    throw std::runtime_error("no resident size of the server in /proc");
}

void ServerChild::wait_until_quiet() const {
    std::uint64_t before = processor_nanoseconds();
    for (int tries = 0; tries < 1000; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const std::uint64_t now = processor_nanoseconds();
        if (now == before) return;
        before = now;
    }
    throw std::runtime_error("the server still uses processor time five seconds after the last message");
}

}  // namespace bench
