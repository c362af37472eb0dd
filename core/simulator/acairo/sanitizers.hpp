// What the simulator tells the sanitizers, and how it hides from them. The one place that knows which sanitizer there is: it
// asks for the runtime's own functions when the program is linked, so that no source has a conditional, and a library that
// was compiled without a sanitizer still tells that of the program it is linked into.
//
// Threads: the one that runs the simulation.
// Invariants:
//   1. Fibers are switched without a happens-before edge (no_sync), and what the simulator itself does is not seen. So the
//      only edges between fibers are those that publish() and observe() state, and those of the program's real atomics.
//      Without this, the hand-over from fiber to fiber would order everything, and hide every race.
//   2. fiber.cpp, scheduler.cpp, threads.cpp and this file's source are compiled without the thread sanitizer, and use no
//      template that a program could use too: of two copies, one with and one without the sanitizer, the linker keeps
//      either. Everything else that the simulator calls on a fiber (choices, producers, hosts, reports) runs in Unseen.
#pragma once
#include <cstddef>

namespace acairo::simulator {

// A happens-before edge, from a publish(place) to each later observe(place). `place` is an address that both know; it is
// never read.
void publish(const void* place) noexcept;
void observe(const void* place) noexcept;
// The object at `place` ends: what was published there orders nothing any more.
void forget(const void* place) noexcept;

// In its scope, accesses of this fiber are not seen by the thread sanitizer. For what hosts do between fibers.
class Unseen {
public:
    // How many there are on the fiber that runs. Each fiber has its own count: see FiberContext.
    static int depth;

    Unseen() noexcept;
    ~Unseen();
    Unseen(const Unseen&) = delete;
    Unseen& operator=(const Unseen&) = delete;
};

// Which sanitizers this program has.
bool has_address_sanitizer() noexcept;
bool has_thread_sanitizer() noexcept;

// What a switch between fibers tells them. For fiber.cpp.
namespace sanitizers {

// Whether there is one that wants to be told. Asked at each switch, of which the calls would be a third.
extern const bool present;
void* create_fiber() noexcept;
void destroy_fiber(void* fiber) noexcept;
void* current_fiber() noexcept;
void switch_to_fiber(void* fiber) noexcept;
// This fiber, which `depth` Unseen were left on, is about to be destroyed.
void end_unseen(int depth) noexcept;
void start_switch(void** fake_stack, const void* bottom, std::size_t size) noexcept;
void finish_switch(void* fake_stack, const void** old_bottom, std::size_t* old_size) noexcept;
// The memory is new: marks that another use of the same addresses left mean nothing.
void fresh(void* memory, std::size_t size) noexcept;
// The stack is never used again, but what it points at is not leaked.
void keep(const void* stack, std::size_t size) noexcept;

// The program reads, or writes, there, although in code that is not seen.
void reads(const void* place, std::size_t size) noexcept;
void writes(void* place, std::size_t size) noexcept;

}  // namespace sanitizers

}  // namespace acairo::simulator
