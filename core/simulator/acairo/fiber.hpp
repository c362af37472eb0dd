// A stack and a place on it where it goes on: what a switch is made of. Whoever runs next, and why, is the scheduler's.
//
// Threads: all fibers of a process belong to the one thread that switches them.
// Invariants:
//   1. Below each stack is a guard: a stack that is too deep ends in SIGSEGV there (see in_guard()), not in a neighbour.
//   2. A context is used for many bodies, one after the other: between two it stands in its own loop, so that a start costs
//      a switch, and nothing is created but for the first.
//   3. Each fiber has exceptions of its own: what is thrown and caught on one is not seen by std::current_exception() and
//      std::uncaught_exceptions() on another, although both are one thread to the language's runtime.
//   4. A body that is abandoned never goes on: no destructor on its stack is run. Under the address sanitizer its stack is
//      kept, else used again.
#pragma once
#include <acairo/sanitizers.hpp>
#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>

namespace acairo::simulator {

class FiberContext {
public:
    static constexpr std::size_t stack_size = std::size_t{256} * 1024;
    static constexpr std::size_t guard_size = std::size_t{64} * 1024;
    // For what a body is called with; at the end of the stack, so that starting a fiber needs no heap.
    static constexpr std::size_t room_size = 1024;

    struct OwnStack {};

    // The context of the thread that runs the others: it has the thread's stack. Made on that thread.
    FiberContext() noexcept;
    // With a stack of its own. Throws std::system_error if there is no memory for it.
    explicit FiberContext(OwnStack);
    ~FiberContext();
    FiberContext(const FiberContext&) = delete;
    FiberContext& operator=(const FiberContext&) = delete;

    // The next switch to this context calls body(argument), which returns the context that runs when it has ended.
    void prepare(FiberContext& (*body)(void*), void* argument) noexcept;
    // Stops this context, which runs, and goes on with `next`; returns when somebody switches back.
    void switch_to(FiberContext& next) noexcept;
    // Its body, which is not running now, never goes on.
    void abandon();
    // publish(place) in the name of this context, which is not running now.
    void publish_for(const void* place) noexcept;

    void* room() noexcept { return room_; }
    // For a handler of SIGSEGV: whether `address` lies in the guard, so that the stack was too deep.
    bool in_guard(const void* address) const noexcept;

private:
    struct Exceptions {
        void* caught = nullptr;
        unsigned uncaught = 0;
    };

    void allocate();
    [[noreturn]] void loop() noexcept;
    void exchange_exceptions(FiberContext& next) noexcept;
    void leave(FiberContext& next) noexcept;
    void arrive(void* resume, FiberContext& from) noexcept;
    void told(FiberContext& from) noexcept;
    friend struct FiberEntry;

    void* resume_ = nullptr;
    FiberContext& (*body_)(void*) = nullptr;
    void* argument_ = nullptr;
    Exceptions exceptions_;  // while it does not run
    bool has_exceptions_ = false;
    int unseen_ = 0;                           // Unseen::depth
    Exceptions* thread_exceptions_ = nullptr;  // the runtime's, of this thread
    void* tsan_ = nullptr;
    void* fake_stack_ = nullptr;
    const void* bottom_ = nullptr;
    std::size_t size_ = 0;
    std::byte* mapping_ = nullptr;
    void* room_ = nullptr;
};

// What travels with a jump. It lies on the stack that is left.
struct FiberJump {
    FiberContext* from;
    FiberContext* to;
};

[[gnu::no_sanitize_thread]] inline void FiberContext::arrive(void* resume, FiberContext& from) noexcept {
    from.resume_ = resume;
    if (sanitizers::present) told(from);
}

// Inlined: the return from a function that was entered on another stack is one that no processor predicts, and costs as much
// as the jump itself.
[[gnu::no_sanitize_thread]] inline void FiberContext::switch_to(FiberContext& next) noexcept {
    FiberJump jump{this, &next};
    // Hardly ever: an exception is in flight or handled on one of the two.
    if (thread_exceptions_->caught != nullptr || thread_exceptions_->uncaught != 0 || next.has_exceptions_) {
        exchange_exceptions(next);
    }
    // Of each fiber, also without a sanitizer: it decides which allocations are the run's.
    unseen_ = Unseen::depth;
    Unseen::depth = next.unseen_;
    if (sanitizers::present) leave(next);
    const boost::context::detail::transfer_t transfer = boost::context::detail::jump_fcontext(next.resume_, &jump);
    arrive(transfer.fctx, *static_cast<const FiberJump*>(transfer.data)->from);
}

}  // namespace acairo::simulator
