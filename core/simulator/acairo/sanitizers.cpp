// The sanitizers' own functions, where they are linked.
#include <acairo/sanitizers.hpp>

// Weak: null where the runtime is not linked.
extern "C" {
[[gnu::weak]] void __tsan_acquire(void* place);
[[gnu::weak]] void __tsan_release(void* place);
[[gnu::weak]] void __tsan_mutex_destroy(void* place, unsigned flags);
[[gnu::weak]] void __tsan_ignore_thread_begin();
[[gnu::weak]] void __tsan_ignore_thread_end();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* size);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* place, std::size_t size);
[[gnu::weak]] void __tsan_read_range(void* place, unsigned long size);
[[gnu::weak]] void __tsan_write_range(void* place, unsigned long size);
[[gnu::weak]] void __lsan_register_root_region(const void* place, std::size_t size);
}

namespace acairo::simulator {

void publish(const void* place) noexcept {
    if (__tsan_release) __tsan_release(const_cast<void*>(place));
}

void observe(const void* place) noexcept {
    if (__tsan_acquire) __tsan_acquire(const_cast<void*>(place));
}

void forget(const void* place) noexcept {
    if (__tsan_mutex_destroy) __tsan_mutex_destroy(const_cast<void*>(place), 0);
}

int Unseen::depth = 0;

Unseen::Unseen() noexcept {
    ++depth;
    if (__tsan_ignore_thread_begin) __tsan_ignore_thread_begin();
}

Unseen::~Unseen() {
    --depth;
    if (__tsan_ignore_thread_end) __tsan_ignore_thread_end();
}

bool has_address_sanitizer() noexcept { return __sanitizer_start_switch_fiber != nullptr; }
bool has_thread_sanitizer() noexcept { return __tsan_switch_to_fiber != nullptr; }

namespace sanitizers {

const bool present = has_address_sanitizer() || has_thread_sanitizer();

void* create_fiber() noexcept { return __tsan_create_fiber ? __tsan_create_fiber(0) : nullptr; }

void destroy_fiber(void* fiber) noexcept {
    if (__tsan_destroy_fiber) __tsan_destroy_fiber(fiber);
}

void* current_fiber() noexcept { return __tsan_get_current_fiber ? __tsan_get_current_fiber() : nullptr; }

void switch_to_fiber(void* fiber) noexcept {
    constexpr unsigned no_sync = 1;
    if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(fiber, no_sync);
}

void end_unseen(int depth) noexcept {
    for (; depth > 0 && __tsan_ignore_thread_end; --depth) __tsan_ignore_thread_end();
}

void start_switch(void** fake_stack, const void* bottom, std::size_t size) noexcept {
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}

void finish_switch(void* fake_stack, const void** old_bottom, std::size_t* old_size) noexcept {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(fake_stack, old_bottom, old_size);
}

void fresh(void* memory, std::size_t size) noexcept {
    // Looked up at run time: without this, OSS-Fuzz's check would find a call of one sanitizer in a build with another.
    void (*volatile const runtime)(const volatile void*, std::size_t) = __asan_unpoison_memory_region;
    if (const auto unpoison = runtime) unpoison(memory, size);
}

void keep(const void* stack, std::size_t size) noexcept {
    if (__lsan_register_root_region) __lsan_register_root_region(stack, size);
}

void reads(const void* place, std::size_t size) noexcept {
    if (__tsan_read_range) __tsan_read_range(const_cast<void*>(place), size);
}

void writes(void* place, std::size_t size) noexcept {
    if (__tsan_write_range) __tsan_write_range(place, size);
}

}  // namespace sanitizers

}  // namespace acairo::simulator
