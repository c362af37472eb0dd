// An echo server over acairo, and the raw loop of core/bench, each in a thread that is counted, and their clients.
#pragma once
#include <acairo/acairo.hpp>

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cstdio>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <raw_echo.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "../raw_client.hpp"
#include "counted.hpp"

namespace counts {

inline constexpr std::size_t buffer_size = 1024;

inline acairo::Task<void> echo(std::shared_ptr<acairo::TCPStream> stream) {
    std::array<char, buffer_size> buffer;
    while (const std::size_t size = co_await stream->read_some(buffer)) {
        co_await stream->write_all(std::span(buffer).first(size));
    }
}

inline acairo::Task<void> serve(std::shared_ptr<acairo::Executor> executor, const acairo::TCPListener& listener) {
    for (;;) {
        auto stream = co_await listener.accept();
        auto handler = std::bind(echo, std::move(stream));
        executor->spawn(std::move(handler));
    }
}

// One worker, counted from its first task on.
class AcairoServer {
public:
    explicit AcairoServer(Gate* its_gate = nullptr)
        : executor(std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1})) {
        listener.emplace(acairo::TCPListenerConfiguration{}, executor);
        listener->bind("127.0.0.1:0");
        listener->listen();
        executor->sync_wait([&]() -> acairo::Task<void> {
            tally = &counted;
            gate = its_gate;
            co_return;
        });
        thread_ = std::thread([this] {
            try {
                executor->sync_wait(std::bind(serve, executor, std::cref(*listener)));
            } catch (const acairo::TCPListenerStoppedError&) {}
        });
    }
    AcairoServer(const AcairoServer&) = delete;
    AcairoServer& operator=(const AcairoServer&) = delete;
    ~AcairoServer() {
        listener->stop();
        thread_.join();
        // Waits for the worker, which still counts: without this, it would count into what is gone.
        executor.reset();
    }

    std::string address() const { return listener->local_address(); }
    Counts counts() const { return Counts(counted); }

    Tally counted;
    std::shared_ptr<acairo::Executor> executor;
    std::optional<acairo::TCPListener> listener;

private:
    std::thread thread_;
};

class RawServer {
public:
    explicit RawServer(Gate* its_gate)
        : listener_(raw::succeed(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")),
          stop_(raw::succeed(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
        raw::Address any("127.0.0.1:0");
        raw::succeed(::bind(listener_.get(), any.get(), any.length()), "bind");
        raw::succeed(::listen(listener_.get(), 4096), "listen");
        thread_ = std::thread([this, its_gate] {
            tally = &counted_;
            gate = its_gate;
            auto loop = std::make_unique<bench::RawEcho<>>(listener_.get(), stop_.get());
            loop->run();
            tally = nullptr;
        });
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    ~RawServer() {
        const std::uint64_t one = 1;
        raw::succeed(::write(stop_.get(), &one, sizeof one), "write");
        thread_.join();
    }
    std::string address() const { return raw::local_address(listener_.get()); }
    Counts counts() const { return Counts(counted_); }

private:
    Tally counted_;
    raw::Descriptor listener_;
    raw::Descriptor stop_;
    std::thread thread_;
};

// Connections to one server, which looks when all of them have spoken.
class Clients {
public:
    Clients(std::string address, Gate& its_gate) : address_(std::move(address)), gate_(its_gate) {}

    void connect(int connections) {
        gate_.close();
        for (int i = 0; i < connections; ++i) clients_.emplace_back(address_);
        gate_.open();
        gate_.await_idle();
    }
    void echo(int rounds) {
        for (int round = 0; round < rounds; ++round) {
            gate_.close();
            for (raw::Client& client : clients_) client.send(message_);
            gate_.open();
            for (raw::Client& client : clients_) EXPECT_EQ(client.receive(message_.size()), message_);
            gate_.await_idle();
        }
    }
    void close() {
        gate_.close();
        clients_.clear();
        gate_.open();
        gate_.await_idle();
    }
    // Each: connect, send, receive, close; `connections` at a time.
    void churn(int rounds, int connections) {
        for (int round = 0; round < rounds; ++round) {
            gate_.close();
            for (int i = 0; i < connections; ++i) {
                clients_.emplace_back(address_);
                clients_.back().send(message_);
            }
            gate_.open();
            for (raw::Client& client : clients_) EXPECT_EQ(client.receive(message_.size()), message_);
            gate_.await_idle();
            close();
        }
    }

private:
    const std::string message_ = std::string(64, '.');
    std::string address_;
    Gate& gate_;
    std::vector<raw::Client> clients_;
};

}  // namespace counts
