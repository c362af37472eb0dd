// A second world: the platform seam on one operating system thread, each system call answered by a Script. See
// <acairo/platform_contract.hpp>; the answers are in <acairo/script.hpp>.
#pragma once
#define ACAIRO_WORLD scripted_world

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <acairo/platform_contract.hpp>
#include <acairo/script.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace acairo::inline ACAIRO_WORLD {

struct platform {
    using event = ::epoll_event;
    template <class T> using atomic = std::atomic<T>;

    class mutex {
    public:
        void lock() {
            if (std::exchange(locked_, true)) script().die("a thread waits for a mutex that will not be unlocked");
        }
        void unlock() { locked_ = false; }

    private:
        bool locked_ = false;
    };

    class condition_variable {
    public:
        void wait(mutex& held) {
            held.unlock();
            script().block();
            held.lock();
        }
        bool wait_until(mutex& held, std::chrono::nanoseconds deadline) {
            held.unlock();
            const bool in_time = script().block_until(deadline);
            held.lock();
            return in_time;
        }
        // Who waits looks again whenever another thread has ended.
        void notify_all() noexcept {}
    };

    class thread {
    public:
        thread() = default;
        template <class F> explicit thread(F body) : thread_(script().start(std::move(body))) {}
        thread(thread&&) = default;
        thread& operator=(thread&&) = default;
        ~thread() {
            if (joinable()) script().die("a thread is neither joined nor detached");
        }
        void join() { script().join(*std::exchange(thread_, nullptr)); }
        void detach() { thread_ = nullptr; }
        bool joinable() const noexcept { return thread_ != nullptr; }
        const scripted::Thread* get_id() const noexcept { return thread_.get(); }
        static unsigned hardware_concurrency() noexcept { return 1; }

    private:
        std::shared_ptr<scripted::Thread> thread_;
    };

    struct address {
        ::sockaddr_storage storage{};
        ::socklen_t length = sizeof(::sockaddr_storage);
    };

    static std::chrono::nanoseconds now() noexcept { return script().now(); }
    static const scripted::Thread* this_thread() noexcept { return &script().thread(); }
    [[gnu::noinline]] static void*& thread_slot() noexcept { return script().thread().slot; }

    static int socket(int family, int type, int) noexcept {
        script().require(type == (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), "socket: SOCK_NONBLOCK|SOCK_CLOEXEC");
        return script().make(family == AF_INET6 ? "socket(AF_INET6)" : "socket(AF_INET)");
    }
    static int bind(int fd, address& to) noexcept { return answer("bind", fd, text(to)); }
    static int listen(int fd, int backlog) noexcept { return answer("listen", fd, std::to_string(backlog)); }
    static int accept4(int fd, int flags) noexcept {
        script().require(flags == (SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4: SOCK_NONBLOCK|SOCK_CLOEXEC");
        return script().make(call("accept4", fd), fd);
    }
    static int connect(int fd, address& to) noexcept { return answer("connect", fd, text(to)); }
    static std::ptrdiff_t recv(int fd, void* to, std::size_t size, int) noexcept {
        script().require(size != 0, "recv of nothing");
        const scripted::Step step = script().answer(call("recv", fd, std::to_string(size)), fd);
        script().require(step.bytes.size() <= size, "the script receives more than was asked for");
        std::memcpy(to, step.bytes.data(), std::min(size, step.bytes.size()));
        return step.result;
    }
    static std::ptrdiff_t send(int fd, const void* from, std::size_t size, int flags) noexcept {
        script().require(flags == MSG_NOSIGNAL, "send: MSG_NOSIGNAL");
        script().require(size != 0, "send of nothing");
        const std::ptrdiff_t result = script().answer(call("send", fd, std::to_string(size)), fd).result;
        if (result > 0) script().record_sent(fd, static_cast<const char*>(from), static_cast<std::size_t>(result));
        return result;
    }
    static int shutdown(int fd, int how) noexcept { return answer("shutdown", fd, how == SHUT_WR ? "SHUT_WR" : "?"); }
    static int close(int fd) noexcept { return static_cast<int>(script().answer_close(fd).result); }
    static int setsockopt(int fd, int level, int name, int value) noexcept {
        return answer("setsockopt", fd, option(level, name) + ", " + std::to_string(value));
    }
    static int getsockname(int fd, address& local) noexcept { return tell("getsockname", fd, local); }
    static int getpeername(int fd, address& peer) noexcept { return tell("getpeername", fd, peer); }
    static int epoll_create1(int flags) noexcept {
        script().require(flags == EPOLL_CLOEXEC, "epoll_create1: EPOLL_CLOEXEC");
        return script().make("epoll_create1()");
    }
    static int epoll_ctl(int epoll, int operation, int fd, event* wanted) noexcept {
        return script().control(epoll, operation, fd, *wanted);
    }
    static int epoll_wait(int epoll, event* events, int size, int milliseconds) noexcept {
        return script().answer_epoll_wait(epoll, events, size, milliseconds);
    }
    static int eventfd(unsigned, int flags) noexcept {
        script().require(flags == (EFD_CLOEXEC | EFD_NONBLOCK), "eventfd: EFD_CLOEXEC|EFD_NONBLOCK");
        return script().make("eventfd()");
    }
    static int write_counter(int fd, std::uint64_t) noexcept {
        return static_cast<int>(script().answer_write_counter(fd).result);
    }
    static std::uint64_t open_descriptors_limit() noexcept { return script().descriptors_limit; }

private:
    static scripted::Script& script() { return scripted::Script::current(); }
    static std::string call(const std::string& name, int fd, const std::string& more = {}) {
        return name + "(" + std::to_string(fd) + (more.empty() ? "" : ", ") + more + ")";
    }
    static int answer(const std::string& name, int fd, const std::string& more) {
        return static_cast<int>(script().answer(call(name, fd, more), fd).result);
    }
    static std::string option(int level, int name) {
        if (level == SOL_SOCKET && name == SO_REUSEADDR) return "SO_REUSEADDR";
        if (level == IPPROTO_TCP && name == TCP_NODELAY) return "TCP_NODELAY";
        return std::to_string(level) + ":" + std::to_string(name);
    }
    static std::string text(const address& from) {
        char host[INET6_ADDRSTRLEN] = "";
        if (from.storage.ss_family == AF_INET6) {
            const auto& v6 = reinterpret_cast<const ::sockaddr_in6&>(from.storage);
            ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
            return "[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port));
        }
        const auto& v4 = reinterpret_cast<const ::sockaddr_in&>(from.storage);
        ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        return std::string(host) + ":" + std::to_string(ntohs(v4.sin_port));
    }
    static int tell(const std::string& name, int fd, address& to) {
        const scripted::Step step = script().answer(call(name, fd), fd);
        const std::size_t colon = step.address.find(':');
        if (step.result != 0 || colon == std::string::npos) return static_cast<int>(step.result);
        auto& v4 = reinterpret_cast<::sockaddr_in&>(to.storage);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(static_cast<std::uint16_t>(std::stoi(step.address.substr(colon + 1))));
        ::inet_pton(AF_INET, step.address.substr(0, colon).c_str(), &v4.sin_addr);
        to.length = sizeof(::sockaddr_in);
        return 0;
    }
};

static_assert(contract::Platform<platform>);

}  // namespace acairo::inline ACAIRO_WORLD
