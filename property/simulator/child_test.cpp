// A child that makes runs: what kind of failure its end is, what it leaves to its parent, and when it is given up.
#include <poll.h>
#include <unistd.h>
#include <acairo/process.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "program.hpp"
#include "simulation.hpp"

namespace simulated_time {

// How many waits for a child are to end by their time, at once, and how many before them by a signal; which times those were; and
// what the child does in each.
int waits_that_end = 0;
int interrupted_waits = 0;
std::vector<int> waited;
void (*meanwhile)() = nullptr;

}  // namespace simulated_time

// In the place of the C library's, so that no test waits for seconds.
extern "C" int poll(::pollfd* files, ::nfds_t count, int milliseconds) {
    using namespace simulated_time;
    if (interrupted_waits != 0) return --interrupted_waits, errno = EINTR, -1;
    if (waits_that_end == 0) {
        const ::timespec time{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000L};
        return ::ppoll(files, count, milliseconds < 0 ? nullptr : &time, nullptr);
    }
    --waits_that_end;
    waited.push_back(milliseconds);
    meanwhile();
    return 0;
}

namespace {

using namespace simulation;
using testing::ElementsAre;
using testing::HasSubstr;

std::string kind_of(const std::function<int()>& body) { return sim::Child(body).wait(30s); }

int fails(Verdict verdict, const char* text) {
    sim::page().verdict = verdict;
    std::strcpy(sim::page().text.data(), text);
    return sim::failed_status;
}

TEST(Child, that_ends_well_has_no_kind) {
    EXPECT_EQ(kind_of([] { return 0; }), "");
}

TEST(Child, that_fails_has_the_kind_of_its_verdict) {
    EXPECT_EQ(kind_of([] { return fails(Verdict::deadlock, "deadlock at step 3, 12 ns: all threads wait"); }),
              "deadlock");
    EXPECT_EQ(kind_of([] { return fails(Verdict::failed, "failed at step 12, 3600 ns: it holds\n  fiber 0: runs"); }),
              "failed: it holds")
        << "no number of a step is in it";
}

// Two failures are of one kind although their addresses, numbers and places differ.
TEST(Child, that_a_sanitizer_ends_has_the_kind_of_its_finding) {
    const auto says = [](const char* text) { return kind_of([text] { return std::fputs(text, stderr) < 0 ? 2 : 1; }); };
    EXPECT_EQ(says("==12==ERROR: x\nSUMMARY: AddressSanitizer: heap-use-after-free /a/b.cpp:7:3 in c\n"),
              "AddressSanitizer: heap-use-after-free");
    EXPECT_EQ(says("SUMMARY: ThreadSanitizer: data race (/a/b+0x12) in c\n"), "ThreadSanitizer: data race");
    EXPECT_EQ(
        says("b.cpp:7:3: runtime error: load of misaligned address 0x7ffe01 for type 'int', which requires 4 byte\n"),
        "UndefinedBehaviorSanitizer: load of misaligned address N for type 'int', which requires N byte");
    EXPECT_EQ(says("b.cpp:7:3: runtime error: x 1\nSUMMARY: UndefinedBehaviorSanitizer: undefined-behavior b.cpp\n"),
              "UndefinedBehaviorSanitizer: undefined-behavior b.cpp");
    EXPECT_EQ(says("nothing that is known\n"), "exit 1");
}

TEST(Child, that_dies_has_the_kind_of_its_check_or_of_its_signal) {
    EXPECT_EQ(kind_of([] {
                  std::fputs("acairo: check failed: a stream is open\n  at x.cpp:3 in y\n", stderr);
                  ::signal(SIGABRT, SIG_DFL);
                  return ::raise(SIGABRT);
              }),
              "check failed: a stream is open");
    EXPECT_EQ(kind_of([] { return ::raise(SIGKILL); }), "signal: Killed");
}

TEST(Child, that_ends_by_itself_has_the_kind_of_its_status) {
    EXPECT_EQ(kind_of([] { return 3; }), "exit 3");
    EXPECT_EQ(kind_of([]() -> int { ::_exit(78); }), "exit 78");
}

TEST(Child, has_a_file_in_the_place_of_its_stderr) {
    sim::Child child([] { return std::fputs("a word", stderr) < 0 ? 1 : 0; });
    EXPECT_EQ(child.wait(30s), "");
    EXPECT_EQ(child.errors(), "a word");
}

// --- what is given up ---

TEST(Child, that_makes_no_run_for_its_parents_patience_hangs) {
    simulated_time::waited.clear();
    sim::Child child([] {
        ::signal(SIGTERM, SIG_IGN);  // nothing that it could refuse ends it
        return ::pause();
    });
    // Two runs come to their ends, each while there is still patience; and then none.
    static int runs;
    runs = 2;
    simulated_time::meanwhile = [] {
        if (runs > 0) --runs, sim::page().runs.fetch_add(1, std::memory_order_relaxed);
    };
    simulated_time::waits_that_end = 10;
    EXPECT_EQ(child.wait(7s), "hang");
    EXPECT_THAT(simulated_time::waited, ElementsAre(7'000, 7'000, 7'000));
    simulated_time::waits_that_end = 0;
}

// Without this, who is not given up would be waited for without an end.
TEST(Child, that_hangs_is_given_up_after_signals_to_its_parent_too) {
    simulated_time::waited.clear();
    sim::Child child([] { return ::pause(); });
    simulated_time::meanwhile = [] {};
    simulated_time::interrupted_waits = 2;
    simulated_time::waits_that_end = 1;
    EXPECT_EQ(child.wait(7s), "hang");
    EXPECT_THAT(simulated_time::waited, ElementsAre(7'000));
}

// --- what it leaves ---

TEST(Page, keeps_the_beginning_of_what_is_too_long) {
    const std::string kept(sim::page().text.size() - 1, 'a');
    Outcome outcome;
    outcome.verdict = Verdict::failed;
    outcome.text = kept;
    outcome.text += 'b';
    outcome.steps = 3;
    sim::page().steps = 4;
    sim::leave_outcome(outcome);
    EXPECT_EQ(sim::page().text.data(), kept);
    EXPECT_EQ(sim::page().verdict, Verdict::failed);
    EXPECT_EQ(sim::page().steps, 7u);
}

TEST(Page, keeps_as_many_choices_as_there_is_room_for) {
    const std::uint8_t bytes[] = {1, 2, 3};
    sim::Bytes producer(bytes);
    sim::Scribe scribe(producer);
    sim::page().choices = sim::most_choices - 2;
    EXPECT_EQ(scribe.below(10, Tag::order), 1u);
    EXPECT_EQ(scribe.below(10, Tag::fault), 2u);
    EXPECT_EQ(scribe.below(10, Tag::clock), 3u) << "the run goes on";
    EXPECT_EQ(sim::page().choices, sim::most_choices);
    EXPECT_EQ(sim::page().recording[sim::most_choices - 2], (sim::Choice{Tag::order, 10, 1}));
    EXPECT_EQ(sim::page().recording.back(), (sim::Choice{Tag::fault, 10, 2}));
    sim::page().choices = 0;
}

// --- when the machine has nothing left ---

TEST(ChildDeathTest, needs_memory_to_share) {
    // A process of its own, which has shared none yet.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto without_memory = [] {
        refuse_call(SYS_mmap, 1, sizeof(sim::Page), ENOMEM);
        try {
            sim::page();
        } catch (const std::runtime_error& error) {
            std::fputs(error.what(), stderr);
            ::_exit(3);
        }
    };
    EXPECT_EXIT(without_memory(), testing::ExitedWithCode(3), "acairo: no memory to share with the runs");
}

TEST(ChildDeathTest, needs_no_file_for_its_stderr) {
    const auto without_a_file = [] {
        refuse_call(SYS_memfd_create, 1, 1, EMFILE);
        sim::Child child([] { return 3; });
        const std::string kind = child.wait(30s);
        std::fprintf(stderr, "%s, errors \"%s\"\n", kind.c_str(), child.errors().c_str());
        ::_exit(0);
    };
    EXPECT_EXIT(without_a_file(), testing::ExitedWithCode(0), "exit 3, errors \"\"");
}

TEST(ChildDeathTest, needs_a_descriptor_to_be_waited_for) {
    const auto without_a_descriptor = [] {
        refuse_call(SYS_pidfd_open, 1, 0, EMFILE);
        sim::Child child([] { return 0; });
        try {
            child.wait(30s);
        } catch (const std::runtime_error& error) {
            std::fputs(error.what(), stderr);
            ::_exit(3);
        }
    };
    EXPECT_EXIT(without_a_descriptor(), testing::ExitedWithCode(3), "acairo: a run's process cannot be waited for");
}

}  // namespace
