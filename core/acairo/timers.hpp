// A worker's timers: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) whose nodes live in what waits, so that
// arming, expiring and withdrawing allocate nothing. Everything is a loop: a heap may be as deep as there are timers.
//
// Threads: all of it on the timers' own worker.
// Invariants:
//   1. No timer's deadline is before its parent's.
//   2. `place` of a timer is what points at it: its parent's first child, its left sibling, or the heap's root; null when
//      it is not armed.
#pragma once
#include <acairo/errors.hpp>
#include <algorithm>
#include <chrono>
#include <limits>

namespace acairo::inline ACAIRO_WORLD::detail {

struct Timer : Pinned {
    // Runs on the worker, never resumes a coroutine. The timer is no longer armed.
    virtual void expire() noexcept = 0;
    bool armed() const noexcept { return place != nullptr; }

    std::chrono::nanoseconds deadline{0};
    Timer* child = nullptr;
    Timer* sibling = nullptr;
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
        set_root(meld(root_, &timer));
    }
    // Nothing happens when it is not armed.
    void withdraw(Timer& timer) noexcept {
        if (!timer.armed()) return;
        *timer.place = timer.sibling;
        if (timer.sibling) timer.sibling->place = timer.place;
        timer.place = nullptr;
        timer.sibling = nullptr;
        set_root(meld(root_, meld_all(std::exchange(timer.child, nullptr))));
    }
    // Expires every timer whose deadline is not after `now`.
    void expire(std::chrono::nanoseconds now) noexcept {
        while (Timer* const first = root_) {
            if (first->deadline > now) return;
            withdraw(*first);
            first->expire();
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
    // Both are roots, or null. The later one becomes the first child of the earlier one.
    static Timer* meld(Timer* a, Timer* b) noexcept {
        if (!a || !b) return a ? a : b;
        if (b->deadline < a->deadline) std::swap(a, b);
        b->sibling = a->child;
        if (b->sibling) b->sibling->place = &b->sibling;
        a->child = b;
        b->place = &a->child;
        return a;
    }
    // Melds siblings in pairs from the left, then the pairs from the right: this order makes the cost logarithmic.
    static Timer* meld_all(Timer* first) noexcept {
        Timer* pairs = nullptr;
        while (first) {
            Timer* const a = first;
            Timer* const b = std::exchange(a->sibling, nullptr);
            first = b ? std::exchange(b->sibling, nullptr) : nullptr;
            Timer* const pair = meld(a, b);
            pair->sibling = std::exchange(pairs, pair);
        }
        Timer* all = nullptr;
        while (pairs) all = meld(std::exchange(pairs, std::exchange(pairs->sibling, nullptr)), all);
        return all;
    }
    void set_root(Timer* timer) noexcept {
        root_ = timer;
        if (root_) root_->place = &root_;
    }

    Timer* root_ = nullptr;
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
