// Who is told that a file's readiness may have changed, and how sockets are made ready for their next use.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. Resetting keeps the memory of rings and queues, and nothing else.
#include <acairo/kernel_tcp.hpp>

namespace acairo::simulator::detail {

void Watch::make_ready(Item& item) noexcept {
    if (item.ready) return;
    item.ready = true;
    item.epoll->ready.push_back(item);
}

void Watch::wake(File& file, std::uint32_t key) noexcept {
    ++epoch;
    constexpr std::uint32_t how = EPOLLET | EPOLLONESHOT;
    for (Item* item = file.items.first; item; item = item->of_file.next) {
        // A oneshot that has fired hides everything, even what cannot be masked.
        if ((item->events & ~how) == 0) continue;
        if (key != 0 && (key & item->events) == 0) continue;
        make_ready(*item);
    }
}

void Pipe::reset() noexcept {
    Ring kept = std::move(bytes);
    Queue<Segment> kept_flight = std::move(flight);
    kept_flight.clear();
    *this = Pipe{};
    bytes = std::move(kept);
    flight = std::move(kept_flight);
}

void Socket::reset() noexcept {
    incoming.reset();
    waiting.clear();
    Pipe kept = std::move(incoming);
    Queue<Socket*> kept_waiting = std::move(waiting);
    *this = Socket{};
    incoming = std::move(kept);
    waiting = std::move(kept_waiting);
}

}  // namespace acairo::simulator::detail
