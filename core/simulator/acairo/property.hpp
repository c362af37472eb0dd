// A property: something that must hold in every run, whatever is chosen. Its body is an ordinary function that starts threads,
// executors and streams, decodes its own workload from the run's choices, and says what must be so.
//
//     void an_echo_comes_back(acairo::Trial& trial) {
//         const std::uint64_t size = 1 + trial.below(1000);
//         ...
//         trial.require(received == sent, "the echo is what was sent");
//     }
//     const acairo::Property registered{"an_echo_comes_back", an_echo_comes_back};
//
// What must not cross a wait in it: a lock that the simulator does not know (std::mutex), a real blocking call, real time, real
// randomness. Use acairo::platform's, and the trial's.
//
// Threads: a body is called on a thread of its world, once for each run.
// Invariants:
//   1. It names no world: the same body runs in the simulated world, where the choices are also the schedule and the faults,
//      and in the real one.
//   2. A rare path that it claims to reach is in its list of paths, so that a search can say which of them it never reached.
#pragma once
#include <acairo/weather.hpp>
#include <array>
#include <string_view>

namespace acairo {

// The names of a property's rare paths; null: no more.
using Paths = std::array<const char*, 8>;

// What a body sees of its run. Any thread of the run may use it.
class Trial {
public:
    virtual ~Trial() = default;
    // A value less than `n`, which is at least 1: for the workload.
    virtual std::uint64_t below(std::uint64_t n) = 0;
    // When `holds` is false the run has failed, with `what` as its verdict.
    virtual void require(bool holds, const char* what) = 0;
    // From now on nothing fails without a reason: what is done then must come to its end.
    virtual void clear_up() = 0;
    // When `holds`, this run has reached `path`, which is one of the property's. Any of its runs must: a property whose rare
    // paths are never taken holds for nothing.
    virtual void sometimes(bool holds, const char* path) = 0;
};

// A body with a name, in the list of the program's properties.
struct Property {
    // Registers itself: lives until the program ends.
    Property(const char* its_name, void (*its_body)(Trial&), simulator::Climate its_climate = {},
             Paths its_paths = {}) noexcept
        : name(its_name), body(its_body), climate(its_climate), paths(its_paths), next(first) {
        first = this;
    }
    Property(const Property&) = delete;
    Property& operator=(const Property&) = delete;

    // Null when there is none of that name.
    static const Property* find(std::string_view name) noexcept {
        const Property* property = first;
        while (property && name != property->name) property = property->next;
        return property;
    }
    // The place of `path` in the list, or its size.
    std::size_t place_of(std::string_view path) const noexcept {
        std::size_t place = 0;
        while (place < paths.size() && (!paths[place] || path != paths[place])) ++place;
        return place;
    }

    const char* const name;            // a sentence, with underscores
    void (*const body)(Trial&);        // what must hold
    const simulator::Climate climate;  // what its runs may have at worst
    const Paths paths;                 // those of which any run must reach each
    const Property* const next;        // the one that was registered before; null: none
    // The one that was registered last: the head of a list.
    static inline const Property* first = nullptr;
};

}  // namespace acairo
