// Which weather it is.
#include <acairo/one_fault.hpp>
#include <acairo/weather.hpp>

namespace acairo::simulator {

Weather Weather::draw(Choices& choices, const Climate& climate) {
    Weather weather;
    // As likely as not, which a producer of rare faults would not make them.
    const auto is = [&](bool possible) { return possible && choices.below(2, Tag::workload) == 1; };
    if (climate.one_fault) OneFault::draw(choices).add_to(weather);
    weather.interruptions = is(climate.interruptions);
    weather.older_loads = is(climate.older_loads);
    weather.shortages = is(climate.shortages);
    weather.delays = is(climate.network);
    weather.fragments = is(climate.network);
    weather.reorders = is(climate.network);
    // From roomy to one byte: what never fills up never makes a writer wait.
    weather.clock_jumps = is(climate.clock);
    if (is(climate.network)) weather.buffer = std::size_t{1} << (12 - choices.below(13, Tag::workload));
    if (weather.shortages && is(true)) weather.descriptors = 4 + choices.below(60, Tag::workload);
    if (is(climate.allocations)) {
        // How many a run makes, nobody knows: one that only serves a client makes some fifty.
        const std::uint64_t most = choices.below(2, Tag::workload) == 0 ? 64 : 512;
        weather.failing_allocation = 1 + choices.below(most, Tag::workload);
        weather.allocations_keep_failing = choices.below(2, Tag::workload) == 1;
    }
    return weather;
}

}  // namespace acairo::simulator
