// Searching and replaying, and what is printed of it.
#include <acairo/bytes.hpp>
#include <acairo/canary.hpp>
#include <acairo/debugger.hpp>
#include <acairo/failure.hpp>
#include <acairo/plants.hpp>
#include <acairo/replay.hpp>
#include <acairo/seed.hpp>
#include <acairo/story.hpp>
#include <acairo/symbols.hpp>
#include <acairo/timeline.hpp>
#include <acairo/token.hpp>
#include <acairo/tool.hpp>
#include <acairo/workload.hpp>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>

namespace acairo::simulator {
namespace {

struct Orders {
    std::vector<std::string> only;
    double seconds = 10;
    std::uint64_t runs = ~std::uint64_t{0};
    std::string seed = "1";
    std::uint64_t tries = 3000;
    std::string engine = "portfolio";
    std::vector<std::uint64_t> workload;
    Enumeration::Bounds bounds{.preemptions = 2, .faults = 0};
    bool list = false;
    std::string token;
    std::uint64_t times = 1;
    std::string timeline;
    bool gdb = false;
    bool here = false;
    std::uint64_t stop_at = ~std::uint64_t{0};
    std::string plant;
    CanaryOrders canary{.seeds = 20, .most_runs = 0, .replays = 100};
    bool reach = false;
    bool faults = false;
    std::uint64_t schedules = 20;
};

std::chrono::nanoseconds monotonic() {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Chooses the bug that is in the name, too.
const Property* property_of_token(const std::string& name) {
    const std::size_t plus = name.find('+');
    if (plus != std::string::npos && !Plants::choose(name.substr(plus + 1))) return nullptr;
    return Property::find(name.substr(0, plus));
}

// What an engine has found of a property.
struct Found {
    std::uint64_t runs;
    std::uint64_t interleavings;
    MakeProducer failing;  // empty: no run fails
    std::string remark;
    Reached reached{};
};

// The producer refers to the recording, which the closure keeps.
MakeProducer replaying(Recording recording) {
    return [kept = std::make_shared<const Recording>(std::move(recording))] { return std::make_unique<Replay>(*kept); };
}

Found told(Batch batch) {
    MakeProducer failing = batch.failed ? replaying(std::move(batch.failing)) : MakeProducer();
    return {batch.runs, batch.interleavings, std::move(failing), {}, batch.reached};
}

Found by_seed(const Property& property, std::uint64_t first, const Orders& orders, std::chrono::nanoseconds until) {
    const Strategy strategy = with_workload(strategy_of(orders.engine), orders.workload);
    return told(run_batch(property, strategy, first, orders.runs, until));
}

Found by_faults(const Property& property, const Orders& orders) {
    return told(run_with_each_fault(property, orders.schedules));
}

Found by_enumeration(const Property& property, const Orders& orders, std::chrono::nanoseconds until) {
    const Enumerated all = enumerate(property, orders.bounds, orders.runs, until);
    const std::string remark = (all.covered ? ", which are all with at most " : ", not yet all with at most ") +
                               std::to_string(orders.bounds.preemptions) + " preemptions and " +
                               std::to_string(orders.bounds.faults) + " faults";
    if (!all.failed) return {all.runs, all.runs, {}, remark};
    return {all.runs, all.runs, replaying(all.failing), remark};
}

// How many of the paths that the property is to reach were not.
std::uint64_t unreached(const Property& property, const Reached& reached) {
    std::uint64_t missing = 0;
    for (std::size_t i = 0; i < property.paths.size() && property.paths[i] != nullptr; ++i) {
        std::printf("  %llu times: %s\n", static_cast<unsigned long long>(reached[i]), property.paths[i]);
        if (reached[i] != 0) continue;
        ++missing;
        std::printf("NOT REACHED: %s: %s: let its workload reach it more often, or make more runs\n", property.name,
                    property.paths[i]);
    }
    return missing;
}

int search(const Orders& orders) {
    std::vector<const Property*> chosen = all_properties();
    if (orders.faults) std::erase_if(chosen, [](const Property* property) { return !property->climate.one_fault; });
    for (const std::string& name : orders.only) {
        if (Property::find(name)) continue;
        std::fprintf(stderr, "no property \"%s\": see --list\n", name.c_str());
        return 2;
    }
    if (!orders.only.empty()) {
        std::erase_if(chosen, [&](const Property* property) {
            return std::ranges::find(orders.only, property->name) == orders.only.end();
        });
    }
    const std::uint64_t first = Seed::of(orders.seed);
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    int status = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const auto begin = monotonic();
        const auto share = std::chrono::nanoseconds(
            static_cast<std::int64_t>(orders.seconds * 1e9 / static_cast<double>(chosen.size())));
        const Found found = orders.faults                    ? by_faults(*chosen[i], orders)
                            : orders.engine == "enumeration" ? by_enumeration(*chosen[i], orders, begin + share)
                                                             : by_seed(*chosen[i], first, orders, begin + share);
        runs += found.runs;
        const double seconds = static_cast<double>((monotonic() - begin).count()) / 1e9;
        std::printf("[%zu/%zu] %s: %llu runs, %.0f a second, %llu interleavings%s%s\n", i + 1, chosen.size(),
                    chosen[i]->name, static_cast<unsigned long long>(found.runs),
                    static_cast<double>(found.runs) / seconds, static_cast<unsigned long long>(found.interleavings),
                    found.remark.c_str(), found.failing ? ", and one fails" : "");
        if (!found.failing && orders.reach && unreached(*chosen[i], found.reached) != 0) {
            ++failures;
            status = std::max(status, 1);
        }
        std::fflush(stdout);
        if (!found.failing) continue;
        ++failures;
        status = std::max(status, tell(*chosen[i], found.failing, orders.tries));
        std::fflush(stdout);
    }
    std::printf("%llu runs of %zu properties, %llu failures\n", static_cast<unsigned long long>(runs), chosen.size(),
                static_cast<unsigned long long>(failures));
    return status;
}

std::string contents_or_itself(const std::string& argument) {
    std::ifstream file(argument);
    if (!file) return argument;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// What a fuzzer has written down, in this process, which has made no other run.
int tell_of_bytes(const Orders& orders) {
    const Property* const property = orders.only.size() == 1 ? Property::find(orders.only[0]) : nullptr;
    if (!property) {
        std::fprintf(stderr, "the bytes are choices of one property, --only NAME: see --list\n");
        return 2;
    }
    const std::string input = contents_or_itself(orders.token);
    const MakeProducer make = [&input] {
        return std::make_unique<Bytes>(std::span(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()));
    };
    if (run_in_child(*property, make, false).passed()) {
        std::printf("%s: does not fail here\n", property->name);
        return 0;
    }
    return tell(*property, make, orders.tries);
}

int replay(const Orders& orders) {
    const Token token = token_of(contents_or_itself(orders.token));
    const Property* const property = property_of_token(token.property);
    if (!property) {
        std::fprintf(stderr, "this program has no property, or no planted bug, \"%s\": see --list\n",
                     token.property.c_str());
        return 2;
    }
    if (!has_detector(token.detector)) {
        std::fprintf(stderr, "this program cannot see it: it was found by %s, which this build has not\n",
                     token.detector.c_str());
        return 2;
    }
    const bool stale = token.schema != schema();
    if (stale) {
        std::printf(
            "stale: the token is of schema %s, and this program of %s: what it recorded may mean something else here\n",
            token.schema.c_str(), schema());
    }
    if (orders.gdb) return debug(*property, token.recording, orders.token);
    if (orders.here) return replay_here(*property, token.recording, orders.stop_at);
    std::uint64_t failed = 0;
    std::uint64_t hash = 0;
    bool differs = false;
    Result result;
    for (std::uint64_t i = 0; i < orders.times; ++i) {
        result =
            run_in_child(*property, [&] { return std::make_unique<Replay>(token.recording); }, i + 1 == orders.times);
        if (!result.passed()) ++failed;
        if (i != 0 && result.trace_hash != hash) differs = true;
        hash = result.trace_hash;
        if (orders.times > 20 && (i + 1) % 20 == 0) {
            std::fprintf(stderr, "%llu of %llu\n", static_cast<unsigned long long>(i + 1),
                         static_cast<unsigned long long>(orders.times));
        }
    }
    if (!orders.timeline.empty()) {
        write_timeline(orders.timeline, *property, result);
        std::printf("timeline: %s and %s.json\n", orders.timeline.c_str(), orders.timeline.c_str());
    }
    if (failed != 0) {
        std::printf("FAILED: %s: %s\n%s%s%s", property->name, result.kind.c_str(), story_of(result).c_str(),
                    deeds_of(result).c_str(), with_lines(result.text).c_str());
    }
    std::printf("%s%s: failed %llu times of %llu\n", stale ? "(stale) " : "", property->name,
                static_cast<unsigned long long>(failed), static_cast<unsigned long long>(orders.times));
    if (differs || (failed != 0 && failed != orders.times)) {
        std::printf("repetitions disagree: something decides in it that is not a choice\n");
        return 3;
    }
    return failed == 0 ? 0 : 1;
}

}  // namespace

int tool(int argc, char** argv) {
    Orders orders;
    CLI::App app("Searches for a run of a property that fails, and replays one.");
    app.add_flag("--list", orders.list, "Only lists the properties");
    app.add_option("--only", orders.only, "Only these properties");
    app.add_option("--seconds", orders.seconds, "How long, over all properties")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--runs", orders.runs, "At most so many runs of each property");
    app.add_option("--seed", orders.seed, "The first seed: a number, a commit's hash, any text")->capture_default_str();
    std::vector<std::string> engines = strategy_names();
    engines.emplace_back("enumeration");
    app.add_option("--engine", orders.engine, "Where choices come from; enumeration: every run within the bounds")
        ->capture_default_str()
        ->check(CLI::IsMember(engines));
    app.add_option("--workload", orders.workload, "A property's first choices, with commas between, of another world")
        ->delimiter(',');
    app.add_option("--preemptions", orders.bounds.preemptions,
                   "Of an enumeration: switches away from a thread that runs")
        ->capture_default_str();
    app.add_option("--faults", orders.bounds.faults, "Of an enumeration; with 0 the weather is fine as well")
        ->capture_default_str();
    app.add_flag("--reach", orders.reach, "It is a failure, too, when no run reaches one of a property's rare paths");
    app.add_flag(
        "--each-fault", orders.faults,
        "Instead of random runs, one for each single fault: each call with each of its errors, each allocation");
    app.add_option("--schedules", orders.schedules, "With --each-fault: on so many schedules, the first of them calm")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--tries", orders.tries, "At most so many runs for shrinking a failure")->capture_default_str();
    CLI::App* const repro = app.add_subcommand("repro", "Replays a failure");
    repro->add_option("TOKEN", orders.token, "A token, or a file that holds one")->required();
    repro->add_option("--times", orders.times, "So often")->capture_default_str()->check(CLI::PositiveNumber);
    repro->add_option("--timeline", orders.timeline,
                      "Writes a picture of the interleaving: a page for a browser, and FILE.json for Perfetto");
    repro->add_flag("--gdb", orders.gdb,
                    "Stops in gdb before the step that fails: acairo help tells what to ask there");
    repro->add_flag("--here", orders.here, "In this very process, for a debugger");
    repro->add_option("--stop-at", orders.stop_at, "With --here: a debugger stops before this step");
    CLI::App* const bytes = app.add_subcommand("bytes", "Makes a token of the input that a fuzzer found");
    bytes->add_option("FILE", orders.token)->required()->check(CLI::ExistingFile);
    app.add_option("--plant", orders.plant, "With this planted bug");
    CLI::App* const find = app.add_subcommand("canary", "Whether a planted bug is found from each of many seeds");
    find->add_option("BUG", orders.plant)->required();
    find->add_option("--seeds", orders.canary.seeds, "So many")->capture_default_str()->check(CLI::PositiveNumber);
    find->add_option("--replays", orders.canary.replays, "So many, of what the last seed has found, shrunk; 0: neither")
        ->capture_default_str();
    CLI::App* const killing = app.add_subcommand("kill", "Whether any property fails with a planted bug");
    killing->add_option("BUG", orders.plant, "None: with none")->capture_default_str();
    killing->add_option("--first", orders.only, "These properties first");
    CLI::App* const traces = app.add_subcommand("traces", "Prints the hash of each property's first 1,000 runs");
    app.require_subcommand(0, 1);
    for (CLI::App* const command : {find, killing, traces, bytes}) command->fallthrough();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
    try {
        if (orders.list) {
            for (const Property* const property : all_properties()) std::printf("%s\n", property->name);
            for (const Plant& plant : Plants::plants) std::printf("planted: %s\n", plant.name);
            return 0;
        }
        orders.canary.most_runs = orders.runs, orders.canary.only = orders.only;
        if (find->parsed()) return canary(orders.plant, strategy_of(orders.engine), orders.canary);
        if (killing->parsed()) {
            return kill(orders.plant, strategy_of(orders.engine),
                        {orders.runs, Seed::of(orders.seed), orders.faults, orders.schedules, orders.only});
        }
        if (!orders.plant.empty() && !Plants::choose(orders.plant)) {
            std::fprintf(stderr, "no planted bug \"%s\" in this program: see --list\n", orders.plant.c_str());
            return 2;
        }
        if (bytes->parsed()) return tell_of_bytes(orders);
        if (traces->parsed()) return print_traces(orders.runs);
        return repro->parsed() ? replay(orders) : search(orders);
    } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the harness itself failed: %s\n", error.what());
        return 4;
    }
}

}  // namespace acairo::simulator
