// What a debugger needs of a run that is replayed for it: a place where each step can be stopped before, and the types of
// what it looks at. Its commands are core/simulator/gdb/acairo.py, whose text is in every program that holds properties.
//
// Threads: the run's.
// Invariants:
//   1. Nothing here changes the run: a debugger stops it, looks, and lets it go on.
#pragma once
#include <acairo/property.hpp>
#include <acairo/recording.hpp>
#include <acairo/sink.hpp>
#include <cstdint>
#include <string>

namespace acairo::simulator {

// The debugger's place: called on the fiber that is about to make a step, when the step is `debugger_stops_at` or a later one.
void debugger_stops_here() noexcept;
// The debugger writes to it.
extern std::uint64_t debugger_stops_at;

class DebuggerSink final : public Sink {
public:
    void started(const Fiber&) override {}
    void chose(const Fiber&, std::size_t, bool) override {}
    void stepped(const Step& step) override;
    void saw(std::int64_t) override {}
    void faulted() override {}
    void blocked(const Fiber&) override {}
    void woken(const Fiber&, Waker) override {}
    void ended(const Fiber&) override {}
};

// The text of acairo.py.
extern const char* const debugger_commands;

// Replays the recording in this very process, for a debugger, which stops before the step `stop_at`. 0: it does not fail; 1.
int replay_here(const Property& property, const Recording& recording, std::uint64_t stop_at);

// Replays the recording, and then becomes gdb, which runs `repro TOKEN --here` of this program and stops before the step that
// has failed. Returns when there is no failure (0), or no gdb (4).
int debug(const Property& property, const Recording& recording, const std::string& token);

}  // namespace acairo::simulator
