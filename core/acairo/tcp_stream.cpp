// Reading, writing, connecting: what each call's result means.
#include <acairo/executor.hpp>
#include <acairo/tcp_listener.hpp>
#include <algorithm>

namespace acairo::inline ACAIRO_WORLD {
namespace {

// Nothing is gained by more in one call, and no size overflows on its way through the kernel.
constexpr std::size_t largest_transfer = std::size_t{1} << 30;
// read(n) makes room as bytes arrive: n may be what a peer claims, and may be more than there is memory.
constexpr std::size_t largest_growth = std::size_t{1} << 16;

}  // namespace

TCPStream::TCPStream(Key, std::shared_ptr<detail::State> its_state, const TCPStreamConfiguration& configuration)
    : Socket(std::move(its_state)) {
    timeout(detail::Direction::read) = configuration.read_timeout;
    timeout(detail::Direction::write) = configuration.write_timeout;
    for (const auto duration : {configuration.read_timeout, configuration.write_timeout})
        detail::require(duration.count() >= 0, "a timeout of TCPStreamConfiguration, in nanoseconds,", duration.count(),
                        "it must be positive, or 0 for none");
}

void TCPStream::close() noexcept {
    if (Socket::close() && listener_) listener_->leave();
}

void TCPStream::shutdown() {
    const Use use(*this);
    const int result = use ? platform::shutdown(use.fd, SHUT_WR) : -EBADF;
    if (result < 0 && result != -ENOTCONN) detail::throw_system_error(result, "shutdown");
}

std::size_t TCPStream::take_pending(std::span<char> to) noexcept {
    const std::size_t size = std::min(to.size(), pending_.size());
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(size);
    std::copy(pending_.begin(), end, to.begin());
    pending_.erase(pending_.begin(), end);
    return size;
}

void TCPStream::note_broken(std::ptrdiff_t result) noexcept {
    if (result == -EAGAIN || result == -ENOMEM || result == -ENOBUFS || result == -EPERM) return;  // these pass
    broken_.store(static_cast<std::int32_t>(result), std::memory_order_relaxed);
}

std::ptrdiff_t TCPStream::receive(int fd, detail::Registration& place, std::span<char> to) noexcept {
    const std::size_t size = std::min(to.size(), largest_transfer);
    std::ptrdiff_t result = -EINTR;
    while (result == -EINTR) result = platform::recv(fd, to.data(), size, 0);
    if (result == -EAGAIN) {
        place.readable = false;
    } else if (result > 0) {
        // A short read shows that the socket is empty: the next one waits without trying.
        if (static_cast<std::size_t>(result) < size && !place.sticky) place.readable = false;
    } else if (result == 0) {
        result = broken_.load(std::memory_order_relaxed);
    } else {
        note_broken(result);
    }
    return result;
}

std::ptrdiff_t TCPStream::send(int fd, std::span<const char> from) noexcept {
    const std::size_t size = std::min(from.size(), largest_transfer);
    std::ptrdiff_t result = -EINTR;
    while (result == -EINTR) result = platform::send(fd, from.data(), size, MSG_NOSIGNAL);
    if (result > 0) {
        // No read-modify-write: only the one writer counts.
        bytes_sent_.store(bytes_sent() + static_cast<std::uint64_t>(result), std::memory_order_relaxed);
    } else if (result < 0 && result != -EPIPE) {
        // Told to the writer, it is not told again: without this, a read would see a clean end of stream.
        note_broken(result);
    }
    return result;
}

bool TCPStream::ReadSome::attempt(int fd) noexcept {
    auto& stream = static_cast<TCPStream&>(*socket_);
    received_ = stream.take_pending(to_);
    if (received_ != 0 || to_.empty()) return complete(Outcome::done);
    detail::Registration* const place = registration();
    if (!place || !place->readable) return !place || wait(place);
    const std::ptrdiff_t result = stream.receive(fd, *place, to_);
    if (result < 0) return wait_or_fail(result, "recv");
    received_ = static_cast<std::size_t>(result);
    return complete(Outcome::done);
}

bool TCPStream::ReadExactly::attempt(int fd) noexcept {
    auto& stream = static_cast<TCPStream&>(*socket_);
    std::vector<char>& pending = stream.pending_;
    while (pending.size() < size_) {
        detail::Registration* const place = registration();
        if (!place || !place->readable) return !place || wait(place);
        const std::size_t before = pending.size();
        try {
            pending.resize(before + std::min(size_ - before, largest_growth));
        } catch (const std::bad_alloc&) { return complete(Outcome::no_memory); }
        const std::ptrdiff_t result = stream.receive(fd, *place, std::span(pending).subspan(before));
        pending.resize(before + static_cast<std::size_t>(std::max<std::ptrdiff_t>(result, 0)));
        if (result < 0) return wait_or_fail(result, "recv");
        if (result == 0) return deliver(true);
    }
    return deliver(false);
}

// While the direction is still claimed: without this, another reader could take the bytes first.
bool TCPStream::ReadExactly::deliver(bool at_end) noexcept {
    auto& stream = static_cast<TCPStream&>(*socket_);
    try {
        if (at_end) {
            before_end_ = std::make_shared<const std::vector<char>>(std::move(stream.pending_));
        } else if (stream.pending_.size() == size_) {
            received_.swap(stream.pending_);
        } else {
            received_.resize(size_);
            stream.take_pending(received_);
        }
        return complete(Outcome::done);
    } catch (const std::bad_alloc&) { return complete(Outcome::no_memory); }
}

bool TCPStream::WriteAll::attempt(int fd) noexcept {
    while (!rest_.empty()) {
        const std::ptrdiff_t result = static_cast<TCPStream*>(socket_)->send(fd, rest_);
        if (result < 0) return wait_or_fail(result, "send");
        rest_ = rest_.subspan(static_cast<std::size_t>(result));
    }
    return complete(Outcome::done);
}

int TCPStream::Connect::start() noexcept {
    name_ = "socket to ";
    const int fd = platform::socket(peer_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fd;
    stream_->open(fd);
    name_ = "setsockopt TCP_NODELAY to ";
    int result = platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_delay_ ? 1 : 0);
    if (result < 0) return result;
    name_ = "connect to ";
    result = platform::connect(fd, peer_);
    // After EINTR the attempt goes on; a second call would be another one.
    return result == -EINTR ? -EINPROGRESS : result;
}

int TCPStream::Connect::progress(int fd) noexcept {
    int error = 0;
    if (const int result = platform::getsockopt(fd, SOL_SOCKET, SO_ERROR, error); result < 0) return result;
    if (error != 0) return -error;
    // No error yet is not success: readiness may have been reported for something else.
    platform::address peer;
    const int result = platform::getpeername(fd, peer);
    return result == -ENOTCONN ? -EINPROGRESS : result;
}

bool TCPStream::Connect::attempt(int fd) noexcept {
    const int result = fd < 0 ? start() : progress(fd);
    if (result == -EINPROGRESS) return wait();
    return result < 0 ? fail(result, name_) : complete(Outcome::done);
}

auto TCPStream::connect(const std::shared_ptr<Executor>& executor, const std::string& address,
                        TCPStreamConfiguration configuration) -> Connect {
    const platform::address peer = detail::parse_address(address);
    return {std::make_shared<TCPStream>(Key{}, executor->state_, configuration), peer, configuration.no_delay};
}

}  // namespace acairo::inline ACAIRO_WORLD
