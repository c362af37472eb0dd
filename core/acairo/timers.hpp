// A worker's timers: a skew heap (Sleator and Tarjan, "Self-Adjusting Heaps", 1986) whose nodes live in what waits, so that
// arming, expiring and withdrawing allocate nothing. Everything is a loop: a heap may be as deep as there are timers.
//
// Threads: all of it on the timers' own worker.
// Invariants:
//   1. No timer's deadline is before its parent's.
//   2. `place` of a timer is what points at it, in its parent or as the root; null when it is not armed.
#pragma once
#include <acairo/errors.hpp>
#include <algorithm>
#include <limits>

namespace acairo::inline ACAIRO_WORLD::detail {

struct Timer : Pinned {
    // Runs on the worker, never resumes a coroutine. The timer is no longer armed.
    virtual void expire() noexcept = 0;
    bool armed() const noexcept { return place != nullptr; }

    std::chrono::nanoseconds deadline{0};
    Timer* left = nullptr;
    Timer* right = nullptr;
    Timer** place = nullptr;
};

// `duration` from now, an instant of platform::now(); the largest one when that would overflow.
inline std::chrono::nanoseconds deadline_after(std::chrono::nanoseconds duration) noexcept {
    const std::chrono::nanoseconds now = platform::now();
    return duration > std::chrono::nanoseconds::max() - now ? std::chrono::nanoseconds::max() : now + duration;
}

class Timers {
public:
    void arm(Timer& timer, std::chrono::nanoseconds deadline) noexcept {
        check(!timer.armed(), "a timer is armed once at a time");
        timer.deadline = deadline;
        meld(&root_, root_, &timer);
    }
    // Nothing happens when it is not armed.
    static void withdraw(Timer& timer) noexcept {
        if (!timer.armed()) return;
        meld(std::exchange(timer.place, nullptr), std::exchange(timer.left, nullptr),
             std::exchange(timer.right, nullptr));
    }
    // Expires every timer whose deadline is not after `now`.
    void expire(std::chrono::nanoseconds now) noexcept {
        while (root_ && root_->deadline <= now) {
            Timer& first = *root_;
            withdraw(first);
            first.expire();
        }
    }
    bool empty() const noexcept { return root_ == nullptr; }
    // How long epoll_wait may sleep: milliseconds, rounded up, so that it never wakes before the deadline; -1: for ever.
    int milliseconds_to_next() const noexcept {
        if (empty()) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(root_->deadline - platform::now()).count();
        return static_cast<int>(std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max()));
    }

private:
    static void put(Timer** place, Timer* timer) noexcept {
        *place = timer;
        if (timer) timer->place = place;
    }
    // Puts the timers of both heaps at `place`. The children of each one on the way change sides: this makes the cost
    // logarithmic, over all operations together.
    static void meld(Timer** place, Timer* a, Timer* b) noexcept {
        while (a && b) {
            if (b->deadline < a->deadline) std::swap(a, b);
            put(place, a);
            Timer* const rest = a->right;
            put(&a->right, a->left);
            place = &a->left;
            a = rest;
        }
        put(place, a ? a : b);
    }

    Timer* root_ = nullptr;
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
