// The list of strategies.
#include <acairo/pct.hpp>
#include <acairo/pos.hpp>
#include <acairo/strategy.hpp>
#include <acairo/surw.hpp>
#include <stdexcept>

namespace acairo::simulator {

const std::vector<std::string>& strategy_names() {
    static const std::vector<std::string> names{"random", "pct", "pos", "surw", "portfolio"};
    return names;
}

Strategy strategy_of(const std::string& name) {
    if (name == "random") return [](std::uint64_t seed) { return std::make_unique<Seed>(seed); };
    if (name == "pct") return [](std::uint64_t seed) { return std::make_unique<PCT>(seed); };
    if (name == "pos") return [](std::uint64_t seed) { return std::make_unique<POS>(seed); };
    if (name == "surw") {
        return [profile = std::make_shared<SURW::Profile>()](std::uint64_t seed) {
            return std::make_unique<SURW>(seed, *profile);
        };
    }
    if (name == "portfolio") {
        std::vector<Strategy> all;
        for (const std::string& other : strategy_names())
            if (other != name) all.push_back(strategy_of(other));
        return [all = std::move(all)](std::uint64_t seed) { return all[seed % all.size()](seed); };
    }
    std::string names;
    for (const std::string& known : strategy_names()) names += " " + known;
    throw std::invalid_argument("no strategy \"" + name + "\": there are" + names);
}

}  // namespace acairo::simulator
