// The bugs that a program has been planted with, to see whether its properties find them. A program without any has none.
//
// Threads: the main one, before the first run.
// Invariants:
//   1. At most one is chosen; none is, until somebody chooses.
#pragma once
#include <span>
#include <string_view>

namespace acairo::simulator {

struct Plant {
    const char* name;
    const char* property;  // that must find it
    const char* oracle;    // a regular expression for the kind of the failure
    int number;
};

struct Plants {
    Plants(std::span<const Plant> all, int* which) noexcept {
        plants = all;
        chosen = which;
    }
    // False: there is no bug of that name.
    static bool choose(std::string_view name) noexcept {
        for (const Plant& plant : plants) {
            if (name != plant.name) continue;
            *chosen = plant.number;
            return true;
        }
        return false;
    }
    static inline std::span<const Plant> plants;
    static inline int* chosen = nullptr;
};

}  // namespace acairo::simulator
