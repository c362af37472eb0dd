// Load: a program that makes thousands of real connections, and ends them in every way.
//
//     load [--only SCENARIO] [--peers N] [--workers N,N,...] [--seed N] [--seconds N]
//     load --list
//
// Each scenario is made once with each number of workers; with --seconds, as many of them as there is time for, beginning with another
// one for another seed, and then again. How many peers there
// are depends on how many descriptors a process may have, which is told. Exit codes: 0 nothing found; 1 a failure was found; 2 wrong
// usage; 4 the harness itself failed.
#include <sched.h>
#include <sys/resource.h>
#include <acairo/delays.hpp>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

#include "allocations.hpp"
#include "load.hpp"

namespace {

using acairo::simulator::Child;
using acairo::simulator::page;
using stress::require;
using stress::Scenario;

// Of a process, beside its connections: each worker has two.
constexpr std::uint32_t other_descriptors = 400;
constexpr int patience = 3600;  // seconds, of a round: for a loop that never ends; deadlocks are seen soon
constexpr int asleep = 90;      // looks, a second apart: the peers have 60 to say who is left

struct Orders {
    std::vector<std::string> only;
    std::vector<int> workers{1, 2, 8, 64};
    std::uint32_t peers = 10'000;
    std::uint64_t seed = 1;
    double seconds = 0;
    bool list = false;
};

std::vector<const Scenario*> all_scenarios() {
    std::vector<const Scenario*> all;
    for (const Scenario* it = Scenario::first; it; it = it->next) all.push_back(it);
    std::ranges::sort(all, {}, [](const Scenario* scenario) { return std::string_view(scenario->name); });
    return all;
}

std::uint32_t raise_limit() {
    ::rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<std::uint32_t>(std::min<::rlim_t>(limit.rlim_cur, 1u << 30));
}

struct Counts {
    std::size_t descriptors;
    std::int64_t allocations;
};
Counts counts() {
    const std::lock_guard nobody_looks(stress::looking);
    return {stress::numbers_in("/proc/self/fd").size(), stress::allocations()};
}

void make_round(const Scenario& scenario, int workers, std::uint32_t peers, std::uint64_t seed, bool told) {
    const bool delays = scenario.delays && seed % 4 != 0;
    acairo::stress::set_climate({.seed = seed, .delays = delays, .interruptions = delays, .network = delays});
    const std::size_t threads = stress::numbers_in("/proc/self/task").size();
    std::string remark;
    remark.reserve(500);  // it is no leak
    const Counts before = counts();
    stress::Ends ends;
    {
        const stress::Peers crowd;
        stress::Round round{workers, peers, seed, crowd};
        scenario.body(round);
        peers = round.peers;
        remark.append(round.remark, 0, remark.capacity());
        ends = crowd.end();
    }
    acairo::stress::wait_for_threads();
    // One that was detached is still there for a moment.
    while (stress::numbers_in("/proc/self/task").size() > threads) ::sched_yield();
    const std::uint32_t sum = ends.refused + ends.fin + ends.rst + ends.left;
    require(ends.unanswered == 0, std::to_string(ends.unanswered) + " peers saw no end of their connections");
    require(sum == peers, "each peer sees one end: " + ends.text());
    require(ends.wrong == 0, std::to_string(ends.wrong) + " bytes came that were not sent");
    require(stress::handlers.empty(), std::to_string(stress::handlers.alive()) + " frames are left");
    if (!told) return;
    const Counts after = counts();
    require(
        after.descriptors == before.descriptors,
        std::to_string(after.descriptors) + " descriptors are open, and were " + std::to_string(before.descriptors));
    require(after.allocations == before.allocations,
            std::to_string(after.allocations - before.allocations) + " allocations are left");
    ::rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf("  %d workers, %u peers%s: %s; %ld MiB at most%s\n", workers, peers, delays ? ", delays" : "",
                ends.text().c_str(), usage.ru_maxrss / 1024, remark.empty() ? "" : ("; " + remark).c_str());
    std::fflush(stdout);
}

// In a child, so that whatever ends it is a result.
struct Result {
    std::uint64_t rounds;
    std::string kind;
    std::string text;
};
Result make_rounds(const Scenario& scenario, const Orders& orders, std::uint32_t peers, std::uint64_t seed) {
    Child child([&] {
        stress::watched(asleep, [&] {
            // What is made once for the whole process is there then.
            make_round(scenario, 1, 20, seed, false);
            for (const int workers : orders.workers) {
                make_round(scenario, workers, peers, seed++, true);
                page().runs.fetch_add(1, std::memory_order_relaxed);
            }
        });
        return 0;
    });
    Result result;
    result.kind = child.wait(std::chrono::seconds(patience));
    result.rounds = page().runs.load(std::memory_order_relaxed) + (result.kind.empty() ? 0 : 1);
    result.text = page().text.data() + ("\n" + child.errors());
    return result;
}

int run(const Orders& orders, std::vector<const Scenario*> chosen) {
    const std::uint32_t limit = raise_limit();
    const std::uint32_t peers =
        std::min(orders.peers, limit > 2 * other_descriptors ? limit - other_descriptors : limit / 2);
    std::printf("%u descriptors may be open in a process (RLIMIT_NOFILE): %u of %u peers\n", limit, peers,
                orders.peers);
    const auto until =
        acairo::simulator::real_now() + std::chrono::nanoseconds(static_cast<std::int64_t>(orders.seconds * 1e9));
    std::uint64_t rounds = 0;
    std::uint64_t failures = 0;
    std::uint64_t seed = orders.seed;
    const bool bounded = orders.seconds > 0;
    if (bounded) std::ranges::rotate(chosen, chosen.begin() + static_cast<std::ptrdiff_t>(seed % chosen.size()));
    do {
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            if (bounded && rounds != 0 && acairo::simulator::real_now() >= until) break;
            const Result result = make_rounds(*chosen[i], orders, peers, seed);
            rounds += result.rounds;
            std::printf("[%zu/%zu] %s: %llu runs%s\n", i + 1, chosen.size(), chosen[i]->name,
                        static_cast<unsigned long long>(result.rounds), result.kind.empty() ? "" : ", and one fails");
            if (result.kind.empty()) continue;
            ++failures;
            std::printf("FAILED: %s: %s\n  with %u peers, from seed %llu\n", chosen[i]->name, result.kind.c_str(),
                        peers, static_cast<unsigned long long>(seed));
            std::istringstream lines(result.text);
            std::string line;
            for (int shown = 0; shown < 60 && std::getline(lines, line); ++shown) std::printf("  %s\n", line.c_str());
            std::fflush(stdout);
        }
        seed += orders.workers.size();
    } while (acairo::simulator::real_now() < until);
    std::printf("%llu runs of %zu scenarios, %llu failures\n", static_cast<unsigned long long>(rounds), chosen.size(),
                static_cast<unsigned long long>(failures));
    return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "peers") return stress::Peers::main();
    Orders orders;
    CLI::App app("Makes thousands of real connections, and ends them in every way.");
    app.add_flag("--list", orders.list, "Only lists the scenarios");
    app.add_option("--only", orders.only, "Only these scenarios");
    app.add_option("--peers", orders.peers, "So many, where there are descriptors for them")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--workers", orders.workers, "One round with each, with commas between")
        ->delimiter(',')
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--seed", orders.seed, "The first seed")->capture_default_str();
    app.add_option("--seconds", orders.seconds, "For so long, some of them or all again and again; 0: each once")
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
    std::vector<const Scenario*> chosen = all_scenarios();
    if (orders.list) {
        for (const Scenario* const scenario : chosen) std::printf("%s\n", scenario->name);
        return 0;
    }
    for (const std::string& name : orders.only) {
        if (std::ranges::any_of(chosen, [&](const Scenario* scenario) { return name == scenario->name; })) continue;
        std::fprintf(stderr, "no scenario \"%s\": see --list\n", name.c_str());
        return 2;
    }
    if (!orders.only.empty()) {
        std::erase_if(chosen, [&](const Scenario* scenario) {
            return std::ranges::find(orders.only, scenario->name) == orders.only.end();
        });
    }
    try {
        return run(orders, chosen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the harness itself failed: %s\n", error.what());
        return 4;
    }
}
