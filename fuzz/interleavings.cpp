// An order of operations that no branch tells of: what the fingerprint is for.
#include <algorithm>

#include "connection.hpp"

namespace fuzz {
namespace {

constexpr std::uint64_t times = 8;

void loads_see_stores_in_their_order(Trial& trial) {
    property::platform::atomic<std::uint64_t> value{0};
    property::platform::thread writer([&] {
        for (std::uint64_t i = 1; i <= times; ++i) value.store(i, std::memory_order_release);
    });
    std::array<std::uint64_t, times> seen{};
    for (std::uint64_t& it : seen) it = value.load(std::memory_order_acquire);
    writer.join();
    trial.require(std::ranges::is_sorted(seen), "no load sees an older store than the load before it");
    // The threads take turns, all the way.
    if (planted)
        trial.require(seen != std::array<std::uint64_t, times>{1, 2, 3, 4, 5, 6, 7, 8},
                      "the planted order does not come");
}

const acairo::Property registered{"loads_see_stores_in_their_order",
                                  loads_see_stores_in_their_order,
                                  {.interruptions = false, .shortages = false, .network = false}};
const Target target{"interleavings", registered.name, "itself", Target::Watch::order};

}  // namespace
}  // namespace fuzz
