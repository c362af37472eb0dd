// All properties in the simulated world, driven by RapidCheck: it generates recordings, and makes those that fail smaller.
//
//     ACAIRO_SEED=TEXT ./rapidcheck_properties --gtest_filter=*an_echo_comes_back*
//
// Each is run from a fixed seed, and from that of ACAIRO_SEED, which ci/test sets to the commit's hash.
//
// Threads: one. The cases of a seed are run in one process; only when one of them fails, each has a process of its own.
// Invariants:
//   1. A generated recording was made without looking: it is answered from by tag, as far as it fits. Shrinking begins with
//      what the run asked for, which is a function of it.
//   2. A recording is smaller only when it fails in the same way, and its run costs less. So shrinking comes to an end, and at
//      the latest after most_shrinks runs.
//   3. The seed of a case is all that it depends on: the same one gives the same minimum in every build.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <acairo/canary.hpp>
#include <acairo/failure.hpp>
#include <acairo/plants.hpp>
#include <acairo/replay.hpp>
#include <acairo/seed.hpp>
#include <acairo/shrink.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <tuple>

namespace {

using namespace acairo::simulator;
using acairo::Property;

constexpr int cases = 50;
constexpr int most_shrinks = 2000;
// What is taken back first: faults, then switches of the thread, then cuts, then connections and bytes.
constexpr std::array order{Tag::fault,    Tag::allocation, Tag::cancel, Tag::clock,
                           Tag::schedule, Tag::transfer,   Tag::order,  Tag::workload};

// Calm for the most part where zero is the calm choice; the more often something else, the larger RapidCheck's size.
rc::Gen<Choice> choice() {
    const auto tag = rc::gen::weightedElement<Tag>({{12, Tag::schedule},
                                                    {8, Tag::workload},
                                                    {4, Tag::fault},
                                                    {4, Tag::transfer},
                                                    {2, Tag::order},
                                                    {1, Tag::clock},
                                                    {1, Tag::cancel},
                                                    {1, Tag::allocation}});
    return rc::gen::withSize([tag](int size) {
        const auto draw = rc::gen::inRange<std::uint64_t>(0, 400);
        return rc::gen::map(rc::gen::tuple(tag, draw, draw), [size](const auto& drawn) {
            const auto [what, odds, value] = drawn;
            // What does not fit a question is calm: so there are many small answers, and few large ones.
            if (what == Tag::workload) return Choice{what, 64, value % (odds < 200 ? 2 : odds < 300 ? 12 : 64)};
            return Choice{what, 4, odds < static_cast<std::uint64_t>(size) ? value % (odds % 4 == 0 ? 4 : 2) : 0};
        });
    });
}

Result run(const Property& property, const Recording& recording, bool explain = false) {
    return run_in_child(property, [&] { return std::make_unique<Edited>(recording); }, explain);
}

// With a stretch of the choices of one tag made calm: all of them, each half, each quarter, ...
rc::Seq<Recording> calmer(const Recording& recording, Tag tag) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < recording.size(); ++i) {
        if (recording[i].tag == tag && recording[i].value != 0) places.push_back(i);
    }
    std::vector<Recording> all;
    for (std::size_t size = places.size(); size != 0; size /= 2) {
        for (std::size_t from = 0; from < places.size(); from += size) {
            Recording less = recording;
            for (std::size_t i = from; i < std::min(from + size, places.size()); ++i) less[places[i]].value = 0;
            all.push_back(std::move(less));
        }
    }
    return rc::seq::fromContainer(std::move(all));
}

// A choice that is calm is as small as can be; without some of them, what follows answers other questions.
rc::Seq<Recording> smaller(const Property& property, const Recording& generated) {
    const Recording recording = run(property, generated).recording;
    rc::Seq<Recording> all;
    for (const Tag tag : order) all = rc::seq::concat(std::move(all), calmer(recording, tag));
    const auto lower = [](const Choice& choice) {
        return rc::seq::map(rc::shrink::towards<std::uint64_t>(choice.value, 0),
                            [choice](std::uint64_t value) { return Choice{choice.tag, choice.n, value}; });
    };
    return rc::seq::concat(std::move(all), rc::shrink::eachElement(recording, lower),
                           rc::shrink::removeChunks(recording));
}

auto cost(const Recording& recording) {
    std::uint64_t sum = 0;
    for (const Choice& choice : recording) sum += choice.value;
    return std::tuple(nonzero(recording), recording.size(), sum);
}

std::vector<std::uint64_t> seeds() {
    const char* const text = std::getenv("ACAIRO_SEED");
    if (!text || !*text) return {1};
    return {1, Seed::of(text)};
}

template <class Holds> void check_all(const Property& property, std::uint64_t seed, const Holds& holds) {
    rc::detail::TestParams parameters;
    parameters.seed = seed;
    parameters.maxSuccess = cases;
    parameters.maxSize = 300;
    const auto recordings = rc::gen::shrink(rc::gen::container<Recording>(choice()),
                                            [&](const Recording& recording) { return smaller(property, recording); });
    const auto check = [&] { RC_ASSERT(holds(*recordings)); };
    rc::detail::checkTestable(check, rc::detail::TestMetadata{}, parameters);
}

// All cases of the seed, as long as none fails, one after the other in one process: with a sanitizer, to fork costs more than to run.
Batch run_together(const Property& property, std::uint64_t seed) {
    std::vector<Recording> all;
    check_all(property, seed, [&](const Recording& recording) {
        all.push_back(recording);
        return true;
    });
    const auto one = [&](std::uint64_t i) { return std::make_unique<Edited>(all[i]); };
    return run_batch(property, one, 0, all.size(), std::chrono::nanoseconds::max());
}

class InTheSimulatedWorld : public testing::TestWithParam<const Property*> {};

TEST_P(InTheSimulatedWorld, holds_whatever_RapidCheck_chooses) {
    const Property& property = *GetParam();
    std::optional<Result> best;  // the smallest that fails, once one has
    int shrinks = 0;
    std::size_t choices = 0;
    std::size_t not_calm = 0;
    const auto holds = [&](const Recording& recording) {
        if (best && ++shrinks > most_shrinks) return true;
        Result result = run(property, recording);
        if (result.passed()) return true;
        if (best && (result.kind != best->kind || !(cost(result.recording) < cost(best->recording)))) return true;
        if (!best) {
            choices = result.recording.size();
            not_calm = nonzero(result.recording);
        }
        best = std::move(result);
        return false;
    };
    for (const std::uint64_t seed : seeds()) {
        const Batch together = run_together(property, seed);
        if (!together.failed) continue;
        check_all(property, seed, holds);
        ASSERT_TRUE(best) << property.name << " from the seed " << seed << ": " << together.kind << ", at case "
                          << together.failed_seed << ", behind the others in one process; not in a process of its own";
        const Result explained =
            run_in_child(property, [&] { return std::make_unique<Replay>(best->recording); }, true);
        print_failure(property, explained, choices, not_calm);
        FAIL() << property.name << " from the seed " << seed;
    }
}

INSTANTIATE_TEST_SUITE_P(Property, InTheSimulatedWorld, testing::ValuesIn(all_properties()),
                         [](const auto& property) { return std::string(property.param->name); });

}  // namespace

// `--plant=BUG`, beside GoogleTest's own flags: with this bug planted, where the program has it.
int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument.starts_with("--plant=") && Plants::choose(argument.substr(8))) continue;
        std::cerr << argument << " is no flag, or no planted bug of this program\n";
        return 2;
    }
    return RUN_ALL_TESTS();
}
