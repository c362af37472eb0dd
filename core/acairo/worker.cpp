// A worker's loop, and the only file that knows epoll.
#include <acairo/executor.hpp>

namespace acairo::inline ACAIRO_WORLD::detail {
namespace {

constexpr std::uint32_t never_empty = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
constexpr std::uint32_t ends_read = EPOLLIN | never_empty;
constexpr std::uint32_t ends_write = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr std::uint64_t wake_up_event = ~std::uint64_t{0};

constexpr std::uint32_t events_of(Direction direction) noexcept {
    // Writability only for who asked for it: without this, a reader would get an event more for each connection.
    return direction == Direction::read ? std::uint32_t{EPOLLIN | EPOLLRDHUP | EPOLLPRI} : std::uint32_t{EPOLLOUT};
}

}  // namespace

void Registration::wake(Direction direction) noexcept {
    if (Chain* const chain = waiter(direction)) chain->interrupt();
}

void Registration::post(Reason reason) noexcept {
    // Acquire and release: deliver() sees what every poster did before. Who finds other reasons there must not post it
    // again: it would be twice in one list.
    if (posted.fetch_or(reason, std::memory_order_acq_rel) == 0) worker->post(*this);
}

void Registration::deliver() noexcept {
    const std::uint32_t reasons = posted.exchange(0, std::memory_order_acq_rel);
    wake(Direction::read);
    if ((reasons & closed) == 0) return;
    wake(Direction::write);
    worker->recycle(*this);
}

Worker::Worker(State& its_state) : state(its_state) {
    // Edge-triggered and never read: each write is an edge, and its count would overflow after 2^64 of them.
    platform::event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = wake_up_event}};
    const int error = platform::epoll_ctl(epoll_.fd, EPOLL_CTL_ADD, wake_up_.fd, &event);
    if (error < 0) throw_system_error(error, "epoll_ctl, for a worker's eventfd");
}

void Worker::post(Message& message) noexcept {
    if (current() == this) return message.deliver();
    if (inbox.push(message)) nudge();
}

void Worker::nudge() const noexcept {
    std::ptrdiff_t result = -EINTR;
    while (result == -EINTR) result = platform::write_counter(wake_up_.fd, 1);
    // EAGAIN: the counter is full, so the worker has been woken already.
    const bool woken = result >= 0 || result == -EAGAIN;
    check(woken, "an eventfd can be written");
}

void Worker::run() noexcept {
    platform::thread_slot() = this;
    while (!state.ended()) {
        int milliseconds = ready.size() != 0 ? 0 : timers.milliseconds_to_next();
        if (milliseconds != 0 && !inbox.sleep()) milliseconds = 0;
        poll(milliseconds);
        inbox.deliver();
        if (!timers.empty()) timers.expire(platform::now());
        // As many as are ready now: without this, chains that wake one another would keep the worker from polling.
        for (std::size_t left = ready.size(); left != 0; --left) {
            Chain* const chain = static_cast<Chain*>(ready.pop());
            if (chain && chain->run()) chain->finish();
        }
    }
    platform::thread_slot() = nullptr;
}

void Worker::deliver() noexcept {
    for (auto& chunk : registrations_) {
        for (Registration& registration : chunk) {
            for (Chain* const chain : registration.waiters) {
                if (chain) chain->cancel();
            }
        }
    }
    timers.expire(std::chrono::nanoseconds::max());
}

void Worker::poll(int milliseconds) noexcept {
    const int count = platform::epoll_wait(epoll_.fd, events_.data(), static_cast<int>(events_.size()), milliseconds);
    const bool waited = count >= 0 || count == -EINTR;
    check(waited, "epoll_wait of our own descriptor fails with EINTR only");
    for (int i = 0; i < count; ++i) {
        const platform::event event = events_[static_cast<std::size_t>(i)];
        if (event.data.u64 == wake_up_event) continue;
        const auto index = static_cast<std::uint32_t>(event.data.u64);
        Registration& registration = registrations_[index / chunk_size][index % chunk_size];
        if (registration.generation != static_cast<std::uint32_t>(event.data.u64 >> 32)) continue;
        if (event.events & never_empty) registration.sticky = true;
        if (event.events & ends_read) {
            registration.readable = true;
            registration.wake(Direction::read);
        }
        if (event.events & ends_write) registration.wake(Direction::write);
    }
}

Registration* Worker::take() noexcept {
    if (free_) return std::exchange(free_, free_->next_of_socket);
    try {
        const auto first = static_cast<std::uint32_t>(registrations_.size()) * chunk_size;
        auto& chunk = registrations_.emplace_back();
        for (std::uint32_t i = 0; i < chunk_size; ++i) {
            chunk[i].worker = this;
            chunk[i].index = first + i;
            chunk[i].next_of_socket = std::exchange(free_, &chunk[i]);
        }
    } catch (const std::bad_alloc&) { return nullptr; }
    return take();
}

void Worker::recycle(Registration& registration) noexcept {
    registration.readable = registration.sticky = false;
    registration.events = 0;
    ++registration.generation;
    registration.next_of_socket = std::exchange(free_, &registration);
}

int Worker::report(Registration& registration, int fd, Direction direction) noexcept {
    const std::uint32_t events = registration.events | events_of(direction);
    if (events == registration.events) return 0;
    const std::uint64_t name = std::uint64_t{registration.generation} << 32 | registration.index;
    platform::event event{.events = events | EPOLLET, .data = {.u64 = name}};
    const int operation = registration.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    const int error = platform::epoll_ctl(epoll_.fd, operation, fd, &event);
    if (error == 0) registration.events = events;
    return error;
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
