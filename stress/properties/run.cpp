// The child: its runs, and what is looked at after each.
#include "run.hpp"

#include <unistd.h>
#include <acairo/delays.hpp>
#include <algorithm>
#include <mutex>
#include <random>

#include "watched.hpp"

namespace stress {
namespace {

using namespace acairo::simulator;

// Its workload comes from the seed, and is written down: another world can be given the same.
class StressTrial final : public acairo::Trial {
public:
    StressTrial(const acairo::Property& property, std::uint64_t seed) : property_(property), random_(seed) {}
    std::uint64_t below(std::uint64_t n) override {
        const std::lock_guard lock(mutex_);
        const std::uint64_t value = random_() % n;
        Page& shared = page();
        if (n > 1 && shared.choices < most_choices) shared.recording[shared.choices++] = {Tag::workload, n, value};
        return value;
    }
    void require(bool holds, const char* what) override {
        if (!holds) fail(Verdict::failed, what);
    }
    void clear_up() override { acairo::stress::end_shortages(); }
    // Whether the machine's schedule takes it, nobody can say.
    void sometimes(bool, const char* path) override {
        require(property_.place_of(path) < property_.paths.size(), "a rare path is in its property's list");
    }

private:
    const acairo::Property& property_;
    std::mutex mutex_;
    std::mt19937_64 random_;
};

acairo::stress::Climate climate_of(const acairo::Property& property, std::uint64_t seed) {
    std::mt19937_64 random(~seed);
    const auto is = [&](bool possible) { return (random() & 1u) != 0 && possible; };
    acairo::stress::Climate climate{.seed = seed};
    climate.delays = random() % 8 != 0;
    climate.interruptions = is(property.climate.interruptions);
    climate.shortages = is(property.climate.shortages);
    climate.network = is(property.climate.network);
    return climate;
}

std::string words_of(const acairo::stress::Climate& climate) {
    std::string words = climate.delays ? ", delays" : "";
    if (climate.interruptions) words += ", interruptions";
    if (climate.shortages) words += ", shortages";
    if (climate.network) words += ", cut transfers";
    return words.empty() ? "fine weather" : words.substr(2);
}

void find_open_descriptors(const std::vector<int>& before) {
    std::string left;
    for (const int fd : numbers_in("/proc/self/fd")) {
        if (std::ranges::find(before, fd) != before.end()) continue;
        std::array<char, 64> target{};
        // Files are those of who looks: the directory, and what the watching thread reads.
        const std::string link = "/proc/self/fd/" + std::to_string(fd);
        if (::readlink(link.c_str(), target.data(), target.size() - 1) < 0 || target[0] == '/') continue;
        left += "\n" + std::to_string(fd) + ", " + target.data();
    }
    if (left.empty()) return;
    fail(Verdict::leaked_descriptor,
         "the run is over, and these descriptors are still open; whoever made them closes them:" + left);
}

void run_once(const acairo::Property& property, std::uint64_t seed) {
    page().choices = 0;
    const std::vector<int> descriptors = numbers_in("/proc/self/fd");
    acairo::stress::set_climate(climate_of(property, seed));
    {
        StressTrial trial(property, seed);
        try {
            property.body(trial);
        } catch (const std::exception& error) {
            fail(Verdict::exception, std::string("it left the body: ") + error.what());
        }
        acairo::stress::wait_for_threads();
    }
    find_open_descriptors(descriptors);
}

}  // namespace

Batch run_batch(const acairo::Property& property, std::uint64_t first, std::uint64_t runs,
                std::chrono::nanoseconds until) {
    Child child([&] {
        watched(5, [&] {
            for (std::uint64_t i = 0; i < runs && real_now() < until; ++i) {
                page().seed = first + i;
                run_once(property, first + i);
                page().runs.store(i + 1, std::memory_order_relaxed);
            }
        });
        return 0;
    });
    Batch batch;
    std::string kind = child.wait(std::chrono::hours(1));
    const Page& shared = page();
    batch.runs = shared.runs.load(std::memory_order_relaxed);
    if (kind.empty()) return batch;
    ++batch.runs;
    std::string text = shared.text[0] != '\0' ? std::string(shared.text.data()) + "\n" : "";
    batch.failure = Failure{std::move(kind), text + child.errors(), shared.seed,
                            words_of(climate_of(property, shared.seed)), shared.written()};
    return batch;
}

}  // namespace stress
