// maximum_connections: never more streams of the listener are open than that, whoever closes them, on whichever thread, and all
// who wait are served in the end.
//
// It would have caught: a close that comes between the accept's look at the count and its wait; a count that a close takes back
// twice, or that an accept which ended never gave back; an accept that asks the system again and again.
// Covers: 2.17 accept spins or stops at a limit; 4.63 a waiter is lost between its look and its wait; 2.25 an entry leaks
// Covers: 10.53 there is no limit of connections
// Covers: 2.15 an accept that waits for room is never woken; 7.119 what is posted already is posted again
#include "support.hpp"

namespace property {
namespace {

struct Limited {
    Trial& trial;
    std::uint32_t limit;
    platform::atomic<std::uint32_t> open{0};
    platform::atomic<std::uint32_t> served{0};
};

Task<void> serve_one(Limited& limited, std::shared_ptr<acairo::TCPStream> stream) {
    std::array<char, 4> buffer{};
    try {
        while (co_await stream->read_some(buffer) != 0) {}
    } catch (const std::system_error&) {}
    limited.served.fetch_add(1, std::memory_order_relaxed);
    // Before the close, which lets the next one in.
    limited.open.fetch_sub(1, std::memory_order_acq_rel);
    stream->close();
}

Task<void> accept_all_of(Limited& limited, Listening& server) {
    try {
        for (;;) {
            auto stream = co_await server.listener.accept();
            const std::uint32_t open = limited.open.fetch_add(1, std::memory_order_acq_rel) + 1;
            limited.trial.require(open <= limited.limit, "no more than that are open");
            limited.trial.sometimes(open == limited.limit, "as many as are allowed");
            server.executor->spawn([&limited, stream] { return serve_one(limited, stream); });
        }
    } catch (const acairo::TCPListenerStoppedError&) {}
}

void no_more_connections_than_allowed(Trial& trial) {
    Limited limited{trial, 1 + static_cast<std::uint32_t>(trial.below(2))};
    const std::uint64_t clients = 1 + trial.below(5);
    const int workers = 1 + static_cast<int>(trial.below(2));
    Listening server(workers, {.maximum_connections = static_cast<int>(limited.limit)});
    server.executor->spawn([&] { return accept_all_of(limited, server); });
    std::vector<platform::thread> others;
    for (std::uint64_t i = 0; i < clients; ++i) {
        others.emplace_back([&] {
            Peer peer(server.listener.local_address());
            trial.require(peer.connected(), "a listening server is connected to");
            trial.require(peer.send("?") == 1, "a peer that is there takes a byte");
            peer.end_sending();
            peer.receive_all();
        });
    }
    for (platform::thread& other : others) other.join();
    server.listener.stop();
    trial.require(server.executor->drain(std::chrono::seconds(100)), "a server without clients drains");
    trial.require(limited.served.load(std::memory_order_acquire) == clients, "everybody was served");
}

const acairo::Property registered{"no_more_connections_than_allowed",
                                  no_more_connections_than_allowed,
                                  {.interruptions = true, .shortages = false},
                                  {"as many as are allowed"}};

}  // namespace
}  // namespace property
