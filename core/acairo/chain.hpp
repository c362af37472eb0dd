// A chain is what a worker schedules: a root task, the task that it awaits, the task that that one awaits, and so on. Tasks
// await one another one at a time, so a chain has one innermost task, its leaf, and waits for one thing at most. What
// scheduling, waiting, timers and cancelling need is therefore once in the chain, and not in each awaiter.
//
// Threads: a chain belongs to one worker for its life; everything here runs on that worker, except where another thread
// posts the chain as a message. (A chain that a foreign coroutine started has no worker: it can only await tasks and
// foreign awaitables, and runs wherever those resume it.)
// Invariants:
//   1. A chain is running, in the ready queue, in its worker's inbox, parked (it waits for an operation), or suspended in
//      a foreign awaitable; exactly one of these.
//   2. No coroutine resumes another one: it names the next one, and run_tasks()'s loop resumes it. Without this, the stack
//      would grow with each await under every compiler that does not make symmetric transfer a tail call: g++ at -O0 and
//      -O1, and with either sanitizer.
//   3. A parked chain is woken by whoever takes it out of where it waits; as that happens on its worker only, exactly one
//      outcome wins.
//   4. Operation::begin() is called once; when it did not throw, end() is called once, after the outcome is known or when
//      the frame is destroyed.
//   5. A frame has one owner, a TaskOwner, and both know each other; a frame is destroyed once, through it.
#pragma once
#include <acairo/socket.hpp>
#include <coroutine>

namespace acairo::inline ACAIRO_WORLD::detail {

struct Awaiting;
class Operation;
struct TaskOwner;

// What a chain knows of a task: its promise begins with it.
struct Frame : Pinned {
    explicit Frame(std::coroutine_handle<> self) noexcept : handle(self) {}
    Chain* chain = nullptr;        // null until the task is started
    Awaiting* awaiting = nullptr;  // in the frame of the task that awaits this one; null at a root
    TaskOwner* owner = nullptr;
    std::coroutine_handle<> handle;
};

// One task awaits another.
struct Awaiting : Pinned {
    Frame* child = nullptr;
    Frame* parent = nullptr;
};

// Owns a frame, or nothing.
struct TaskOwner {
    TaskOwner() = default;
    explicit TaskOwner(Frame& owned) noexcept : frame(&owned) { owned.owner = this; }
    TaskOwner(TaskOwner&& other) noexcept { *this = std::move(other); }
    TaskOwner& operator=(TaskOwner&& other) noexcept;
    ~TaskOwner() { reset(); }
    // Destroys the frame and everything below it. A frame that is suspended in a chain must be destroyed on the chain's
    // worker; a task that awaits it goes on with Cancelled.
    void reset() noexcept;
    Frame* frame = nullptr;
};

// A part of a chain in which a stop may be requested: from the coroutine that opened it down to the leaf.
struct Scope : Pinned {
    explicit Scope(Chain& its_chain) noexcept;
    ~Scope();
    virtual bool requested() const noexcept = 0;
    Chain& chain;
    Scope* const outer;
};

class Chain : public Message, public Timer {
public:
    explicit Chain(Worker* its_worker) noexcept : worker(its_worker) {}

    // Runs until the chain is suspended (false) or its root task has ended (true).
    bool run() noexcept;
    // After run() was true: takes the root's result; may destroy the chain.
    virtual void finish() noexcept = 0;
    // The leaf awaits a task; a task has ended.
    void descend(Awaiting& awaiting) noexcept {
        set_root(*awaiting.child);
        leaf_->awaiting = &awaiting;
        runner_->next = leaf_;
    }
    void ascend(Frame& ended) noexcept;

    // True when the chain has had its budget of completions, and must go to the back of the ready queue: yield().
    bool spend() noexcept { return worker && --budget_ <= 0; }
    void yield() noexcept { worker->ready.push(*this); }
    // An operation begins. True: it is complete; false: the coroutine must suspend.
    bool start(Operation& operation) noexcept;
    void park() noexcept {
        check(!parked_, "a chain parks once at a time");
        parked_ = true;
    }
    // What a parked chain waits for may have happened: its operation is tried again.
    void interrupt() noexcept;
    // Ends the operation of a parked chain as cancelled, when a stop was requested.
    void cancel() noexcept;
    // True when the executor stops, or a stop was requested in one of the scopes around the leaf.
    bool stop_requested() const noexcept { return stop_requested_from(scope); }
    bool stop_requested_from(const Scope* innermost) const noexcept;
    // The chain's foreign awaitable is ready. Any thread. Without a worker, goes on at once, on this thread.
    void resume_from_anywhere() noexcept {
        if (worker) return worker->post(*this);
        if (run_tasks()) finish();
    }
    // Destroys every frame from the leaf up to `top`, the leaf's first: in a loop, as the chain may be deep.
    void destroy(Frame& top) noexcept;
    void deliver() noexcept final {
        parked_ = false;
        yield();
    }

    Worker* const worker;
    Scope* scope = nullptr;
    // The exception of the task that ended last, on its way to the task that awaits it.
    std::exception_ptr failure;

protected:
    // The first run: sets the root, or `failure` and returns false.
    virtual bool begin() noexcept { impossible(); }
    bool run_tasks() noexcept;
    void set_root(Frame& root) noexcept {
        root.chain = this;
        leaf_ = &root;
    }
    Frame* leaf_ = nullptr;

private:
    // Where the running leaf says who comes next: on the stack of the thread that runs the chain, because a chain
    // without a worker may be taken up by another thread before run_tasks() has seen that its leaf was suspended.
    struct Runner {
        Frame* next;
        bool ended;
    };
    void expire() noexcept final;
    bool advance() noexcept;
    void leave() noexcept;

    Runner* runner_ = nullptr;
    Operation* operation_ = nullptr;
    int budget_ = 0;
    bool parked_ = false;
};

inline Scope::Scope(Chain& its_chain) noexcept : chain(its_chain), outer(std::exchange(its_chain.scope, this)) {}
inline Scope::~Scope() { chain.scope = outer; }

// The chain itself; throws std::logic_error when there is none, or it has no worker.
Chain& with_worker(Chain* chain);

// An operation is an awaitable that needs a worker: a read, a write, an accept, a sleep. It has no frame of its own: it
// lives in the frame of the coroutine that awaits it, and the worker drives it, without resuming that coroutine until it
// is complete. An operation on a socket has claimed one of its directions from its begin to its end.
class Operation {
public:
    // What await_transform calls. Without it (in a foreign coroutine) there is no chain, and await_ready throws.
    void bind(Chain& chain) noexcept { chain_ = &chain; }
    // Throws std::logic_error: no executor, another executor than the socket's, another operation in the direction;
    // std::system_error (bad_file_descriptor): the socket is closed.
    bool await_ready();
    void await_suspend(std::coroutine_handle<>) const noexcept {}

protected:
    enum class Outcome : std::uint8_t { pending, done, cancelled, timed_out, failed, no_memory };

    // `name`: what an error calls it. Without a socket, it waits for its chain's timer only.
    explicit Operation(const char* name, Socket* socket = nullptr, Direction direction = Direction::read) noexcept
        : socket_(socket), name_(name), direction_(direction) {}
    // Throws Cancelled, TimedOut, std::bad_alloc, or std::system_error, with `detail` after the name of the call that
    // failed; returns when the outcome is `done`.
    void rethrow(const std::string& detail = {}) const;

    // For attempt() to return. These two set the outcome.
    bool complete(Outcome outcome) noexcept {
        outcome_ = outcome;
        return true;
    }
    bool fail(std::ptrdiff_t result, const char* call) noexcept {
        error_ = static_cast<int>(result);
        name_ = call;
        return complete(Outcome::failed);
    }
    // Waits until the socket may be ready, or until the timeout; `place`: at this worker's registration, or, when that is
    // null, for the chain's timer only.
    bool wait(Registration* place) noexcept;
    bool wait() noexcept {
        Registration* const place = registration();
        return !place || wait(place);
    }
    // After a system call has given an error.
    bool wait_or_fail(std::ptrdiff_t result, const char* call) noexcept {
        return result == -EAGAIN ? wait() : fail(result, call);
    }
    // This worker's registration. Null: it cannot be had, and the outcome is known.
    Registration* registration() noexcept;

    Chain* chain_ = nullptr;
    Socket* const socket_;
    const char* name_;  // with `failed`: the system call's
    int error_ = 0;     // with `failed`: -errno
    Outcome outcome_ = Outcome::pending;

private:
    friend class Chain;
    // Goes as far as it can with the descriptor, which is not closed meanwhile. True: the outcome is known. False: the chain
    // is parked, or queued once more.
    virtual bool attempt(int fd) noexcept = 0;
    // What the chain's timer means; `pending`: try again.
    virtual Outcome expired() noexcept { return Outcome::timed_out; }
    bool proceed() noexcept;
    void withdraw() noexcept {
        if (waiting_at_) std::exchange(waiting_at_, nullptr)->waiter(direction_) = nullptr;
    }
    void end() noexcept {
        if (socket_) socket_->unclaim(direction_);
    }

    const Direction direction_;
    bool timed_ = false;
    Registration* waiting_at_ = nullptr;
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
