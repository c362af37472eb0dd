// What the tests with real sockets share: how an operation ended, in words, and a fixture that counts descriptors.
//
// Threads: the fixture is the test's own thread's; ending() runs on a worker.
#pragma once
#include <acairo/acairo.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <concepts>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "raw_client.hpp"

namespace sockets {

// Puts the descriptor 0 aside, so that the kernel gives that number next.
class Zero {
public:
    Zero() : aside_(::fcntl(0, F_DUPFD_CLOEXEC, 3)) { ::close(0); }
    Zero(const Zero&) = delete;
    Zero& operator=(const Zero&) = delete;
    ~Zero() {
        ::dup2(aside_, 0);
        ::close(aside_);
    }

private:
    const int aside_;
};

inline constexpr std::chrono::hours for_ever{24};

inline std::vector<char> bytes(std::string_view text) { return {text.begin(), text.end()}; }
inline std::string text(const std::vector<char>& bytes) { return {bytes.begin(), bytes.end()}; }

inline std::string words(const std::vector<char>& result) { return text(result); }
inline std::string words(std::size_t result) { return std::to_string(result); }
inline std::string words(const std::string& result) { return result; }
inline std::string words(const std::shared_ptr<acairo::TCPStream>& result) { return result ? "a stream" : "null"; }

// How the handled exception is written in these tests. Not the exception itself: a test names what it expects, and no
// exception object is shared by two threads.
inline std::string exception_in_words() {
    try {
        throw;
    } catch (const acairo::EndOfStream& end) {
        return "EndOfStream after \"" + text(end.received()) + "\"";
    } catch (const acairo::Cancelled&) { return "Cancelled"; } catch (const acairo::TimedOut&) {
        return "TimedOut";
    } catch (const acairo::TCPListenerStoppedError&) {
        return "TCPListenerStoppedError";
    } catch (const std::system_error& error) {
        const char* const name = ::strerrorname_np(error.code().value());
        return name ? name : "system_error " + std::to_string(error.code().value());
    } catch (const std::invalid_argument&) { return "invalid_argument"; } catch (const std::logic_error&) {
        return "logic_error";
    } catch (const std::bad_alloc&) { return "bad_alloc"; }
}

template <class F> std::string exception_of(F&& call) {
    try {
        call();
        return "none";
    } catch (...) { return exception_in_words(); }
}

// The text of what `call` throws, empty when it throws nothing.
template <class F> std::string message_of(F&& call) {
    try {
        call();
        return "";
    } catch (const std::exception& error) { return error.what(); }
}

// Awaits what `make()` returns and tells how that ended: its result, "done" when it has none, or its exception.
template <class F> acairo::Task<std::string> ending(F make) {
    try {
        if constexpr (requires { words(make().await_resume()); }) {
            co_return words(co_await make());
        } else if constexpr (requires { typename std::invoke_result_t<F>::value_type; }) {
            if constexpr (std::is_void_v<typename std::invoke_result_t<F>::value_type>) {
                co_await make();
                co_return "done";
            } else {
                co_return words(co_await make());
            }
        } else {
            co_await make();
            co_return "done";
        }
    } catch (...) { co_return exception_in_words(); }
}

// An operation that runs on a worker while the test goes on.
class Running {
public:
    explicit Running(std::future<std::string> ended) : ended_(std::move(ended)) {}
    // How it ended. Throws when it does not.
    std::string ending() {
        if (ended_.wait_for(std::chrono::milliseconds(raw::hang_guard_milliseconds)) != std::future_status::ready) {
            throw std::runtime_error("the hang guard: an operation did not end");
        }
        return ended_.get();
    }
    bool has_ended() const { return ended_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }

private:
    std::future<std::string> ended_;
};

// One type for all of them: without this, each test instantiates an executor's templates for each of its lambdas.
using MakeEnding = std::function<acairo::Task<std::string>()>;

inline Running start_ending(acairo::Executor& executor, MakeEnding make, acairo::StopToken token) {
    auto promise = std::make_unique<std::promise<std::string>>();
    Running running(promise->get_future());
    executor.spawn([promise = std::move(promise),
                    make = std::move(make)]() -> acairo::Task<void> { promise->set_value(co_await make()); },
                   std::move(token));
    return running;
}

// Starts what `make()` returns on a worker.
template <class F> Running start(acairo::Executor& executor, F make, acairo::StopToken token = {}) {
    return start_ending(executor, [make = std::move(make)] { return ending(std::ref(make)); }, std::move(token));
}

// Awaits what `make()` returns, on a worker, and tells how it ended.
template <class F> std::string ending_of(acairo::Executor& executor, F make) {
    return executor.sync_wait(MakeEnding([&] { return ending(std::ref(make)); }));
}

inline std::set<int> open_descriptors() {
    std::set<int> open;
    DIR* const directory = ::opendir("/proc/self/fd");
    while (const dirent* const entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') open.insert(std::stoi(entry->d_name));
    }
    open.erase(::dirfd(directory));
    ::closedir(directory);
    return open;
}

// The descriptor of the socket between these two addresses; -1 when there is none. (A stream does not show its own.)
inline int descriptor_between(const std::string& local, const std::string& peer) {
    for (const int fd : open_descriptors()) {
        if (raw::local_address(fd) == local && raw::peer_address(fd) == peer) return fd;
    }
    return -1;
}

// Lets this process have no more descriptors than it has, as long as it lives.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        // The lowest free number is the next one that the kernel would give.
        const int lowest_free = raw::succeed(::fcntl(0, F_DUPFD_CLOEXEC, 0), "dup");
        ::close(lowest_free);
        allow(static_cast<rlim_t>(lowest_free));
    }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    void allow_one_more() { allow(allowed_ + 1); }

private:
    void allow(rlim_t descriptors) {
        allowed_ = descriptors;
        const rlimit limit{descriptors, before_.rlim_max};
        raw::succeed(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    }
    rlimit before_{};
    rlim_t allowed_ = 0;
};

// Expects that a test leaves no descriptor behind.
class SocketTest : public testing::Test {
protected:
    struct Pair {
        std::shared_ptr<acairo::TCPStream> stream;
        raw::Client client;
    };

    void SetUp() override {
        before_ = open_descriptors();
        use_workers(1);
    }
    void TearDown() override {
        executor_.reset();
        EXPECT_EQ(open_descriptors(), before_) << "descriptors after and before the test";
    }

    void use_workers(int workers) {
        workers_ = workers;
        executor_ = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = workers});
    }

    // When it returns, everything that ran on the one worker waits.
    void settle() {
        for (int i = 0; i < workers_; ++i) {
            executor_->sync_wait([]() -> acairo::Task<void> { co_return; });
        }
    }

    // Awaits what `make()` returns, on a worker, and tells how it ended.
    template <class F> std::string ending_of(F make) { return sockets::ending_of(*executor_, std::move(make)); }
    template <class F> Running start(F make, acairo::StopToken token = {}) {
        return sockets::start(*executor_, std::move(make), std::move(token));
    }

    // A stream that a listener accepted, and its peer.
    Pair connected(acairo::TCPListenerConfiguration configuration = {}, const std::string& address = "127.0.0.1:0") {
        acairo::TCPListener listener(configuration, executor_);
        listener.bind(address);
        listener.listen();
        raw::Client client(listener.local_address());
        return {accept(listener), std::move(client)};
    }
    std::shared_ptr<acairo::TCPStream> accept(const acairo::TCPListener& listener) {
        return executor_->sync_wait(
            [&]() -> acairo::Task<std::shared_ptr<acairo::TCPStream>> { co_return co_await listener.accept(); });
    }
    std::shared_ptr<acairo::TCPStream> connect(const std::string& address) {
        return executor_->sync_wait([&]() -> acairo::Task<std::shared_ptr<acairo::TCPStream>> {
            co_return co_await acairo::TCPStream::connect(executor_, address);
        });
    }

    std::shared_ptr<acairo::Executor> executor_;
    std::set<int> before_;

private:
    int workers_ = 1;
};

}  // namespace sockets
