// What a stream's reads and writes are: awaitables without a frame of their own, each a loop over one system call.
//
// Threads: an operation is awaited on a worker of its stream's executor and resumes there. One reader and one writer may
// wait at once, on different workers. The stream must outlive its operations.
// Invariants:
//   1. `pending` holds bytes that a read(n) received and did not deliver; the next read delivers them first. It belongs to
//      whoever has claimed the read direction.
//   2. `bytes_sent` counts what the kernel took, whatever became of the operation that sent it.
#pragma once
#include <acairo/executor.hpp>
#include <span>

namespace acairo::inline ACAIRO_WORLD {

class TCPStream;

namespace detail {

struct Accept;

struct Stream : Socket {
    using Socket::Socket;
    // How many bytes were moved from `pending`.
    std::ptrdiff_t take_pending(std::span<char> to) noexcept {
        const auto size = static_cast<std::ptrdiff_t>(pending ? std::min(to.size(), pending->size()) : 0);
        if (size == 0) return 0;
        std::copy_n(pending->begin(), size, to.begin());
        pending->erase(pending->begin(), pending->begin() + size);
        return size;
    }
    // Null until a read(n) needs it. Shared, as EndOfStream takes it over.
    std::shared_ptr<std::vector<char>> pending;
    platform::atomic<std::uint64_t> bytes_sent{0};
    // The error that broke the connection, -errno: the kernel reports it once, and an end of stream afterwards.
    platform::atomic<std::int32_t> broken{0};
};

// A read or a write.
struct Transfer : Operation {
    // Nothing is gained by more in one call, and no size overflows on its way through the kernel.
    static constexpr std::size_t largest = std::size_t{1} << 30;

    explicit Transfer(Stream& its_stream, Direction way = Direction::read) noexcept : Operation(&its_stream, way) {}
    Stream& stream() const noexcept { return static_cast<Stream&>(*socket); }
    // This worker's registration, when the socket may have something to read. Null: the operation waits, or has failed.
    Registration* readable() noexcept {
        Registration* const place = chain->registration();
        return !place || place->readable ? place : (chain->wait(*place), nullptr);
    }
    // One recv(2); EINTR is repeated. What it shows of the socket's readiness is noted in `place`. Negative: the operation
    // waits, or has failed.
    std::ptrdiff_t receive(int fd, Registration& place, std::span<char> to) noexcept {
        const std::size_t size = std::min(to.size(), largest);
        std::ptrdiff_t result = -EINTR;
        while (result == -EINTR) result = platform::recv(fd, to.data(), size, 0);
        // A short read shows that the socket is empty: the next one waits without trying.
        const bool is_short = result > 0 && static_cast<std::size_t>(result) < size && !place.sticky;
        if (is_short || result == -EAGAIN) place.readable = false;
        // The writer, on another worker, may have taken the error from the kernel, and not have noted it yet: try again.
        if (result == 0 && stream().used_elsewhere()) return chain->yield(), -EAGAIN;
        if (result == 0) result = stream().broken.load(std::memory_order_relaxed);
        if (result < 0) wait_or_break(result, Call::recv);
        return result;
    }
    // After a system call has given an error.
    void wait_or_break(std::ptrdiff_t result, Call call) noexcept {
        const bool passes = result == -EAGAIN || result == -ENOMEM || result == -ENOBUFS || result == -EPERM;
        // Told to the writer, it is not told again: without this, a read would see a clean end of stream.
        if (!passes && (result != -EPIPE || direction == Direction::read))
            stream().broken.store(static_cast<std::int32_t>(result), std::memory_order_relaxed);
        chain->wait_or_fail(result, call);
    }
};

struct [[nodiscard]] ReadSome final : Transfer {
    ReadSome(Stream& its_stream, std::span<char> its_to) noexcept : Transfer(its_stream), to(its_to) {}
    std::size_t await_resume() const { return rethrow(), to.size(); }
    void attempt(int fd) noexcept override {
        std::ptrdiff_t received = stream().take_pending(to);
        if (received == 0 && !to.empty()) {
            Registration* const place = readable();
            received = place ? receive(fd, *place, to) : -EAGAIN;
        }
        if (received < 0) return;
        to = to.first(static_cast<std::size_t>(received));
        complete();
    }
    std::span<char> to;  // in the end, what was received
};

struct [[nodiscard]] ReadExactly final : Transfer {
    // It makes room as bytes arrive: `size` may be what a peer claims, and may be more than there is memory.
    static constexpr std::size_t largest_growth = std::size_t{1} << 16;

    ReadExactly(Stream& its_stream, std::size_t its_size) noexcept : Transfer(its_stream), size(its_size) {}
    std::vector<char> await_resume() {
        rethrow();
        if (received->size() < size) throw EndOfStream(std::move(received));
        return std::move(*received);
    }
    void attempt(int fd) noexcept override try {
        std::shared_ptr<std::vector<char>>& pending = stream().pending;
        if (!pending) pending = std::make_shared<std::vector<char>>();
        std::ptrdiff_t result = 1;
        while (pending->size() < size && result > 0) {
            Registration* const place = readable();
            if (!place) return;
            const std::size_t before = pending->size();
            pending->resize(before + std::min(size - before, largest_growth));
            result = receive(fd, *place, std::span(*pending).subspan(before));
            pending->resize(before + static_cast<std::size_t>(std::max<std::ptrdiff_t>(result, 0)));
            if (result < 0) return;
        }
        // While the direction is still claimed: without this, another reader could take the bytes first.
        if (pending->size() <= size) return received = std::move(pending), complete();
        received = std::make_shared<std::vector<char>>(size);
        stream().take_pending(*received);
        complete();
    } catch (const std::bad_alloc&) { outcome = Outcome::no_memory; }
    const std::size_t size;
    std::shared_ptr<std::vector<char>> received;
};

struct [[nodiscard]] WriteAll : Transfer {
    WriteAll(Stream& to, std::span<const char> from) noexcept : Transfer(to, Direction::write), rest(from) {}
    void await_resume() const { rethrow(); }
    void attempt(int fd) noexcept override {
        while (!rest.empty()) {
            std::ptrdiff_t result = -EINTR;
            while (result == -EINTR)
                result = platform::send(fd, rest.data(), std::min(rest.size(), largest), MSG_NOSIGNAL);
            if (result < 0) return wait_or_break(result, Call::send);
            rest = rest.subspan(static_cast<std::size_t>(result));
            // No read-modify-write: only the one writer counts.
            const std::uint64_t sent = stream().bytes_sent.load(std::memory_order_relaxed);
            stream().bytes_sent.store(sent + static_cast<std::uint64_t>(result), std::memory_order_relaxed);
        }
        complete();
    }
    std::span<const char> rest;
};

// Owns what it writes. The base's span survives moving the vector: a vector's elements do not move with it. A copy would
// not be so: neither is the vector const, nor can this be copied.
struct [[nodiscard]] WriteVector final : WriteAll {
    WriteVector(Stream& to, std::vector<char> from) noexcept : WriteAll(to, from), buffer(std::move(from)) {}
    WriteVector(WriteVector&&) = default;
    std::vector<char> buffer;
};

struct [[nodiscard]] Connect final : Transfer {
    Connect(Stream& its_stream, std::shared_ptr<TCPStream> its_owner, const platform::address& its_peer) noexcept
        : Transfer(its_stream, Direction::write), owner(std::move(its_owner)), peer(its_peer) {}
    std::shared_ptr<TCPStream> await_resume() {
        rethrow(outcome == Outcome::failed ? " to " + to_text(peer) : std::string());
        return std::move(owner);
    }
    void attempt(int fd) noexcept override {
        if (fd < 0) {
            fd = platform::socket(peer.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (fd < 0) return fail(fd, Call::socket);
            stream().open(fd);
            const int refused =
                platform::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, socket->endpoint->configuration.no_delay);
            if (refused < 0) return fail(refused, Call::setsockopt);
        }
        // Again after a wait, or a signal: that begins no other attempt, but tells how this one stands. Unlike SO_ERROR, it
        // also tells an attempt that has not ended from one that has succeeded, when readiness was for something else.
        int result = -EINTR;
        while (result == -EINTR) result = platform::connect(fd, peer);
        if (result == -EINPROGRESS || result == -EALREADY) return chain->wait_or_fail(-EAGAIN, Call::connect);
        result < 0 && result != -EISCONN ? fail(result, Call::connect) : complete();
    }
    std::shared_ptr<TCPStream> owner;
    platform::address peer;
};

}  // namespace detail
}  // namespace acairo::inline ACAIRO_WORLD
