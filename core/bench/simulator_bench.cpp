// How fast the simulator is, on one processor: switches between fibers beside Boost.Context's bare ones, scheduling steps,
// simulated connections, and complete runs of a two-worker server that accepts, echoes and stops.
//
// Threads: the main one.
#include <benchmark/benchmark.h>
#include <acairo/acairo.hpp>
#include <acairo/producers.hpp>

#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <vector>

namespace {

namespace simulator = acairo::simulator;
namespace context = boost::context::detail;
using acairo::platform;
using acairo::Task;

// --- switches ---

void bounce(context::transfer_t from) {
    for (;;) from = context::jump_fcontext(from.fctx, nullptr);
}

// There and back: two switches.
void bare_switches(benchmark::State& state) {
    std::vector<char> stack(65536);
    context::transfer_t there{context::make_fcontext(stack.data() + stack.size(), stack.size(), bounce), nullptr};
    for (auto _ : state) there = context::jump_fcontext(there.fctx, nullptr);
    state.SetItemsProcessed(2 * state.iterations());
}

struct Pair {
    simulator::FiberContext here;
    simulator::FiberContext there{simulator::FiberContext::OwnStack{}};
};

simulator::FiberContext& switch_back(void* argument) {
    auto& both = *static_cast<Pair*>(argument);
    for (;;) both.there.switch_to(both.here);
}

void fiber_switches(benchmark::State& state) {
    // Never given back: its fiber never ends.
    static Pair* const both = [] {
        auto* const made = new Pair;
        made->there.prepare(switch_back, made);
        made->here.switch_to(made->there);
        return made;
    }();
    for (auto _ : state) both->here.switch_to(both->there);
    state.SetItemsProcessed(2 * state.iterations());
}

// --- runs ---

simulator::Machine& machine() {
    static simulator::Machine one;
    return one;
}

// Runs `body` from one seed after the other, and counts.
template <class Body> void run(benchmark::State& state, double connections, Body&& body) {
    simulator::Seed seed(0);
    simulator::Choices choices(seed);
    simulator::Setting setting;
    setting.climate = {.interruptions = false, .shortages = false, .network = true};
    double steps = 0;
    std::uint64_t number = 0;
    for (auto _ : state) {
        seed = simulator::Seed(number++);
        choices.restart(seed);
        const simulator::Outcome outcome = machine().run(choices, setting, body);
        if (outcome.verdict != simulator::Verdict::passed) state.SkipWithError(outcome.text.c_str());
        steps += static_cast<double>(outcome.steps);
    }
    using benchmark::Counter;
    state.counters["steps/s"] = Counter(steps, Counter::kIsRate);
    state.counters["runs/s"] = Counter(static_cast<double>(state.iterations()), Counter::kIsRate);
    if (connections != 0) {
        state.counters["connections/s"] =
            Counter(connections * static_cast<double>(state.iterations()), Counter::kIsRate);
    }
}

void two_threads_and_an_atomic(benchmark::State& state) {
    run(state, 0, [] {
        platform::atomic<std::uint64_t> shared{0};
        const auto work = [&] {
            for (int i = 0; i < 1000; ++i) shared.fetch_add(std::uint64_t{1}, std::memory_order_relaxed);
        };
        platform::thread other(work);
        work();
        other.join();
    });
}

Task<void> echo(std::shared_ptr<acairo::TCPStream> stream) {
    std::array<char, 64> buffer{};
    while (const std::size_t size = co_await stream->read_some(buffer)) {
        co_await stream->write_all(std::span<const char>(buffer).first(size));
    }
}

Task<void> accept_all(acairo::Executor& executor, acairo::TCPListener& listener) {
    try {
        for (;;) executor.spawn(std::bind(echo, co_await listener.accept()));
    } catch (const acairo::TCPListenerStoppedError&) {}
}

void one_client(platform::address& to) {
    const int fd = platform::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    platform::connect(fd, to);
    platform::send(fd, "hello", 5, MSG_NOSIGNAL);
    std::array<char, 5> answer{};
    for (std::size_t got = 0; got < answer.size();) {
        const std::ptrdiff_t received = platform::recv(fd, answer.data() + got, answer.size() - got, 0);
        if (received <= 0) break;
        got += static_cast<std::size_t>(received);
    }
    platform::close(fd);
}

void serve_clients(int clients) {
    acairo::Executor executor({.workers = 2});
    {
        const std::shared_ptr<acairo::Executor> shared(std::shared_ptr<void>(), &executor);
        acairo::TCPListener listener({}, shared);
        listener.bind("127.0.0.1:0");
        listener.listen();
        const std::string address = listener.local_address();
        platform::address to;
        auto& v4 = reinterpret_cast<::sockaddr_in&>(to.storage);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.length = sizeof v4;
        executor.spawn([&] { return accept_all(executor, listener); });
        for (int i = 0; i < clients; ++i) one_client(to);
        listener.stop();
        executor.drain(std::chrono::seconds(100));
    }
}

void accept_echo_stop(benchmark::State& state) {
    run(state, 1, [] { serve_clients(1); });
}

void a_hundred_connections(benchmark::State& state) {
    run(state, 100, [] { serve_clients(100); });
}

BENCHMARK(bare_switches);
BENCHMARK(fiber_switches);
BENCHMARK(two_threads_and_an_atomic);
BENCHMARK(accept_echo_stop);
BENCHMARK(a_hundred_connections);

}  // namespace

BENCHMARK_MAIN();
