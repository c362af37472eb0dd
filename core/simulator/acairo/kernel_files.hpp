// What stands behind a simulated descriptor: the open file description, who watches it, and the pools that these come from.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. A File lives while a descriptor refers to it; a socket may outlive its last one, until its connection has ended.
//   2. A registration (Item) is known by its epoll, its file and the number that it was added with: it lives until it is
//      deleted, or its epoll or its file is closed, and not merely the number.
//   3. An Item stands at most once in its epoll's ready list, in the order of becoming ready.
//   4. Pools never give memory back, and every object is reset when it is reused, not rebuilt: a run allocates only what no
//      run before it needed.
#pragma once
#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace acairo::simulator {
class KernelHost;
}

namespace acairo::simulator::detail {

template <class T> struct Link {
    T* next = nullptr;
    T* previous = nullptr;
};

// A doubly linked list through a member of its elements.
template <class T, Link<T> T::* Member> struct List {
    T* first = nullptr;
    T* last = nullptr;

    static T* after(const T& element) noexcept { return (element.*Member).next; }
    void push_back(T& element) noexcept {
        element.*Member = {nullptr, last};
        (last ? (last->*Member).next : first) = &element;
        last = &element;
    }
    void erase(T& element) noexcept {
        Link<T>& link = element.*Member;
        (link.previous ? (link.previous->*Member).next : first) = link.next;
        (link.next ? (link.next->*Member).previous : last) = link.previous;
        link = {};
    }
};

// A queue whose memory stays.
template <class T> class Queue {
public:
    bool empty() const noexcept { return head_ == elements_.size(); }
    std::size_t size() const noexcept { return elements_.size() - head_; }
    T& front() noexcept { return elements_[head_]; }
    const T& front() const noexcept { return elements_[head_]; }
    void push(T element) {
        // Without this, a queue that is never quite empty would grow for ever.
        if (head_ > 64 && head_ * 2 > elements_.size()) {
            elements_.erase(elements_.begin(), elements_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
        elements_.push_back(element);
    }
    T pop() {
        T element = elements_[head_++];
        if (empty()) clear();
        return element;
    }
    void clear() noexcept {
        elements_.clear();
        head_ = 0;
    }

private:
    std::vector<T> elements_;
    std::size_t head_ = 0;
};

// Objects of one kind, with stable addresses. T has reset() and a member `std::size_t place`, which is the pool's.
template <class T> class Pool {
public:
    T& make() {
        if (live_ == objects_.size()) objects_.push_back(std::make_unique<T>());
        T& object = *objects_[live_];
        object.reset();
        object.place = live_++;
        return object;
    }
    void recycle(T& object) noexcept {
        std::unique_ptr<T>& last = objects_[--live_];
        last->place = object.place;
        objects_[object.place].swap(last);
    }
    void recycle_all() noexcept { live_ = 0; }
    std::size_t live() const noexcept { return live_; }

private:
    std::vector<std::unique_ptr<T>> objects_;  // those alive first
    std::size_t live_ = 0;
};

struct Epoll;
struct File;

struct Item {
    Epoll* epoll = nullptr;
    File* file = nullptr;
    int fd = -1;
    std::uint32_t events = 0;
    epoll_data_t data{};
    bool ready = false;
    Link<Item> of_file, of_epoll, of_ready;
    std::size_t place = 0;

    void reset() noexcept { *this = {}; }
};

enum class Kind : std::uint8_t { socket, counter, epoll, null };

struct File {
    Kind kind = Kind::socket;
    bool blocking = true;
    std::uint32_t references = 0;
    List<Item, &Item::of_file> items;
};

// An eventfd(2).
struct Counter : File {
    std::uint64_t value = 0;
    bool semaphore = false;
    std::size_t place = 0;

    void reset() noexcept {
        *this = {};
        kind = Kind::counter;
    }
};

// Something that is always ready and can therefore not be watched, as /dev/null.
struct Null : File {
    std::size_t place = 0;

    void reset() noexcept {
        *this = {};
        kind = Kind::null;
    }
};

struct Epoll : File {
    List<Item, &Item::of_epoll> all;
    List<Item, &Item::of_ready> ready;
    std::size_t place = 0;

    void reset() noexcept {
        *this = {};
        kind = Kind::epoll;
    }
};

// Tells the epolls, and through the epoch the blocked fibers, that a file's readiness may have changed.
struct Watch {
    std::uint64_t epoch = 0;

    // `key` are the bits that the cause is about; 0 is all of them, as when a state changes.
    void wake(File& file, std::uint32_t key) noexcept;
    static void make_ready(Item& item) noexcept;
};

}  // namespace acairo::simulator::detail
