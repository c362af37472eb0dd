// What runs inside every server beside its library. Any of its threads may take receive buffers.
#include "server_process.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "heap_count.hpp"

namespace bench {
namespace {

void require(bool succeeded, const char* call) {
    if (!succeeded) throw std::system_error(errno, std::system_category(), call);
}

bool one_buffer = false;

// Last given back, first taken: a connection that follows another finds its buffer in the cache.
class BufferPool {
public:
    static BufferPool& of_this_thread() {
        thread_local BufferPool pool;
        return pool;
    }

    char* take() {
        if (free_.empty()) grow();
        char* const start = free_.back();
        if (!one_buffer) free_.pop_back();
        return start;
    }

    void give_back(char* start) {
        if (!one_buffer) free_.push_back(start);
    }

private:
    static constexpr std::size_t buffers_at_once = 1024;
    // Without the extra line: all buffers would begin in the same few sets of the cache and push each other
    // out.
    static constexpr std::size_t stride = buffer_size + 64;

    void grow() {
        free_.reserve(free_.capacity() + buffers_at_once);
        void* const memory = ::mmap(nullptr, buffers_at_once * stride, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        require(memory != MAP_FAILED, "mmap");
        for (std::size_t index = buffers_at_once; index-- > 0;)
            free_.push_back(static_cast<char*>(memory) + index * stride);
    }

    std::vector<char*> free_;
};

}  // namespace

ServerArguments begin_server(int argc, char** argv) {
    ServerArguments arguments;
    if (argc > 1) arguments.workers = std::atoi(argv[1]);
    const std::string_view buffers = argc > 2 ? argv[2] : "own";
    if (argc > 4 || arguments.workers < 1 || (buffers != "own" && buffers != "one")) {
        std::fprintf(stderr, "usage: %s [WORKERS [own|one [COUNTER_FD]]], WORKERS at least 1\n", argv[0]);
        std::exit(2);
    }
    arguments.one_buffer = one_buffer = buffers == "one";
    // Without this: a driver that dies leaves its servers behind.
    require(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
    rlimit files{};
    require(::getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
    files.rlim_cur = files.rlim_max;
    require(::setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
    if (argc > 3) {
        void* page = ::mmap(nullptr, sizeof(HeapCount), PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(argv[3]), 0);
        require(page != MAP_FAILED, "mmap of COUNTER_FD");
        count_heap_into(static_cast<HeapCount*>(page));
    }
    return arguments;
}

void report_port(std::uint16_t port) {
    std::printf("%u\n", unsigned{port});
    std::fflush(stdout);
}

int listen_on_loopback() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    const int on = 1;
    require(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt(TCP_NODELAY)");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    require(::listen(fd, backlog) == 0, "listen");
    return fd;
}

std::uint16_t port_of(int listen_fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    require(::getsockname(listen_fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    return ntohs(address.sin_port);
}

ReceiveBuffer::ReceiveBuffer() : start_(BufferPool::of_this_thread().take()) {}

ReceiveBuffer::~ReceiveBuffer() {
    if (start_ != nullptr) BufferPool::of_this_thread().give_back(start_);
}

}  // namespace bench
