// What a timeline shows, with names instead of numbers and pointers: between a Result and the texts that are drawn from it.
//
// Threads: one.
// Invariants:
//   1. Boxes are in the order of steps, one for each step; each event of the result is in the box of its step.
//   2. A wait begins at its thread's last step, and has no end when nothing ended it.
#pragma once
#include <acairo/child.hpp>
#include <optional>
#include <string>
#include <vector>

namespace acairo::simulator::timeline {

struct Lane {
    std::string name;     // "thread 1"
    std::string started;  // "started at executor.cpp:27 by thread 0"
    std::optional<std::uint32_t> starter;
    std::uint64_t begin = 0;  // steps
    std::optional<std::uint64_t> end;
};

struct Call {
    std::string text;  // "recv(4) = EINTR"
    std::string operation;
    std::string result;
    std::string source;
    bool injected;
};

struct Box {
    std::uint64_t step = 0;
    std::chrono::nanoseconds time{};  // since the run began
    std::uint32_t thread = 0;
    std::string operation;
    std::string object;  // "mutex 7", "descriptor 4", or empty
    std::string source;  // "executor.cpp:27 work", or empty
    std::string value;   // "= 3", "was 2", or empty
    std::string fault;   // "fails for no reason", or empty; those of calls are in the calls
    std::uint32_t candidates = 0;
    std::uint32_t before = 0;  // who ran
    bool preempts = false;
    std::vector<Call> calls;
};

struct Pause {
    std::uint32_t thread;
    std::string operation;
    std::string object;
    std::uint64_t from;
    std::optional<std::uint64_t> to;
    Waker waker = Waker::fiber;
    std::uint32_t by = 0;
};

struct Model {
    std::string property;
    std::string verdict;  // "passed", or the kind of failure
    std::string text;     // all that is known of it
    std::string token;
    bool passed;
    std::uint64_t steps;
    std::uint64_t left_out;  // moments
    std::vector<Lane> lanes;
    std::vector<Box> boxes;
    std::vector<Pause> pauses;
};

Model model_of(const Property& property, const Result& result);

// As JSON, also inside of a page's script: no byte of it begins or ends an element.
std::string json_text(std::string_view text);
// As a page's text or attribute.
std::string html_text(std::string_view text);

std::string page_of(const Model& model);
std::string trace_of(const Model& model);

// The parts of the page that are the same for every run.
extern const std::string_view page_style;
extern const std::string_view page_frame;
extern const std::string_view page_chart;
extern const std::string_view page_drawing;
extern const std::string_view page_list;

}  // namespace acairo::simulator::timeline
