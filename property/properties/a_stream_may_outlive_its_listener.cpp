// The last owner of what a listener and its streams share is a stream, on another worker than the listener's: nothing of the
// listener is left, no descriptor, no waiting accept, and whoever frees it sees that.
//
// It would have caught: a destructor that looks with a load, where only the count of a std::shared_ptr has ordered it; a stream that
// uses a listener which is gone.
// Covers: 7.125 who owns an accepted descriptor when the listener goes
#include "support.hpp"

namespace property {
namespace {

Task<void> serve_and_let_go(std::shared_ptr<acairo::TCPStream> stream, std::uint64_t lingers) {
    std::array<char, 4> buffer{};
    while (co_await stream->read_some(buffer) != 0) {}
    stream->close();
    linger(lingers);
    stream.reset();
}

// Owns the listener: whoever stops it need not wait until this has noticed.
Task<void> accept_all_of(std::shared_ptr<acairo::Executor> executor, std::shared_ptr<acairo::TCPListener> listener,
                         std::uint64_t lingers) {
    try {
        for (;;) {
            auto stream = co_await listener->accept();
            executor->spawn([stream = std::move(stream), lingers]() mutable {
                return serve_and_let_go(std::move(stream), lingers);
            });
        }
    } catch (const acairo::TCPListenerStoppedError&) {}
}

void a_stream_may_outlive_its_listener(Trial& trial) {
    const std::uint64_t lingers = trial.below(8);
    const auto executor =
        std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 2, .on_unhandled = quiet});
    auto listener = std::make_shared<acairo::TCPListener>(acairo::TCPListenerConfiguration{}, executor);
    listener->bind("127.0.0.1:0");
    listener->listen();
    executor->spawn([executor, listener, lingers] { return accept_all_of(executor, listener, lingers); });
    {
        Peer peer(listener->local_address());
        trial.require(peer.connected(), "a listening server is connected to");
        trial.require(peer.send("?") == 1, "a peer that is there takes a byte");
        peer.end_sending();
        peer.receive_all();
    }
    listener->stop();
    listener.reset();
    trial.require(executor->drain(std::chrono::seconds(100)), "what had begun ends");
}

const acairo::Property registered{"a_stream_may_outlive_its_listener",
                                  a_stream_may_outlive_its_listener,
                                  {.interruptions = false, .shortages = false}};

}  // namespace
}  // namespace property
