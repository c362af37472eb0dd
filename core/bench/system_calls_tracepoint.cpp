// perf_event_open on raw_syscalls:sys_enter, one event for each thread of the server.
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "system_calls.hpp"

namespace bench {
namespace {

constexpr const char* tracefs = "/sys/kernel/tracing";

// The number that perf_event_open knows raw_syscalls:sys_enter by. tracefs is often not mounted; then it is
// mounted for this process and its children only.
std::optional<std::uint64_t> tracepoint() {
    const auto read = [] {
        std::uint64_t id = 0;
        std::ifstream file(std::string(tracefs) + "/events/raw_syscalls/sys_enter/id");
        return file >> id ? std::optional(id) : std::nullopt;
    };
    if (const auto id = read()) return id;
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tracefs", tracefs, "tracefs", 0, nullptr) == 0;
    return mounted ? read() : std::nullopt;
}

class TracepointCounter final : public SystemCallCounter {
public:
    TracepointCounter() = default;
    TracepointCounter(const TracepointCounter&) = delete;
    TracepointCounter& operator=(const TracepointCounter&) = delete;

    ~TracepointCounter() override {
        for (const int event : events_) ::close(event);
    }

    bool attach(pid_t thread, std::uint64_t id) {
        perf_event_attr attributes{};
        attributes.size = sizeof attributes;
        attributes.type = PERF_TYPE_TRACEPOINT;
        attributes.config = id;
        attributes.inherit = 1;  // threads that this one starts later
        const long event = ::syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
        if (event >= 0) events_.push_back(static_cast<int>(event));
        return event >= 0;
    }

    std::uint64_t calls() override {
        std::uint64_t sum = 0;
        for (const int event : events_) {
            std::uint64_t count = 0;
            if (::read(event, &count, sizeof count) != sizeof count)
                throw std::system_error(errno, std::system_category(), "read of the system call count");
            sum += count;
        }
        return sum;
    }

private:
    std::vector<int> events_;
};

}  // namespace

std::unique_ptr<SystemCallCounter> count_by_tracepoint(pid_t server) {
    static const std::optional<std::uint64_t> id = tracepoint();
    if (!id) return nullptr;
    auto counter = std::make_unique<TracepointCounter>();
    for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(server) + "/task"))
        if (!counter->attach(std::stoi(thread.path().filename()), *id)) return nullptr;
    return counter;
}

}  // namespace bench
