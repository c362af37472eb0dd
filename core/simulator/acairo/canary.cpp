// Looking for what is known to be there.
#include <sys/time.h>
#include <acairo/canary.hpp>
#include <acairo/plants.hpp>
#include <acairo/replay.hpp>
#include <acairo/shrink.hpp>
#include <acairo/token.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>

namespace acairo::simulator {

std::string name_in_tokens(const Property& property) {
    for (const Plant& plant : Plants::plants) {
        if (plant.number == *Plants::chosen) return std::string(property.name) + "+" + plant.name;
    }
    return property.name;
}

std::vector<const Property*> all_properties() {
    std::vector<const Property*> all;
    for (const Property* property = Property::first; property; property = property->next) all.push_back(property);
    std::ranges::sort(all, {}, [](const Property* property) { return std::string_view(property->name); });
    return all;
}

namespace {

constexpr std::uint64_t most_runs_of_a_seed = 10'000;
constexpr int most_seconds_of_a_run = 3;

// What else a planted bug did, and how often.
std::string also(const std::vector<std::string>& kinds) {
    std::map<std::string, int> counts;
    for (const std::string& kind : kinds) ++counts[kind];
    std::string text;
    for (const auto& [kind, count] : counts)
        text += (text.empty() ? "; also \"" : ", \"") + kind + "\" " + std::to_string(count) + " times";
    return text;
}

// The life of a finding goes on: it shrinks, and what is left fails each time.
int shrink_and_repeat(const Plant& plant, const Property& property, const Recording& failing, std::uint64_t replays) {
    Result found = run_in_child(property, [&] { return std::make_unique<Replay>(failing); }, false);
    const Result small = shrink(property, std::move(found), 100, std::chrono::seconds(10)).result;
    for (std::uint64_t i = 0; i < replays; ++i) {
        const Result again = run_in_child(property, [&] { return std::make_unique<Replay>(small.recording); }, false);
        if (again.kind == small.kind && again.trace_hash == small.trace_hash) continue;
        std::printf("%s: repetition %llu of \"%s\" is another run: \"%s\"\n", plant.name,
                    static_cast<unsigned long long>(i), small.kind.c_str(), again.kind.c_str());
        return 3;
    }
    std::printf("%llu times of %llu, with %zu choices (%zu of them not calm): ci/repro %s\n",
                static_cast<unsigned long long>(replays), static_cast<unsigned long long>(replays),
                small.recording.size(), nonzero(small.recording),
                text_of(Token{name_in_tokens(property), schema(), detector_of(small.kind), small.recording}).c_str());
    return 0;
}

int canary_of(const Plant& plant, const Strategy& strategy, const CanaryOrders& orders) {
    const Property* const property = Property::find(plant.property);
    if (!property) {
        std::fprintf(stderr, "%s: no property \"%s\"\n", plant.name, plant.property);
        return 2;
    }
    if (!has_detector(detector_of(plant.oracle))) {
        std::printf("%s: this build has no detector for it (%s)\n", plant.name, plant.oracle);
        return 77;
    }
    const std::regex oracle(plant.oracle);
    const std::uint64_t most = std::min(orders.most_runs, most_runs_of_a_seed);
    std::vector<std::uint64_t> runs;
    std::vector<std::string> others;
    std::size_t missed = 0;
    Recording last;
    // When more than half of the seeds find nothing, the others do not change the median.
    for (std::uint64_t seed = 1; seed <= orders.seeds && 2 * missed <= orders.seeds; ++seed) {
        std::uint64_t made = 0;
        for (bool done = false; !done;) {
            const Batch batch =
                run_batch(*property, strategy, seed * 1'000'000 + made, most - made, std::chrono::nanoseconds::max());
            made += batch.runs;
            done = !batch.failed || others.size() == orders.most_others;
            if (done) {
                ++missed;
                break;
            }
            const Result again =
                run_in_child(*property, [&] { return std::make_unique<Replay>(batch.failing); }, false);
            done = std::regex_search(again.kind, oracle);
            done ? void(last = batch.failing) : others.push_back(again.kind);
        }
        runs.push_back(made);
    }
    std::ranges::sort(runs);
    const std::uint64_t median = runs[runs.size() / 2];
    if (missed != 0) {
        std::printf("%s: NOT FOUND by %s with /%s/ from %zu of %zu seeds in %llu runs, %llu in the median%s\n",
                    plant.name, property->name, plant.oracle, missed, runs.size(),
                    static_cast<unsigned long long>(most), static_cast<unsigned long long>(median),
                    also(others).c_str());
        return 1;
    }
    if (orders.replays != 0) {
        if (const int status = shrink_and_repeat(plant, *property, last, orders.replays); status != 0) return status;
    }
    std::printf("%s: found by %s from each of %zu seeds, after %llu runs in the median and %llu at most%s\n",
                plant.name, property->name, runs.size(), static_cast<unsigned long long>(median),
                static_cast<unsigned long long>(runs.back()), also(others).c_str());
    return 0;
}

}  // namespace

int canary(const std::string& bug, const Strategy& strategy, const CanaryOrders& orders) {
    if (!Plants::choose(bug)) {
        std::fprintf(stderr, "no planted bug \"%s\" in this program: see --list\n", bug.c_str());
        return 2;
    }
    int status = 0;
    for (const Plant& plant : Plants::plants) {
        const bool asked = orders.only.empty() || std::ranges::find(orders.only, plant.property) != orders.only.end();
        if (status == 0 && asked && bug == plant.name) status = canary_of(plant, strategy, orders);
    }
    return status;
}

int kill(const std::string& bug, const Strategy& strategy, const KillOrders& orders) {
    if (!bug.empty() && !Plants::choose(bug)) {
        std::fprintf(stderr, "no planted bug \"%s\" in this program: see --list\n", bug.c_str());
        return 2;
    }
    std::vector<const Property*> properties = all_properties();
    if (orders.each_fault) std::erase_if(properties, [](const Property* one) { return !one->climate.one_fault; });
    std::ranges::sort(properties, {}, [&](const Property* property) {
        return std::pair(std::ranges::find(orders.first, property->name), std::string_view(property->name));
    });
    // The time that this process computes, and not that of a clock: a busy machine kills nobody.
    const Strategy bounded = [&](std::uint64_t seed) {
        const ::itimerval patience{.it_interval = {}, .it_value = {.tv_sec = most_seconds_of_a_run, .tv_usec = 0}};
        ::setitimer(ITIMER_VIRTUAL, &patience, nullptr);
        return strategy(seed);
    };
    std::uint64_t made = 0;
    std::uint64_t before = 0;
    for (std::uint64_t most = std::min<std::uint64_t>(10, orders.most_runs); before < orders.most_runs;
         before = std::exchange(most, std::min(most * 10, orders.most_runs))) {
        for (const Property* const property : properties) {
            const Batch batch = orders.each_fault ? run_with_each_fault(*property, orders.schedules)
                                                  : run_batch(*property, bounded, orders.seed + before, most - before,
                                                              std::chrono::nanoseconds::max());
            made += batch.runs;
            if (!batch.failed) continue;
            std::printf("%s: killed by %s after %llu runs: %s\n", bug.c_str(), property->name,
                        static_cast<unsigned long long>(made), batch.kind.c_str());
            return 1;
        }
        if (orders.each_fault) break;
    }
    std::printf("%s: alive after %llu runs\n", bug.c_str(), static_cast<unsigned long long>(made));
    return 0;
}

int print_traces(std::uint64_t most_runs) {
    std::printf("schema %s\n", schema());
    for (const Property* const property : all_properties()) {
        const Batch batch = run_batch(*property, strategy_of("random"), 1, std::min<std::uint64_t>(most_runs, 1000),
                                      std::chrono::nanoseconds::max());
        std::printf("%s %llu %016llx\n", property->name, static_cast<unsigned long long>(batch.runs),
                    static_cast<unsigned long long>(batch.hash));
        if (batch.failed) return 1;
    }
    return 0;
}

}  // namespace acairo::simulator
