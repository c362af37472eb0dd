// What the tests of the scripted world share: a script, an executor with one worker, and how a listener and a stream come
// about. Descriptors: 3 and 4 are the worker's epoll and eventfd, 5 the listener, 7 the stream.
#pragma once
#include <gtest/gtest.h>

#include <acairo/acairo.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

inline const std::string address = "127.0.0.1:8080";

// The error that an operation ends with; 0: with none.
struct Failure {
    int error;
    std::string text;
};

template <class A> acairo::Task<Failure> failure_of(A operation) {
    try {
        co_await std::move(operation);
    } catch (const std::system_error& error) { co_return Failure{error.code().value(), error.what()}; }
    co_return Failure{0, ""};
}

// True when an operation ends with an exception of type E.
template <class E, class A> acairo::Task<bool> throws(A operation) {
    try {
        co_await std::move(operation);
    } catch (const E&) { co_return true; }
    co_return false;
}

// Of something that is no awaitable.
inline Failure failure_in(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::system_error& error) { return {error.code().value(), error.what()}; }
    return {0, ""};
}

inline testing::AssertionResult contains(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << '"' << part << "\" is not in \"" << text << '"';
}
inline std::string to_string(const std::vector<char>& bytes) { return {bytes.begin(), bytes.end()}; }
inline std::string error_name(const testing::TestParamInfo<int>& error) { return ::strerrorname_np(error.param); }

// Without an executor.
class Bare : public testing::Test {
protected:
    void TearDown() override {
        executor.reset();
        for (const std::string& failure : script.finish()) ADD_FAILURE() << failure;
    }

    void start() {
        script.on("epoll_create1()", 3);
        script.on("eventfd()", 4);
        script.on("epoll_ctl(3, ADD, 4, IN ET)", 0);
        executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1, .budget = budget});
        script.rescue = [this] { executor->stop(); };
    }

    int budget = 64;
    scripted::Script script;
    std::shared_ptr<acairo::Executor> executor;
};

class Scripted : public Bare {
protected:
    void SetUp() override { start(); }
    void TearDown() override {
        stream.reset();
        Bare::TearDown();
    }

    // Runs a task, and ends the worker. Once.
    template <class F> void run(F callable) {
        executor->sync_wait([&]() -> acairo::Task<> {
            const Stop stop{*executor};
            co_await callable();
        });
    }

    // --- what is scripted often ---

    void opens(int fd) {
        script.on("socket(AF_INET)", fd);
        script.on(call("setsockopt", fd, ", SO_REUSEADDR, 1"), 0);
        script.on(call("setsockopt", fd, ", TCP_NODELAY, 1"), 0);
    }
    void registers(int fd) { script.on("epoll_ctl(3, ADD, " + std::to_string(fd) + ", IN PRI RDHUP ET)", 0); }

    std::unique_ptr<acairo::TCPListener> listener(acairo::TCPListenerConfiguration configuration = {}) {
        auto made = std::make_unique<acairo::TCPListener>(configuration, executor);
        opens(5);
        script.on("bind(5, " + address + ")", 0);
        made->bind(address);
        script.on("listen(5, 4096)", 0);
        made->listen();
        return made;
    }

    acairo::Task<std::shared_ptr<acairo::TCPStream>> connected(acairo::TCPStreamConfiguration configuration = {},
                                                               int fd = 7) {
        script.on("socket(AF_INET)", fd);
        script.on(call("setsockopt", fd, ", TCP_NODELAY, 1"), 0);
        script.on(call("connect", fd, ", " + address), 0);
        co_return co_await acairo::TCPStream::connect(executor, address, configuration);
    }

    static std::string call(const std::string& name, int fd, const std::string& more = {}) {
        return name + "(" + std::to_string(fd) + more + ")";
    }

    // What a test does not leave in its coroutine.
    std::shared_ptr<acairo::TCPStream> stream;

private:
    struct Stop {
        acairo::Executor& executor;
        ~Stop() { executor.stop(); }
    };
};
