// The simulated computer: a Scheduler's threads, a Kernel, the weather over both, and what must hold when a run is over. The
// platform of the simulated world (<acairo/platform.hpp>) calls it, and so does whoever runs something under simulation.
//
// Threads: one run at a time in a process, on the thread that calls run(); the system calls are made by its fibers.
// Invariants:
//   1. Each system call is one scheduling point, then one call of the kernel, or of none when the weather has it fail. Where
//      the descriptor is blocking, or epoll_wait has a timeout, the fiber waits and asks again.
//      A call whose descriptor changes hands at that point is a failure: no machine tells the caller.
//   2. A run passes when its body and all its threads have ended, no descriptor is open, and nothing is left of what they
//      allocated. Each of these is told by its own sentence.
//   3. Bytes go from and to the program's memory where the thread sanitizer sees it, in the name of the fiber that made the
//      call. Everything else that happens here is unseen.
#pragma once
#include <acairo/kernel.hpp>
#include <acairo/scheduler.hpp>
#include <acairo/weather.hpp>
#include <memory>
#include <optional>
#include <vector>

namespace acairo::simulator {

// A system call, or an allocation that failed, as the story of a run tells it.
struct Event {
    std::uint64_t step;
    std::chrono::nanoseconds time;
    std::uint32_t fiber;
    const char* operation;
    int fd;  // -1: none
    std::ptrdiff_t result;
    bool injected;  // the weather's doing, not the kernel's
};

// Is told of each event. Called on the fiber that made the call.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void happened(const Event& event) = 0;
    // The run fails: this fiber's call is of a descriptor that is not open.
    virtual void misused(const char* /*call*/, int /*fd*/) {}
    // The run fails: it is over, and the descriptor is open. Called on no fiber.
    virtual void left_open(int /*fd*/) {}
};

struct Setting {
    Options options;
    Climate climate;
    Observer* observer = nullptr;
    Sink* sink = nullptr;
    // Whether memory that a run allocated and did not free is a failure.
    bool leaks_are_failures = true;
};

class Machine final : Host, KernelHost {
public:
    Machine();
    ~Machine() override;

    // The machine that runs now; ends the process with a message when none does.
    static Machine& running() noexcept;

    // Runs `body` and all that it starts. The memory of a failed run is not given back.
    template <class Body> Outcome run(Choices& choices, const Setting& setting, Body&& body) {
        // Of an object type, which a function has not.
        auto call = [&body] { body(); };
        return run(choices, setting, [](void* it) { (*static_cast<decltype(call)*>(it))(); }, &call);
    }
    // From now on the weather is fine. What a body does then must come to its end.
    void clear_up() noexcept;
    const Weather& weather() const noexcept { return weather_; }
    Scheduler& scheduler() noexcept { return scheduler_; }

    int socket(int family, int type, int protocol);
    int bind(int fd, const SocketAddress& to);
    int listen(int fd, int backlog);
    int accept4(int fd, int flags);
    int connect(int fd, const SocketAddress& to);
    std::ptrdiff_t recv(int fd, void* to, std::size_t size, int flags);
    std::ptrdiff_t send(int fd, const void* from, std::size_t size, int flags);
    int shutdown(int fd, int how);
    int close(int fd);
    int setsockopt(int fd, int level, int name, const void* value, ::socklen_t size);
    int getsockname(int fd, SocketAddress& local);
    int getpeername(int fd, SocketAddress& peer);
    int epoll_create1(int flags);
    int epoll_ctl(int epoll, int operation, int fd, const ::epoll_event* wanted);
    int epoll_wait(int epoll, ::epoll_event* events, int size, int milliseconds);
    int eventfd(unsigned initial, int flags);
    int write_counter(int fd, std::uint64_t value);
    std::uint64_t open_descriptors_limit() const noexcept { return weather_.descriptors; }

private:
    Outcome run(Choices& choices, const Setting& setting, void (*body)(void*), void* argument);
    void find_leaks(Outcome& outcome);
    // In the run that is under way.
    static void allocation_fails() noexcept;

    // Host
    std::chrono::nanoseconds next_event() override { return kernel_.next_event(); }
    void advance(std::chrono::nanoseconds now) override;
    void failed(Verdict verdict, const std::string& text) override;
    // KernelHost
    std::uint64_t below(std::uint64_t n, Tag tag) override { return scheduler_.below(n, tag); }
    std::chrono::nanoseconds now() override { return scheduler_.now(); }
    void publish(const void* object) noexcept override;
    void observe(const void* object) noexcept override;
    void misuse(const char* call, int fd, const char* why) override;

    int fault(const Operation& operation, std::span<const int> errors);
    // The scheduling point of a call.
    void enter(Operation operation, int fd);
    // A call, and what of it follows the scheduling point.
    template <class Made> std::ptrdiff_t call(Operation operation, int fd, std::span<const int> errors, Made&& made);
    template <class Made> std::ptrdiff_t attempt(Operation operation, int fd, std::span<const int> errors, Made&& made);
    // A descriptor that the kernel has given out, or its error.
    int made_here(int fd);
    void wait_for_kernel(Operation operation, int fd);
    void wake_waiters();
    void count_empty_poll();
    std::ptrdiff_t note(Operation operation, int fd, std::ptrdiff_t result, bool injected);

    Kernel kernel_;
    Scheduler scheduler_;
    Weather weather_;
    Observer* observer_ = nullptr;
    struct Sleeper {
        Fiber* fiber;
        int epoll;
    };
    WaitQueue waiters_;              // in blocking calls
    std::vector<Sleeper> sleepers_;  // in epoll_wait
    std::uint64_t epoch_ = 0;        // of the kernel, when the waiters were woken last
    std::uint32_t faults_in_a_row_ = 0;
    std::uint64_t calls_that_can_fail_ = 0;
    bool fault_came_ = false;
    std::uint32_t empty_polls_ = 0;  // in a row
    std::vector<Kernel::OpenDescriptor> open_;
};

}  // namespace acairo::simulator
