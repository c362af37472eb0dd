// All properties in the stress world: a program that searches, with real threads and real sockets.
//
//     PROGRAM [--only NAME] [--seconds N] [--runs N] [--seed TEXT] [--simulator PROGRAM [--search N]] [--plant BUG]
//     PROGRAM --list
//
// What it finds it hands to the simulator, when it is told where that is. Exit codes: 0 nothing found; 1 a failure was found; 2
// wrong usage; 4 the harness itself failed.
#include <acairo/canary.hpp>
#include <acairo/plants.hpp>
#include <acairo/seed.hpp>

#include <CLI/CLI.hpp>
#include <sstream>

#include "handover.hpp"

namespace {

constexpr int most_lines = 60;

struct Orders {
    std::vector<std::string> only;
    double seconds = 10;
    std::uint64_t runs = ~std::uint64_t{0};
    std::string seed = "1";
    stress::Simulator simulator{.program = {}, .plant = {}, .seconds = 20};
    bool list = false;
};

void tell(const acairo::Property& property, const stress::Failure& failure, const stress::Simulator& simulator) {
    std::printf("FAILED: %s: %s\n", property.name, failure.kind.c_str());
    std::fflush(stdout);
    std::printf("  with real threads, from seed %llu, with %s: the machine's schedule cannot be replayed\n",
                static_cast<unsigned long long>(failure.seed), failure.weather.c_str());
    std::printf("%s", stress::hand_over(simulator, property, failure).c_str());
    std::istringstream lines(failure.text);
    std::string line;
    for (int i = 0; i < most_lines && std::getline(lines, line); ++i) std::printf("  %s\n", line.c_str());
    if (lines) std::printf("  ...\n");
}

int search(const Orders& orders, const std::vector<const acairo::Property*>& chosen) {
    const std::uint64_t first = acairo::simulator::Seed::of(orders.seed);
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const auto begin = acairo::simulator::real_now();
        const auto share = std::chrono::nanoseconds(
            static_cast<std::int64_t>(orders.seconds * 1e9 / static_cast<double>(chosen.size())));
        const stress::Batch batch = stress::run_batch(*chosen[i], first, orders.runs, begin + share);
        runs += batch.runs;
        const double seconds = static_cast<double>((acairo::simulator::real_now() - begin).count()) / 1e9;
        std::printf("[%zu/%zu] %s: %llu runs, %.0f a second%s\n", i + 1, chosen.size(), chosen[i]->name,
                    static_cast<unsigned long long>(batch.runs), static_cast<double>(batch.runs) / seconds,
                    batch.failure ? ", and one fails" : "");
        if (batch.failure) {
            ++failures;
            tell(*chosen[i], *batch.failure, orders.simulator);
        }
        std::fflush(stdout);
    }
    std::printf("%llu runs of %zu properties, %llu failures\n", static_cast<unsigned long long>(runs), chosen.size(),
                static_cast<unsigned long long>(failures));
    return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Orders orders;
    CLI::App app("Searches for a run of a property that fails with real threads and real sockets.");
    app.add_flag("--list", orders.list, "Only lists the properties");
    app.add_option("--only", orders.only, "Only these properties");
    app.add_option("--seconds", orders.seconds, "How long, over all properties")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--runs", orders.runs, "At most so many runs of each property");
    app.add_option("--seed", orders.seed, "The first seed: a number, a commit's hash, any text")->capture_default_str();
    app.add_option("--simulator", orders.simulator.program, "The program to which a failure is handed")
        ->check(CLI::ExistingFile);
    app.add_option("--search", orders.simulator.seconds, "How long that may search for it, in seconds")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--plant", orders.simulator.plant, "With this planted bug");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
    std::vector<const acairo::Property*> chosen = acairo::simulator::all_properties();
    if (orders.list) {
        for (const acairo::Property* const property : chosen) std::printf("%s\n", property->name);
        return 0;
    }
    for (const std::string& name : orders.only) {
        if (acairo::Property::find(name)) continue;
        std::fprintf(stderr, "no property \"%s\": see --list\n", name.c_str());
        return 2;
    }
    if (!orders.only.empty()) {
        std::erase_if(chosen, [&](const acairo::Property* property) {
            return std::ranges::find(orders.only, property->name) == orders.only.end();
        });
    }
    const std::string& plant = orders.simulator.plant;
    if (!plant.empty() && !acairo::simulator::Plants::choose(plant)) {
        std::fprintf(stderr, "no planted bug \"%s\" in this program\n", plant.c_str());
        return 2;
    }
    try {
        return search(orders, chosen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the harness itself failed: %s\n", error.what());
        return 4;
    }
}
