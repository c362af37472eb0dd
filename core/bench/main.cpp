// The core beside a hand-written epoll loop, asio and libuv: `acairo_bench`, which ci/bench builds and runs.
#include <fmt/core.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

#include "comparison.hpp"

namespace {

struct Options {
    int rounds = 12;
    double seconds = 0.3;
    std::vector<std::string> only;
    bool quick = false;
    bool count = false;
    bool apart = false;
    bool ptrace = false;
};

std::vector<std::string> cell_names() {
    std::vector<std::string> names;
    for (const bench::Cell& cell : bench::all_cells()) names.push_back(cell.name);
    return names;
}

void declare(CLI::App& app, Options& options) {
    app.add_option("--rounds", options.rounds, "rounds of timing")->capture_default_str()->check(CLI::Range(1, 1000));
    app.add_option("--seconds", options.seconds, "of load for each server, cell and round")
        ->capture_default_str()
        ->check(CLI::Range(0.01, 60.0));
    app.add_option("--only", options.only, "only this cell (may be repeated)")->check(CLI::IsMember(cell_names()));
    app.add_flag("--quick", options.quick, "3 rounds of 0.1 seconds: to see that it works, not to believe");
    app.add_flag("--count", options.count, "only what is counted: system calls, allocations, bytes; no timing");
    app.add_flag("--apart", options.apart,
                 "the driver on a processor of its own, as if it were another machine; less even");
    app.add_flag("--ptrace", options.ptrace,
                 "count system calls by ptrace even where the kernel's tracepoint may be used");
}

void raise_descriptor_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) throw std::system_error(errno, std::system_category(), "getrlimit");
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0) throw std::system_error(errno, std::system_category(), "setrlimit");
}

void run(const Options& options) {
    raise_descriptor_limit();
    const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(options.quick ? 0.1 : options.seconds));
    const bench::CallCounter counter = options.ptrace ? bench::CallCounter::ptrace : bench::best_call_counter();
    bench::Comparison comparison(options.only, bench::Placement(options.apart));
    comparison.count(counter, duration);
    if (!options.count) comparison.time(options.quick ? 3 : options.rounds, duration);
    bench::print_table(comparison.cells(), counter);
    fmt::print("{}\n", bench::summary(comparison.cells()));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("acairo beside a raw epoll loop, asio and libuv, as ratios in one run.", "ci/bench");
    Options options;
    declare(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
    try {
        run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "\nci/bench: {}\n", error.what());
        return 1;
    }
}
