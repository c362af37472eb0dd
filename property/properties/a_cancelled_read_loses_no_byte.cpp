// A read(n) that a stop token ends, at any moment, leaves what had arrived in the stream: the reads after it deliver every byte
// once and in order.
//
// It would have caught: bytes that a cancelled read had taken and dropped; a cancel and a completion that both win; a stop
// callback that is called after its operation has gone.
// Covers: 2.19 a cancel and a completion both win; 10.20 the bytes of a cancelled read are lost
// Covers: 6.101 a stop callback is called after its operation has gone; 4.65 a loop over callbacks that never ends
// Covers: 1.5 a frame that comes in two pieces is begun anew
#include "support.hpp"

namespace property {
namespace {

Task<void> read_all(Trial& trial, std::shared_ptr<acairo::TCPStream> stream, const acairo::StopToken& token,
                    std::string& received, std::size_t size) {
    try {
        const auto bytes = co_await acairo::with_stop_token(token, stream->read(size));
        received.append(bytes.begin(), bytes.end());
    } catch (const acairo::Cancelled&) { trial.require(token.stop_requested(), "only a stop cancels"); }
    while (received.size() < size) {
        std::array<char, 7> buffer{};
        const std::size_t got = co_await stream->read_some(buffer);
        trial.require(got != 0, "the bytes that were sent come");
        received.append(buffer.data(), got);
    }
}

void a_cancelled_read_loses_no_byte(Trial& trial) {
    const std::string sent = pattern(1 + trial.below(30));
    const acairo::StopSource source;
    std::string received;
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    acairo::TCPListener listener({}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    platform::thread client([&, address = listener.local_address()] {
        Peer peer(address);
        trial.require(peer.send(sent) == sent.size(), "all bytes are sent");
        peer.receive_all();
    });
    platform::thread canceller([&] { source.request_stop(); });
    executor->sync_wait([&]() -> Task<void> {
        auto stream = co_await listener.accept();
        co_await read_all(trial, std::move(stream), source.get_token(), received, sent.size());
    });
    trial.require(received == sent, "every byte is delivered once, in order");
    listener.stop();
    client.join();
    canceller.join();
}

const acairo::Property registered{
    "a_cancelled_read_loses_no_byte", a_cancelled_read_loses_no_byte, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
