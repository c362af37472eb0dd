// What the example programs share: more descriptors, and an orderly end by SIGINT or SIGTERM.
#pragma once
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>
#include <exception>
#include <functional>
#include <thread>
#include <utility>

// A server needs a descriptor for each connection, and the usual soft limit is 1,024.
inline void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) spdlog::info("may open {} descriptors", limit.rlim_cur);
}

// Runs `stop` on a thread of its own when SIGINT or SIGTERM comes, or when it is destroyed. Made before any other thread,
// so that all of them inherit the blocked signals and none is interrupted by one.
class SignalDrivenShutdown {
public:
    explicit SignalDrivenShutdown(std::function<void()> stop) : stop_(std::move(stop)) {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    }
    SignalDrivenShutdown(const SignalDrivenShutdown&) = delete;
    SignalDrivenShutdown& operator=(const SignalDrivenShutdown&) = delete;

    // From here on the signals are waited for.
    void start() {
        thread_ = std::thread([this] {
            int signal = 0;
            sigwait(&signals_, &signal);
            spdlog::info("shutting down");
            stop_();
        });
    }

    ~SignalDrivenShutdown() {
        if (!thread_.joinable()) return;
        // It ends as if the signal had come; when it has come already, nobody waits for this one.
        pthread_kill(thread_.native_handle(), SIGTERM);
        thread_.join();
    }

private:
    std::function<void()> stop_;
    sigset_t signals_{};
    std::thread thread_;
};

// For ExecutorConfiguration::on_unhandled: one connection's failure is no more than a line in the log.
inline void log_failure(std::exception_ptr failure) {
    try {
        std::rethrow_exception(std::move(failure));
    } catch (const std::exception& error) { spdlog::debug("a connection ended: {}", error.what()); }
}
