// Who may use the descriptor, and who closes it; claiming and waiting.
#include <acairo/executor.hpp>
#include <acairo/socket.hpp>
#include <stdexcept>

namespace acairo::inline ACAIRO_WORLD::detail {
namespace {

constexpr std::uint32_t closed_flag = 1;
constexpr std::uint32_t reading = 2;
constexpr std::uint32_t writing = 4;
constexpr std::uint32_t one_use = 8;

constexpr std::uint32_t claim_of(Direction direction) noexcept {
    return direction == Direction::read ? reading : writing;
}

}  // namespace

Socket::~Socket() {
    check((word_.load(std::memory_order_acquire) & (reading | writing)) == 0, "a stream outlives its operations");
    close();
}

bool Socket::open(int fd) noexcept {
    // Entered as for a use: without this, a close() at this moment would leave the descriptor open for ever.
    if (!enter()) {
        platform::close(fd);
        return false;
    }
    fd_ = fd;
    leave();
    return true;
}

bool Socket::close() noexcept {
    // Acquire and release: every use on another thread comes before close(2), on whichever thread that is.
    const std::uint32_t before = word_.fetch_or(closed_flag, std::memory_order_acq_rel);
    if (before & closed_flag) return false;
    if (before < one_use) finish_close();
    return true;
}

void Socket::finish_close() const noexcept {
    // The kernel forgets the registrations by itself. EINTR is not retried: the descriptor is gone, and its number may
    // already be somebody else's.
    if (fd_ >= 0) platform::close(fd_);
    Registration* entry = registrations_.load(std::memory_order_acquire);
    // The next one is read first: a registration is recycled as soon as it has been posted.
    while (entry) std::exchange(entry, entry->next_of_socket)->post(Registration::closed);
}

bool Socket::closed() const noexcept { return (word_.load(std::memory_order_acquire) & closed_flag) != 0; }

bool Socket::enter() const noexcept {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    do {
        // In the same read-modify-write as the count: without this, close() could give the number back in between.
        if (word & closed_flag) return false;
    } while (!word_.compare_exchange_weak(word, word + one_use, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
}

void Socket::leave() const noexcept {
    const std::uint32_t after = word_.fetch_sub(one_use, std::memory_order_acq_rel) - one_use;
    if ((after & closed_flag) && after < one_use) finish_close();
}

void Socket::claim(Direction direction, const char* call) {
    // Acquire: what the last reader or writer left in the stream, perhaps on another thread, is visible to the next.
    const std::uint32_t before = word_.fetch_or(claim_of(direction), std::memory_order_acquire);
    if (before & claim_of(direction)) {
        throw std::logic_error(std::string("acairo: ") + call + " while another one waits; await one after the other");
    }
    if ((before & closed_flag) == 0) return;
    unclaim(direction);
    throw_system_error(-EBADF, std::string(call) + " after close()");
}

void Socket::unclaim(Direction direction) noexcept { word_.fetch_and(~claim_of(direction), std::memory_order_release); }

void Socket::retry() noexcept {
    const Use use(*this);
    if (!use) return;
    Registration* entry = registrations_.load(std::memory_order_acquire);
    for (; entry; entry = entry->next_of_socket) entry->post(Registration::retry);
}

Registration* Socket::registration(Worker& worker, Direction direction, int& error) noexcept {
    // Acquire: without this, the fields of a registration that another worker has just added could be read too early.
    Registration* first = registrations_.load(std::memory_order_acquire);
    Registration* entry = first;
    while (entry && entry->worker != &worker) entry = entry->next_of_socket;
    if (entry) {
        error = entry->reports(direction) ? 0 : worker.extend(*entry, fd_, direction);
        return error == 0 ? entry : nullptr;
    }
    entry = worker.add(fd_, direction, error);
    if (!entry) return nullptr;
    do {
        entry->next_of_socket = first;
    } while (!registrations_.compare_exchange_weak(first, entry, std::memory_order_acq_rel, std::memory_order_acquire));
    return entry;
}

std::string Socket::address_by(int (*call)(int, platform::address&) noexcept, const char* name) const {
    platform::address address;
    const Use use(*this);
    const int result = use ? call(use.fd, address) : -EBADF;
    if (result < 0) throw_system_error(result, name);
    return to_text(address);
}

void SocketOperation::begin() {
    if (&worker().state != socket->state.get()) {
        throw std::logic_error(
            std::string("acairo: ") + name_ +
            " on a worker of another executor; use the executor that the stream or listener was made with");
    }
    socket->claim(direction_, name_);
}

void SocketOperation::withdraw() noexcept {
    if (waiting_at_) std::exchange(waiting_at_, nullptr)->waiter(direction_) = nullptr;
}

Registration* SocketOperation::registration() noexcept {
    int error = 0;
    Registration* const place = socket->registration(worker(), direction_, error);
    if (!place) fail(error, "epoll_ctl");
    return place;
}

bool SocketOperation::wait(Registration* place) noexcept {
    const std::chrono::nanoseconds timeout = socket->timeout(direction_);
    if (timeout != std::chrono::nanoseconds{0} && !chain_->armed()) {
        // One deadline for the whole operation, however often it waits.
        worker().timers.arm(*chain_, timed_ ? chain_->deadline : deadline_after(timeout));
        timed_ = true;
    }
    if (place) {
        check(place->waiter(direction_) == nullptr, "one chain waits for a direction");
        place->waiter(direction_) = chain_;
    }
    waiting_at_ = place;
    chain_->park();
    return false;
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
