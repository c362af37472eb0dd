// Counting operator new. Weak, because the sanitizers' runtimes have theirs: see the simulator's allocations.cpp.
#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> alive{0};

void* allocate(std::size_t size, std::size_t alignment) {
    void* const place = alignment <= alignof(std::max_align_t)
                            ? std::malloc(size == 0 ? 1 : size)
                            : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!place) throw std::bad_alloc();
    alive.fetch_add(1, std::memory_order_relaxed);
    return place;
}
void release(void* place) noexcept {
    if (place) alive.fetch_sub(1, std::memory_order_relaxed);
    std::free(place);
}

}  // namespace

std::int64_t stress::allocations() noexcept { return alive.load(std::memory_order_relaxed); }

[[gnu::weak]] void* operator new(std::size_t size) { return allocate(size, 1); }
[[gnu::weak]] void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::weak]] void* operator new[](std::size_t size) { return allocate(size, 1); }
[[gnu::weak]] void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::weak]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept try {
    return allocate(size, 1);
} catch (const std::bad_alloc&) { return nullptr; }
[[gnu::weak]] void operator delete(void* place) noexcept { release(place); }
[[gnu::weak]] void operator delete(void* place, std::size_t) noexcept { release(place); }
[[gnu::weak]] void operator delete(void* place, std::align_val_t) noexcept { release(place); }
[[gnu::weak]] void operator delete(void* place, std::size_t, std::align_val_t) noexcept { release(place); }
[[gnu::weak]] void operator delete[](void* place) noexcept { release(place); }
[[gnu::weak]] void operator delete[](void* place, std::size_t) noexcept { release(place); }
[[gnu::weak]] void operator delete[](void* place, std::align_val_t) noexcept { release(place); }
[[gnu::weak]] void operator delete[](void* place, std::size_t, std::align_val_t) noexcept { release(place); }
