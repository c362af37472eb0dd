// The one who watches, and what it looks at.
#include "watched.hpp"

#include <dirent.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

extern "C" [[gnu::weak]] int __lsan_do_recoverable_leak_check();

namespace stress {

using namespace acairo::simulator;

void fail(Verdict verdict, const std::string& text) {
    static std::mutex first;
    first.lock();  // for ever: one failure is told
    Outcome outcome;
    outcome.verdict = verdict;
    const std::uint64_t run = page().runs.load(std::memory_order_relaxed) + 1;
    outcome.text = std::string(name_of(verdict)) + " in run " + std::to_string(run) + ": " + text;
    leave_outcome(outcome);
    ::_exit(failed_status);
}

std::mutex looking;

std::vector<int> numbers_in(const char* place) {
    std::vector<int> numbers;
    ::DIR* const directory = ::opendir(place);
    if (!directory) return numbers;  // no descriptor is left for it
    while (const ::dirent* const entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') numbers.push_back(std::atoi(entry->d_name));
    }
    ::closedir(directory);
    return numbers;
}

Threads::Threads(const std::vector<int>& others) {
    const std::vector<int> threads = numbers_in("/proc/self/task");
    // Who cannot look has seen nothing.
    all_wait = !threads.empty();
    for (const int thread : threads) {
        if (std::ranges::find(others, thread) != others.end()) continue;
        const std::string place = "/proc/self/task/" + std::to_string(thread);
        std::ifstream status(place + "/status");
        std::string state;
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("State:\t")) state = line.substr(7, 1);
            if (const auto at = line.find("ctxt_switches:"); at != std::string::npos)
                switches += std::stoul(line.substr(at + 14));
        }
        if (state != "S") all_wait = false;
        std::ifstream statistics(place + "/stat");
        std::string field;
        // The times on the processor are its fields 14 and 15; the name is one of its own.
        for (int i = 1; i <= 15 && statistics >> field; ++i)
            if (i >= 14) ticks += std::stoul(field);
    }
}

namespace {

// The stacks of all threads, as far as they are the core's and its users', when there is a gdb.
void print_stacks() {
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    const std::string command = "gdb -q -nx -batch -p " + std::to_string(::getpid()) +
                                " -ex 'thread apply all bt 30' 2>/dev/null | "
                                "sed -n -E 's/^(Thread [0-9]+) .*/\\1/p; s/^#[0-9]+ .* at "
                                ".*((core.acairo|property|load)[^ ]+:[0-9]+)$/    \\1/p' >&2";
    if (std::system(command.c_str()) != 0)
        std::fputs("no stacks: gdb cannot be started; install Debian's package gdb\n", stderr);
}

}  // namespace

void watched(int looks, const std::function<void()>& body) {
    // The first thread is not the only one that it starts where there is the thread sanitizer.
    std::thread([] {}).join();
    const std::vector<int> others = numbers_in("/proc/self/task");
    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;
    std::thread runner([&] {
        body();
        const std::lock_guard lock(mutex);
        over = true;
        changed.notify_all();
    });
    std::unique_lock lock(mutex);
    std::uint64_t runs = 0;
    std::uint64_t switches = 0;
    for (int asleep = 0; !changed.wait_for(lock, std::chrono::seconds(1), [&] { return over; });) {
        const Threads threads = [&] {
            const std::lock_guard no_one_counts(looking);
            return Threads(others);
        }();
        const std::uint64_t now = page().runs.load(std::memory_order_relaxed);
        const bool same = threads.all_wait && now == runs && threads.switches == switches;
        asleep = same ? asleep + 1 : 0;
        runs = now;
        switches = threads.switches;
        if (asleep < looks) continue;
        print_stacks();
        fail(Verdict::deadlock, "each thread waits, and none has run between " + std::to_string(looks) + " looks");
    }
    lock.unlock();
    runner.join();
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
        fail(Verdict::leaked_memory, "all runs are over, and nothing points at some of what they allocated");
}

}  // namespace stress
