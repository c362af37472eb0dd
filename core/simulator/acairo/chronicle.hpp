// What a timeline is drawn from: the newest moments of a run, and how each of its threads began.
//
// Threads: written on the fibers of one run, read when it is over, possibly by another process.
// Invariants:
//   1. Chronicle::Memory is plain memory, and zeros are an empty one: a process that dies leaves what it had written.
//   2. The newest moments are kept, and the beginning of every thread; how many are missing is known.
//   3. Pointers in it are to literals and to code: they mean the same in a process and in its fork.
#pragma once
#include <acairo/reporter.hpp>
#include <acairo/sink.hpp>
#include <vector>

namespace acairo::simulator {

struct Moment {
    enum class Kind : std::uint8_t { step, block, wake, end };
    Kind kind;
    Waker waker;               // of a wake
    bool preempts;             // of a step: `other` could have gone on
    bool has_value;            // of a step
    bool faulty;               // a step that fails, or does not wait, for no reason
    std::uint32_t fiber;       // that steps, waits, is woken, ends
    std::uint32_t other;       // of a step: who ran before; of a wake by a fiber: who woke it
    std::uint32_t candidates;  // of a step: among how many it was chosen, 0 where there was nothing to choose
    std::uint64_t step;        // the last one when it happened
    std::chrono::nanoseconds time;
    const char* operation;  // of a step and a block
    std::uint64_t object;
    std::int64_t value;
    Stack stack;  // of a step
};

// Fiber 0 is nobody's: its place is empty.
struct ThreadStart {
    std::uint32_t starter;
    std::uint64_t step;
    std::source_location where;
    Stack stack;  // of the starter: `where` may be in a library
};

class Chronicle final : public Sink {
public:
    static constexpr std::size_t most_moments = 16384;
    struct Memory {
        std::uint64_t moments;  // also those that are not kept
        std::uint64_t threads;
        std::array<Moment, most_moments> moment;
        std::array<ThreadStart, Scheduler::most_fibers> thread;
    };

    explicit Chronicle(Memory& memory) noexcept : memory_(&memory) {}
    // The oldest first.
    static std::vector<Moment> moments_of(const Memory& memory);
    static std::vector<ThreadStart> threads_of(const Memory& memory);

    void started(const Fiber& fiber) override;
    void chose(const Fiber& chosen, std::size_t candidates, bool could_go_on) override;
    void stepped(const Step& step) override;
    void saw(std::int64_t value) override;
    void faulted() override;
    void blocked(const Fiber& fiber) override;
    void woken(const Fiber& fiber, Waker by) override;
    void ended(const Fiber& fiber) override;

private:
    Moment& add(Moment::Kind kind, const Fiber& fiber);
    // Null when there is none.
    Moment* last_step();

    Memory* memory_;
    // The choice that the next step follows from.
    std::uint32_t candidates_ = 0;
    std::uint32_t ran_before_ = 0;
    bool preempts_ = false;
};

}  // namespace acairo::simulator
