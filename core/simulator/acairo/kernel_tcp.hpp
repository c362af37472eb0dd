// Simulated TCP over loopback: what two sockets of one machine see of each other.
//
// Threads: a part of Kernel, which belongs to one OS thread.
// Invariants:
//   1. read <= arrived <= launched <= written, for each pipe; the ring holds the bytes from read to written.
//   2. What flies to a socket arrives in the order of its launch: a FIN after the bytes before it, an RST after all that was
//      launched, in place of all that was not.
//   3. Never more than the receiver's buffer lies between read and launched, never more than the sender's between arrived
//      and written.
//   4. A socket that is closed by its owner is `abandoned`; it is recycled when its connection has ended, and only in reap():
//      without this, a delivery could free the socket that caused it.
//   5. A segment that takes no time, to a socket to which nothing flies, arrives within the call that sent it.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <acairo/kernel_files.hpp>
#include <acairo/kernel_host.hpp>
#include <array>
#include <chrono>

namespace acairo::simulator::detail {

struct Endpoint {
    bool v6 = false;
    std::uint16_t port = 0;
    std::array<unsigned char, 16> host{};

    bool any() const noexcept { return host == std::array<unsigned char, 16>{}; }
    bool loopback() const noexcept;
    void set_loopback() noexcept;
};

// Bytes between two ever growing positions.
class Ring {
public:
    void append(std::uint64_t begin, std::uint64_t end, const char* from, std::size_t size);
    void copy(std::uint64_t from, char* to, std::size_t size) const noexcept;
    char at(std::uint64_t position) const noexcept { return bytes_[position & (bytes_.size() - 1)]; }

private:
    void put(std::uint64_t position, const char* from, std::size_t size) noexcept;
    std::vector<char> bytes_;  // a power of two
};

struct Segment {
    enum class Kind : std::uint8_t { syn, data, fin, reset, probe } kind;
    bool urgent = false;  // its last byte is
    std::uint64_t end = 0;
    std::uint64_t order = 0;
    std::chrono::nanoseconds due{};
};

// What flies to a socket and has arrived there, and what its peer still holds back for it.
struct Pipe {
    static constexpr std::size_t stamps = 16;
    enum class Urgent : std::uint8_t { none, valid, taken };

    Ring bytes;
    std::uint64_t read = 0, arrived = 0, launched = 0, written = 0;
    Queue<Segment> flight;
    std::chrono::nanoseconds last_due{};
    bool probed = false;       // somebody will look whether it has opened
    bool stalled = false;      // the window was closed before all was launched
    bool fin_written = false;  // it goes when all bytes have gone
    bool fin_arrived = false;
    bool reset_arrived = false;
    bool mark_written = false;  // urgent data not launched yet, up to `mark`
    std::uint64_t mark = 0;
    Urgent urgent = Urgent::none;
    std::uint64_t urgent_at = 0;
    char urgent_byte = 0;
    // One happens-before edge for each send: bytes of one must not order what follows another. When more than `stamps` are
    // unread, the last ones share an edge.
    std::uint64_t sends = 0, observed = 0;
    std::array<std::uint64_t, stamps> send_end{};
    std::array<char, stamps> send_stamp{};
    char fin_stamp = 0, reset_stamp = 0;

    void reset() noexcept;
};

enum class TCP : std::uint8_t {
    closed,
    listen,
    syn_sent,
    established,
    fin_wait1,
    fin_wait2,
    close_wait,
    closing,
    last_ack
};
enum class Association : std::uint8_t { unconnected, connecting, connected, disconnecting };
enum class Ending : std::uint8_t { none, graceful, reset, refused };

struct Socket : File {
    TCP state = TCP::closed;
    Association association = Association::unconnected;
    Ending ending = Ending::none;
    bool v6 = false, bound = false, bound_for_good = false, address_for_good = false, reuse_address = false;
    bool shut_read = false, shut_write = false, done = false;
    bool no_space = false, linger_zero = false, no_delay = false, keep_alive = false;
    bool abandoned = false, flies = false;
    char connect_stamp = 0;
    int error = 0;
    std::size_t backlog = 0, send_buffer = 0, receive_buffer = 0;
    std::size_t lost = 0;  // sent since the other side was gone
    Endpoint local, remote;
    Socket* peer = nullptr;
    Pipe incoming;
    Queue<Socket*> waiting;  // a listener's
    std::size_t place = 0;

    void reset() noexcept;
    bool connected() const noexcept { return state != TCP::closed && state != TCP::listen && state != TCP::syn_sent; }
};

class Network {
public:
    Network(KernelHost& host, const KernelConfiguration& configuration, Watch& watch);

    // As the calls of Kernel.
    Socket& make(bool v6);
    int bind(Socket& socket, const Endpoint& to);
    int listen(Socket& socket, int backlog);
    // `malformed` is what is wrong with the address: of interest only to a socket that would connect now.
    int connect(Socket& socket, const Endpoint& to, int malformed);
    Socket* accept(Socket& listener, int& error);
    std::ptrdiff_t recv(Socket& socket, char* to, std::size_t size, int flags);
    std::ptrdiff_t send(Socket& socket, const char* from, std::size_t size, int flags);
    int shutdown(Socket& socket, bool read, bool write);
    void close(Socket& socket);
    std::uint32_t poll(Socket& socket) noexcept;
    static int take_error(Socket& socket) noexcept;
    // What an event with these bits has seen happens before its report.
    void observe_arrived(Socket& socket);

    std::chrono::nanoseconds next_event() const noexcept { return next_due_; }
    void advance();
    void reap();
    void reset() noexcept;

private:
    void transmit(Socket& receiver);
    void fly(Socket& to, Segment::Kind kind, std::uint64_t end = 0, bool urgent = false,
             std::chrono::nanoseconds at_least = {});
    void reopen_window(Socket& receiver);
    void deliver(Socket& to, const Segment& segment);
    void arrive(Socket& to, const Segment& data);
    void arrive_fin(Socket& to);
    void arrive_reset(Socket& to);
    void arrive_syn(Socket& client);
    void hear_of_window(Socket& to);
    void acknowledge_fin(Socket& sender);
    void acknowledge_data(Socket& sender);
    void send_fin(Socket& from);
    void send_reset(Socket& from);
    void withdraw_unsent(Socket& from) noexcept;
    void finish(Socket& socket, Ending ending);
    void disconnect(Socket& socket);
    void abandon(Socket& socket);
    void release(Socket& socket) noexcept;
    void forget_flight(Socket& socket) noexcept;
    void find_next_due() noexcept;
    void unbind(Socket& socket) noexcept;
    bool bind_port(Socket& socket, std::uint16_t port);
    bool conflicts(const Socket& socket, const Endpoint& wanted) const noexcept;
    Socket* listener_at(const Endpoint& to) const noexcept;
    std::size_t unacknowledged(const Socket& socket) const noexcept;
    bool writable(const Socket& socket) const noexcept;
    void skip_urgent(Socket& socket, std::uint64_t& position, std::size_t& usable) const noexcept;
    std::ptrdiff_t recv_urgent(Socket& socket, char* to, std::size_t size, int flags);
    void observe_read(Pipe& pipe);

    KernelHost& host_;
    const KernelConfiguration& configuration_;
    Watch& watch_;
    Pool<Socket> sockets_;
    std::vector<Socket*> bound_;        // of which Linux's port table knows
    std::vector<Socket*> flying_;       // to which something flies
    std::vector<Socket*> ended_;        // to be recycled
    std::vector<std::uint32_t> ports_;  // how many sockets are bound to each
    std::uint16_t next_port_;
    std::uint64_t next_order_ = 0;
    std::chrono::nanoseconds next_due_ = std::chrono::nanoseconds::max();
};

}  // namespace acairo::simulator::detail
