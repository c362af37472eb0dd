// A simulated kernel: descriptors, TCP over loopback, epoll and eventfd, as a plain object. Its calls have the names and
// the arguments of their manual pages and return what the call returns, or -errno. <acairo/kernel_states.hpp> lists what is
// modelled, call by call and state by state, and what is not.
//
// Threads: one OS thread; it knows nothing of fibers.
// Invariants:
//   1. No call blocks. Where Linux would, on a descriptor without O_NONBLOCK, the answer is the one that a non-blocking
//      descriptor would get, and blocking(fd) tells the host to wait until epoch() has changed
//      or next_event() has come, and to ask again. A blocking send that was partial is continued by the host likewise.
//   2. epoch() changes whenever the answer of any call on any descriptor may have changed otherwise than by that call itself.
//   3. Nothing happens between calls: what flies arrives in advance(), which every call makes first.
//   4. A run is a function of the calls, of KernelHost::below and of KernelHost::now. Nothing depends on addresses in memory.
//   5. reset() is as a new Kernel, without giving memory back.
//   6. Descriptors are the lowest free number, from 0. A number that is not open is KernelHost::misuse and then -EBADF.
#pragma once
#include <acairo/kernel_files.hpp>
#include <acairo/kernel_host.hpp>
#include <acairo/kernel_states.hpp>
#include <acairo/kernel_tcp.hpp>

namespace acairo::simulator {

class Kernel {
public:
    struct OpenDescriptor {
        int fd;
        const char* kind;      // "socket", "listener", "eventfd", "epoll" or "file"
        std::uint32_t origin;  // as set_origin() was told, or 0
    };

    explicit Kernel(KernelHost& host, KernelConfiguration configuration = {});
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    int socket(int family, int type, int protocol);
    int bind(int fd, const SocketAddress& to);
    int listen(int fd, int backlog);
    int accept4(int fd, int flags);
    int connect(int fd, const SocketAddress& to);
    std::ptrdiff_t recv(int fd, void* to, std::size_t size, int flags);
    std::ptrdiff_t send(int fd, const void* from, std::size_t size, int flags);
    int shutdown(int fd, int how);
    int close(int fd);
    int dup(int fd);
    // SO_REUSEADDR, SO_KEEPALIVE, SO_SNDBUF, SO_RCVBUF (which, as on Linux, is doubled when asked for), SO_LINGER, TCP_NODELAY.
    int setsockopt(int fd, int level, int name, const void* value, ::socklen_t size);
    int setsockopt(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }
    // These but SO_LINGER, and SO_ERROR, SO_TYPE, SO_ACCEPTCONN.
    int getsockopt(int fd, int level, int name, int& value);
    int getsockname(int fd, SocketAddress& local);
    int getpeername(int fd, SocketAddress& peer);

    int epoll_create1(int flags);
    int epoll_ctl(int epoll, int operation, int fd, const ::epoll_event* wanted);
    // As with a timeout of 0.
    int epoll_wait(int epoll, ::epoll_event* events, int size);

    // A descriptor of /dev/null: no socket, and nothing that an epoll takes.
    int open_null();
    int eventfd(unsigned initial, int flags);
    int write_counter(int fd, std::uint64_t value);
    int read_counter(int fd, std::uint64_t& value);

    void set_descriptors_limit(std::uint64_t limit) noexcept { configuration_.descriptors = limit; }

    // For the host.
    bool blocking(int fd) const noexcept;
    std::uint64_t epoch() const noexcept { return watch_.epoch; }
    // The next moment at which something arrives; nanoseconds::max() if nothing flies.
    std::chrono::nanoseconds next_event() const noexcept { return network_.next_event(); }
    // Lets arrive what is due at KernelHost::now().
    void advance();
    void reset() noexcept;
    void reset(const KernelConfiguration& configuration) noexcept {
        configuration_ = configuration;
        reset();
    }
    // Whether epoll_wait may have something to report: without this, every blocked worker would be woken by every call.
    bool may_report(int epoll) const noexcept;

    // For reports. The origin of an open number is where it was made; of a closed one, where it was closed.
    void set_origin(int fd, std::uint32_t origin);
    std::uint32_t origin(int fd) const noexcept;
    // In the order of the numbers.
    void list_open(std::vector<OpenDescriptor>& list) const;
    std::size_t open_descriptors() const noexcept { return open_; }
    State state_of(int fd) const noexcept;

private:
    struct Slot {
        detail::File* file = nullptr;
        std::uint32_t origin = 0;
    };

    detail::File* find(const char* call, int fd);
    detail::Socket* find_socket(const char* call, int fd, int& error);
    detail::Counter* find_counter(const char* call, int fd, int& error);
    int free_number() const noexcept;
    int install(detail::File& file, int fd) noexcept;
    void forget(detail::Item& item) noexcept;
    std::uint32_t poll(detail::File& file) noexcept;
    void observe_source(detail::File& file, std::uint32_t events);
    static detail::Item* registration(const detail::Epoll& epoll, const detail::File& file, int fd) noexcept;

    KernelHost& host_;
    KernelConfiguration configuration_;
    detail::Watch watch_;
    detail::Network network_;
    detail::Pool<detail::Counter> counters_;
    detail::Pool<detail::Epoll> epolls_;
    detail::Pool<detail::Null> nulls_;
    detail::Pool<detail::Item> items_;
    std::vector<Slot> slots_;
    std::vector<std::pair<detail::Item*, std::uint32_t>> batch_;
    std::size_t open_ = 0;
    int lowest_ = 0;  // no number below is free
};

}  // namespace acairo::simulator
