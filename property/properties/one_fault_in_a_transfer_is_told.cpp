// One fault, at each place where there can be one, while a stream reads and writes: the operation that met it throws a
// std::system_error that names its call, or std::bad_alloc, or goes on where that passes; what was read is a prefix of what was
// sent, bytes_sent() is what the peer gets at most, and another try delivers the rest where the stream is not broken.
//
// It would have caught: bytes that go with the operation that failed; an error that is told as the end of the stream; a failed
// allocation that ends a worker; a claim that a failed operation keeps.
// Covers: 1.11 an error is mistaken for the end; 2.25 an entry leaks when epoll_ctl fails; 2.19 a write to a closed peer
// Covers: 10.20 bytes of a failed operation are lost; 10.23 a failed registration is swallowed; 10.6 who consumes the error
#include "support.hpp"

namespace property {
namespace {

struct Exchange {
    Trial& trial;
    std::shared_ptr<acairo::TCPStream> stream{};
    std::array<char, 8> received{};
    std::size_t size = 0;
    bool ended = false;
    bool broken = false;
    bool over = false;  // the task that accepts is gone, or was never begun
    std::uint64_t failures = 0;
};

Task<void> read_once(Exchange& exchange) {
    try {
        const auto bytes = co_await exchange.stream->read(2);
        for (const char byte : bytes) exchange.received.at(exchange.size++) = byte;
    } catch (const acairo::EndOfStream& end) {
        for (const char byte : end.received()) exchange.received.at(exchange.size++) = byte;
        exchange.ended = true;
    }
}

// Whether it may be tried again.
bool passes(const std::system_error& error) {
    return error.code() == std::errc::not_enough_memory || error.code() == std::errc::no_buffer_space ||
           error.code() == std::errc::no_space_on_device;
}

Task<void> exchange_all(Exchange& exchange) {
    while (!exchange.ended && !exchange.broken && exchange.failures < 9) {
        try {
            if (exchange.stream->bytes_sent() == 0) co_await exchange.stream->write_all(std::string_view("?"));
            co_await read_once(exchange);
        } catch (const std::system_error& error) {
            ++exchange.failures;
            exchange.broken = !passes(error);
            const std::string_view what = error.what();
            exchange.trial.require(what.starts_with("acairo: "), "an error says whose it is");
            const bool names =
                what.find("recv") != what.npos || what.find("send") != what.npos || what.find("epoll_ctl") != what.npos;
            exchange.trial.require(names, "and which call it was");
        } catch (const std::bad_alloc&) { ++exchange.failures; }
    }
}

Task<void> accept_and_exchange(Exchange& exchange, acairo::TCPListener& listener) {
    exchange.stream = co_await listener.accept();
    co_await exchange_all(exchange);
}

void one_fault_in_a_transfer_is_told(Trial& trial) {
    Exchange exchange{trial};
    std::optional<Listening> server;
    std::optional<Peer> peer;
    bool began = false;
    try {
        server.emplace(1);
        peer.emplace(server->listener.local_address());
        std::shared_ptr<void> at_the_end(nullptr, [&](void*) { exchange.over = true; });
        // Without asking the optional: the task may begin while that is already destroying what it holds.
        acairo::TCPListener& listener = server->listener;
        server->executor->spawn([&, kept = std::move(at_the_end)] { return accept_and_exchange(exchange, listener); });
        began = true;
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    if (!began || !peer->connected()) return;
    const std::size_t sent = peer->send("abcde");
    trial.clear_up();
    peer->end_sending();
    // Whatever could not go on for want of memory does now.
    server->executor->sync_wait([&]() -> Task<void> {
        while (!exchange.over) co_await acairo::sleep_for(std::chrono::milliseconds(1));
        exchange.failures = 0;
        if (exchange.stream) co_await exchange_all(exchange);
    });
    if (!exchange.stream) return;
    const std::string_view received(exchange.received.data(), exchange.size);
    trial.require(std::string_view("abcde").starts_with(received), "what is read is a prefix of what was sent");
    trial.require(exchange.ended || exchange.broken, "it ends");
    if (exchange.ended) trial.require(received.size() == sent, "after the end nothing is missing");
    trial.require(exchange.stream->bytes_sent() <= 1, "no byte is counted twice");
    exchange.stream->close();
    const bool came = peer->receive_byte() == '?';
    if (came) trial.require(exchange.stream->bytes_sent() == 1, "what came was counted");
}

const acairo::Property registered{
    "one_fault_in_a_transfer_is_told",
    one_fault_in_a_transfer_is_told,
    {.interruptions = false, .shortages = false, .network = false, .allocations = false, .one_fault = true}};

}  // namespace
}  // namespace property
