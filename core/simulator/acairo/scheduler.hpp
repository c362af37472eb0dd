// Runs a body, and all the threads that it starts, as fibers of one thread. Which of them goes on is a choice, made before
// each operation that another thread could notice and after each wait; between two of these a fiber runs alone. So a run is
// a function of its choices.
//
// Threads: one run at a time in a process, on the thread that called run().
// Invariants:
//   1. Calm is bounded: a fiber that could run for 1,000 steps, and did not, runs next without a choice. And while fibers run,
//      the next instant that somebody waits for comes after 10,000 steps at the latest, and a mutex that is unlocked is handed
//      to whoever has tried to lock it for 1,000 steps. So the run of zeros ends for every program that ends in fair hands,
//      also where it spins.
//   2. Otherwise time stands still while a fiber can run, unless a choice before an operation has it pass (Options::clock_jumps);
//      when none can, it is the earliest deadline, or the host's next event. It never goes beyond one of these: what is due
//      earlier wakes earlier.
//   3. A fiber that waits is in at most one WaitQueue, and leaves it when it is woken, by whatever.
//   4. The trace hash covers each step (fiber, operation, object), each choice and what trace() is given: equal recordings
//      give equal hashes, with every compiler and sanitizer. No address is in it.
//   5. A failure unwinds nothing. The host is told on the fiber that failed, and may end the process; if it returns, the
//      run is over and no fiber of it goes on: what they own is leaked.
#pragma once
#include <acairo/choices.hpp>
#include <acairo/fiber.hpp>
#include <acairo/memory_model.hpp>
#include <acairo/operation.hpp>
#include <acairo/sanitizers.hpp>
#include <acairo/sink.hpp>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>

namespace acairo::simulator {

enum class Verdict : std::uint8_t {
    passed,
    deadlock,           // fibers wait, and nothing is due that could wake them
    livelock,           // the limit of steps is reached
    busy,               // a thread asks again and again for what cannot come, instead of waiting
    misuse,             // an operation that is an error on any machine, such as unlocking another thread's mutex
    reused_descriptor,  // a call is under way while the number of its descriptor becomes another one's
    exception,          // an exception left a thread, or the body
    failed,             // fail() was called: an oracle, or a check of the body
    leaked_descriptor,  // one is open when the run is over
    leaked_memory,      // likewise, allocated
    nondeterminism,     // the same choices, and another run
};
const char* name_of(Verdict verdict) noexcept;

struct Outcome {
    Verdict verdict = Verdict::passed;
    std::string text;  // of a failure: each fiber, what it waits for and where, and the last steps
    std::uint64_t steps = 0;
    std::uint64_t trace_hash = 0;
    std::chrono::nanoseconds time{};  // of the simulated clock, at the end
    bool fault_came = false;          // of the one fault that the weather has, or of a failing allocation
};

// The rules of a run. The defaults are those of a machine that does all that machines may do to a correct program.
struct Options {
    std::uint64_t step_limit = 1'000'000;
    std::uint32_t empty_polls = 200;    // in a row, while no other thread can run: more are a busy loop
    std::uint32_t spurious = 2;         // how often in a row a wait may wake, or a weak exchange fail, for no reason
    std::uint32_t older_loads = 2;      // how often in a row a thread's load may see another store than the newest
    std::uint32_t thread_failures = 0;  // how many threads may fail to start
    std::uint32_t processors = 2;       // what hardware_concurrency() says
    // How often, and by how much in all, time may pass although a thread could run: as on a machine that is busy with others.
    std::uint32_t clock_jumps = 0;
    std::chrono::nanoseconds clock_jumped = std::chrono::seconds(10);
    std::chrono::nanoseconds start = std::chrono::hours(1);  // the clock's first instant
};

constexpr std::chrono::nanoseconds never{std::numeric_limits<std::int64_t>::max()};

struct Step {
    std::uint64_t number;  // from 1
    std::uint32_t fiber;
    const char* operation;
    std::uint64_t object;
};

// What lives beside the threads of a run: the kernel, and whoever wants to know. Called on a fiber, unseen by the thread
// sanitizer; it must not make a fiber wait.
class Host {
public:
    virtual ~Host() = default;
    // When something happens by itself (a packet arrives), or `never`.
    virtual std::chrono::nanoseconds next_event() { return never; }
    // Time has come to `now`: it may wake fibers.
    virtual void advance(std::chrono::nanoseconds /*now*/) {}
    // The run fails. May end the process, and is the last that the run does.
    virtual void failed(Verdict /*verdict*/, const std::string& /*text*/) {}
};

struct Fiber;

// Fibers that wait for one thing, in the order in which they came. Its owner must outlive them.
class WaitQueue {
public:
    constexpr WaitQueue() noexcept = default;
    bool empty() const noexcept { return first_ == nullptr; }

private:
    friend class Scheduler;
    Fiber* first_ = nullptr;
    Fiber* last_ = nullptr;
};

// What a fiber waits for. `describe` adds to a report what is known of `subject`, such as who holds it.
struct Wait {
    Operation operation = "nothing";
    std::uint64_t object = 0;
    std::chrono::nanoseconds deadline = never;
    WaitQueue* queue = nullptr;
    const void* subject = nullptr;
    void (*describe)(const void* subject, std::string& report) = nullptr;
};

enum class FiberState : std::uint8_t { ready, waiting, ended, failed };

// A simulated thread. Its number is in the order of starting, from 0, which is the body.
struct Fiber {
    FiberContext context{FiberContext::OwnStack{}};
    std::uint32_t number = 0;
    FiberState state = FiberState::ended;
    bool begun = false;
    bool timed_out = false;
    Wait wait;  // what it waits for, or is about to do
    // That of `wait`, as a number: other fibers read it, unseen, and a call of count() might be seen.
    std::int64_t deadline = 0;
    std::uint64_t since = 0;  // the step since which it is in this state
    Fiber* next_waiting = nullptr;
    Fiber* previous_waiting = nullptr;
    WaitQueue joiners;
    void* slot = nullptr;             // thread_slot()
    std::uint64_t wanting_since = 0;  // the step at which it first tried to lock what it waits for
    std::uint32_t spurious_in_a_row = 0;
    std::uint32_t older_in_a_row = 0;
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
    std::uint32_t starter = 0;
    std::source_location started;
};

class Scheduler {
public:
    static constexpr std::size_t most_fibers = 1000;

    // The first one starts and joins one real thread: without this, libstdc++ counts the owners of a std::shared_ptr without
    // atomic instructions, as the process has one thread, and the thread sanitizer reports each count.
    explicit Scheduler(Host& host);
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    // Runs `body` as fiber 0, until every fiber has ended or one has failed. Use one Scheduler for many runs.
    template <class Body> Outcome run(Choices& choices, const Options& options, Body&& body) {
        // Where `body` is a function, it has no address that a void* could hold.
        auto call = [&body] { body(); };
        return run(choices, options, [](void* it) { (*static_cast<decltype(call)*>(it))(); }, &call);
    }

    // Is told of everything in the runs that follow; null: nobody is.
    void tell(Sink* sink) noexcept { sink_ = sink; }

    // Null outside of a run. All that follows is for fibers.
    static Scheduler* running() noexcept { return running_; }

    // Before an operation that another fiber could notice. It happens when point() returns.
    void point(Operation operation, std::uint64_t object);
    // An operation that none could notice, such as asking for the time: a step without a choice.
    void pass(Operation operation);
    // Waits, and tells whether it was woken before the deadline.
    bool block(const Wait& wait);
    void wake(Fiber& fiber);
    // Which one is a choice of the tag `order`, and 0 the one that has waited for longest. Does nothing if none waits.
    void wake_one(WaitQueue& queue);
    void wake_all(WaitQueue& queue);
    std::size_t waiting(const WaitQueue& queue) const noexcept;
    // One that waits there and has wanted the same for 1,000 steps (Fiber::wanting_since), or null.
    Fiber* starving(const WaitQueue& queue) const noexcept;
    // From now on nothing happens for no reason.
    void clear_up() noexcept;

    std::uint64_t below(std::uint64_t n, Tag tag);
    // Whether something happens for no reason now: a choice of the tag `fault`, at most Options::spurious times in a row.
    bool spurious();
    // What orders the threads' loads and stores, where the run that goes on is; null: each load sees the newest store.
    MemoryModel* memory() noexcept {
        if (!memory_.on()) return nullptr;
        memory_.is_at(current_->number, steps_);
        return &memory_;
    }
    // How many stores before the newest a load sees: a choice of the tag `fault` below `count`, at most Options::older_loads
    // times in a row.
    std::uint32_t older_than_newest(std::uint32_t count);
    // A new thread: first the fiber, in whose room what it calls may be put, then its start.
    Fiber& next_fiber();
    void start(Fiber& fiber, void (*entry)(void*), void* argument, std::source_location where);
    // Whether the thread that is started now cannot start: a choice of the tag `fault`, at most Options::thread_failures times.
    bool thread_fails();
    // The number of an object that is made now.
    std::uint64_t next_object() noexcept { return ++objects_; }
    // Mixes a call's argument or result into the trace hash.
    void trace(std::uint64_t value) noexcept;
    // Tells the sink what the last step saw, or left, in its object. Not in the trace hash.
    void saw(std::int64_t value) noexcept;
    // Never returns. `text` names value, cause and remedy; it is moved from, as nobody else will end its life.
    [[noreturn]] void fail(Verdict verdict, std::string text);

    std::chrono::nanoseconds now() const noexcept { return std::chrono::nanoseconds(now_); }
    Fiber& current() noexcept { return *current_; }
    std::uint64_t steps() const noexcept { return steps_; }
    // No other fiber could run now.
    bool runs_alone() const noexcept { return ready_count_ == 1; }
    const Options& options() const noexcept { return options_; }
    // Tells runs of a process apart: an object that outlives a run is new to the next one.
    std::uint32_t serial() const noexcept { return serial_; }

    // For reports.
    std::span<Fiber* const> fibers() const noexcept { return {fibers_.data(), started_}; }
    // The newest last.
    std::size_t last_steps(std::span<Step> to) const noexcept;
    // The return addresses on the stack of a fiber that has begun, innermost first.
    int backtrace_of(Fiber& fiber, void** frames, int size);

private:
    static constexpr std::uint64_t patience = 1'000;
    static constexpr std::uint64_t time_patience = 10'000;
    static constexpr std::size_t remembered_steps = 64;

    Outcome run(Choices& choices, const Options& options, void (*body)(void*), void* argument);
    void reset(Choices& choices, const Options& options) noexcept;
    void clean_up();
    static FiberContext& body_of(void* fiber);
    FiberContext& end(Fiber& fiber);
    Fiber& pick(bool current_can);
    Fiber* overdue() noexcept;
    Fiber& overtaken(Fiber& late, bool current_can);
    Fiber& next_after_wait();
    void go_to(Fiber& next);
    void step();
    void check_limits();
    // Time goes on to the next instant that somebody waits for; false if there is none.
    bool let_time_pass();
    std::int64_t next_instant() const;
    void may_let_time_pass();
    void make_ready(Fiber& fiber) noexcept;
    void leave_ready(Fiber& fiber) noexcept;
    void enqueue(Fiber& fiber, WaitQueue& queue) noexcept;
    void leave_queue(Fiber& fiber) noexcept;
    void answer_backtrace(Fiber& fiber);
    template <class Call> void tell_sink(Call&& call) {
        if (sink_ == nullptr) [[likely]]
            return;
        const Unseen unseen;
        call(*sink_);
    }

    static Scheduler* running_;

    Host* host_;
    Sink* sink_ = nullptr;
    Waker waker_ = Waker::fiber;
    MemoryModel memory_;
    Choices* choices_ = nullptr;
    Fiber* current_ = nullptr;
    std::uint64_t steps_ = 0;
    std::uint64_t check_at_ = 0;    // the step at which check_limits() has something to do
    std::uint64_t overdue_at_ = 0;  // no fiber is overdue before this step
    std::uint64_t hash_ = 0;
    std::uint64_t objects_ = 0;
    std::uint64_t time_moved_at_ = 0;  // the step
    std::int64_t now_ = 0;
    std::uint32_t serial_ = 0;
    std::uint32_t ready_count_ = 0;
    std::uint32_t alive_ = 0;
    std::uint32_t thread_failures_ = 0;
    std::uint32_t clock_jumps_ = 0;  // that are left
    std::size_t started_ = 0;
    std::size_t made_ = 0;
    Options options_;
    Outcome outcome_;
    FiberContext thread_;  // of the one that called run()
    struct {
        void** frames = nullptr;
        int size = 0;
        Fiber* asker = nullptr;
    } backtrace_;
    std::array<Step, remembered_steps> last_steps_;
    std::array<Candidate, most_fibers> candidates_;
    std::array<Fiber*, most_fibers> ready_;   // by number
    std::array<Fiber*, most_fibers> fibers_;  // made_ of them; the first started_ are this run's
};

// To the text of a failure, where and when it is, every fiber and the last steps. Called by fail().
void add_report(Scheduler& scheduler, Outcome& failure);
// The exception that is being handled has left a thread: what is said of it.
std::string text_of_exception();
// Verdict::deadlock, in words.
[[noreturn]] void fail_with_deadlock(Scheduler& scheduler);

}  // namespace acairo::simulator
