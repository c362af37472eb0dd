// The system calls of a script, in a form that the simulated kernel and Linux can both answer.
//
// Threads: one at a time.
// Invariants:
//   1. A call returns its result, or -errno. Every descriptor is non-blocking.
//   2. settle() returns when nothing flies any more: what the calls before it have caused can be seen by those after it.
//   3. The destructor closes every descriptor that is open.
#pragma once
#include <sys/epoll.h>

#include <acairo/kernel.hpp>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace fidelity {

using acairo::simulator::SocketAddress;

class Calls {
public:
    virtual ~Calls() = default;
    virtual int socket(bool v6) = 0;
    virtual int bind(int fd, const SocketAddress& to) = 0;
    virtual int listen(int fd, int backlog) = 0;
    virtual int accept(int fd) = 0;
    virtual int connect(int fd, const SocketAddress& to) = 0;
    virtual long recv(int fd, void* to, std::size_t size, int flags) = 0;
    virtual long send(int fd, const void* from, std::size_t size, int flags) = 0;
    virtual int shutdown(int fd, int how) = 0;
    virtual int close(int fd) = 0;
    virtual int dup(int fd) = 0;
    virtual int setsockopt(int fd, int level, int name, const void* value, ::socklen_t size) = 0;
    virtual int getsockopt(int fd, int level, int name, int& value) = 0;
    virtual int getsockname(int fd, SocketAddress& local) = 0;
    virtual int getpeername(int fd, SocketAddress& peer) = 0;
    virtual int epoll_create() = 0;
    virtual int epoll_ctl(int epoll, int operation, int fd, ::epoll_event* wanted) = 0;
    virtual int epoll_wait(int epoll, ::epoll_event* events, int size) = 0;
    virtual int open_null() = 0;
    virtual int eventfd(unsigned initial) = 0;
    virtual int read_counter(int fd, std::uint64_t& value) = 0;
    virtual int write_counter(int fd, std::uint64_t value) = 0;
    virtual void settle() = 0;
};

// The simulated kernel. With a seed, messages are cut and delayed as they please; settling must hide that.
class SimulatedCalls final : public Calls, private acairo::simulator::KernelHost {
public:
    SimulatedCalls() : SimulatedCalls(0, false, false) {}
    SimulatedCalls(std::uint64_t seed, bool fragments, bool delays);

    int socket(bool v6) override;
    int bind(int fd, const SocketAddress& to) override { return kernel.bind(fd, to); }
    int listen(int fd, int backlog) override { return kernel.listen(fd, backlog); }
    int accept(int fd) override { return kernel.accept4(fd, SOCK_NONBLOCK | SOCK_CLOEXEC); }
    int connect(int fd, const SocketAddress& to) override { return kernel.connect(fd, to); }
    long recv(int fd, void* to, std::size_t size, int flags) override { return kernel.recv(fd, to, size, flags); }
    long send(int fd, const void* from, std::size_t size, int flags) override {
        return kernel.send(fd, from, size, flags | MSG_NOSIGNAL);
    }
    int shutdown(int fd, int how) override { return kernel.shutdown(fd, how); }
    int close(int fd) override { return kernel.close(fd); }
    int dup(int fd) override { return kernel.dup(fd); }
    int setsockopt(int fd, int level, int name, const void* value, ::socklen_t size) override {
        return kernel.setsockopt(fd, level, name, value, size);
    }
    int getsockopt(int fd, int level, int name, int& value) override {
        return kernel.getsockopt(fd, level, name, value);
    }
    int getsockname(int fd, SocketAddress& local) override { return kernel.getsockname(fd, local); }
    int getpeername(int fd, SocketAddress& peer) override { return kernel.getpeername(fd, peer); }
    int epoll_create() override { return kernel.epoll_create1(EPOLL_CLOEXEC); }
    int epoll_ctl(int epoll, int operation, int fd, ::epoll_event* wanted) override {
        return kernel.epoll_ctl(epoll, operation, fd, wanted);
    }
    int epoll_wait(int epoll, ::epoll_event* events, int size) override {
        return kernel.epoll_wait(epoll, events, size);
    }
    int open_null() override;
    int eventfd(unsigned initial) override;
    int read_counter(int fd, std::uint64_t& value) override { return kernel.read_counter(fd, value); }
    int write_counter(int fd, std::uint64_t value) override { return kernel.write_counter(fd, value); }
    void settle() override;
    // Whether something ever waited for longer than settle() does.
    bool timeout_pending() const { return timeout_pending_; }

private:
    std::uint64_t below(std::uint64_t n, acairo::simulator::Tag tag) override;
    std::chrono::nanoseconds now() override { return now_; }
    void publish(const void*) noexcept override {}
    void observe(const void*) noexcept override {}
    void misuse(const char*, int, const char*) override {}

    bool calm_;
    std::mt19937_64 random_;
    std::chrono::nanoseconds now_{};
    bool timeout_pending_ = false;

public:
    acairo::simulator::Kernel kernel;  // after what it asks
};

// Linux, over loopback.
class LinuxCalls final : public Calls {
public:
    ~LinuxCalls() override;
    int socket(bool v6) override;
    int bind(int fd, const SocketAddress& to) override;
    int listen(int fd, int backlog) override;
    int accept(int fd) override;
    int connect(int fd, const SocketAddress& to) override;
    long recv(int fd, void* to, std::size_t size, int flags) override;
    long send(int fd, const void* from, std::size_t size, int flags) override;
    int shutdown(int fd, int how) override;
    int close(int fd) override;
    int dup(int fd) override;
    int setsockopt(int fd, int level, int name, const void* value, ::socklen_t size) override;
    int getsockopt(int fd, int level, int name, int& value) override;
    int getsockname(int fd, SocketAddress& local) override;
    int getpeername(int fd, SocketAddress& peer) override;
    int epoll_create() override;
    int epoll_ctl(int epoll, int operation, int fd, ::epoll_event* wanted) override;
    int epoll_wait(int epoll, ::epoll_event* events, int size) override;
    int open_null() override;
    int eventfd(unsigned initial) override;
    int read_counter(int fd, std::uint64_t& value) override;
    int write_counter(int fd, std::uint64_t value) override;
    void settle() override;

    // Empty, or what settle() has waited for in vain.
    const std::string& unsettled() const { return unsettled_; }

private:
    // What is known of a description, shared by its descriptors.
    struct Known {
        bool socket = false;
        int descriptors = 1;
        int port = 0;  // its own
        int peer_port = 0;
        int listener = 0;          // the port it has connected to and is counted at
        long queued = 0;           // a listener's connections, as counted here
        bool stuck = false;        // its SYN met a full backlog
        bool expects_end = false;  // the other side has ended, so that a FIN or an RST is on its way
    };
    Known* known(int fd);
    Known* with_ports(int port, int peer_port, int& fd);
    void other_side_ends(int fd, bool all_sent);
    bool settled(std::string& why);

    std::map<int, std::shared_ptr<Known>> open_;
    std::set<std::pair<int, int>> held_back_;  // ports of those whose FIN is behind a closed window
    std::string unsettled_;
};

}  // namespace fidelity
