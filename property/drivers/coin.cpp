// For the test of ci/repro: a property that nothing but the clock decides, so that repetitions of its token disagree; and one
// whose token is too long to be pasted.
#include <acairo/property.hpp>
#include <acairo/tool.hpp>
#include <ctime>

namespace {

// On purpose, and past the simulator.
void a_coin_shows_heads(acairo::Trial& trial) {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    trial.require(now.tv_nsec / 100 % 2 == 0, "the coin shows heads");
}
const acairo::Property coin{"a_coin_shows_heads", a_coin_shows_heads};

void all_are_zero(acairo::Trial& trial) {
    std::uint64_t sum = 0;
    for (int i = 0; i < 3000; ++i) sum += trial.below(1000);
    trial.require(sum == 0, "all of 3,000 numbers are zero");
}
const acairo::Property numbers{"all_are_zero", all_are_zero};

}  // namespace

int main(int argc, char** argv) { return acairo::simulator::tool(argc, argv); }
