// An awaitable of another library, for properties: a thread that knows nothing of acairo makes it ready.
//
// Threads: one task awaits it, once; one thread opens it, once.
#pragma once
#include <acairo/acairo.hpp>

namespace property {

using acairo::platform;

// Becomes ready once, from any thread.
struct Gate {
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) noexcept {
        handle = waiting;
        // Who comes second resumes, or does not suspend.
        return arrivals.fetch_add(1, std::memory_order_acq_rel) == 0;
    }
    void await_resume() const noexcept {}
    // True: it was waited for, and has been resumed.
    bool open() noexcept {
        if (arrivals.fetch_add(1, std::memory_order_acq_rel) == 0) return false;
        handle.resume();
        return true;
    }
    std::coroutine_handle<> handle;
    platform::atomic<std::uint32_t> arrivals{0};
};

}  // namespace property
