// Each connection has a stop token, a time limit and a stream that may be closed: several threads cancel and close at random, twice
// the same ones as well, while peers of all manners are served. In the end all are cancelled, and then nothing is left to drain.
#include "../load.hpp"

namespace stress {
namespace {

using acairo::platform;
using acairo::Task;

struct Victims {
    void add(const acairo::StopSource& source, std::weak_ptr<acairo::TCPStream> stream) {
        const acairo::detail::Lock lock(mutex);
        if (over) source.request_stop();
        sources.push_back(source);
        streams.push_back(std::move(stream));
    }
    void strike(std::uint64_t random) {
        std::shared_ptr<acairo::TCPStream> stream;
        std::optional<acairo::StopSource> source;
        {
            const acairo::detail::Lock lock(mutex);
            if (sources.empty()) return;
            const std::size_t at = random / 4 % sources.size();
            if (random % 4 == 0) stream = streams[at].lock();
            if (random % 4 == 1) source = sources[at];
        }
        if (stream) stream->close();
        if (source) source->request_stop();
    }
    void end() {
        std::vector<acairo::StopSource> all;
        {
            const acairo::detail::Lock lock(mutex);
            over = true;
            all = sources;
        }
        for (const acairo::StopSource& source : all) source.request_stop();
    }
    platform::mutex mutex;
    bool over = false;
    std::vector<acairo::StopSource> sources;
    std::vector<std::weak_ptr<acairo::TCPStream>> streams;
};

Victims* victims = nullptr;

Task<void> serve_until_cancelled(std::shared_ptr<acairo::TCPStream> stream) {
    const acairo::StopSource source;
    victims->add(source, stream);
    co_await acairo::with_stop_token(source.get_token(),
                                     acairo::timeout(std::chrono::hours(1), serve(std::move(stream))));
}

void cancels_race_everything(Round& round) {
    Victims all;
    victims = &all;
    property::Server server(round.workers, serve_until_cancelled);
    platform::atomic<bool> over{false};
    std::vector<platform::thread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
        threads.emplace_back([&, random = round.seed + i]() mutable {
            while (!over.load(std::memory_order_acquire)) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                all.strike(random >> 33);
            }
        });
    }
    round.crowd.begin({.ports = {port_of(server.address)},
                       .peers = round.peers,
                       .at_once = 500,
                       .tell_at = round.peers,
                       .seed = round.seed});
    round.crowd.wait();
    over.store(true, std::memory_order_release);
    for (platform::thread& thread : threads) thread.join();
    server.listener->stop();
    all.end();
    require(server.executor->drain(std::chrono::hours(1)), "who is cancelled ends");
}

const Scenario registered{"cancels_race_everything", cancels_race_everything};

}  // namespace
}  // namespace stress
