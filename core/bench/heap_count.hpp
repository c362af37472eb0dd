// Counts every heap allocation of the process it is linked into: malloc and its relatives are replaced by
// ones that count and then call glibc's own. operator new is counted through them, and so are the
// allocations of shared libraries.
#pragma once

#include <atomic>
#include <cstdint>

namespace bench {

// Lies in a page shared with the driver, which reads it while the server runs, without the server's help.
struct HeapCount {
    std::atomic<std::uint64_t> allocations{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "the count is read from another process");

void count_heap_into(HeapCount* count) noexcept;

}  // namespace bench
