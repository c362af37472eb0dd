// acairo as its users write it: one coroutine a connection, read_some and write_all.
#include <acairo/acairo.hpp>
#include <charconv>
#include <functional>
#include <memory>
#include <string>

#include "server_process.hpp"

namespace {

acairo::Task<void> echo(std::shared_ptr<acairo::TCPStream> stream) {
    const bench::ReceiveBuffer buffer;
    while (const std::size_t received = co_await stream->read_some(buffer.bytes()))
        co_await stream->write_all(buffer.bytes().first(received));
}

acairo::Task<void> serve(std::shared_ptr<acairo::Executor> executor, const acairo::TCPListener& listener) {
    for (;;) {
        auto stream = co_await listener.accept();
        executor->spawn(std::bind(echo, std::move(stream)));
    }
}

std::uint16_t port_of(const std::string& address) {
    std::uint16_t port = 0;
    std::from_chars(address.data() + address.rfind(':') + 1, address.data() + address.size(), port);
    return port;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::ServerArguments arguments = bench::begin_server(argc, argv);
    const auto executor =
        std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = arguments.workers});
    acairo::TCPListener listener(acairo::TCPListenerConfiguration{.backlog = bench::backlog}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    bench::report_port(port_of(listener.local_address()));
    executor->sync_wait(std::bind(serve, executor, std::cref(listener)));
}
