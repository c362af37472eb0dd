// operator new and delete of a simulated run: counted, so that what a run leaves behind is found, and made to fail, so that
// what follows is tested. Linking this part of the library replaces the program's global operator new and delete.
//
// Threads: those of the process; but what counts is what fibers of the run allocate outside of Unseen.
// Invariants:
//   1. The number of an allocation is that of the run: equal choices give equal numbers.
//   2. Outside of a run, on no fiber of it, and in Unseen nothing is counted and nothing fails.
#pragma once
#include <cstddef>
#include <cstdint>

namespace acairo::simulator::allocations {

struct Census {
    std::uint64_t made = 0;        // by the run
    std::uint64_t alive = 0;       // of these
    std::uint64_t first = 0;       // the number of the first that is alive
    std::uint64_t first_size = 0;  // in bytes
    bool failed = false;           // one of them did
};

// Which of the run's allocations are alive: open addressing, linear probing; grown with malloc, never in the program's own heap
// functions. Also a debugger looks there.
struct Entry {
    void* place;
    std::uint64_t number;
    std::uint64_t size;
};
struct Table {
    Entry* entries = nullptr;
    std::size_t capacity = 0;
    std::size_t used = 0;
};
extern Table table;

// The failing-th allocation fails (0: none), and, if `persists`, all that follow. `told` is called before each that does, on
// its fiber.
void begin_run(std::uint64_t failing, bool persists, void (*told)() noexcept) noexcept;
// From now on none fails.
void clear_up() noexcept;
Census end_run() noexcept;

}  // namespace acairo::simulator::allocations
