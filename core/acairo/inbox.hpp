// The one door between a worker and every other thread: a lock-free list of messages, many writers, one reader.
//
// Invariants:
//   1. A message is in at most one inbox, at most once, and is delivered on the inbox's worker.
//   2. The word holds null (awake, nothing to read), the sleeping mark (asleep, nothing to read), or the newest
//      message. Each change is one read-modify-write on that word, so that a message that arrives while the worker
//      goes to sleep is either seen by sleep() or told by push() that it must wake the worker: no wake-up is lost.
#pragma once
#include <acairo/errors.hpp>

namespace acairo::inline ACAIRO_WORLD::detail {

// Something that a worker does between two events. deliver() runs on the worker, and never resumes a coroutine.
struct Message : Pinned {
    virtual void deliver() noexcept = 0;
    Message* next = nullptr;
};

class Inbox {
public:
    // Any thread. True: the worker sleeps, and the caller must wake it.
    bool push(Message& message) noexcept {
        Message* newest = word_.load(std::memory_order_relaxed);
        do {
            message.next = newest == sleeping() ? nullptr : newest;
            // Release: without this, the worker could read a message before what its sender wrote into it.
        } while (!word_.compare_exchange_weak(newest, &message, std::memory_order_release, std::memory_order_relaxed));
        return newest == sleeping();
    }

    // The worker only. True: from now on the next push() must wake. False: there is something to read first.
    bool sleep() noexcept {
        Message* newest = nullptr;
        return word_.compare_exchange_strong(newest, sleeping(), std::memory_order_relaxed, std::memory_order_relaxed);
    }

    // The worker only. Ends the sleep and delivers everything, oldest first.
    void deliver() noexcept {
        // Acquire: the other half of push()'s release.
        Message* newest = word_.exchange(nullptr, std::memory_order_acquire);
        if (newest == sleeping()) return;
        Message* oldest = nullptr;
        while (newest) oldest = std::exchange(newest, std::exchange(newest->next, oldest));
        // `next` is read before the delivery, which may free the message or put it into another list.
        while (oldest) std::exchange(oldest, oldest->next)->deliver();
    }

private:
    // An address that is no message's.
    Message* sleeping() noexcept { return reinterpret_cast<Message*>(this); }

    platform::atomic<Message*> word_{nullptr};
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
