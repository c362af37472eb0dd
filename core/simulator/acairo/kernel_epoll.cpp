// Epoll of the simulated kernel, and what the kernel tells its host about descriptors.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. An item gets into the ready list by an event that concerns its mask, by being added or by being modified; only
//      epoll_wait takes it out, and then asks the file anew: so an edge that has passed is not reported.
//   2. A level-triggered item that was reported goes back to the end of the list; an edge-triggered one does not; a oneshot
//      one loses its mask.
//   3. An event carries what was registered, whatever the events before it in the batch make of that: stale events occur.
#include <acairo/kernel.hpp>
#include <algorithm>
#include <cerrno>

namespace acairo::simulator {
namespace {

using detail::Item;
using detail::Kind;

// What is not about readiness but about how it is reported.
constexpr std::uint32_t manner = EPOLLET | EPOLLONESHOT;

}  // namespace

std::uint32_t Kernel::poll(detail::File& file) noexcept {
    if (file.kind == Kind::socket) return network_.poll(static_cast<detail::Socket&>(file));
    // An epoll takes nothing else.
    const std::uint64_t value = static_cast<const detail::Counter&>(file).value;
    return (value > 0 ? std::uint32_t{EPOLLIN} : 0) | (value < ~std::uint64_t{0} - 1 ? std::uint32_t{EPOLLOUT} : 0);
}

void Kernel::observe_source(detail::File& file, std::uint32_t events) {
    if ((events & ~std::uint32_t{EPOLLOUT | EPOLLWRNORM}) == 0) return;
    if (file.kind == Kind::counter) {
        host_.observe(&file);
    } else {
        network_.observe_arrived(static_cast<detail::Socket&>(file));
    }
}

Item* Kernel::registration(const detail::Epoll& epoll, const detail::File& file, int fd) noexcept {
    Item* item = file.items.first;
    while (item && (item->epoll != &epoll || item->fd != fd)) item = item->of_file.next;
    return item;
}

void Kernel::forget(Item& item) noexcept {
    if (item.ready) item.epoll->ready.erase(item);
    item.epoll->all.erase(item);
    item.file->items.erase(item);
    items_.recycle(item);
}

int Kernel::epoll_create1(int flags) {
    advance();
    if ((flags & ~EPOLL_CLOEXEC) != 0) return -EINVAL;
    const int number = free_number();
    return number < 0 ? number : install(epolls_.make(), number);
}

int Kernel::epoll_ctl(int epoll, int operation, int fd, const ::epoll_event* wanted) {
    detail::File* const watching = find("epoll_ctl", epoll);
    if (!watching) return -EBADF;
    detail::File* const file = find("epoll_ctl", fd);
    if (!file) return -EBADF;
    if (file->kind == Kind::null) return -EPERM;
    if (watching->kind != Kind::epoll || watching == file) return -EINVAL;
    auto& owner = static_cast<detail::Epoll&>(*watching);
    Item* item = registration(owner, *file, fd);
    switch (operation) {
        case EPOLL_CTL_DEL:
            if (!item) return -ENOENT;
            forget(*item);
            return 0;
        case EPOLL_CTL_ADD:
            if (file->kind == Kind::epoll) return -EINVAL;
            if (item) return -EEXIST;
            item = &items_.make();
            item->epoll = &owner;
            item->file = file;
            item->fd = fd;
            file->items.push_back(*item);
            owner.all.push_back(*item);
            break;
        case EPOLL_CTL_MOD:
            if (!item) return -ENOENT;
            break;
        default: return -EINVAL;
    }
    item->events = wanted->events | EPOLLERR | EPOLLHUP;
    item->data = wanted->data;
    host_.publish(item);
    if ((poll(*file) & item->events) != 0) {
        detail::Watch::make_ready(*item);
        ++watch_.epoch;
    }
    return 0;
}

bool Kernel::may_report(int epoll) const noexcept {
    const detail::File* const file = slots_[static_cast<std::size_t>(epoll)].file;
    return file && file->kind == Kind::epoll && static_cast<const detail::Epoll*>(file)->ready.first;
}

int Kernel::epoll_wait(int epoll, ::epoll_event* events, int size) {
    detail::File* const file = find("epoll_wait", epoll);
    if (!file) return -EBADF;
    if (size <= 0 || file->kind != Kind::epoll) return -EINVAL;
    auto& owner = static_cast<detail::Epoll&>(*file);
    batch_.clear();
    for (Item* item = owner.ready.first; item;) {
        Item* const next = item->of_ready.next;
        const std::uint32_t ready = poll(*item->file) & item->events;
        if (ready != 0) {
            batch_.emplace_back(item, ready);
        } else {
            owner.ready.erase(*item);
            item->ready = false;
        }
        // Without a choice of the order, the others need not be looked at.
        if (!configuration_.reorders && batch_.size() == static_cast<std::size_t>(size)) break;
        item = next;
    }
    std::size_t count = std::min(batch_.size(), static_cast<std::size_t>(size));
    if (configuration_.reorders && batch_.size() > 1) {
        if (count > 1) count -= host_.below(count, Tag::order);
        for (std::size_t place = 0; place != count && place + 1 != batch_.size(); ++place) {
            const std::uint64_t chosen = host_.below(batch_.size() - place, Tag::order);
            const auto begin = batch_.begin() + static_cast<std::ptrdiff_t>(place);
            // Rotated and not swapped: the others keep the order of becoming ready.
            std::rotate(begin, begin + static_cast<std::ptrdiff_t>(chosen),
                        begin + static_cast<std::ptrdiff_t>(chosen) + 1);
        }
    }
    for (std::size_t place = 0; place != count; ++place) {
        const auto [item, ready] = batch_[place];
        host_.observe(item);
        observe_source(*item->file, ready);
        events[place].events = ready;
        events[place].data = item->data;
        owner.ready.erase(*item);
        item->ready = false;
        if (item->events & EPOLLONESHOT) {
            item->events &= manner;
        } else if ((item->events & EPOLLET) == 0) {
            detail::Watch::make_ready(*item);
        }
    }
    return static_cast<int>(count);
}

bool Kernel::blocking(int fd) const noexcept {
    const auto number = static_cast<std::size_t>(fd);
    return fd >= 0 && number < slots_.size() && slots_[number].file && slots_[number].file->blocking;
}

void Kernel::set_origin(int fd, std::uint32_t origin) {
    const auto number = static_cast<std::size_t>(fd);
    if (fd >= 0 && number < slots_.size()) slots_[number].origin = origin;
}

std::uint32_t Kernel::origin(int fd) const noexcept {
    const auto number = static_cast<std::size_t>(fd);
    return fd >= 0 && number < slots_.size() ? slots_[number].origin : 0;
}

void Kernel::list_open(std::vector<OpenDescriptor>& list) const {
    list.clear();
    for (std::size_t number = 0; number != slots_.size(); ++number) {
        const detail::File* const file = slots_[number].file;
        if (!file) continue;
        const char* kind = file->kind == Kind::counter ? "eventfd" : file->kind == Kind::epoll ? "epoll" : "file";
        if (file->kind == Kind::socket) {
            const auto& socket = static_cast<const detail::Socket&>(*file);
            kind = socket.state == detail::TCP::listen ? "listener" : "socket";
        }
        list.push_back({static_cast<int>(number), kind, slots_[number].origin});
    }
}

State Kernel::state_of(int fd) const noexcept {
    const auto number = static_cast<std::size_t>(fd);
    if (fd < 0 || number >= slots_.size() || !slots_[number].file) return State::no_descriptor;
    const detail::File& file = *slots_[number].file;
    if (file.kind == Kind::counter) return State::counter;
    if (file.kind == Kind::epoll) return State::epoll;
    if (file.kind == Kind::null) return State::null;
    const auto& socket = static_cast<const detail::Socket&>(file);
    switch (socket.state) {
        case detail::TCP::listen: return State::listening;
        case detail::TCP::syn_sent: return State::connecting;
        case detail::TCP::established: return State::established;
        case detail::TCP::fin_wait1:
        case detail::TCP::fin_wait2: return State::local_end;
        case detail::TCP::close_wait: return State::peer_end;
        case detail::TCP::closing:
        case detail::TCP::last_ack: return State::both_ends;
        case detail::TCP::closed: break;
    }
    switch (socket.ending) {
        case detail::Ending::none: break;
        case detail::Ending::graceful: return State::both_ends;
        case detail::Ending::reset: return State::reset;
        case detail::Ending::refused: return State::refused;
    }
    return socket.bound ? State::bound : State::fresh;
}

}  // namespace acairo::simulator
