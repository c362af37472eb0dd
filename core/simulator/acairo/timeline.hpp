// A picture of a run: threads as lanes, calls as boxes, wake-ups as arrows, injected faults marked.
//
// Threads: one.
// Invariants:
//   1. FILE is one page that needs nothing else: no script or font from elsewhere. It forbids itself to fetch anything.
//   2. FILE.json is a Chrome trace of the same, which Perfetto opens.
//   3. Whatever the run's texts hold (names, verdicts, what was on stderr), they are shown and never interpreted.
#pragma once
#include <acairo/child.hpp>
#include <string>

namespace acairo::simulator {

// Throws std::system_error when a file cannot be written.
void write_timeline(const std::string& file, const Property& property, const Result& result);

// The two texts, for those who do not want files.
struct Timeline {
    std::string page;
    std::string trace;
};
Timeline timeline_of(const Property& property, const Result& result);

}  // namespace acairo::simulator
