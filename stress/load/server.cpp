// The handlers of the load's servers.
#include "load.hpp"

namespace stress {

using acairo::Task;
using acairo::TCPStream;

property::Census handlers;

namespace {

constexpr std::size_t message = 27;
acairo::platform::atomic<std::uint32_t> served{0};

}  // namespace

Task<void> serve(std::shared_ptr<TCPStream> stream) {
    const property::Census::Life life(handlers);
    co_await stream->write_all(std::string_view("!"));
    if (served.fetch_add(1, std::memory_order_relaxed) % 4 != 0) {
        std::array<char, 512> buffer{};
        while (const std::size_t size = co_await stream->read_some(buffer))
            co_await stream->write_all(std::span<const char>(buffer).first(size));
    } else {
        for (;;) {
            std::vector<char> bytes = co_await stream->read(message);
            co_await stream->write(std::move(bytes));
        }
    }
}

Task<void> serve_once(std::shared_ptr<TCPStream> stream) {
    const property::Census::Life life(handlers);
    co_await stream->write_all(std::string_view("!"));
    std::vector<char> bytes = co_await stream->read(message);
    co_await stream->write(std::move(bytes));
}

std::uint16_t port_of(const std::string& address) {
    std::uint16_t port = 0;
    std::from_chars(address.data() + address.rfind(':') + 1, address.data() + address.size(), port);
    return port;
}

}  // namespace stress
