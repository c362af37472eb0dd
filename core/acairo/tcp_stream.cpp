// Reading, writing, connecting: what each call's result means.
#include <acairo/executor.hpp>
#include <acairo/tcp_listener.hpp>
#include <algorithm>
#include <new>
#include <stdexcept>

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
    for (const auto duration : {configuration.read_timeout, configuration.write_timeout}) {
        if (duration.count() >= 0) continue;
        throw std::invalid_argument("acairo: a timeout in TCPStreamConfiguration is " +
                                    std::to_string(duration.count()) + " ns; it must be positive, or 0 for none");
    }
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
    if (result == -EAGAIN || result == -ENOMEM || result == -ENOBUFS) return;  // these pass
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

namespace detail {

TCPStream& StreamOperation::stream() const noexcept { return static_cast<TCPStream&>(*socket); }

ReadSome::ReadSome(TCPStream& stream, std::span<char> to) noexcept
    : StreamOperation(stream, Direction::read, "read_some"), to_(to) {}

bool ReadSome::attempt() noexcept {
    const Socket::Use use(*socket);
    if (!use) return complete(Outcome::cancelled);
    received_ = stream().take_pending(to_);
    if (received_ != 0 || to_.empty()) return complete(Outcome::done);
    Registration* const place = registration();
    if (!place) return true;
    if (!place->readable) return wait(place);
    const std::ptrdiff_t result = stream().receive(use.fd, *place, to_);
    if (result == -EAGAIN) return wait(place);
    if (result < 0) return fail(result, "recv");
    received_ = static_cast<std::size_t>(result);
    return complete(Outcome::done);
}

std::size_t ReadSome::await_resume() const {
    rethrow();
    return received_;
}

ReadExactly::ReadExactly(TCPStream& stream, std::size_t size) noexcept
    : StreamOperation(stream, Direction::read, "read"), size_(size) {}

bool ReadExactly::attempt() noexcept {
    const Socket::Use use(*socket);
    if (!use) return complete(Outcome::cancelled);
    std::vector<char>& pending = stream().pending_;
    while (pending.size() < size_) {
        Registration* const place = registration();
        if (!place) return true;
        if (!place->readable) return wait(place);
        const std::size_t before = pending.size();
        try {
            pending.resize(before + std::min(size_ - before, largest_growth));
        } catch (const std::bad_alloc&) { return complete(Outcome::no_memory); }
        const std::ptrdiff_t result = stream().receive(use.fd, *place, std::span(pending).subspan(before));
        pending.resize(before + static_cast<std::size_t>(std::max<std::ptrdiff_t>(result, 0)));
        if (result == -EAGAIN) return wait(place);
        if (result < 0) return fail(result, "recv");
        if (result == 0) return deliver(true);
    }
    return deliver(false);
}

// While the direction is still claimed: without this, another reader could take the bytes first.
bool ReadExactly::deliver(bool at_end) noexcept {
    std::vector<char>& pending = stream().pending_;
    try {
        if (at_end) {
            before_end_ = std::make_shared<const std::vector<char>>(std::move(pending));
        } else if (pending.size() == size_) {
            received_ = std::move(pending);
        } else {
            received_.resize(size_);
            stream().take_pending(received_);
            return complete(Outcome::done);
        }
        pending.clear();
        return complete(Outcome::done);
    } catch (const std::bad_alloc&) { return complete(Outcome::no_memory); }
}

std::vector<char> ReadExactly::await_resume() {
    rethrow();
    if (before_end_) throw EndOfStream(std::move(before_end_));
    return std::move(received_);
}

WriteAll::WriteAll(TCPStream& stream, std::span<const char> from) noexcept
    : StreamOperation(stream, Direction::write, "write"), rest_(from) {}

bool WriteAll::attempt() noexcept {
    const Socket::Use use(*socket);
    if (!use) return complete(Outcome::cancelled);
    while (!rest_.empty()) {
        const std::ptrdiff_t result = stream().send(use.fd, rest_);
        if (result == -EAGAIN) {
            Registration* const place = registration();
            return !place || wait(place);
        }
        if (result < 0) return fail(result, "send");
        rest_ = rest_.subspan(static_cast<std::size_t>(result));
    }
    return complete(Outcome::done);
}

Connect::Connect(std::shared_ptr<TCPStream> stream, const platform::address& peer, bool no_delay) noexcept
    : SocketOperation(*stream, Direction::write, "connect"),
      stream_(std::move(stream)),
      peer_(peer),
      no_delay_(no_delay) {}

int Connect::start() noexcept {
    name_ = "socket to ";
    const int fd = platform::socket(peer_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fd;
    if (!socket->open(fd)) return -ECANCELED;
    name_ = "setsockopt TCP_NODELAY to ";
    int result = platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_delay_ ? 1 : 0);
    if (result < 0) return result;
    name_ = "connect to ";
    result = platform::connect(fd, peer_);
    // After EINTR the attempt goes on; a second call would be another one.
    return result == -EINTR ? -EINPROGRESS : result;
}

int Connect::progress(int fd) noexcept {
    int error = 0;
    if (const int result = platform::getsockopt(fd, SOL_SOCKET, SO_ERROR, error); result < 0) return result;
    if (error != 0) return -error;
    // No error yet is not success: readiness may have been reported for something else.
    platform::address peer;
    const int result = platform::getpeername(fd, peer);
    return result == -ENOTCONN ? -EINPROGRESS : result;
}

bool Connect::attempt() noexcept {
    const int started = std::exchange(started_, true) ? 0 : start();
    const Socket::Use use(*socket);
    const int result = started < 0 ? started : progress(use.fd);
    if (result == -EINPROGRESS) {
        Registration* const place = registration();
        return !place || wait(place);
    }
    return result < 0 ? fail(result, name_) : complete(Outcome::done);
}

std::shared_ptr<TCPStream> Connect::await_resume() {
    rethrow(outcome_ == Outcome::failed ? to_text(peer_) : std::string());
    return std::move(stream_);
}

}  // namespace detail

detail::Connect TCPStream::connect(const std::shared_ptr<Executor>& executor, const std::string& address,
                                   TCPStreamConfiguration configuration) {
    const platform::address peer = detail::parse_address(address);
    return {std::make_shared<TCPStream>(Key{}, executor->state_, configuration), peer, configuration.no_delay};
}

}  // namespace acairo::inline ACAIRO_WORLD
