// stop() of a listener at any moment while another thread binds it and listens: whoever comes too late is told so by
// TCPListenerStoppedError, its descriptor is closed whoever made it, and nobody can have the listener any more.
//
// It would have caught: a descriptor that is handed over to a listener which has been stopped in between, and stays open for ever;
// a listen() on a number that is somebody else's by now; an accept that waits for a listener which has been stopped.
// Covers: 2.23 a descriptor leaks on an error path; 3.37 a deregistration after close hits somebody else
#include "support.hpp"

namespace property {
namespace {

Task<void> accept_until_it_is_stopped(acairo::TCPListener& listener, bool& stopped) {
    try {
        for (;;) co_await listener.accept();
    } catch (const acairo::TCPListenerStoppedError&) { stopped = true; }
}

void a_listener_may_be_stopped_while_it_is_bound(Trial& trial) {
    const std::uint64_t stops_at = trial.below(16);
    const auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    acairo::TCPListener listener({}, executor);
    platform::thread stopper([&] {
        linger(stops_at);
        listener.stop();
    });
    bool bound = false;
    bool listens = false;
    bool refused = false;
    try {
        listener.bind("127.0.0.1:0");
        bound = true;
        listener.listen();
        listens = true;
    } catch (const acairo::TCPListenerStoppedError&) { refused = true; }
    trial.require(refused != listens, "it listens, or its caller is told that it was stopped");
    trial.sometimes(refused && !bound, "a stop before it is bound");
    trial.sometimes(refused && bound, "a stop before it listens");
    bool ended = false;
    if (listens) executor->spawn([&] { return accept_until_it_is_stopped(listener, ended); });
    stopper.join();
    trial.require(executor->drain(std::chrono::seconds(100)), "an accept ends with the stop");
    trial.require(ended == listens, "with TCPListenerStoppedError");
    bool again = false;
    try {
        listener.bind("127.0.0.1:0");
    } catch (const acairo::TCPListenerStoppedError&) { again = true; }
    trial.require(again, "nobody binds it again");
}

const acairo::Property registered{"a_listener_may_be_stopped_while_it_is_bound",
                                  a_listener_may_be_stopped_while_it_is_bound,
                                  {.interruptions = true, .shortages = false},
                                  {"a stop before it is bound", "a stop before it listens"}};

}  // namespace
}  // namespace property
