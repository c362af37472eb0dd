// Whether planted bugs are found: by each seed, by any property; and whether equal choices are equal runs in every build.
#include <sys/time.h>
#include <acairo/canary.hpp>
#include <acairo/failure.hpp>
#include <acairo/platform.hpp>
#include <acairo/replay.hpp>
#include <filesystem>

#include "program.hpp"
#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr sim::Climate calm{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};

enum Bug {
    none,
    takes_threes,
    takes_nothing,
    changes_its_mind,
    counts_its_runs,
    refuses_a_descriptor,
    shows_its_limit
};

// The three things that can be seen of `takes_threes` come as often.
void draws_what_is_right(Trial& trial) {
    const std::uint64_t drawn = trial.below(8);
    trial.require(planted != takes_threes || drawn != 3, "no three is drawn");
    trial.require(planted != takes_threes || drawn != 5, "no five is drawn");
    trial.require(planted != takes_threes || drawn != 6, "no six is drawn");
    trial.require(planted != takes_nothing, "something is drawn");
}

void depends_on_other_processes(Trial& trial) {
    trial.require(planted != takes_nothing, "something is drawn");
    if (planted == changes_its_mind) trial.require(++runs_of_all_processes() % 2 == 0, "the number of runs is even");
    if (planted == changes_its_mind) trial.require(false, "the number of runs is odd");
    if (planted != counts_its_runs) return;
    platform::atomic<int> word(0);
    for (int left = ++runs_of_all_processes(); left != 0; --left) word.fetch_add(1, acq_rel);
    trial.require(false, "it holds");
}

// The time that this process may compute is bounded, and by no more than seconds.
void has_a_time_limit(Trial& trial) {
    ::itimerval left{};
    ::getitimer(ITIMER_VIRTUAL, &left);
    trial.require(planted != shows_its_limit || left.it_value.tv_sec <= 3, "it may compute for no more than seconds");
    trial.require(planted != shows_its_limit || left.it_value.tv_sec == 0, "it may not compute for ever");
}

void opens_a_descriptor(Trial& trial) {
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    trial.require(fd >= 0 || planted != refuses_a_descriptor, "a descriptor is there");
    if (fd >= 0) platform::close(fd);
}

constexpr sim::Plant plants[] = {
    {"threes", "numbers_are_right", "failed: no (three|five|six) is drawn", takes_threes},
    {"threes_by_one_oracle", "numbers_are_right", "failed: no three is drawn", takes_threes},
    {"nothing_by_a_wrong_oracle", "numbers_are_right", "^deadlock", takes_nothing},
    {"of_both", "runs_are_equal", "failed", takes_nothing},
    {"of_both", "numbers_are_right", "failed", takes_nothing},
    {"a_changing_mind", "runs_are_equal", "failed: the number", changes_its_mind},
    {"a_count_of_runs", "runs_are_equal", "failed: it holds", counts_its_runs},
    {"of_no_property", "no_such_property", "failed", takes_nothing},
    {"of_no_property", "numbers_are_right", "failed", takes_nothing},
    {"of_a_time", "time_is_limited", "failed", shows_its_limit},
    {"of_a_fault", "a_descriptor_is_opened", "failed", refuses_a_descriptor},
    {"of_an_address", "numbers_are_right", "^AddressSanitizer: heap", takes_nothing},
    {"of_a_race", "numbers_are_right", "^ThreadSanitizer: data race", takes_nothing},
};

struct Canary : Program {
    Property numbers{"numbers_are_right", draws_what_is_right, calm};
    Property equal{"runs_are_equal", depends_on_other_processes, calm};
    Property limited{"time_is_limited", has_a_time_limit, calm};
    Property opened{"a_descriptor_is_opened", opens_a_descriptor, {.one_fault = true}};
    const sim::Plants mine{plants, &planted};
};

// --- canary ---

TEST_F(Canary, finds_a_bug_from_each_seed_and_what_is_found_repeats) {
    const Said said = tool({"canary", "threes", "--seeds", "3", "--replays", "2"});
    EXPECT_EQ(said.status, 0);
    ASSERT_THAT(said.out,
                MatchesRegex("2 times of 2, with 1 choices \\(1 of them not calm\\): ci/repro acairo1:[^\n]*\n"
                             "threes: found by numbers_are_right from each of 3 seeds, after [0-9]+ runs in "
                             "the median and [0-9]+ at most\n"));
    const std::string command = "ci/repro ";
    const std::size_t begin = said.out.find(command) + command.size();
    const Said again = tool({"repro", said.out.substr(begin, said.out.find('\n') - begin)});
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.out, StartsWith("FAILED: numbers_are_right: failed: no "));
}

TEST_F(Canary, counts_what_else_a_bug_does_until_its_oracle_sees_it) {
    const Said said = tool({"canary", "threes_by_one_oracle", "--seeds", "5", "--replays", "0", "--engine", "random"});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, MatchesRegex("threes_by_one_oracle: found by numbers_are_right from each of 5 seeds, after "
                                       "[0-9]+ runs in the median and [0-9]+ at most; also \"failed: no five is "
                                       "drawn\" [0-9]+ times, \"failed: no six is drawn\" [0-9]+ times\n"))
        << "and without replays nothing is made smaller";
}

TEST_F(Canary, gives_up_when_most_seeds_find_nothing) {
    const Said said = tool({"canary", "nothing_by_a_wrong_oracle", "--seeds", "4", "--runs", "5"});
    EXPECT_EQ(said.status, 1);
    EXPECT_EQ(said.out,
              "nothing_by_a_wrong_oracle: NOT FOUND by numbers_are_right with /^deadlock/ from 3 of 3 seeds in 5 "
              "runs, 5 in the median; also \"failed: something is drawn\" 15 times\n");
}

TEST_F(Canary, gives_a_seed_up_by_which_only_other_oracles_find_anything) {
    testing::internal::CaptureStdout();
    const int status = sim::canary("nothing_by_a_wrong_oracle", sim::strategy_of("random"),
                                   {.seeds = 1, .most_runs = 100, .replays = 0, .most_others = 3});
    EXPECT_THAT(
        testing::internal::GetCapturedStdout(),
        HasSubstr("from 1 of 1 seeds in 100 runs, 4 in the median; also \"failed: something is drawn\" 3 times"));
    EXPECT_EQ(status, 1);
}

TEST_F(Canary, asks_each_property_that_a_bug_names) {
    const Said both = tool({"canary", "of_both", "--seeds", "1", "--replays", "0"});
    EXPECT_EQ(both.status, 0);
    EXPECT_THAT(both.out,
                ContainsRegex("^of_both: found by runs_are_equal .*\nof_both: found by numbers_are_right .*\n$"));
    const Said one = tool({"canary", "of_both", "--seeds", "1", "--replays", "0", "--only", "numbers_are_right"});
    EXPECT_EQ(one.status, 0);
    EXPECT_THAT(one.out, AllOf(StartsWith("of_both: found by numbers_are_right"), Not(HasSubstr("runs_are_equal"))));
    const Said neither = tool({"canary", "of_both", "--only", "a_descriptor_is_opened"});
    EXPECT_EQ(neither.status, 0);
    EXPECT_EQ(neither.out, "");
}

TEST_F(Canary, says_when_what_is_found_does_not_repeat) {
    const Said mind = tool({"canary", "a_changing_mind", "--seeds", "1", "--replays", "2"});
    EXPECT_EQ(mind.status, 3);
    EXPECT_THAT(mind.out,
                MatchesRegex("a_changing_mind: repetition [01] of \"failed: the number of runs is (odd|even)\" is "
                             "another run: \"failed: the number of runs is (odd|even)\"\n"));
    const Said count = tool({"canary", "a_count_of_runs", "--seeds", "1", "--replays", "2"});
    EXPECT_EQ(count.status, 3);
    EXPECT_EQ(count.out,
              "a_count_of_runs: repetition 0 of \"failed: it holds\" is another run: \"failed: it holds\"\n");
}

TEST_F(Canary, refuses_what_cannot_be_found_here) {
    const Said unknown = tool({"canary", "no_such_bug"});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_EQ(unknown.error, "no planted bug \"no_such_bug\" in this program: see --list\n");
    const Said nobody = tool({"canary", "of_no_property"});
    EXPECT_EQ(nobody.status, 2);
    EXPECT_EQ(nobody.error, "of_no_property: no property \"no_such_property\"\n");
    EXPECT_EQ(nobody.out, "") << "and the other property that it names is not asked";
    const bool race = !sim::has_thread_sanitizer();
    const Said unseen = tool({"canary", race ? "of_a_race" : "of_an_address"});
    EXPECT_EQ(unseen.status, 77);
    EXPECT_EQ(unseen.out, race ? "of_a_race: this build has no detector for it (^ThreadSanitizer: data race)\n"
                               : "of_an_address: this build has no detector for it (^AddressSanitizer: heap)\n");
}

// --- kill ---

TEST_F(Canary, kills_with_whichever_property_fails_first) {
    const Said said = tool({"kill", "threes", "--runs", "1000"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, MatchesRegex("threes: killed by numbers_are_right after [0-9]+ runs: failed: .*\n"));
    const Said at_once = tool({"kill", "nothing_by_a_wrong_oracle", "--first", "numbers_are_right", "--runs", "10"});
    EXPECT_EQ(at_once.out,
              "nothing_by_a_wrong_oracle: killed by numbers_are_right after 1 runs: failed: something is drawn\n");
    const Said later = tool({"kill", "nothing_by_a_wrong_oracle", "--runs", "10"});
    EXPECT_EQ(later.out,
              "nothing_by_a_wrong_oracle: killed by numbers_are_right after 11 runs: failed: something is drawn\n")
        << "ten of a property before it";
}

TEST_F(Canary, bounds_the_time_that_a_run_may_compute) {
    const Said said = tool({"kill", "of_a_time", "--first", "time_is_limited", "--runs", "1"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, HasSubstr("killed by time_is_limited after 1 runs: failed: it may not compute for ever"));
}

TEST_F(Canary, lets_live_what_no_property_sees) {
    const Said sound = tool({"kill", "--runs", "25"});
    EXPECT_EQ(sound.status, 0);
    EXPECT_EQ(sound.out, ": alive after 100 runs\n") << "25 of each property, no more";
    const Said unknown = tool({"kill", "no_such_bug"});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_EQ(unknown.error, "no planted bug \"no_such_bug\" in this program: see --list\n");
}

TEST_F(Canary, kills_with_a_single_fault) {
    const auto kill = [&](const std::string& bug) {
        return tool({"kill", bug, "--each-fault", "--schedules", "1", "--runs", "1000"});
    };
    const Said killed = kill("of_a_fault");
    EXPECT_EQ(killed.status, 1);
    EXPECT_EQ(killed.out, "of_a_fault: killed by a_descriptor_is_opened after 1 runs: failed: a descriptor is there\n");
    const Said alive = kill("nothing_by_a_wrong_oracle");
    EXPECT_EQ(alive.status, 0) << "who would see it stands no fault, and is not asked: " << alive.out;
    const Said once = tool({"--each-fault", "--schedules", "1", "--only", "a_descriptor_is_opened"});
    const std::string runs =
        once.out.substr(once.out.find('\n') + 1, once.out.find(" runs of 1") - once.out.find('\n') - 1);
    EXPECT_EQ(alive.out, "nothing_by_a_wrong_oracle: alive after " + runs + " runs\n") << "each fault once";
}

// --- traces ---

TEST_F(Canary, prints_traces_that_are_equal_each_time) {
    const Said said = tool({"traces", "--runs", "3"});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, MatchesRegex("schema [0-9a-f]{8}\na_descriptor_is_opened 3 [0-9a-f]{16}\n"
                                       "numbers_are_right 3 [0-9a-f]{16}\nruns_are_equal 3 [0-9a-f]{16}\n"
                                       "time_is_limited 3 [0-9a-f]{16}\n"));
    EXPECT_EQ(tool({"traces", "--runs", "3"}).out, said.out);
    const Said other = tool({"traces", "--runs", "4"});
    EXPECT_NE(other.out, said.out);
}

TEST_F(Canary, has_no_trace_after_a_failure) {
    const Said said = tool({"traces", "--runs", "3", "--plant", "nothing_by_a_wrong_oracle"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, ContainsRegex("\na_descriptor_is_opened 3 [0-9a-f]*\nnumbers_are_right 1 [0-9a-f]*\n$"));
}

// --- what is told of a failure ---

TEST_F(Canary, names_the_bug_that_is_chosen) {
    EXPECT_EQ(sim::name_in_tokens(numbers), "numbers_are_right");
    planted = counts_its_runs;
    EXPECT_EQ(sim::name_in_tokens(numbers), "numbers_are_right+a_count_of_runs");
}

TEST_F(Canary, puts_a_token_that_is_too_long_into_a_file) {
    sim::Recording recording;
    for (std::uint64_t i = 0; i < 2'000; ++i) recording.push_back({Tag::workload, 1'000, i % 1'000});
    sim::Result result;
    result.kind = "failed: it is short";
    result.text = "failed at step 1, 0 ns: it is short\nand what follows";
    result.recording = recording;
    result.steps = 17;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(testing::TempDir());
    testing::internal::CaptureStdout();
    sim::print_failure(numbers, result, 3'000, 2'999);
    const std::string out = testing::internal::GetCapturedStdout();
    EXPECT_THAT(out,
                MatchesRegex("FAILED: numbers_are_right: failed: it is short\n"
                             "  ci/repro build/failures/numbers_are_right-[0-9]+\\.token\n"
                             "  failed at step 1, 0 ns: it is short\n"
                             "  shrunk from 3000 choices \\(2999 of them not calm\\) to 2000 \\(1998\\), 17 steps\n"));
    const std::size_t begin = out.find("build/");
    const std::string file = out.substr(begin, out.find('\n', begin) - begin);
    std::string token_of_file;
    std::ifstream(file) >> token_of_file;
    std::filesystem::remove(file);
    std::filesystem::current_path(before);
    EXPECT_EQ(sim::token_of(token_of_file).recording, recording);
}

TEST_F(Canary, tells_what_was_seen_when_its_explanation_is_another_run) {
    planted = changes_its_mind;
    testing::internal::CaptureStdout();
    const sim::Recording nothing;
    EXPECT_EQ(sim::tell(equal, [&] { return std::make_unique<sim::Replay>(nothing); }, 0), 1);
    EXPECT_THAT(testing::internal::GetCapturedStdout(),
                StartsWith("FAILED: runs_are_equal: failed: the number of runs is even\n"))
        << "the first run's, and not that of the second, which explains";
}

}  // namespace
