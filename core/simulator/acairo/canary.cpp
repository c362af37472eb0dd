// Looking for what is known to be there.
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

constexpr std::size_t most_others = 2000;

// What else a planted bug did, and how often.
std::string also(const std::vector<std::string>& kinds) {
    std::map<std::string, int> counts;
    for (const std::string& kind : kinds) ++counts[kind];
    std::string text;
    for (const auto& [kind, count] : counts)
        text += (text.empty() ? "; also \"" : ", \"") + kind + "\" " + std::to_string(count) + " times";
    return text;
}

}  // namespace

int canary(const std::string& bug, const Strategy& strategy, std::uint64_t seeds, std::uint64_t most_runs) {
    const auto plant =
        std::ranges::find(Plants::plants, bug, [](const Plant& it) { return std::string_view(it.name); });
    if (plant == Plants::plants.end()) {
        std::fprintf(stderr, "no planted bug \"%s\" in this program: see --list\n", bug.c_str());
        return 2;
    }
    const Property* const property = Property::find(plant->property);
    if (!property) {
        std::fprintf(stderr, "%s: no property \"%s\"\n", plant->name, plant->property);
        return 2;
    }
    if (!has_detector(detector_of(plant->oracle))) {
        std::printf("%s: this build has no detector for it (%s)\n", plant->name, plant->oracle);
        return 77;
    }
    Plants::choose(plant->name);
    const std::regex oracle(plant->oracle);
    const std::uint64_t most = std::min<std::uint64_t>(most_runs, 10'000);
    std::vector<std::uint64_t> runs;
    std::vector<std::string> others;
    Recording last;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        std::uint64_t made = 0;
        for (bool found = false; !found;) {
            const Batch batch =
                run_batch(*property, strategy, seed * 1'000'000 + made, most - made, std::chrono::nanoseconds::max());
            made += batch.runs;
            if (!batch.failed || others.size() == most_others) {
                std::printf("%s: NOT FOUND by %s with /%s/ from seed %llu in %llu runs%s\n", plant->name,
                            property->name, plant->oracle, static_cast<unsigned long long>(seed),
                            static_cast<unsigned long long>(made), also(others).c_str());
                return 1;
            }
            last = batch.failing;
            const Result again = run_in_child(*property, [&] { return std::make_unique<Replay>(last); }, false);
            found = std::regex_search(again.kind, oracle);
            if (!found) others.push_back(again.kind);
        }
        runs.push_back(made);
    }
    // Its life goes on: it shrinks, and what is left fails each time.
    Result found = run_in_child(*property, [&] { return std::make_unique<Replay>(last); }, false);
    const Result small = shrink(*property, std::move(found), 100, std::chrono::seconds(10)).result;
    for (int i = 0; i < 100; ++i) {
        const Result again = run_in_child(*property, [&] { return std::make_unique<Replay>(small.recording); }, false);
        if (again.kind == small.kind && again.trace_hash == small.trace_hash) continue;
        std::printf("%s: repetition %d of \"%s\" is another run: \"%s\"\n", plant->name, i, small.kind.c_str(),
                    again.kind.c_str());
        return 3;
    }
    std::printf("100 times of 100: ci/repro %s\n",
                text_of(Token{name_in_tokens(*property), schema(), detector_of(small.kind), small.recording}).c_str());
    std::ranges::sort(runs);
    std::printf("%s: found by %s from each of %zu seeds, after %llu runs in the median and %llu at most%s\n",
                plant->name, property->name, runs.size(), static_cast<unsigned long long>(runs[runs.size() / 2]),
                static_cast<unsigned long long>(runs.back()), also(others).c_str());
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
