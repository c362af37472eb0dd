// The system calls of a simulated run; its beginning and its end are in machine_run.cpp.
#include <acairo/machine.hpp>
#include <acairo/one_fault.hpp>
#include <acairo/sanitizers.hpp>
#include <algorithm>
#include <array>
#include <cerrno>

namespace acairo::simulator {
namespace {

// What each call may fail with although the program is right, in the order of the catalogue; the kernel gives all others by
// itself. The first one is an interruption where the call knows it.
constexpr std::array no_errors{0};
constexpr std::array interrupted{EINTR};
constexpr std::array no_socket{EMFILE, ENFILE, ENOBUFS, ENOMEM};
constexpr std::array no_descriptor{EMFILE, ENFILE, ENOMEM};
constexpr std::array no_connection{EINTR,        ECONNABORTED, EMFILE,      ENFILE,      ENOBUFS,   ENOMEM,
                                   EPERM,        ENETDOWN,     EPROTO,      ENOPROTOOPT, EHOSTDOWN, ENONET,
                                   EHOSTUNREACH, EOPNOTSUPP,   ENETUNREACH, ETIMEDOUT};
constexpr std::array no_route{EINTR, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ETIMEDOUT, EPERM};
constexpr std::array no_receiving{EINTR, ENOMEM, ENOBUFS};
constexpr std::array no_sending{EINTR, ENOBUFS, ENOMEM};
constexpr std::array no_watch{ENOMEM, ENOSPC};
constexpr std::array no_listening{EADDRINUSE};
constexpr std::array no_option{ENOBUFS, ENOMEM};
constexpr std::array closed_all_the_same{EINTR, EIO};

constexpr std::uint32_t most_faults_in_a_row = 3;

// 0 is no object.
std::uint64_t object_of(int fd) noexcept { return static_cast<std::uint64_t>(fd) + 1; }

bool may_fail(const Weather& weather, int error) noexcept {
    return error == EINTR ? weather.interruptions : weather.shortages;
}

}  // namespace

int Machine::fault(const Operation& operation, std::span<const int> errors) {
    if (weather_.failing_call != 0) {
        const std::span<const int> listed = catalogue(operation);
        if (!listed.empty() && ++calls_that_can_fail_ == weather_.failing_call &&
            weather_.failing_error < listed.size()) {
            fault_came_ = true;
            return listed[weather_.failing_error];
        }
    }
    if (errors[0] == 0 || faults_in_a_row_ >= most_faults_in_a_row) {
        faults_in_a_row_ = 0;
        return 0;
    }
    const auto possible = [&](int error) { return may_fail(weather_, error); };
    const auto count = static_cast<std::uint64_t>(std::ranges::count_if(errors, possible));
    std::uint64_t chosen = scheduler_.below(count + 1, Tag::fault);
    if (chosen == 0) {
        faults_in_a_row_ = 0;
        return 0;
    }
    ++faults_in_a_row_;
    return *std::ranges::find_if(errors, [&](int error) { return possible(error) && --chosen == 0; });
}

std::ptrdiff_t Machine::note(Operation operation, int fd, std::ptrdiff_t result, bool injected) {
    scheduler_.trace(operation.hash ^ static_cast<std::uint64_t>(fd));
    scheduler_.trace(static_cast<std::uint64_t>(result));
    if (observer_) {
        observer_->happened(
            {scheduler_.steps(), scheduler_.now(), scheduler_.current().number, operation.name, fd, result, injected});
    }
    wake_waiters();
    return result;
}

void Machine::wake_waiters() {
    if (kernel_.epoch() == epoch_) return;
    epoch_ = kernel_.epoch();
    scheduler_.wake_all(waiters_);
    for (const Sleeper& sleeper : sleepers_) {
        if (kernel_.may_report(sleeper.epoll)) scheduler_.wake(*sleeper.fiber);
    }
}

void Machine::enter(Operation operation, int fd) {
    std::uint32_t before = 0;
    {
        const Unseen unseen;
        before = kernel_.origin(fd);
    }
    scheduler_.point(operation, object_of(fd));
    const Unseen unseen;
    if (MemoryModel* const memory = scheduler_.memory()) memory->acquires(0), memory->releases(0);
    if (kernel_.origin(fd) == before || kernel_.state_of(fd) == State::no_descriptor) return;
    if (observer_) observer_->misused(operation.name, fd);
    scheduler_.fail(Verdict::reused_descriptor,
                    std::string(operation.name) + " of descriptor " + std::to_string(fd) +
                        " was under way when that was closed, and its number is another one's since step " +
                        std::to_string(kernel_.origin(fd)) + ": who closes it must wait for the calls that use it");
}

template <class Made>
std::ptrdiff_t Machine::attempt(Operation operation, int fd, std::span<const int> errors, Made&& made) {
    const int error = fault(operation, errors);
    return note(operation, fd, error == 0 ? std::ptrdiff_t{made()} : -error, error != 0);
}

template <class Made>
std::ptrdiff_t Machine::call(Operation operation, int fd, std::span<const int> errors, Made&& made) {
    enter(operation, fd);
    const Unseen unseen;
    return attempt(operation, fd, errors, made);
}

void Machine::wait_for_kernel(Operation operation, int fd) {
    scheduler_.block({.operation = operation, .object = object_of(fd), .queue = &waiters_});
}

int Machine::made_here(int fd) {
    if (fd >= 0) kernel_.set_origin(fd, static_cast<std::uint32_t>(scheduler_.steps()));
    return fd;
}

int Machine::socket(int family, int type, int protocol) {
    return static_cast<int>(
        call("socket", -1, no_socket, [&] { return made_here(kernel_.socket(family, type, protocol)); }));
}

int Machine::bind(int fd, const SocketAddress& to) {
    return static_cast<int>(call("bind", fd, no_errors, [&] { return kernel_.bind(fd, to); }));
}

int Machine::listen(int fd, int backlog) {
    return static_cast<int>(call("listen", fd, no_listening, [&] { return kernel_.listen(fd, backlog); }));
}

int Machine::accept4(int fd, int flags) {
    const Unseen unseen;
    for (;;) {
        const auto result = call("accept4", fd, no_connection, [&] { return made_here(kernel_.accept4(fd, flags)); });
        if (result != -EAGAIN || !kernel_.blocking(fd)) return static_cast<int>(result);
        wait_for_kernel("accept4", fd);
    }
}

int Machine::connect(int fd, const SocketAddress& to) {
    const Unseen unseen;
    enter("connect", fd);
    const int error = fault("connect", no_route);
    // Interrupted, it goes on all the same: connect(2).
    std::ptrdiff_t result = error == 0 || error == EINTR ? kernel_.connect(fd, to) : -error;
    if (error == EINTR && (result == 0 || result == -EINPROGRESS)) result = -EINTR;
    note("connect", fd, result, error != 0);
    while ((result == -EINPROGRESS || result == -EALREADY) && kernel_.blocking(fd)) {
        wait_for_kernel("connect", fd);
        if (MemoryModel* const memory = scheduler_.memory()) memory->acquires(0), memory->releases(0);
        result = note("connect", fd, kernel_.connect(fd, to), false);
        if (result == -EISCONN) result = 0;
    }
    return static_cast<int>(result);
}

std::ptrdiff_t Machine::recv(int fd, void* to, std::size_t size, int flags) {
    std::ptrdiff_t result = 0;
    {
        const Unseen unseen;
        for (;;) {
            result = call("recv", fd, no_receiving, [&] { return kernel_.recv(fd, to, size, flags); });
            if (result != -EAGAIN || !kernel_.blocking(fd) || (flags & MSG_DONTWAIT) != 0) break;
            wait_for_kernel("recv", fd);
        }
    }
    if (result > 0) sanitizers::writes(to, static_cast<std::size_t>(result));
    return result;
}

std::ptrdiff_t Machine::send(int fd, const void* from, std::size_t size, int flags) {
    std::size_t sent = 0;
    for (;;) {
        const char* const rest = static_cast<const char*>(from) + sent;
        enter("send", fd);
        // Before the kernel publishes them: whoever receives them may write there.
        sanitizers::reads(rest, size - sent);
        const Unseen unseen;
        const auto result = attempt("send", fd, no_sending, [&] { return kernel_.send(fd, rest, size - sent, flags); });
        if (result > 0) sent += static_cast<std::size_t>(result);
        const bool waits = kernel_.blocking(fd) && (flags & MSG_DONTWAIT) == 0;
        if (!waits || sent == size || (result < 0 && result != -EAGAIN)) {
            return sent != 0 ? static_cast<std::ptrdiff_t>(sent) : result;
        }
        if (result == -EAGAIN) wait_for_kernel("send", fd);
    }
}

int Machine::shutdown(int fd, int how) {
    return static_cast<int>(call("shutdown", fd, no_errors, [&] { return kernel_.shutdown(fd, how); }));
}

int Machine::close(int fd) {
    enter("close", fd);
    const Unseen unseen;
    // The descriptor is gone, whatever close(2) says then.
    int result = kernel_.close(fd);
    kernel_.set_origin(fd, static_cast<std::uint32_t>(scheduler_.steps()));
    const int error = result == 0 ? fault("close", closed_all_the_same) : 0;
    if (error != 0) result = -error;
    return static_cast<int>(note("close", fd, result, error != 0));
}

int Machine::setsockopt(int fd, int level, int name, const void* value, ::socklen_t size) {
    return static_cast<int>(
        call("setsockopt", fd, no_option, [&] { return kernel_.setsockopt(fd, level, name, value, size); }));
}

int Machine::getsockname(int fd, SocketAddress& local) {
    return static_cast<int>(call("getsockname", fd, no_errors, [&] { return kernel_.getsockname(fd, local); }));
}

int Machine::getpeername(int fd, SocketAddress& peer) {
    return static_cast<int>(call("getpeername", fd, no_errors, [&] { return kernel_.getpeername(fd, peer); }));
}

int Machine::epoll_create1(int flags) {
    return static_cast<int>(
        call("epoll_create1", -1, no_descriptor, [&] { return made_here(kernel_.epoll_create1(flags)); }));
}

int Machine::epoll_ctl(int epoll, int operation, int fd, const ::epoll_event* wanted) {
    const auto errors = operation == EPOLL_CTL_ADD ? std::span<const int>(no_watch) : std::span<const int>(no_errors);
    return static_cast<int>(
        call("epoll_ctl", fd, errors, [&] { return kernel_.epoll_ctl(epoll, operation, fd, wanted); }));
}

int Machine::epoll_wait(int epoll, ::epoll_event* events, int size, int milliseconds) {
    std::ptrdiff_t result = 0;
    {
        const Unseen unseen;
        const auto deadline = milliseconds < 0 ? never : scheduler_.now() + std::chrono::milliseconds(milliseconds);
        for (;;) {
            result = call("epoll_wait", epoll, interrupted, [&] { return kernel_.epoll_wait(epoll, events, size); });
            if (result != 0 || scheduler_.now() >= deadline) break;
            empty_polls_ = 0;
            Fiber& self = scheduler_.current();
            sleepers_.push_back({&self, epoll});
            scheduler_.block({.operation = "epoll_wait", .object = object_of(epoll), .deadline = deadline});
            std::erase_if(sleepers_, [&](const Sleeper& sleeper) { return sleeper.fiber == &self; });
        }
    }
    if (result == 0 && milliseconds == 0) count_empty_poll();
    if (result > 0) sanitizers::writes(events, static_cast<std::size_t>(result) * sizeof *events);
    return static_cast<int>(result);
}

// Idle means no system call.
void Machine::count_empty_poll() {
    const Unseen unseen;
    empty_polls_ = scheduler_.runs_alone() ? empty_polls_ + 1 : 0;
    if (empty_polls_ <= scheduler_.options().empty_polls) return;
    scheduler_.fail(Verdict::busy, "a thread asked epoll_wait " + std::to_string(empty_polls_) +
                                       " times in a row, without waiting, while no other thread could run and nothing "
                                       "had come: wait with a timeout, or until something comes");
}

int Machine::eventfd(unsigned initial, int flags) {
    return static_cast<int>(
        call("eventfd", -1, no_descriptor, [&] { return made_here(kernel_.eventfd(initial, flags)); }));
}

int Machine::write_counter(int fd, std::uint64_t value) {
    return static_cast<int>(call("write", fd, interrupted, [&] { return kernel_.write_counter(fd, value); }));
}

}  // namespace acairo::simulator
