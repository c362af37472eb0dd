// Sends back whatever comes, until the peer ends its stream.
//   echo_server [ADDRESS:PORT]      default 127.0.0.1:7777; port 0 for a free one. SIGINT and SIGTERM end it.
#include <acairo/acairo.hpp>
#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>

#include "program.hpp"

namespace {

acairo::Task<void> echo(std::shared_ptr<acairo::TCPStream> stream) {
    std::array<char, 16384> buffer;
    while (const std::size_t size = co_await stream->read_some(buffer)) {
        co_await stream->write_all(std::span(buffer).first(size));
    }
}

acairo::Task<void> serve(acairo::Executor& executor, const acairo::TCPListener& listener) {
    while (true) executor.spawn(std::bind(echo, co_await listener.accept()));
}

}  // namespace

int main(int argc, char** argv) try {
    std::shared_ptr<acairo::Executor> executor;
    SignalDrivenShutdown shutdown([&] { executor->stop(); });
    raise_descriptor_limit();
    executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.on_unhandled = log_failure});
    acairo::TCPListener listener({}, executor);
    listener.bind(argc > 1 ? argv[1] : "127.0.0.1:7777");
    listener.listen();
    shutdown.start();
    std::printf("listening on %s\n", listener.local_address().c_str());
    std::fflush(stdout);
    // stop() ends it with a plain return.
    executor->sync_wait([&] { return serve(*executor, listener); });
    return 0;
} catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return 1;
}
