// Stopping before a step, and starting gdb. Compiled with all debug information in every build, and so it also names the
// types that gdb's commands look at: those of the simulator and of the core, which most builds describe by lines only.
#include <sys/mman.h>
#include <unistd.h>
#include <acairo/allocations.hpp>
#include <acairo/child.hpp>
#include <acairo/debugger.hpp>
#include <acairo/replay.hpp>
#include <acairo/tcp.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace acairo::simulator {

std::uint64_t debugger_stops_at = ~std::uint64_t{0};

namespace {

// Only named: a type that nothing refers to is left out of the debug information.
struct Looked {
    Machine* machine;
    Scheduler* scheduler;
    Kernel* kernel;
    Mutex* mutex;
    detail::Socket* socket;
    detail::Counter* counter;
    detail::Epoll* epoll;
    allocations::Table* allocations;
    acairo::detail::State* executor;
    acairo::detail::Chain* chain;
    acairo::detail::Awaiting* awaiting;
    acairo::detail::Socket* socket_of_core;
    acairo::detail::Sleep* sleep;
};
[[gnu::used]] constinit Looked looked_at{};

}  // namespace

[[gnu::noinline]] void debugger_stops_here() noexcept {
    // Without this, a compiler would leave the call out.
    asm volatile("");
}

void DebuggerSink::stepped(const Step& step) {
    if (step.number >= debugger_stops_at) debugger_stops_here();
}

int replay_here(const Property& property, const Recording& recording, std::uint64_t stop_at) {
    Replay recorded(recording);
    Choices choices(recorded);
    DebuggerSink sink;
    debugger_stops_at = stop_at;
    const Outcome outcome = run_here(property, choices, nullptr, &sink);
    std::printf("%s\n", outcome.verdict == Verdict::passed ? "it does not fail here" : outcome.text.c_str());
    return outcome.verdict == Verdict::passed ? 0 : 1;
}

int debug(const Property& property, const Recording& recording, const std::string& token) {
    const Result failing = run_in_child(property, [&] { return std::make_unique<Replay>(recording); }, true);
    if (failing.passed()) {
        std::printf("%s: does not fail here: there is nothing to stop before\n", property.name);
        return 0;
    }
    // A run that died has told of its steps, and not of its end.
    std::uint64_t last = failing.steps;
    for (const Moment& moment : failing.moments) last = std::max(last, moment.step);
    const std::string step = std::to_string(last);
    std::printf("FAILED: %s: %s, after step %s\n", property.name, failing.kind.c_str(), step.c_str());
    std::fflush(stdout);
    // gdb inherits it, and reads the commands from there: nothing has to be installed, or found.
    const int commands = ::memfd_create("acairo.py", 0);
    const std::string text = debugger_commands;
    if (::write(commands, text.data(), text.size()) != static_cast<::ssize_t>(text.size()))
        throw std::runtime_error("no memory for the debugger's commands");
    const std::string file = "/proc/self/fd/" + std::to_string(commands);
    const std::string read = "python exec(compile(open('" + file + "').read(), 'acairo.py', 'exec'))";
    const std::string go = "acairo goto " + step;
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    // The leak sanitizer refuses to work in a process that is traced.
    const char* const options = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", (std::string(options ? options : "") + ":detect_leaks=0").c_str(), 1);
    ::execlp("gdb", "gdb", "-q", "-ex", read.c_str(), "-ex", go.c_str(), "--args", self.c_str(), "repro", token.c_str(),
             "--here", nullptr);
    std::fprintf(stderr, "gdb cannot be started: %s; install Debian's package gdb\n", std::strerror(errno));
    return 4;
}

}  // namespace acairo::simulator
