// A connect to a listener that is there, has gone, or whose backlog is full, ended by nothing, a limit or a token: a stream that
// works, or an exception that says why, and no descriptor left.
//
// It would have caught: readiness that is taken for success; a connect that is called again after EINTR; a descriptor that is
// lost with a cancelled connect; a limit that does not hold for a connect.
// Covers: 2.27 what waits behind a failed connect never ends; 2.23 a descriptor leaks when making a socket fails
// Covers: 6.103 destroyed between save and dispatch of the result; 5.85 cancelling a spawned operation
#include "support.hpp"

namespace property {
namespace {

Task<void> connect_once(Trial& trial, Listening& server, const std::string& address, acairo::StopToken token,
                        bool listens, bool& connected) {
    std::shared_ptr<acairo::TCPStream> stream;
    try {
        stream = co_await acairo::with_stop_token(
            token, acairo::TCPStream::connect(server.executor, address, {.write_timeout = std::chrono::seconds(10)}));
    } catch (const acairo::Cancelled&) {
        trial.require(token.stop_requested(), "only a stop cancels");
        trial.sometimes(true, "a connect that is cancelled");
    } catch (const std::system_error& error) {
        trial.require(!listens, "a listener that is there is connected to");
        trial.require(std::string_view(error.what()).find(address) != std::string_view::npos,
                      "the error names the address");
        trial.sometimes(error.code() == std::errc::connection_refused, "a connect that is refused");
    }
    if (!stream) co_return;
    connected = true;
    trial.require(stream->peer_address() == address, "it is connected to who was asked for");
    try {
        co_await stream->write_all(std::string_view("hello"));
        stream->shutdown();
    } catch (const std::system_error&) { trial.require(!listens, "a peer that is there takes bytes"); }
}

void a_connect_has_one_outcome(Trial& trial) {
    const acairo::StopSource source;
    const bool listens = trial.below(3) != 1;
    const std::uint64_t stops_at = trial.below(40);
    bool connected = false;
    std::string received;
    Listening server(1);
    const std::string address = server.listener.local_address();
    if (!listens) server.listener.stop();
    platform::thread canceller([&] {
        linger(stops_at);
        if (stops_at < 30) source.request_stop();
    });
    server.executor->sync_wait(
        [&] { return connect_once(trial, server, address, source.get_token(), listens, connected); });
    canceller.join();
    if (!connected || !listens) return;
    server.executor->sync_wait([&]() -> Task<void> {
        const auto stream = co_await server.listener.accept();
        std::array<char, 8> buffer{};
        while (const std::size_t got = co_await stream->read_some(buffer)) received.append(buffer.data(), got);
    });
    trial.require(received == "hello", "and what it sends arrives");
}

// A buffer of a few bytes would make the writer wait for a reader who comes later.
const acairo::Property registered{"a_connect_has_one_outcome",
                                  a_connect_has_one_outcome,
                                  {.interruptions = true, .shortages = false, .network = false},
                                  {"a connect that is cancelled", "a connect that is refused"}};

}  // namespace
}  // namespace property
