// The command line: what it refuses and why, what a search prints, and which status stands for what.
#include <acairo/platform.hpp>
#include <acairo/process.hpp>

#include "program.hpp"
#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using sim::Climate;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

// Nothing is drawn of it: all choices are the bodies'.
constexpr Climate calm{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};

void draws_any(Trial& trial) { trial.require(trial.below(4) < 4, "nobody comes here"); }
void draws_no_three(Trial& trial) { trial.require(trial.below(4) != 3, "no three is drawn"); }

// The third run of a process, and no first one.
void remembers_other_runs(Trial& trial) {
    static int runs = 0;
    trial.require(++runs < 3, "no run was before");
}

void reaches_the_first_of_two(Trial& trial) {
    trial.sometimes(true, "it begins");
    trial.sometimes(trial.below(2) == 2, "it draws what it cannot");
}

void reaches_all_of_eight(Trial& trial) {
    for (const char* const path : {"1", "2", "3", "4", "5", "6", "7", "8"}) trial.sometimes(true, path);
}

void reaches_no_path_and_fails(Trial& trial) { trial.require(false, "it holds"); }

// Right, whatever the kernel refuses; unless the counter is there, and cannot be written.
void writes_a_counter(Trial& trial) {
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    if (fd < 0) return;
    const std::ptrdiff_t written = platform::write_counter(fd, 1);
    platform::close(fd);
    trial.require(planted == 0 || written >= 0, "a counter can be written");
}

struct CommandLine : Program {
    Property any{"any_number_is_drawn", draws_any, calm};
    Property no_three{"no_three_is_drawn", draws_no_three, calm};
    Property alone{"each_run_is_the_first", remembers_other_runs, calm};
    Property two_paths{"paths_are_told", reaches_the_first_of_two, calm, {"it begins", "it draws what it cannot"}};
    Property eight_paths{"all_paths_are_told", reaches_all_of_eight, calm, {"1", "2", "3", "4", "5", "6", "7", "8"}};
    Property no_path{"no_path_is_told", reaches_no_path_and_fails, calm, {"the end"}};
    Property faults{"a_fault_is_told", writes_a_counter, {.one_fault = true}};
};

// --- wrong usage ---

TEST_F(CommandLine, tells_how_it_is_used) {
    const Said said = tool({"--help"});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, AllOf(HasSubstr("--each-fault"), HasSubstr("repro"), HasSubstr("canary")));
    EXPECT_EQ(tool({"repro", "--help"}).status, 0);
}

TEST_F(CommandLine, refuses_what_it_does_not_know) {
    const auto refused = [](const Said& said, const char* why) {
        EXPECT_EQ(said.status, 2) << said.out;
        EXPECT_THAT(said.error, HasSubstr(why));
    };
    refused(tool({"--no-such-option"}), "--no-such-option");
    refused(tool({"--seconds", "0"}), "--seconds");
    refused(tool({"--engine", "rondom"}), "rondom");
    refused(tool({"repro"}), "TOKEN is required");
    refused(tool({"repro", "token", "--times", "0"}), "--times");
    refused(tool({"bytes", "/no/such/file"}), "/no/such/file");
    refused(tool({"--only", "no_such_property"}), "no property \"no_such_property\": see --list");
    refused(tool({"--only", "any_number_is_drawn", "--only", "no_such_property"}), "no property \"no_such_property\"");
    refused(tool({"--plant", "no_such_bug"}), "no planted bug \"no_such_bug\" in this program: see --list");
    refused(tool({"canary", "no_such_bug", "--engine", "enumeration"}), "no strategy \"enumeration\"");
}

TEST_F(CommandLine, lists_properties_by_name_and_then_planted_bugs) {
    static constexpr sim::Plant plants[] = {{"the_second", "any_number_is_drawn", "failed", 2},
                                            {"a_first", "any_number_is_drawn", "failed", 1}};
    const sim::Plants mine(plants, &planted);
    const Said said = tool({"--list"});
    EXPECT_EQ(said.status, 0);
    EXPECT_EQ(said.out,
              "a_fault_is_told\nall_paths_are_told\nany_number_is_drawn\neach_run_is_the_first\nno_path_is_told\n"
              "no_three_is_drawn\npaths_are_told\nplanted: the_second\nplanted: a_first\n");
}

// --- what a search prints ---

TEST_F(CommandLine, says_how_many_runs_found_nothing) {
    const Said said = tool({"--only", "any_number_is_drawn", "--runs", "30"});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, MatchesRegex("\\[1/1\\] any_number_is_drawn: 30 runs, [0-9]+ a second, [0-9]+ interleavings\n"
                                       "30 runs of 1 properties, 0 failures\n"));
    EXPECT_EQ(said.error, "");
}

TEST_F(CommandLine, searches_no_longer_than_it_may) {
    const Said said = tool({"--only", "no_three_is_drawn", "--seconds", "0.000000001"});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, HasSubstr("\n0 runs of 1 properties, 0 failures\n"));
}

TEST_F(CommandLine, tells_a_failure_with_what_replays_it) {
    const Said said = tool({"--only", "no_three_is_drawn", "--seed", "a commit", "--engine", "random"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, ContainsRegex("^\\[1/1\\] no_three_is_drawn: [0-9]+ runs, .*, and one fails\n"
                                        "FAILED: no_three_is_drawn: failed: no three is drawn\n"));
    EXPECT_THAT(said.out, HasSubstr("\n  ci/repro " + token("no_three_is_drawn", {{Tag::workload, 4, 3}}) + "\n"));
    EXPECT_THAT(said.out, HasSubstr("\n  failed at step "));
    EXPECT_THAT(said.out, HasSubstr("\n  shrunk from 1 choices (1 of them not calm) to 1 (1), "));
    EXPECT_THAT(said.out, ContainsRegex("\n[0-9]+ runs of 1 properties, 1 failures\n$"));
}

TEST_F(CommandLine, takes_a_workload_that_was_chosen_elsewhere) {
    for (const char* const fine : {"2", "7,3"}) {
        const Said said = tool({"--only", "no_three_is_drawn", "--runs", "1", "--workload", fine});
        EXPECT_EQ(said.status, std::string(fine) == "2" ? 0 : 1) << said.out << "7 is 3 of 4";
    }
}

TEST_F(CommandLine, ends_with_the_worst_of_all_properties) {
    const Said said = tool({"--only", "no_three_is_drawn", "--only", "each_run_is_the_first", "--runs", "1000"});
    EXPECT_EQ(said.status, 4);
    EXPECT_THAT(said.out, ContainsRegex("^\\[1/2\\] each_run_is_the_first: 2 runs, .*, and one fails\n"
                                        "FAILED: each_run_is_the_first: only in a process that had made other runs "
                                        "before, so something outlives a run\n"
                                        "\\[2/2\\] no_three_is_drawn: "));
    EXPECT_THAT(said.out, ContainsRegex("\n[0-9]+ runs of 2 properties, 2 failures\n$"));
}

// --- rare paths ---

TEST_F(CommandLine, fails_when_a_rare_path_is_never_reached) {
    const Said said = tool({"--only", "paths_are_told", "--runs", "20", "--engine", "random", "--reach"});
    EXPECT_EQ(said.status, 1);
    // One run of the twenty is made twice, to see whether it is the same one.
    EXPECT_THAT(said.out, HasSubstr("\n  21 times: it begins\n  0 times: it draws what it cannot\n"
                                    "NOT REACHED: paths_are_told: it draws what it cannot: let its workload reach it "
                                    "more often, or make more runs\n20 runs of 1 properties, 1 failures\n"));
    const Said unasked = tool({"--only", "paths_are_told", "--runs", "20"});
    EXPECT_EQ(unasked.status, 0);
    EXPECT_THAT(unasked.out, Not(HasSubstr("times")));
}

TEST_F(CommandLine, tells_of_as_many_paths_as_there_may_be) {
    const Said said = tool({"--only", "all_paths_are_told", "--runs", "1", "--reach"});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, AllOf(HasSubstr("\n  2 times: 1\n"), HasSubstr("\n  2 times: 8\n1 runs of 1 properties, 0")));
}

TEST_F(CommandLine, tells_of_no_path_where_a_run_fails) {
    const Said said = tool({"--only", "no_path_is_told", "--runs", "1", "--reach"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, AllOf(HasSubstr("FAILED: no_path_is_told: failed: it holds\n"), HasSubstr(" 1 failures\n"),
                                Not(HasSubstr("NOT REACHED"))));
}

// --- other engines ---

TEST_F(CommandLine, enumerates_all_runs_within_its_bounds) {
    const std::vector<std::string> all{"--engine", "enumeration", "--only", "any_number_is_drawn"};
    const Said covered = tool(all);
    EXPECT_EQ(covered.status, 0);
    EXPECT_THAT(covered.out, HasSubstr(" 4 interleavings, which are all with at most 2 preemptions and 0 faults\n"));
    std::vector<std::string> some = all;
    some.insert(some.end(), {"--runs", "3", "--preemptions", "1", "--faults", "5"});
    const Said not_covered = tool(some);
    EXPECT_EQ(not_covered.status, 0);
    EXPECT_THAT(not_covered.out, HasSubstr(" 3 interleavings, not yet all with at most 1 preemptions and 5 faults\n"));
    const Said fails = tool({"--engine", "enumeration", "--only", "no_three_is_drawn"});
    EXPECT_EQ(fails.status, 1);
    EXPECT_THAT(fails.out,
                AllOf(StartsWith("[1/1] no_three_is_drawn: 4 runs, "),
                      HasSubstr(" faults, and one fails\nFAILED: no_three_is_drawn: failed: no three is drawn\n")));
}

TEST_F(CommandLine, makes_a_run_for_each_single_fault) {
    static constexpr sim::Plant plants[] = {{"needs_its_counter", "a_fault_is_told", "failed", 1}};
    const sim::Plants mine(plants, &planted);
    const auto runs_on = [](const char* schedules) {
        const Said sound = tool({"--each-fault", "--schedules", schedules});
        EXPECT_EQ(sound.status, 0) << sound.out;
        EXPECT_THAT(sound.out, StartsWith("[1/1] a_fault_is_told: "));
        const std::string runs = std::to_string(std::atoi(sound.out.substr(sound.out.find(": ") + 2).c_str()));
        EXPECT_THAT(sound.out, AllOf(HasSubstr(", " + runs + " interleavings\n"),
                                     HasSubstr("\n" + runs + " runs of 1 properties, 0 failures\n")));
        return std::stoi(runs);
    };
    // Where one thread runs, all schedules are one; each has the same faults.
    const int on_one = runs_on("1");
    EXPECT_GE(on_one, 4 + 1 + 4) << "what its three calls may fail with";
    EXPECT_EQ(runs_on("3"), 3 * on_one);
    const Said found = tool({"--each-fault", "--schedules", "1", "--plant", "needs_its_counter"});
    EXPECT_EQ(found.status, 1);
    EXPECT_THAT(found.out,
                AllOf(HasSubstr("FAILED: a_fault_is_told: failed: a counter can be written\n"),
                      HasSubstr("\n  ci/repro acairo1:a_fault_is_told+needs_its_counter:"), HasSubstr("injected")));
    const Said none = tool({"--each-fault", "--only", "any_number_is_drawn"});
    EXPECT_EQ(none.status, 0);
    EXPECT_EQ(none.out, "0 runs of 0 properties, 0 failures\n") << "it does not say that it stands a fault";
}

// --- when the harness itself fails ---

using CommandLineDeathTest = CommandLine;

TEST_F(CommandLineDeathTest, says_when_there_is_no_process_for_a_run) {
    sim::machine();  // which starts a thread
    EXPECT_EXIT(
        {
            // A fork brings no stack, and a thread does.
            refuse_call(SYS_clone, 1, 0, EAGAIN);
            end_with({"--only", "any_number_is_drawn", "--runs", "1"});
        },
        testing::ExitedWithCode(4), HasSubstr("the harness itself failed: acairo: no process for a run: fork failed"));
}

}  // namespace
