// asio as its users write it for speed: C++20 coroutines, one thread, no locks (the io_context is told so),
// no exception for the end of a stream.
#include <asio.hpp>

#include "server_process.hpp"

namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
    const bench::ReceiveBuffer buffer;
    asio::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    for (;;) {
        const std::size_t received =
            co_await socket.async_read_some(asio::buffer(buffer.bytes().data(), bench::buffer_size), token);
        if (error) co_return;
        co_await asio::async_write(socket, asio::buffer(buffer.bytes().data(), received), token);
        if (error) co_return;
    }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor) {
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::begin_server(argc, argv);
    asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
    tcp::acceptor acceptor(context, tcp::v4(), bench::listen_on_loopback());
    bench::report_port(acceptor.local_endpoint().port());
    asio::co_spawn(context, serve(acceptor), asio::detached);
    context.run();
}
