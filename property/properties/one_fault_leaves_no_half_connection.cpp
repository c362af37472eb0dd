// One fault, at each place where there can be one, while a listener is bound, a stream connects, both talk and end: either it
// works, or what could not be made throws, is as it was before, and can be made again.
//
// It would have caught: a listener that cannot be bound again after a failed bind or listen; a socket that is lost when connect
// fails; a getsockopt that fails and is taken for success; a connect that is called twice after EINTR.
// Covers: 2.23 a descriptor leaks on the error path of making a socket; 2.27 what waits behind a failed connect; 2.29 ENOTCONN from shutdown
// Covers: 10.11 the listening descriptor leaks; 10.16 close is called again after EINTR; 10.14 descriptor 0 is refused
#include "support.hpp"

namespace property {
namespace {

Task<void> talk(Trial& trial, acairo::TCPListener& listener, std::shared_ptr<acairo::Executor> executor,
                bool must_work) {
    bool failed = false;
    try {
        const std::string address = listener.local_address();
        auto client = co_await acairo::TCPStream::connect(executor, address);
        auto server = co_await listener.accept();
        co_await client->write_all(std::string_view("x"));
        client->shutdown();
        const auto byte = co_await server->read(1);
        trial.require(byte[0] == 'x', "what is sent arrives");
        bool ended = false;
        try {
            co_await server->read(1);
        } catch (const acairo::EndOfStream&) { ended = true; }
        trial.require(ended, "and then the end");
    } catch (const std::system_error&) { failed = true; } catch (const std::bad_alloc&) {
        failed = true;
    } catch (const acairo::EndOfStream&) { failed = true; }
    if (must_work) trial.require(!failed, "without a fault it works");
}

void one_fault_leaves_no_half_connection(Trial& trial) {
    std::shared_ptr<acairo::Executor> executor;
    std::optional<acairo::TCPListener> listener;
    try {
        executor =
            std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1, .on_unhandled = quiet});
        listener.emplace(acairo::TCPListenerConfiguration{}, executor);
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    if (!listener) return;
    bool bound = false;
    bool listens = false;
    try {
        listener->bind("127.0.0.1:0");
        bound = true;
        listener->listen();
        listens = true;
        executor->spawn([&] { return talk(trial, *listener, executor, false); });
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    trial.sometimes(!bound, "a bind that fails");
    trial.sometimes(bound && !listens, "a listen that fails");
    trial.clear_up();
    if (!listens) {
        listener->bind("127.0.0.1:0");
        listener->listen();
    }
    // And while what had begun goes on.
    acairo::TCPListener fresh({}, executor);
    fresh.bind("127.0.0.1:0");
    fresh.listen();
    executor->sync_wait([&] { return talk(trial, fresh, executor, true); });
    if (!listens) executor->sync_wait([&] { return talk(trial, *listener, executor, true); });
    trial.require(executor->drain(std::chrono::seconds(100)), "what had begun ends");
}

const acairo::Property registered{
    "one_fault_leaves_no_half_connection",
    one_fault_leaves_no_half_connection,
    {.interruptions = false, .shortages = false, .network = false, .allocations = false, .one_fault = true},
    {"a bind that fails", "a listen that fails"}};

}  // namespace
}  // namespace property
