// What the targets of streams share: one connection, served by one worker, and its other end on a thread.
//
// Threads: the body's, the worker, and the peer's.
#pragma once
#include "support.hpp"
#include "target.hpp"

namespace fuzz {

using acairo::Task;
using acairo::Trial;
using property::pattern;
using property::Peer;
using Stream = std::shared_ptr<acairo::TCPStream>;

// `serve(stream)` is the task at one end, `other(peer)` runs at the other one. Returns when both have ended.
template <class Serve, class Other>
void connection(Serve serve, Other other, acairo::TCPListenerConfiguration configuration = {}) {
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    acairo::TCPListener listener(configuration, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    property::platform::thread thread([&, address = listener.local_address()] {
        Peer peer(address);
        other(peer);
    });
    executor->sync_wait([&]() -> Task<void> {
        Stream stream = co_await listener.accept();
        co_await serve(std::move(stream));
    });
    thread.join();
    listener.stop();
}

// Cuts, delays, full buffers and interruptions; nothing that a connection rightly dies of.
constexpr acairo::simulator::Climate no_shortages{.shortages = false};

}  // namespace fuzz
