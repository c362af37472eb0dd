// The replaced malloc and its relatives; any thread. free stays glibc's: what is handed out is from its heap.
#include "heap_count.hpp"

#include <cerrno>
#include <cstddef>

extern "C" {
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* old, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;
}

namespace {

// Constant-initialized, because malloc is called before any constructor of this program runs.
constinit bench::HeapCount before_main;
constinit std::atomic<bench::HeapCount*> current{&before_main};

void count() noexcept { current.load(std::memory_order_relaxed)->allocations.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

void bench::count_heap_into(HeapCount* count) noexcept { current.store(count, std::memory_order_relaxed); }

extern "C" {

void* malloc(std::size_t size) noexcept {
    count();
    return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) noexcept {
    count();
    return __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size) noexcept {
    count();
    return __libc_realloc(old, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    count();
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
    void* memory = memalign(alignment, size);
    if (memory == nullptr) return ENOMEM;
    *result = memory;
    return 0;
}

}  // extern "C"
