// Sends a text to an echo server and prints what comes back.
//   echo_client ADDRESS:PORT [TEXT]
#include <acairo/acairo.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

acairo::Task<std::string> ask(std::shared_ptr<acairo::Executor> executor, std::string address, std::string text) {
    // A name for each awaited step: the timeout covers the connection, the stream's own timeouts the rest.
    const acairo::TCPStreamConfiguration configuration{.read_timeout = 5s, .write_timeout = 5s};
    auto stream = co_await acairo::timeout(5s, acairo::TCPStream::connect(executor, address, configuration));
    co_await stream->write_all(text);
    stream->shutdown();
    const std::vector<char> answer = co_await stream->read(text.size());
    co_return std::string(answer.begin(), answer.end());
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: echo_client ADDRESS:PORT [TEXT]\n");
        return 2;
    }
    const std::string text = argc > 2 ? argv[2] : "Hello!";
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    std::printf("%s\n", executor->sync_wait([&] { return ask(executor, argv[1], text); }).c_str());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
