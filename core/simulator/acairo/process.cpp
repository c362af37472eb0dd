// Shared memory, the child and its watchdog, and what kind of failure it was.
#include <acairo/process.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <regex>
#include <stdexcept>

namespace acairo::simulator {

Page& page() {
    static Page* const shared = [] {
        void* const memory =
            ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("acairo: no memory to share with the runs");
        return static_cast<Page*>(memory);
    }();
    return *shared;
}

Machine& machine() {
    static Machine one;
    return one;
}

std::chrono::nanoseconds real_now() {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void leave_outcome(const Outcome& outcome) {
    Page& shared = page();
    shared.steps += outcome.steps;
    shared.trace_hash = (shared.trace_hash * 0x100000001b3u) ^ outcome.trace_hash;
    shared.verdict = outcome.verdict;
    const std::size_t size = std::min(outcome.text.size(), shared.text.size() - 1);
    std::memcpy(shared.text.data(), outcome.text.data(), size);
    shared.text[size] = '\0';
}

Child::Child(const std::function<int()>& body) {
    machine();  // before the fork: it starts a thread
    Page& shared = page();
    shared.runs.store(0, std::memory_order_relaxed);
    for (auto& path : shared.reached) path.store(0, std::memory_order_relaxed);
    shared.steps = shared.interleavings = shared.trace_hash = shared.choices = 0;
    shared.reporter.clear();
    shared.chronicle.moments = shared.chronicle.threads = 0;
    shared.covered = false;
    shared.verdict = Verdict::passed;
    shared.text[0] = '\0';
    stderr_ = ::memfd_create("stderr", MFD_CLOEXEC);
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0)
        throw std::runtime_error("acairo: no process for a run: fork failed; end other processes, or raise ulimit -u");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(stderr_, STDERR_FILENO);
        const int status = body();
        std::fflush(nullptr);
        ::_exit(status);
    }
}
Child::~Child() { ::close(stderr_); }

std::string Child::wait(std::chrono::seconds patience) {
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    // Without this, poll() would pass over it, and every run would seem to hang.
    if (handle < 0)
        throw std::runtime_error("acairo: a run's process cannot be waited for: pidfd_open failed; raise ulimit -n");
    std::uint64_t runs = page().runs.load(std::memory_order_relaxed);
    bool hangs = false;
    ::pollfd end{handle, POLLIN, 0};
    // A signal that this process handles ends a poll(), and not the patience.
    for (int ready = 0; ready <= 0 && !hangs;) {
        ready = ::poll(&end, 1, static_cast<int>(patience.count()) * 1000);
        hangs = ready == 0 && std::exchange(runs, page().runs.load(std::memory_order_relaxed)) == runs;
    }
    if (hangs) ::kill(pid_, SIGKILL);
    ::close(handle);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return hangs ? "hang" : kind_of(status);
}

std::string Child::errors() const {
    std::string text(static_cast<std::size_t>(std::max<::off_t>(::lseek(stderr_, 0, SEEK_END), 0)), '\0');
    const ::ssize_t size = ::pread(stderr_, text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<::ssize_t>(size, 0)));
    return text;
}

std::string Child::kind_of(int status) const {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const Page& shared = page();
    if (WIFEXITED(status) && WEXITSTATUS(status) == failed_status) {
        const std::string text = shared.text.data();
        if (shared.verdict != Verdict::failed) return name_of(shared.verdict);
        // "failed at step 12, 3600 ns: what was required"
        const std::size_t begin = text.find(": ") + 2;
        return "failed: " + text.substr(begin, text.find('\n') - begin);
    }
    const std::string text = errors();
    std::smatch found;
    if (std::regex_search(text, found, std::regex("SUMMARY: (\\w+Sanitizer: [^/\\n(]*[^/\\n( ])"))) return found[1];
    if (std::regex_search(text, found, std::regex("runtime error: ([^\\n]*)"))) {
        return "UndefinedBehaviorSanitizer: " +
               std::regex_replace(found[1].str(), std::regex("0x[0-9a-f]+|[0-9]+"), "N");
    }
    if (std::regex_search(text, found, std::regex("acairo: (check failed: [^\\n]*)"))) return found[1];
    if (WIFSIGNALED(status)) return std::string("signal: ") + ::strsignal(WTERMSIG(status));
    return "exit " + std::to_string(WEXITSTATUS(status));
}

}  // namespace acairo::simulator
