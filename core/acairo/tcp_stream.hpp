// TCPStream: a connected socket. Each operation is an awaitable without a frame of its own.
//
// Threads: operations are awaited on a worker of the stream's executor and resume there. One reader and one writer may
// wait at once, on different workers. close(), shutdown() and the addresses may be called from any thread. The stream
// must outlive its operations.
// Invariants:
//   1. pending_ holds bytes that a read(n) received and did not deliver; the next read delivers them first. It belongs to
//      whoever has claimed the read direction.
//   2. bytes_sent_ counts what the kernel took, whatever became of the operation that sent it.
#pragma once
#include <acairo/chain.hpp>
#include <span>

namespace acairo::inline ACAIRO_WORLD {

class Executor;

struct TCPStreamConfiguration {
    // How long one operation may take, from its first wait on; 0: as long as it likes. When the time is over it throws
    // TimedOut, and the stream stays usable.
    std::chrono::nanoseconds read_timeout{0};
    std::chrono::nanoseconds write_timeout{0};
    // TCP_NODELAY: send what there is without waiting for more.
    bool no_delay = true;
};
static_assert(std::is_trivially_destructible_v<TCPStreamConfiguration>);

namespace detail {
struct ListenerState;
}

class TCPStream : detail::Socket {
    struct Key {};
    class Connect;
    class ReadExactly;
    class ReadSome;
    class WriteAll;
    class WriteVector;

public:
    // A connection to `address`, a text as for TCPListener::bind. Throws std::invalid_argument at once when it is none.
    // Awaited, resumes on the task's worker and throws std::system_error (socket, connect, ...), Cancelled,
    // std::bad_alloc, and TimedOut after the configuration's write_timeout.
    static Connect connect(const std::shared_ptr<Executor>& executor, const std::string& address,
                           TCPStreamConfiguration configuration = {});

    // Exactly `size` bytes. Throws EndOfStream, with what came before, when the peer ended the stream; Cancelled,
    // TimedOut, std::system_error (recv, epoll_ctl), std::bad_alloc: then the bytes that had arrived stay in the stream,
    // and the next read delivers them first. After a reset, reads give its error and never a clean end.
    // After close(): std::system_error (bad_file_descriptor). While another read waits: std::logic_error.
    ReadExactly read(std::size_t size) noexcept;
    // Between 1 and `to.size()` bytes, as soon as there are any; 0: the peer ended the stream, or `to` is empty. `to` must
    // live until then. Throws as read(), but no EndOfStream.
    ReadSome read_some(std::span<char> to) noexcept;
    // All of the bytes. Throws Cancelled, TimedOut, std::system_error (send, epoll_ctl): bytes_sent() tells how many
    // were sent. Never SIGPIPE. After close() and while another write waits: as read().
    WriteVector write(std::vector<char> from) noexcept;
    // As write(); `from` must live until then.
    WriteAll write_all(std::span<const char> from) noexcept;

    // Ends the sending direction: the peer reads what was sent and then the end of stream. Throws std::system_error
    // (shutdown; bad_file_descriptor after close()). That the peer has already reset the connection is no error.
    void shutdown();
    // Closes the descriptor. Operations that wait complete with Cancelled. Any thread, any number of times.
    void close() noexcept;

    // "127.0.0.1:8080", "[::1]:8080". Throw std::system_error (getsockname, getpeername).
    std::string local_address() const { return address_by(platform::getsockname, "getsockname"); }
    std::string peer_address() const { return address_by(platform::getpeername, "getpeername"); }
    // How many bytes the kernel has taken. Exact when no write is in progress.
    std::uint64_t bytes_sent() const noexcept { return bytes_sent_.load(std::memory_order_relaxed); }

    TCPStream(Key, std::shared_ptr<detail::State> its_state, const TCPStreamConfiguration& configuration);
    ~TCPStream() { close(); }

private:
    friend class TCPListener;

    // How many bytes were moved from pending_.
    std::size_t take_pending(std::span<char> to) noexcept;
    // One recv(2) or send(2); EINTR is repeated. What a read shows of the socket's readiness is noted in `place`.
    std::ptrdiff_t receive(int fd, detail::Registration& place, std::span<char> to) noexcept;
    std::ptrdiff_t send(int fd, std::span<const char> from) noexcept;
    void note_broken(std::ptrdiff_t result) noexcept;

    std::vector<char> pending_;
    platform::atomic<std::uint64_t> bytes_sent_{0};
    // The error that broke the connection, -errno: the kernel reports it once, and an end of stream afterwards.
    platform::atomic<std::int32_t> broken_{0};
    std::shared_ptr<detail::ListenerState> listener_;  // that counts this stream; null when none does
};

class [[nodiscard]] TCPStream::ReadSome final : public detail::Operation {
public:
    ReadSome(TCPStream& stream, std::span<char> to) noexcept : Operation("read_some", &stream), to_(to) {}
    std::size_t await_resume() const {
        rethrow();
        return received_;
    }

private:
    bool attempt(int fd) noexcept override;
    const std::span<char> to_;
    std::size_t received_ = 0;
};

class [[nodiscard]] TCPStream::ReadExactly final : public detail::Operation {
public:
    ReadExactly(TCPStream& stream, std::size_t size) noexcept : Operation("read", &stream), size_(size) {}
    std::vector<char> await_resume() {
        rethrow();
        if (before_end_) throw EndOfStream(std::move(before_end_));
        return std::move(received_);
    }

private:
    bool attempt(int fd) noexcept override;
    bool deliver(bool at_end) noexcept;
    const std::size_t size_;
    std::vector<char> received_;
    std::shared_ptr<const std::vector<char>> before_end_;
};

class [[nodiscard]] TCPStream::WriteAll : public detail::Operation {
public:
    WriteAll(TCPStream& stream, std::span<const char> from) noexcept
        : Operation("write", &stream, detail::Direction::write), rest_(from) {}
    void await_resume() const { rethrow(); }

private:
    bool attempt(int fd) noexcept override;
    std::span<const char> rest_;
};

// Owns what it writes. The base's span survives moving the vector: a vector's elements do not move with it.
class [[nodiscard]] TCPStream::WriteVector final : public WriteAll {
public:
    WriteVector(TCPStream& stream, std::vector<char> buffer) noexcept
        : WriteAll(stream, buffer), buffer_(std::move(buffer)) {}

private:
    const std::vector<char> buffer_;
};

class [[nodiscard]] TCPStream::Connect final : public detail::Operation {
public:
    Connect(std::shared_ptr<TCPStream> stream, const platform::address& peer, bool no_delay) noexcept
        : Operation("connect", stream.get(), detail::Direction::write),
          stream_(std::move(stream)),
          peer_(peer),
          no_delay_(no_delay) {}
    std::shared_ptr<TCPStream> await_resume() {
        rethrow(outcome_ == Outcome::failed ? detail::to_text(peer_) : std::string());
        return std::move(stream_);
    }

private:
    bool attempt(int fd) noexcept override;
    int start() noexcept;
    int progress(int fd) noexcept;
    std::shared_ptr<TCPStream> stream_;
    platform::address peer_;
    const bool no_delay_;
};

// Here, where they are complete.
inline auto TCPStream::read(std::size_t size) noexcept -> ReadExactly { return {*this, size}; }
inline auto TCPStream::read_some(std::span<char> to) noexcept -> ReadSome { return {*this, to}; }
inline auto TCPStream::write(std::vector<char> from) noexcept -> WriteVector { return {*this, std::move(from)}; }
inline auto TCPStream::write_all(std::span<const char> from) noexcept -> WriteAll { return {*this, from}; }

}  // namespace acairo::inline ACAIRO_WORLD
