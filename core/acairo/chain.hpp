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
//   4. An operation claims its direction in await_ready(); when that did not throw, end() is called once, after the outcome
//      is known or when the frame is destroyed.
//   5. A frame has one owner, a TaskOwner, and both know each other; a frame is destroyed once, through it.
#pragma once
#include <acairo/socket.hpp>
#include <acairo/stop_token.hpp>
#include <coroutine>
#include <optional>

namespace acairo::inline ACAIRO_WORLD::detail {

// What a chain knows of a task: its promise begins with it.
struct Frame : Pinned {
    // Without this, each frame would hold its own address. A promise begins with its Frame, and is aligned as that is.
    std::coroutine_handle<Frame> handle() noexcept { return std::coroutine_handle<Frame>::from_promise(*this); }
    struct Chain* chain = nullptr;        // null until the task is started
    struct Awaiting* awaiting = nullptr;  // in the frame of the task that awaits this one; null at a root
    struct TaskOwner* owner = nullptr;
};

// One task awaits another. Of its own for each co_await: g++ 12 takes the results of `co_await a - co_await b` after both.
struct Awaiting : Pinned, std::suspend_always {
    Awaiting(Frame& by, Frame* awaited) noexcept : parent(by), child(awaited) {}
    Frame& parent;
    Frame* child;
};

// Owns a frame, or nothing.
struct TaskOwner {
    TaskOwner() = default;
    explicit TaskOwner(Frame& owned) noexcept : frame(&owned) { owned.owner = this; }
    TaskOwner(TaskOwner&& other) noexcept { *this = std::move(other); }
    TaskOwner& operator=(TaskOwner&& other) noexcept {
        if (this != &other) reset(), frame = std::exchange(other.frame, nullptr);
        if (frame) frame->owner = this;
        return *this;
    }
    ~TaskOwner() { reset(); }
    // Destroys the frame and everything below it. A frame that is suspended in a chain must be destroyed on the chain's
    // worker; a task that awaits it goes on with Cancelled.
    void reset() noexcept;
    Frame* frame = nullptr;
};

// An operation is an awaitable that needs a worker: a read, a write, an accept, a sleep. It has no frame of its own: it
// lives in the frame of the coroutine that awaits it, and the worker drives it, without resuming that coroutine until it
// is complete. An operation on a socket has claimed one of its directions from its begin to its end.
struct Operation : std::suspend_always {
    enum class Outcome : std::uint8_t { pending, done, cancelled, timed_out, failed, no_memory };
    // A byte: without this, each operation in a coroutine's frame would hold a pointer to a name.
    enum class Call : std::uint8_t { recv, send, epoll_ctl, accept4, socket, setsockopt, connect };
    static constexpr std::array names{"recv", "send", "epoll_ctl", "accept4", "socket", "setsockopt", "connect"};

    // Without a socket, it waits for its chain's timer only.
    explicit Operation(Socket* on = nullptr, Direction way = Direction::read) noexcept : socket(on), direction(way) {}
    // Throws std::logic_error: no executor, another executor than the socket's, another operation in the direction;
    // std::system_error (bad_file_descriptor): the socket is closed.
    // Without a chain (in a foreign coroutine) it throws.
    bool await_ready(Chain* awaited_in = nullptr);

    // Goes as far as it can with the descriptor, which is not closed meanwhile: until it has an outcome, or the chain is
    // parked, or queued once more.
    virtual void attempt(int fd) noexcept = 0;
    // What the chain's timer means; `pending`: try again.
    virtual Outcome expired() const noexcept { return Outcome::timed_out; }
    void complete(Outcome with = Outcome::done) noexcept { outcome = with; }
    void fail(std::ptrdiff_t result, Call call) noexcept {
        error = static_cast<int>(result), failed = call;
        complete(Outcome::failed);
    }
    void attempt() noexcept {
        if (!socket) return attempt(-1);
        const Socket::Use use(*socket);
        use ? attempt(use.fd) : complete(Outcome::cancelled);
    }
    void end() noexcept {
        if (socket) socket->unclaim(direction);
    }
    // Throws Cancelled, TimedOut, std::bad_alloc, or std::system_error, with `detail` after the name of the call that
    // failed; returns when the outcome is `done`.
    void rethrow(const std::string& detail = {}) const {
        check(outcome != Outcome::pending, "an operation is complete when its task goes on");
        if (outcome == Outcome::cancelled) throw Cancelled();
        if (outcome == Outcome::timed_out) throw TimedOut();
        if (outcome == Outcome::no_memory) throw std::bad_alloc();
        if (outcome == Outcome::failed) throw_system_error(error, names[static_cast<std::size_t>(failed)] + detail);
    }

    Chain* chain = nullptr;  // null until it is awaited
    Socket* const socket;
    int error = 0;  // with `failed`: -errno
    Call failed{};
    Outcome outcome = Outcome::pending;
    const Direction direction;
    bool timed = false;
};

struct Chain : Waiter {
    explicit Chain(Worker* its_worker) noexcept : worker(its_worker) {}

    // Runs until the chain is suspended, or its root task has ended.
    void run() noexcept override {
        check(!parked, "a parked chain does not run");
        budget = worker->executor.budget;
        if ((!operation || advance()) && run_tasks()) finish();
    }
    // Takes the root's result; may destroy the chain.
    virtual void finish() noexcept = 0;
    // True when the root task has ended.
    bool run_tasks() noexcept {
        Runner on_this_stack{leaf, false};
        runner = &on_this_stack;
        const bool pinned = worker != nullptr;
        while (Frame* const task = std::exchange(on_this_stack.next, nullptr)) task->handle().resume();
        // Without a worker, another thread may run the chain by now: only the runner, on this stack, is ours.
        if (pinned) runner = nullptr;
        return on_this_stack.ended;
    }
    void set_root(Frame& root) noexcept {
        root.chain = this;
        leaf = &root;
    }
    // The leaf awaits a task.
    void descend(Awaiting& awaiting) noexcept {
        set_root(*awaiting.child);
        leaf->awaiting = &awaiting;
        runner->next = leaf;
    }
    // A task has ended.
    void ascend(const Frame& ended) noexcept {
        check(leaf == &ended, "only the leaf of a chain can end");
        runner->ended = !ended.awaiting;
        if (runner->ended) return;
        leaf = &ended.awaiting->parent;
        if (!yields()) runner->next = leaf;
    }
    // The operation goes as far as it can. True: it is complete.
    bool advance() noexcept {
        using enum Operation::Outcome;
        // Before each attempt: without this, an operation that parks again after the worker has cancelled what was parked
        // when the stop came would wait for ever.
        if (operation->outcome == pending && stop_requested(scope)) operation->complete(cancelled);
        if (operation->outcome == pending) operation->attempt();
        if (operation->outcome == pending) return false;
        disarm();
        std::exchange(operation, nullptr)->end();
        return true;
    }
    // This worker's registration. Null: it cannot be had, and the operation has failed.
    Registration* registration() noexcept {
        int error = 0;
        Registration* const place = operation->socket->registration(*worker, operation->direction, error);
        if (!place) operation->fail(error, Operation::Call::epoll_ctl);
        return place;
    }
    // The operation waits at this worker's registration, or, when `place` is null, for the chain's timer only.
    void park(Registration* place = nullptr) noexcept {
        check(!std::exchange(parked, true), "a chain parks once at a time");
        if (place) check(!std::exchange(place->waiter(operation->direction), this), "one chain waits for a direction");
        waiting_at = place;
    }
    // It waits until the socket may be ready, or until the timeout.
    void wait(Registration& place) noexcept {
        const TCPStreamConfiguration& stream = operation->socket->endpoint->configuration;
        const auto timeout = operation->direction == Direction::read ? stream.read_timeout : stream.write_timeout;
        // One deadline for the whole operation, however often it waits.
        if (timeout.count() != 0 && !armed())
            arm(worker->timers, std::exchange(operation->timed, true) ? deadline : deadline_after(timeout));
        park(&place);
    }
    void withdraw() noexcept {
        if (waiting_at) std::exchange(waiting_at, nullptr)->waiter(operation->direction) = nullptr;
    }
    // After a system call has given an error.
    void wait_or_fail(std::ptrdiff_t result, Operation::Call call) noexcept {
        if (result != -EAGAIN) return operation->fail(result, call);
        if (Registration* const place = registration()) wait(*place);
    }
    // What a parked chain waits for may have happened: its operation is tried again.
    void interrupt() noexcept final {
        check(std::exchange(parked, false), "only a parked chain is woken");
        withdraw();
        yield();
    }
    // Its timer has expired, or its foreign awaitable is ready, or it is new.
    void deliver() noexcept final {
        if (!operation) return yield();
        // Woken already, by what it waited for: that wins. If it parks again, its timer is armed again.
        if (!parked) return;
        if (!stop_requested(scope)) operation->complete(operation->expired());
        interrupt();
    }
    // True when the executor stops, or a stop was requested in one of the scopes from `innermost` on.
    bool stop_requested(const struct Scope* innermost) const noexcept;

    void yield() noexcept { link_before(worker->ready); }
    // True when the chain has had its budget of completions, and is now at the back of the ready queue.
    bool yields() noexcept { return worker && --budget <= 0 && (yield(), true); }
    // The chain's foreign awaitable is ready. Any thread. Without a worker, goes on at once, on this thread.
    void resume_from_anywhere() noexcept {
        // Held over the post: without this, the worker, awake by chance, could run the chain to its end, and an executor that is
        // destroyed then would take the worker away before it is nudged.
        if (worker) return void(worker->executor.weak_from_this().lock()), worker->post(*this);
        if (run_tasks()) finish();
    }
    // Destroys every frame from the leaf up to `top`, the leaf's first: in a loop, as the chain may be deep.
    void destroy(Frame& top) noexcept {
        failure = nullptr;
        // Then there is nothing below it, and whoever awaits it is already on its way.
        const bool ended = top.handle().done();
        if (ended && leaf == &top) leaf = nullptr;
        if (ended) return void(destroy_one(top));
        if (worker) leave();
        for (const Frame* last = nullptr; last != &top; leaf = destroy_one(*leaf)) last = leaf;
        // Until its frame was gone, its foreign awaitable may have posted it: then it must come out of the inbox first.
        if (worker) worker->inbox.deliver(), unlink();
        // The task that awaited `top` goes on, with Cancelled.
        if (leaf && worker) yield();
    }
    static Frame* destroy_one(Frame& frame) noexcept {
        Frame* const parent = frame.awaiting ? &frame.awaiting->parent : nullptr;
        if (parent) frame.awaiting->child = nullptr;
        frame.owner->frame = nullptr;
        frame.handle().destroy();
        return parent;
    }
    // Takes a suspended chain out of everything that could still resume it.
    void leave() noexcept {
        check(runner == nullptr, "a task is not destroyed by the chain that it runs in");
        check(Worker::current() == worker, "a suspended task is destroyed on the worker that it belongs to");
        disarm();
        withdraw();
        if (operation) std::exchange(operation, nullptr)->end();
        parked = false;
    }

    // Where the running leaf says who comes next: on the stack of the thread that runs the chain, because a chain
    // without a worker may be taken up by another thread before run_tasks() has seen that its leaf was suspended.
    struct Runner {
        Frame* next;
        bool ended;
    };
    Worker* const worker;
    struct Scope* scope = nullptr;
    // The exception of the task that ended last, on its way to the task that awaits it.
    std::exception_ptr failure;
    Frame* leaf = nullptr;
    Runner* runner = nullptr;
    Operation* operation = nullptr;
    Registration* waiting_at = nullptr;
    int budget = 0;
    bool parked = false;
};

// The chain itself; throws std::logic_error when there is none, or it has no worker.
inline Chain& with_worker(Chain* chain) {
    if (chain && chain->worker) return *chain;
    misuse("this task has no executor; run it with Executor::spawn or Executor::sync_wait, or in a task that they run");
}

// A part of a chain, from the coroutine that opened it down to the leaf, in which a stop may be requested: by its timer, or
// through its token. Throws std::logic_error in a chain without a worker.
struct Scope final : Timer {
    Scope(Chain& its_chain, StopToken its_token)
        : chain(with_worker(&its_chain)), outer(std::exchange(chain.scope, this)), token(std::move(its_token)) {
        callback.emplace(token, *this);
    }
    ~Scope() {
        callback.reset();
        // From here on nobody posts it. Without this, the inbox would keep a scope that is gone.
        if (posted) chain.worker->inbox.deliver();
        disarm();
        chain.scope = outer;
    }
    // What the token calls. On the worker it is delivered at once, else through the inbox: who requests a stop never
    // resumes anything.
    void operator()() noexcept {
        posted = true;
        chain.worker->post(*this);
    }
    void deliver() noexcept override {
        posted = false;
        // What is requested further in is not this scope's affair.
        fired = !chain.stop_requested(outer);
        // An operation that is parked finds the stop when it is tried again.
        if (chain.parked && chain.stop_requested(chain.scope)) chain.interrupt();
    }
    Chain& chain;
    Scope* const outer;
    const StopToken token;
    bool posted = false;  // and not yet delivered
    bool fired = false;   // it was this scope that ended the wait, and not a stop that was requested before
    std::optional<StopCallback<Scope&>> callback;
};
inline bool Chain::stop_requested(const Scope* innermost) const noexcept {
    if (worker->executor.stopping()) return true;
    while (innermost && !innermost->fired && !innermost->token.stop_requested()) innermost = innermost->outer;
    return innermost != nullptr;
}

inline bool Operation::await_ready(Chain* awaited_in) {
    const Lifetime& executor = with_worker(awaited_in).worker->executor;
    check(!chain, "an operation is awaited once");
    if (awaited_in->stop_requested(awaited_in->scope)) return chain = awaited_in, complete(Outcome::cancelled), true;
    if (socket && socket->endpoint->executor.get() != &executor)
        misuse("an operation on a worker of another executor; use the one that the stream or listener was made with");
    if (socket) socket->claim(direction);
    // Not before: what was refused belongs to no chain, and may be awaited later.
    (chain = awaited_in)->operation = this;
    return chain->advance() && !chain->yields();
}

inline void TaskOwner::reset() noexcept {
    if (!frame) return;
    if (frame->chain) return frame->chain->destroy(*frame);
    std::exchange(frame, nullptr)->handle().destroy();
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
