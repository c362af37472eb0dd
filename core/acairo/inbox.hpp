// The one door between a worker and every other thread, and the queue behind it.
//
// Threads: push() from any thread; everything else on the worker.
// Invariants:
//   1. A message is in at most one inbox or queue, at most once, and is delivered on the inbox's worker.
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

// A list of messages: many writers, one reader, no lock.
class Inbox {
public:
    // True: the worker sleeps, and the caller must wake it.
    bool push(Message& message) noexcept {
        Message* newest = word_.load(std::memory_order_relaxed);
        do {
            message.next = newest == sleeping() ? nullptr : newest;
            // Release: without this, the worker could read a message before what its sender wrote into it.
        } while (!word_.compare_exchange_weak(newest, &message, std::memory_order_release, std::memory_order_relaxed));
        return newest == sleeping();
    }

    // True: from now on the next push() must wake. False: there is something to read first.
    bool sleep() noexcept {
        Message* newest = nullptr;
        return word_.compare_exchange_strong(newest, sleeping(), std::memory_order_relaxed, std::memory_order_relaxed);
    }

    // Ends the sleep and delivers everything, oldest first.
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

// The chains that can run, in their order. (A chain is a message: only one of the two lists has it.)
class ReadyQueue {
public:
    std::size_t size() const noexcept { return size_; }
    void push(Message& chain) noexcept {
        chain.next = nullptr;
        *end_ = &chain;
        end_ = &chain.next;
        ++size_;
    }
    // Nothing happens when it is not there.
    void remove(const Message& chain) noexcept {
        Message** place = &first_;
        while (*place && *place != &chain) place = &(*place)->next;
        if (!*place) return;
        *place = chain.next;
        if (end_ == &chain.next) end_ = place;
        --size_;
    }
    Message* pop() noexcept {
        Message* const chain = first_;
        if (chain) remove(*chain);
        return chain;
    }

private:
    Message* first_ = nullptr;
    Message** end_ = &first_;
    std::size_t size_ = 0;
};

}  // namespace acairo::inline ACAIRO_WORLD::detail
