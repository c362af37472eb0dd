// The bugs that a program was planted with are chosen by their names, and by no others.
#include <acairo/plants.hpp>

#include "simulation.hpp"

namespace {

using namespace simulation;
using sim::Plant;
using sim::Plants;

// As planting a program registers them; and, when it ends, as it was.
struct Planted {
    ~Planted() {
        Plants::plants = plants;
        Plants::chosen = chosen;
    }
    const std::span<const Plant> plants = Plants::plants;
    int* const chosen = Plants::chosen;
};

TEST(Plants, are_chosen_by_their_names) {
    const Planted before;
    const Plant all[] = {{"a_lost_wakeup", "an_echo_comes_back", "deadlock", 3},
                         {"a_lost_byte", "a_write_sends_every_byte", "failed", 7}};
    int which = 0;
    const Plants registered(all, &which);
    EXPECT_FALSE(Plants::choose("a_lost"));
    EXPECT_FALSE(Plants::choose(""));
    EXPECT_EQ(which, 0) << "none is, until somebody chooses";
    EXPECT_TRUE(Plants::choose("a_lost_byte"));
    EXPECT_EQ(which, 7);
    EXPECT_TRUE(Plants::choose("a_lost_wakeup"));
    EXPECT_EQ(which, 3) << "at most one is";
    EXPECT_FALSE(Plants::choose("another"));
    EXPECT_EQ(which, 3);
}

TEST(Plants, of_a_program_without_any_cannot_be_chosen) {
    const Planted before;
    Plants::plants = {};
    Plants::chosen = nullptr;
    EXPECT_FALSE(Plants::choose("a_lost_byte"));
}

}  // namespace
