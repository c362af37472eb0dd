// Who may use the descriptor, and who closes it; claiming and waiting.
#include <acairo/executor.hpp>
#include <acairo/socket.hpp>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD::detail {
namespace {

constexpr std::uint32_t closed_flag = 1;
constexpr std::uint32_t reading = 2;
constexpr std::uint32_t writing = 4;
constexpr std::uint32_t one_call = 8;

constexpr std::uint32_t claim_of(Direction direction) noexcept {
    return direction == Direction::read ? reading : writing;
}

// No registration is at this address.
Registration* closed_mark() noexcept { return reinterpret_cast<Registration*>(alignof(Registration)); }

}  // namespace

Socket::~Socket() {
    check((word_.load(std::memory_order_acquire) & (reading | writing)) == 0, "a stream outlives its operations");
    close();
}

bool Socket::close() noexcept {
    // Acquire and release: the descriptor's last use on another thread comes before close(2), on whichever thread that is.
    const std::uint32_t before = word_.fetch_or(closed_flag, std::memory_order_acq_rel);
    if (before & closed_flag) return false;
    // The kernel forgets the registrations by itself. EINTR is not retried: the descriptor is gone, and its number may
    // already be somebody else's.
    if (before < one_call && is_open()) platform::close(fd_);
    Registration* registration = registrations_.exchange(closed_mark(), std::memory_order_acq_rel);
    while (registration) {
        // Read first: the registration is recycled by its worker as soon as it has been posted.
        Registration* const next = registration->next_of_socket;
        registration->worker.post(*registration);
        registration = next;
    }
    return true;
}

bool Socket::closed() const noexcept { return (word_.load(std::memory_order_acquire) & closed_flag) != 0; }

bool Socket::enter() noexcept {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    do {
        // In the same read-modify-write as the count: without this, close() could give the number back in between.
        if (word & closed_flag) return false;
    } while (!word_.compare_exchange_weak(word, word + one_call, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
}

void Socket::leave() noexcept {
    const std::uint32_t after = word_.fetch_sub(one_call, std::memory_order_acq_rel) - one_call;
    if ((after & closed_flag) && after < one_call) platform::close(fd_);
}

Socket::Claim Socket::claim(Direction direction) noexcept {
    // Acquire: what the last reader or writer left in the stream, perhaps on another thread, is visible to the next.
    const std::uint32_t before = word_.fetch_or(claim_of(direction), std::memory_order_acquire);
    if (before & claim_of(direction)) return Claim::taken;
    if ((before & closed_flag) == 0) return Claim::granted;
    unclaim(direction);
    return Claim::closed;
}

void Socket::unclaim(Direction direction) noexcept {
    word_.fetch_and(~claim_of(direction), std::memory_order_release);
}

Registration* Socket::registration(const Worker& worker) const noexcept {
    // Acquire: without this, the fields of a registration that another worker has just added could be read too early.
    Registration* entry = registrations_.load(std::memory_order_acquire);
    if (entry == closed_mark()) return nullptr;
    while (entry && &entry->worker != &worker) entry = entry->next_of_socket;
    return entry;
}

Registration* Socket::registration_for(Worker& worker, Direction direction, int& error) noexcept {
    const Use use(*this);
    error = 0;
    if (!use) return nullptr;
    if (Registration* const known = registration(worker)) {
        error = worker.extend(*known, use.fd, direction);
        return error == 0 ? known : nullptr;
    }
    Registration* const added = worker.add(use.fd, direction, error);
    if (!added) return nullptr;
    Registration* first = registrations_.load(std::memory_order_relaxed);
    do {
        if (first == closed_mark()) {
            worker.recycle(*added);
            return nullptr;
        }
        added->next_of_socket = first;
    } while (!registrations_.compare_exchange_weak(first, added, std::memory_order_release, std::memory_order_relaxed));
    return added;
}

std::string Socket::address_by(int (*call)(int, platform::address&) noexcept, const char* name) {
    platform::address address;
    const Use use(*this);
    const int result = use ? call(use.fd, address) : -EBADF;
    if (result < 0) throw_system_error(result, name);
    return to_text(address);
}

void SocketOperation::begin() {
    if (&worker().state != socket->state.get()) {
        throw std::logic_error(std::string("acairo: ") + name_ +
                               " on a worker of another executor; use the executor that the stream or listener was made with");
    }
    switch (socket->claim(direction_)) {
        case Socket::Claim::granted: return;
        case Socket::Claim::taken:
            throw std::logic_error(std::string("acairo: ") + name_ + " while another one waits; await one after the other");
        case Socket::Claim::closed: throw_system_error(-EBADF, std::string(name_) + " after close()");
    }
    impossible();
}

bool SocketOperation::withdraw() noexcept {
    if (waiting_at_) waiting_at_->waiter(direction_) = nullptr;
    waiting_at_ = nullptr;
    return true;
}

Registration* SocketOperation::registration(int& error) noexcept {
    Registration* const known = socket->registration(worker());
    if (known && known->reports(direction_)) return known;
    return socket->registration_for(worker(), direction_, error);
}

Registration* SocketOperation::registration() noexcept {
    int error = 0;
    if (Registration* const found = registration(error)) return found;
    if (error == 0) {
        complete(Outcome::cancelled);
    } else {
        fail(error, "epoll_ctl");
    }
    return nullptr;
}

bool SocketOperation::wait() noexcept {
    Registration* const place = registration();
    if (!place) return true;
    if (timeout_ != std::chrono::nanoseconds{0} && !chain_->armed()) {
        // One deadline for the whole operation, however often it waits.
        worker().timers.arm(*chain_, timed_ ? chain_->deadline : deadline_after(timeout_));
        timed_ = true;
    }
    return wait_at(place);
}

bool SocketOperation::wait_at(Registration* place) noexcept {
    if (place) {
        check(place->waiter(direction_) == nullptr, "one chain waits for a direction");
        place->waiter(direction_) = chain_;
    }
    waiting_at_ = place;
    chain_->park();
    return false;
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
