// A user's own protocol under simulation: a message is a length byte and so many bytes, and its echo is the bytes. The handler
// has a bug that a real machine may not show for weeks. Run it: it is found, and a token printed; `repro TOKEN` replays it.
#include <acairo/acairo.hpp>
#include <acairo/property.hpp>
#include <acairo/tool.hpp>

using acairo::Task;
using namespace std::chrono_literals;

Task<void> handle(std::shared_ptr<acairo::TCPStream> stream) {
    char size = 0;
    while (co_await stream->read_some({&size, 1})) {
        std::vector<char> message(static_cast<std::size_t>(size));
        co_await stream->read_some(message);  // the bug: "some" may be less than all
        co_await stream->write(std::move(message));
    }
}

void a_message_comes_back(acairo::Trial& trial) {
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 2});
    acairo::TCPListener listener({}, executor);
    listener.bind("127.0.0.1:0");
    listener.listen();
    executor->spawn([&]() -> Task<void> { co_await handle(co_await listener.accept()); });
    executor->sync_wait([&]() -> Task<void> {
        auto client = co_await acairo::TCPStream::connect(executor, listener.local_address());
        co_await client->write_all(std::string_view("\5hello"));
        const std::vector<char> answer = co_await client->read(5);
        trial.require(std::string(answer.begin(), answer.end()) == "hello", "the answer is the message");
    });
    executor->drain(10s);
}
const acairo::Property registered{"a_message_comes_back", a_message_comes_back, {.shortages = false}};

int main(int argc, char** argv) { return acairo::simulator::tool(argc, argv); }
