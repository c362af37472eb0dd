// The loop over all clients, which both kinds of load share, and what they do differently. One thread.
#include "clients.hpp"

#include <algorithm>
#include <span>

#include "client_socket.hpp"

namespace bench {
namespace {

constexpr std::size_t expected_messages_per_second = 1'000'000;

// Common to both: an epoll, the sockets, and the loop that ends when nothing is under way.
class Sockets : public Clients {
public:
    Sockets(std::uint16_t port, std::size_t message_bytes) : port_(port), message_(message_bytes) {}

    Load run(std::chrono::nanoseconds duration) final { return run_from(0, duration); }

protected:
    Load run_from(std::size_t first, std::chrono::nanoseconds duration) {
        Load load;
        // Without this: the vector's growth would stand in some message's latency.
        load.latencies.reserve(
            static_cast<std::size_t>(std::chrono::duration<double>(duration).count() * expected_messages_per_second));
        const Clock::time_point start = Clock::now();
        for (ClientSocket& socket : std::span(sockets_).subspan(first)) begin(socket, Clock::now());
        for (std::size_t under_way = sockets_.size() - first; under_way > 0;) {
            for (const epoll_event& event : epoll_.wait()) {
                ClientSocket& socket = sockets_[event.data.u32];
                if (!socket.advance(message_)) continue;
                const Clock::time_point now = Clock::now();
                load.latencies.push_back(socket.nanoseconds_since_begin(now));
                end(socket);
                if (now < start + duration)
                    begin(socket, now);
                else
                    --under_way;
            }
        }
        load.messages = load.latencies.size();
        load.seconds = std::chrono::duration<double>(Clock::now() - start).count();
        return load;
    }

    virtual void begin(ClientSocket& socket, Clock::time_point now) = 0;
    virtual void end(ClientSocket& socket) = 0;

    std::uint16_t port_;
    Message message_;
    ClientEpoll epoll_;
    std::vector<ClientSocket> sockets_;
};

class EchoClients final : public Sockets {
public:
    EchoClients(std::uint16_t port, int connections, std::size_t message_bytes) : Sockets(port, message_bytes) {
        // One after the other, each with an echo before the next. Without this: more would wait to be
        // accepted than the backlog holds, and servers whose connections share a buffer would mix up their
        // bytes.
        for (std::size_t index = 0; index < static_cast<std::size_t>(connections); ++index) {
            sockets_.emplace_back(static_cast<std::uint32_t>(index)).connect(port_, epoll_);
            run_from(index, std::chrono::nanoseconds(0));
        }
    }

private:
    void begin(ClientSocket& socket, Clock::time_point now) override { socket.begin(message_, now); }
    void end(ClientSocket&) override {}
};

class ChurnClients final : public Sockets {
public:
    ChurnClients(std::uint16_t port, int connections, std::size_t message_bytes) : Sockets(port, message_bytes) {
        for (int index = 0; index < connections; ++index) sockets_.emplace_back(static_cast<std::uint32_t>(index));
    }

private:
    void begin(ClientSocket& socket, Clock::time_point now) override {
        socket.connect(port_, epoll_);
        socket.begin(message_, now);
    }
    void end(ClientSocket& socket) override { socket.close(); }
};

}  // namespace

std::unique_ptr<Clients> make_echo_clients(std::uint16_t port, int connections, std::size_t message_bytes) {
    return std::make_unique<EchoClients>(port, connections, message_bytes);
}

std::unique_ptr<Clients> make_churn_clients(std::uint16_t port, int connections, std::size_t message_bytes) {
    return std::make_unique<ChurnClients>(port, connections, message_bytes);
}

}  // namespace bench
