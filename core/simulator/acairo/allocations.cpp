// What replaces operator new and delete. Which allocations are the run's is known by a set of addresses, which is asked for
// membership only: no address decides anything.
#include <acairo/allocations.hpp>
#include <acairo/sanitizers.hpp>
#include <acairo/scheduler.hpp>
#include <cstdlib>
#include <new>

namespace acairo::simulator::allocations {

constinit Table table;

namespace {

bool counting = false;
std::uint64_t failing = 0;
bool persists = false;
void (*tell)() noexcept = nullptr;
Census census;

bool is_of_the_run() noexcept { return counting && Unseen::depth == 0 && Scheduler::running() != nullptr; }

std::size_t slot_of(const void* place) noexcept {
    return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(place) >> 4) * 0x9e3779b97f4a7c15u >> 20);
}

void put(Entry entry) noexcept {
    std::size_t at = slot_of(entry.place) & (table.capacity - 1);
    while (table.entries[at].place != nullptr) at = (at + 1) & (table.capacity - 1);
    table.entries[at] = entry;
    ++table.used;
}

void grow() noexcept {
    const Table old = table;
    table.capacity = old.capacity == 0 ? 4096 : old.capacity * 2;
    table.used = 0;
    table.entries = static_cast<Entry*>(std::calloc(table.capacity, sizeof(Entry)));
    if (table.entries == nullptr) std::abort();
    for (std::size_t i = 0; i < old.capacity; ++i) {
        if (old.entries[i].place != nullptr) put(old.entries[i]);
    }
    std::free(old.entries);
}

void add(void* place, std::uint64_t size) noexcept {
    if (table.used * 2 >= table.capacity) grow();
    put({place, census.made, size});
    ++census.alive;
}

// Closes the gap, so that what was put behind it is still found.
void remove(const void* place) noexcept {
    if (table.used == 0) return;
    const std::size_t mask = table.capacity - 1;
    std::size_t at = slot_of(place) & mask;
    while (table.entries[at].place != place) {
        if (table.entries[at].place == nullptr) return;
        at = (at + 1) & mask;
    }
    --table.used;
    --census.alive;
    for (std::size_t next = (at + 1) & mask; table.entries[next].place != nullptr; next = (next + 1) & mask) {
        const std::size_t home = slot_of(table.entries[next].place) & mask;
        if (((next - home) & mask) < ((next - at) & mask)) continue;
        table.entries[at] = table.entries[next];
        at = next;
    }
    table.entries[at] = Entry{};
}

bool fails() noexcept {
    ++census.made;
    if (failing == 0 || census.made < failing) return false;
    if (census.made > failing && !persists) return false;
    tell();
    return census.failed = true;
}

}  // namespace

void begin_run(std::uint64_t its_failing, bool its_persists, void (*told)() noexcept) noexcept {
    for (std::size_t i = 0; table.used != 0 && i < table.capacity; ++i) table.entries[i] = Entry{};
    table.used = 0;
    census = Census{};
    failing = its_failing;
    persists = its_persists;
    tell = told;
    counting = true;
}

void clear_up() noexcept { failing = 0; }

Census end_run() noexcept {
    counting = false;
    for (std::size_t i = 0; census.alive != 0 && i < table.capacity; ++i) {
        const Entry& entry = table.entries[i];
        if (entry.place == nullptr || (census.first != 0 && entry.number > census.first)) continue;
        census.first = entry.number;
        census.first_size = entry.size;
    }
    return census;
}

// Null when there is no memory, or is to be none.
[[gnu::no_sanitize_thread]] void* allocate(std::size_t size, std::size_t alignment) noexcept {
    const bool counted = is_of_the_run();
    if (counted && fails()) return nullptr;
    if (size == 0) size = 1;
    void* const place = alignment <= alignof(std::max_align_t)
                            ? std::malloc(size)
                            : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (counted && place != nullptr) add(place, size);
    return place;
}

[[gnu::no_sanitize_thread]] void release(void* place) noexcept {
    if (place != nullptr) remove(place);
    std::free(place);
}

}  // namespace acairo::simulator::allocations

// Weak, because the thread sanitizer's runtime of clang++ has its own: where both are linked, its are used, and nothing is
// counted. A program that is linked by clang, not clang++, has only these.
namespace allocations = acairo::simulator::allocations;

[[gnu::weak]] void* operator new(std::size_t size) {
    if (void* const place = allocations::allocate(size, 1)) return place;
    throw std::bad_alloc();
}
[[gnu::weak]] void* operator new(std::size_t size, std::align_val_t alignment) {
    if (void* const place = allocations::allocate(size, static_cast<std::size_t>(alignment))) return place;
    throw std::bad_alloc();
}
[[gnu::weak]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocations::allocate(size, 1);
}
[[gnu::weak]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::weak]] void* operator new[](std::size_t size, std::align_val_t alignment) {
    return operator new(size, alignment);
}
[[gnu::weak]] void operator delete(void* place) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete(void* place, std::size_t) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete(void* place, std::align_val_t) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete(void* place, std::size_t, std::align_val_t) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete[](void* place) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete[](void* place, std::size_t) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete[](void* place, std::align_val_t) noexcept { allocations::release(place); }
[[gnu::weak]] void operator delete[](void* place, std::size_t, std::align_val_t) noexcept {
    allocations::release(place);
}
