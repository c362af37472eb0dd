// Several servers at once, while peers of all manners still connect. One is destroyed by its maker, one is stopped first, by several
// threads; of the others, a task of their own is the executor's last owner, and another one that of the listener.
#include "../load.hpp"

namespace stress {
namespace {

using acairo::Executor;
using acairo::platform;
using acairo::Task;
using acairo::TCPListener;

constexpr std::size_t servers = 8;

struct Owned {
    std::shared_ptr<Executor> executor;
    std::shared_ptr<TCPListener> listener;
};

Task<void> accept_all(std::shared_ptr<TCPListener> listener, std::weak_ptr<Executor> executor) {
    const property::Census::Life life(handlers);
    for (;;) {
        std::shared_ptr<acairo::TCPStream> stream = co_await listener->accept();
        const std::shared_ptr<Executor> owner = executor.lock();
        if (!owner) co_return;
        owner->spawn(std::bind(serve, std::move(stream)));
    }
}

Task<void> own(std::shared_ptr<Executor> executor, std::chrono::milliseconds time) {
    const property::Census::Life life(handlers);
    const std::shared_ptr<Executor> owner = std::move(executor);
    co_await acairo::sleep_for(time);
}

void destroy(Owned server, std::uint64_t how) {
    std::vector<platform::thread> others;
    switch (how % 4) {
        case 0: break;
        case 1: {
            Executor& executor = *server.executor;
            executor.spawn(std::bind(own, std::move(server.executor), std::chrono::milliseconds(how % 5)));
            break;
        }
        case 2:
            for (int i = 0; i < 3; ++i) others.emplace_back([executor = server.executor] { executor->stop(); });
            break;
        default: others.emplace_back([listener = server.listener] { listener->stop(); });
    }
    server.listener.reset();
    server.executor.reset();
    for (platform::thread& other : others) other.join();
}

void destructors_race_connections(Round& round) {
    Order order{.peers = round.peers, .at_once = 500, .seed = round.seed};
    std::vector<Owned> all;
    for (std::size_t i = 0; i < servers; ++i) {
        Owned server{std::make_shared<Executor>(acairo::ExecutorConfiguration{.workers = std::max(1, round.workers / 4),
                                                                              .on_unhandled = property::quiet}),
                     nullptr};
        server.listener = std::make_shared<TCPListener>(acairo::TCPListenerConfiguration{}, server.executor);
        server.listener->bind("127.0.0.1:0");
        server.listener->listen();
        order.ports[i] = port_of(server.listener->local_address());
        server.executor->spawn(std::bind(accept_all, server.listener, std::weak_ptr(server.executor)));
        all.push_back(std::move(server));
    }
    order.tell_at = static_cast<std::uint32_t>(round.below(round.peers));
    round.crowd.begin(order);
    round.crowd.wait();
    std::vector<platform::thread> threads;
    for (std::size_t i = 0; i < servers; ++i)
        threads.emplace_back([server = std::move(all[i]), how = i]() mutable { destroy(std::move(server), how); });
    for (platform::thread& thread : threads) thread.join();
    // Who owns itself ends by itself.
    acairo::stress::wait_for_threads();
}

const Scenario registered{"destructors_race_connections", destructors_race_connections};

}  // namespace
}  // namespace stress
