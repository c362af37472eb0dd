// What a process shares with the child that makes runs for it: a page of memory, and who writes the choices down. For child.cpp
// and batch.cpp only.
//
// Threads: one in each process; the page belongs to the child until that has ended.
// Invariants:
//   1. Each choice is in the page before the run goes on with it.
#pragma once
#include <sys/types.h>
#include <acairo/child.hpp>
#include <acairo/reporter.hpp>
#include <atomic>

namespace acairo::simulator {

constexpr std::size_t most_choices = 1'000'000;
constexpr int failed_status = 77;

// What a child leaves to its parent.
struct Page {
    std::atomic<std::uint64_t> runs;  // finished; the heartbeat
    bool covered;                     // by an enumeration
    std::uint64_t seed;               // of the run under way
    std::array<std::atomic<std::uint64_t>, Paths().size()> reached;
    std::uint64_t steps;
    std::uint64_t interleavings;  // traces that no other run of this child had
    std::uint64_t trace_hash;
    Verdict verdict;
    std::array<char, 65536> text;
    std::uint64_t choices;
    std::array<Choice, most_choices> recording;
    Reporter::Memory reporter;
    Chronicle::Memory chronicle;

    Recording written() const { return {recording.begin(), recording.begin() + static_cast<std::ptrdiff_t>(choices)}; }
};

Page& page();
Machine& machine();
std::chrono::nanoseconds real_now();
// Into the page.
void leave_outcome(const Outcome& outcome);

// Writes down each choice before the run goes on with it.
class Scribe final : public Producer {
public:
    explicit Scribe(Producer& producer) : producer_(&producer) {}
    std::uint64_t below(std::uint64_t n, Tag tag) override { return write(n, tag, producer_->below(n, tag)); }
    std::size_t thread(std::span<const Candidate> candidates) override {
        return write(candidates.size(), Tag::schedule, producer_->thread(candidates));
    }

private:
    static std::uint64_t write(std::uint64_t n, Tag tag, std::uint64_t value) {
        Page& shared = page();
        if (shared.choices < most_choices) shared.recording[shared.choices++] = {tag, n, value};
        return value;
    }
    Producer* producer_;
};

// A child whose stderr is a file. Its body is called in it, and its status is that of the process.
class Child {
public:
    // Throws std::runtime_error when there is no process for it.
    explicit Child(const std::function<int()>& body);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // Its kind of failure; empty: none.
    std::string wait(std::chrono::seconds patience);
    std::string errors() const;

private:
    std::string kind_of(int status) const;

    ::pid_t pid_ = -1;
    int stderr_ = -1;
};

}  // namespace acairo::simulator
