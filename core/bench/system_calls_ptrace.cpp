// One thread of the driver traces the server: ptrace ties a traced process to the thread that seized it,
// which must wait for each stop.
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <future>
#include <string>
#include <system_error>
#include <thread>

#include "system_calls.hpp"

namespace bench {
namespace {

class PtraceCounter final : public SystemCallCounter {
public:
    explicit PtraceCounter(pid_t server) {
        std::promise<void> seized;
        std::future<void> done = seized.get_future();
        tracer_ = std::thread([this, server, seized = std::move(seized)]() mutable {
            try {
                seize(server);
                seized.set_value();
                trace();
            } catch (...) { seized.set_exception(std::current_exception()); }
        });
        try {
            done.get();
        } catch (...) {
            tracer_.join();
            throw;
        }
    }

    PtraceCounter(const PtraceCounter&) = delete;
    PtraceCounter& operator=(const PtraceCounter&) = delete;

    ~PtraceCounter() override { tracer_.join(); }

    std::uint64_t calls() override { return calls_.load(std::memory_order_relaxed); }

private:
    static void seize(pid_t server) {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(server) + "/task")) {
            const pid_t thread = std::stoi(entry.path().filename());
            if (::ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) != 0 ||
                ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0)
                throw std::system_error(errno, std::system_category(), "ptrace");
        }
    }

    // Until no thread of the server is left.
    void trace() {
        int status = 0;
        for (pid_t thread; (thread = ::waitpid(-1, &status, __WALL | __WNOTHREAD)) > 0;) {
            if (!WIFSTOPPED(status)) continue;
            const bool at_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
            if (at_call && is_entry(thread)) calls_.fetch_add(1, std::memory_order_relaxed);
            const bool is_signal = !at_call && status >> 16 == 0;
            ::ptrace(PTRACE_SYSCALL, thread, nullptr, is_signal ? WSTOPSIG(status) : 0);
        }
    }

    static bool is_entry(pid_t thread) {
        __ptrace_syscall_info info{};
        ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
        return info.op == PTRACE_SYSCALL_INFO_ENTRY;
    }

    std::atomic<std::uint64_t> calls_{0};
    std::thread tracer_;
};

}  // namespace

std::unique_ptr<SystemCallCounter> count_by_ptrace(pid_t server) { return std::make_unique<PtraceCounter>(server); }

}  // namespace bench
