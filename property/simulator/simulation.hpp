// What the tests of the simulator share: one scheduler for all runs of the process, and a look at the thread sanitizer.
//
// Threads: the one of the tests.
// Invariants:
//   1. A test in which the thread sanitizer reports a race fails, unless it takes the report with take_reports().
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <acairo/producers.hpp>
#include <acairo/sanitizers.hpp>
#include <acairo/threads.hpp>
#include <set>
#include <string>
#include <utility>

namespace simulation {

namespace sim = acairo::simulator;
using sim::Atomic;
using sim::ConditionVariable;
using sim::Mutex;
using sim::Options;
using sim::Outcome;
using sim::Scheduler;
using sim::Tag;
using sim::Thread;
using sim::Verdict;
using namespace std::chrono_literals;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

struct TestHost : sim::Host {
    std::chrono::nanoseconds next_event() override { return next; }
    void advance(std::chrono::nanoseconds now) override {
        if (now < next) return;
        next = sim::never;
        if (event) event();
    }
    void failed(Verdict verdict, const std::string&) override { told = verdict; }
    std::chrono::nanoseconds next = sim::never;
    void (*event)() = nullptr;
    Verdict told = Verdict::passed;
};
inline TestHost host;

inline Scheduler& scheduler() {
    static Scheduler one(host);
    return one;
}

// What fibers note in passing. Hidden from the thread sanitizer, because nothing orders them but the schedule.
struct Notes {
    void operator+=(char note) {
        const sim::Unseen unseen;
        text += note;
    }
    std::string text;
};

// A run, and what it was.
struct Ran {
    Outcome outcome;
    sim::Recording recording;
};

template <class Body> Ran run(sim::Producer& producer, Body&& body, const Options& options = {}) {
    sim::Choices choices(producer);
    Ran result;
    result.outcome = scheduler().run(choices, options, body);
    result.recording = choices.recording();
    return result;
}

template <class Body> Ran calm_run(Body&& body, const Options& options = {}) {
    sim::Bytes zeros({});
    return run(zeros, body, options);
}

// No wait ends without a reason, no weak exchange fails, and loads see the newest store: fewer choices to enumerate.
inline Options without_faults() {
    Options options;
    options.spurious = options.older_loads = 0;
    return options;
}

// How many races have been reported since this was asked last.
int take_reports();

using Outcomes = std::set<std::string>;
// What `body`, which notes what was seen, can note: in every schedule of few preemptions, with every store that its loads may see.
template <class Body> Outcomes outcomes_of(Body&& body, std::uint32_t older_loads = 2, std::uint32_t preemptions = 4) {
    Options options = without_faults();
    options.older_loads = older_loads;
    sim::Enumeration all({.preemptions = preemptions});
    Outcomes outcomes;
    do {
        Notes notes;
        const Ran one = run(all, [&] { body(notes); }, options);
        EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
        outcomes.insert(notes.text);
    } while (all.next());
    EXPECT_FALSE(all.divergence().has_value());
    return outcomes;
}

inline char digit(int value) { return static_cast<char>('0' + value); }

}  // namespace simulation
