// Script: a test's list of the system calls that it expects, in their order, and what each is answered with.
//
// A call is a text, as strace would print it: "recv(7, 64)", "epoll_ctl(3, ADD, 7, IN PRI RDHUP ET)"; an expected text without
// arguments ("recv") matches any. Everything happens on one operating system thread. A started thread waits in a list until
// somebody blocks, and then runs to its end inside that call; what another thread does during a system call is the call's
// `meanwhile`. So a worker that is to end needs a task that stops its executor, or a `meanwhile` that does.
//
// Invariants:
//   1. A call that is not the next step, and a step that is left over, is a failure that names both. Only a step that may
//      be skipped is neither, when the calls go on with the one behind it.
//   2. Not in need of a step, because how often they are called is nobody's business: epoll_wait that does not sleep and
//      finds nothing, writing to an eventfd, epoll_wait that it wakes, and close. A step answers them all the same.
//   3. Whatever the script says: a descriptor is used only while it is open, closed once, not while a call uses it, and not
//      left open; sockets are close-on-exec and non-blocking; send has MSG_NOSIGNAL; nothing of size 0 is transferred;
//      events are those that were asked for.
//   4. After the first failure each call fails, and who sleeps is first told to stop (`rescue`): so the test ends by itself.
#pragma once
#include <sys/epoll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace scripted {

// What epoll_wait reports of a descriptor. `stale`: as the descriptor that had the same number before was registered.
struct Ready {
    int fd;
    std::uint32_t events;
    bool stale = false;
};

struct Step {
    std::string call;
    std::ptrdiff_t result;  // or -errno
    std::string bytes{};    // what recv delivers
    std::string address{};  // what getsockname and getpeername tell, as "127.0.0.1:8080"
    std::vector<Ready> events{};
    std::chrono::nanoseconds lasting{0};      // how long the call takes
    std::function<void()> meanwhile = [] {};  // what another thread does before the call returns
    bool may_be_skipped = false;
};

// A thread: its body, until it has run, and its thread_slot().
struct Thread {
    std::function<void()> body;
    void* slot = nullptr;
};

class Script {
public:
    Script();
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;
    ~Script();
    // The one that answers now.
    static Script& current();

    // --- what a test says ---

    // The next call, and its result; more about the answer can be set in what is returned.
    Step& on(std::string call, std::ptrdiff_t result);
    // The next call, or not: for what one right implementation does, and another one does without.
    Step& maybe(std::string call, std::ptrdiff_t result);
    // The next call is recv, and delivers all of `bytes`.
    void receives(const std::string& call, std::string bytes);
    // The worker sleeps, until these events come.
    Step& ready(std::vector<Ready> events);
    // The worker of epoll 3 sleeps exactly so long, and nothing comes.
    void sleeps(std::chrono::milliseconds duration);

    bool is_open(int fd) const { return open_.contains(fd); }
    // All that was sent on descriptors of this number.
    std::string sent(int fd) const;
    std::chrono::nanoseconds now() const { return now_; }
    // Runs the threads that are left, looks for what is left over, and gives the failures.
    std::vector<std::string> finish();

    std::function<void()> rescue;
    std::uint64_t descriptors_limit = 1024;

    // --- what the platform asks ---

    // Answers a call that may not be left out of the script.
    Step answer(const std::string& call, int fd = -1);
    Step answer_close(int fd);
    Step answer_write_counter(int fd);
    int answer_epoll_wait(int epoll, ::epoll_event* events, int size, int milliseconds);
    // As answer(), for a call that makes a descriptor.
    int make(const std::string& call, int fd = -1);
    int control(int epoll, int operation, int fd, const ::epoll_event& wanted);
    void record_sent(int fd, const char* bytes, std::size_t size);
    // One of the rules of invariant 3.
    void require(bool kept, const std::string& rule);

    std::shared_ptr<Thread> start(std::function<void()> body);
    void join(Thread& thread);
    // Somebody waits for other threads. False: there is none that could run, and the time of `deadline` has come.
    void block();
    bool block_until(std::chrono::nanoseconds deadline);
    Thread& thread() { return *thread_; }
    // Prints what has failed, and aborts: for what a test cannot go on after.
    [[noreturn]] void die(const std::string& why) const;

private:
    struct Registration {
        int epoll;
        ::epoll_event wanted;
        bool open;
    };

    void skip_to(const std::string& call);
    bool expects(const std::string& call);
    Step take();
    void fail(const std::string& what);
    void run(Thread& thread);
    void deliver(const std::vector<Ready>& ready, std::vector<::epoll_event>& to);
    void deliver_wake_ups(int epoll, std::vector<::epoll_event>& to);

    std::deque<Step> steps_;
    std::size_t next_ = 0;
    std::vector<std::string> failures_;
    int rescued_ = 0;
    std::chrono::nanoseconds now_ = std::chrono::hours(1);
    Thread main_;
    Thread* thread_ = &main_;
    std::list<std::shared_ptr<Thread>> waiting_;
    std::map<int, int> open_;  // and how many calls use it now
    std::map<int, std::vector<Registration>> registrations_;
    std::map<int, bool> signalled_;  // eventfds with an edge that nobody was told of
    std::map<int, std::string> sent_;
};

}  // namespace scripted
