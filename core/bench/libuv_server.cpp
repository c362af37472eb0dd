// libuv as its users write it for speed: one allocation per connection, uv_try_write first, uv_write for
// what is left.
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "server_process.hpp"

namespace {

struct Connection {
    uv_tcp_t tcp;
    bench::ReceiveBuffer buffer;
};

struct Rest {
    uv_write_t request;
    std::vector<char> bytes;
};

void require(int result, const char* call) {
    if (result >= 0) return;
    std::fprintf(stderr, "bench_libuv: %s: %s\n", call, uv_strerror(result));
    std::exit(1);
}

void close(uv_stream_t* stream) {
    auto* handle = reinterpret_cast<uv_handle_t*>(stream);
    if (uv_is_closing(handle) == 0)
        uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Connection*>(closed->data); });
}

void give_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    const std::span<char> bytes = static_cast<Connection*>(handle->data)->buffer.bytes();
    *buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
}

void on_read(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer);

// Nothing is read meanwhile: neither more than the peer takes, nor the end of stream before all is sent.
void write_rest(uv_stream_t* stream, std::span<const char> bytes) {
    auto* rest = new Rest{{}, {bytes.begin(), bytes.end()}};
    rest->request.data = rest;
    const uv_buf_t buffer = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
    const auto done = [](uv_write_t* request, int status) {
        if (status < 0)
            close(request->handle);
        else
            require(uv_read_start(request->handle, give_buffer, on_read), "uv_read_start");
        delete static_cast<Rest*>(request->data);
    };
    require(uv_read_stop(stream), "uv_read_stop");
    require(uv_write(&rest->request, stream, &buffer, 1, done), "uv_write");
}

void on_read(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer) {
    if (received == 0) return;
    if (received < 0) return close(stream);
    const auto bytes = std::span<char>(buffer->base, static_cast<std::size_t>(received));
    const uv_buf_t whole = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
    const int sent = uv_try_write(stream, &whole, 1);
    if (sent < 0 && sent != UV_EAGAIN) return close(stream);
    const std::size_t written = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (written < bytes.size()) write_rest(stream, bytes.subspan(written));
}

void on_connection(uv_stream_t* listener, int status) {
    require(status, "accept");
    auto* connection = new Connection;
    connection->tcp.data = connection;
    auto* stream = reinterpret_cast<uv_stream_t*>(&connection->tcp);
    require(uv_tcp_init(listener->loop, &connection->tcp), "uv_tcp_init");
    require(uv_accept(listener, stream), "uv_accept");
    require(uv_read_start(stream, give_buffer, on_read), "uv_read_start");
}

}  // namespace

int main(int argc, char** argv) {
    bench::begin_server(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);  // libuv writes with write(), which has no MSG_NOSIGNAL
    uv_tcp_t listener;
    const int listen_fd = bench::listen_on_loopback();
    require(uv_tcp_init(uv_default_loop(), &listener), "uv_tcp_init");
    require(uv_tcp_open(&listener, listen_fd), "uv_tcp_open");
    require(uv_listen(reinterpret_cast<uv_stream_t*>(&listener), bench::backlog, on_connection), "uv_listen");
    bench::report_port(bench::port_of(listen_fd));
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
