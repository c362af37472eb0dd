// The article's server: who asks "Is there anybody out there?" is told "Just nod if you can hear me!".
//   server [ADDRESS:PORT]      default 127.0.0.1:8080; port 0 for a free one. SIGINT and SIGTERM end it with exit code 0.
#include <acairo/acairo.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "program.hpp"

acairo::Task<void> handle_socket(std::shared_ptr<acairo::TCPStream> stream) {
    std::vector<char> vector_received_message = co_await stream->read(27);

    const std::string received_message(vector_received_message.begin(), vector_received_message.end());

    spdlog::debug("received: {}", received_message);

    const std::string send_message = "Just nod if you can hear me!";
    std::vector<char> vector_message(send_message.begin(), send_message.end());
    co_await stream->write(std::move(vector_message));

    spdlog::debug("answered");
}

acairo::Task<void> handle_accept(std::shared_ptr<acairo::Executor> executor, const acairo::TCPListener& listener) {
    while (true) {
        auto stream = co_await listener.accept();

        auto handler = std::bind(handle_socket, stream);

        executor->spawn(std::move(handler));
    }
}

int main(int argc, char** argv) try {
    using namespace acairo;
    using namespace std::chrono_literals;

    std::shared_ptr<Executor> executor;
    std::unique_ptr<TCPListener> listener_owner;
    SignalDrivenShutdown shutdown([&] {
        listener_owner->stop();
        executor->stop();
    });
    raise_descriptor_limit();

    ExecutorConfiguration executor_config{.on_unhandled = log_failure};
    // Who sends half a question, or does not take the answer, is not waited for for ever.
    TCPListenerConfiguration tcplistener_config{.stream = {.read_timeout = 30s, .write_timeout = 30s}};

    executor = std::make_shared<Executor>(executor_config);
    listener_owner = std::make_unique<TCPListener>(tcplistener_config, executor);
    TCPListener& listener = *listener_owner;

    listener.bind(argc > 1 ? argv[1] : "127.0.0.1:8080");
    listener.listen();
    shutdown.start();

    std::printf("listening on %s\n", listener.local_address().c_str());
    std::fflush(stdout);

    try {
        auto f = std::bind(handle_accept, executor, std::ref(listener));
        executor->sync_wait(std::move(f));
    } catch (const TCPListenerStoppedError& e) { spdlog::info("sync_wait stopped with: {}", e.what()); }
    return 0;
} catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return 1;
}
