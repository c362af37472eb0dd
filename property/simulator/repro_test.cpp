// Replaying a failure: from a token, a file, or a fuzzer's bytes; so often, in this process, in a debugger; and what is refused.
#include <sys/resource.h>
#include <acairo/debugger.hpp>
#include <acairo/platform.hpp>
#include <acairo/process.hpp>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "program.hpp"
#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr sim::Climate calm{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};

void draws_no_three(Trial& trial) { trial.require(trial.below(4) != 3 || planted == 2, "no three is drawn"); }

// --- what repeats, and what does not: the runs of all processes decide ---

void makes_steps(int count) {
    platform::atomic<int> word(0);
    for (int i = 0; i < count; ++i) word.fetch_add(1, acq_rel);
}

void fails_every_other_time(Trial& trial) { trial.require(++runs_of_all_processes() % 2 == 0, "the coin shows heads"); }

void fails_after_as_many_steps_as_there_were_runs(Trial& trial) {
    makes_steps(++runs_of_all_processes());
    trial.require(false, "it holds");
}

void passes_after_as_many_steps_as_there_were_runs(Trial&) { makes_steps(++runs_of_all_processes()); }

void dies_after_three_steps(Trial&) {
    makes_steps(2);
    std::abort();
}

void dies_at_once(Trial&) { std::abort(); }

struct Repro : Program {
    Property no_three{"no_three_is_drawn", draws_no_three, calm};
    Property coin{"a_coin_shows_heads", fails_every_other_time, calm};
    Property longer{"it_fails_later_each_time", fails_after_as_many_steps_as_there_were_runs, calm};
    Property passing{"it_ends_later_each_time", passes_after_as_many_steps_as_there_were_runs, calm};
    Property dying{"nobody_dies", dies_after_three_steps, calm};
    Property dead{"nobody_is_dead_from_the_beginning", dies_at_once, calm};

    const std::string two = token("no_three_is_drawn", {{Tag::workload, 4, 2}});
    const std::string three = token("no_three_is_drawn", {{Tag::workload, 4, 3}});
};

TEST_F(Repro, tells_a_failure_and_that_it_repeats) {
    const Said said = tool({"repro", three, "--times", "3"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, AllOf(StartsWith("FAILED: no_three_is_drawn: failed: no three is drawn\n"),
                                ContainsRegex("\nfailed at step [0-9]+, [0-9]+ ns: no three is drawn\n"),
                                EndsWith("\nno_three_is_drawn: failed 3 times of 3\n")));
    EXPECT_EQ(said.error, "");
}

TEST_F(Repro, says_when_a_token_does_not_fail) {
    const Said said = tool({"repro", two});
    EXPECT_EQ(said.status, 0);
    EXPECT_EQ(said.out, "no_three_is_drawn: failed 0 times of 1\n");
}

TEST_F(Repro, takes_a_token_from_the_file_that_holds_it) {
    EXPECT_EQ(tool({"repro", file_with("three.token", three + "\n")}).status, 1);
    EXPECT_EQ(tool({"repro", file_with("two.token", two + " \n\n")}).status, 0);
}

TEST_F(Repro, says_how_far_it_is_when_there_are_many) {
    EXPECT_EQ(tool({"repro", two, "--times", "20"}).error, "");
    EXPECT_EQ(tool({"repro", two, "--times", "45"}).error, "20 of 45\n40 of 45\n");
}

TEST_F(Repro, tells_repetitions_that_disagree) {
    const std::string disagree = "repetitions disagree: something decides in it that is not a choice\n";
    const Said coin_said = tool({"repro", token("a_coin_shows_heads", {}), "--times", "4"});
    EXPECT_EQ(coin_said.status, 3);
    EXPECT_THAT(coin_said.out, EndsWith("a_coin_shows_heads: failed 2 times of 4\n" + disagree));
    // Each fails, or none does, and no two are one run.
    const Said later = tool({"repro", token("it_fails_later_each_time", {}), "--times", "2"});
    EXPECT_EQ(later.status, 3);
    EXPECT_THAT(later.out, EndsWith("it_fails_later_each_time: failed 2 times of 2\n" + disagree));
    const Said passes = tool({"repro", token("it_ends_later_each_time", {}), "--times", "2"});
    EXPECT_EQ(passes.status, 3);
    EXPECT_THAT(passes.out, EndsWith("it_ends_later_each_time: failed 0 times of 2\n" + disagree));
    EXPECT_EQ(tool({"repro", token("it_fails_later_each_time", {})}).status, 1) << "one disagrees with nobody";
}

TEST_F(Repro, replays_a_stale_token_and_says_that_it_is) {
    std::string stale = three;
    stale.replace(stale.find(sim::schema()), 8, "00000000");
    const Said said = tool({"repro", stale});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out,
                AllOf(StartsWith("stale: the token is of schema 00000000, and this program of " +
                                 std::string(sim::schema()) + ": what it recorded may mean something else here\n"),
                      EndsWith("\n(stale) no_three_is_drawn: failed 1 times of 1\n")));
}

TEST_F(Repro, replays_with_the_planted_bug_of_the_token) {
    static constexpr sim::Plant plants[] = {{"fives_only", "no_three_is_drawn", "failed", 1},
                                            {"threes_too", "no_three_is_drawn", "failed", 2}};
    const sim::Plants mine(plants, &planted);
    EXPECT_EQ(tool({"repro", token("no_three_is_drawn+threes_too", {{Tag::workload, 4, 3}})}).status, 0);
    EXPECT_EQ(tool({"repro", token("no_three_is_drawn+fives_only", {{Tag::workload, 4, 3}})}).status, 1);
}

TEST_F(Repro, refuses_what_this_program_cannot_replay) {
    const auto refused = [](const std::string& token, const std::string& why) {
        const Said said = tool({"repro", token});
        EXPECT_EQ(said.status, 2) << said.out;
        EXPECT_THAT(said.error, HasSubstr(why));
    };
    refused("nonsense", "not a token: \"nonsense\"");
    refused(token("no_such_property", {}), "no property, or no planted bug, \"no_such_property\": see --list");
    refused(token("no_three_is_drawn+no_such_bug", {}), "no planted bug, \"no_three_is_drawn+no_such_bug\"");
    const char* const missing = sim::has_thread_sanitizer() ? "asan" : "tsan";
    refused(token("no_three_is_drawn", {{Tag::workload, 4, 3}}, missing),
            std::string("cannot see it: it was found by ") + missing + ", which this build has not");
}

TEST_F(Repro, draws_a_timeline_or_says_why_not) {
    const std::string file = testing::TempDir() + "repro_test.html";
    const Said said = tool({"repro", three, "--timeline", file});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, StartsWith("timeline: " + file + " and " + file + ".json\n"));
    std::ostringstream page;
    page << std::ifstream(file).rdbuf();
    EXPECT_THAT(page.str(), HasSubstr("no three is drawn"));
    EXPECT_TRUE(std::filesystem::exists(file + ".json"));
    const Said nowhere = tool({"repro", three, "--timeline", "/no/such/directory/page.html"});
    EXPECT_EQ(nowhere.status, 4);
    EXPECT_THAT(nowhere.error,
                AllOf(StartsWith("the harness itself failed: "), HasSubstr("/no/such/directory/page.html")));
}

// --- what a fuzzer wrote down ---

TEST_F(Repro, makes_a_token_of_a_fuzzers_bytes) {
    const Said said = tool({"bytes", file_with("crash", "\x07"), "--only", "no_three_is_drawn"});
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, AllOf(StartsWith("FAILED: no_three_is_drawn: failed: no three is drawn\n"),
                                HasSubstr("\n  ci/repro " + three + "\n")))
        << "7 is 3 of 4";
    const Said sound = tool({"bytes", file_with("no_crash", "\x06"), "--only", "no_three_is_drawn"});
    EXPECT_EQ(sound.status, 0);
    EXPECT_EQ(sound.out, "no_three_is_drawn: does not fail here\n");
}

TEST_F(Repro, wants_to_know_whose_choices_the_bytes_are) {
    const std::string file = file_with("crash", "\x03");
    for (const std::vector<std::string>& of : {std::vector<std::string>{},
                                               {"--only", "no_such_property"},
                                               {"--only", "nobody_dies", "--only", "no_three_is_drawn"}}) {
        std::vector<std::string> words{"bytes", file};
        words.insert(words.end(), of.begin(), of.end());
        const Said said = tool(words);
        EXPECT_EQ(said.status, 2);
        EXPECT_EQ(said.error, "the bytes are choices of one property, --only NAME: see --list\n");
    }
}

// --- in this process, and in a debugger ---

TEST_F(Repro, runs_in_this_very_process_for_a_debugger) {
    static int runs_here;
    runs_here = 0;
    const Property here{"it_runs_here", [](Trial& trial) { trial.require(++runs_here % 2 == 1, "it runs once"); },
                        calm};
    EXPECT_EQ(tool({"repro", token("it_runs_here", {}), "--here"}).out, "it does not fail here\n");
    EXPECT_EQ(runs_here, 1);
    EXPECT_EQ(sim::debugger_stops_at, ~std::uint64_t{0}) << "it stops nowhere";
    const Said fails = tool({"repro", token("it_runs_here", {}), "--here", "--stop-at", "1"});
    EXPECT_EQ(fails.status, 1);
    EXPECT_THAT(fails.out, ContainsRegex("^failed at step [0-9]+, [0-9]+ ns: it runs once\n"));
    EXPECT_EQ(sim::debugger_stops_at, 1u);
    sim::debugger_stops_at = ~std::uint64_t{0};
}

void wants_a_thread(Trial& trial) {
    try {
        platform::thread([] {}).join();
    } catch (const std::system_error&) { trial.require(false, "a thread starts"); }
}

TEST_F(Repro, has_the_same_faults_in_this_very_process) {
    const Property thread{"a_thread_starts",
                          wants_a_thread,
                          {.interruptions = false, .older_loads = false, .network = false, .clock = false}};
    // Threads may be short, descriptors are not, and the first thread does not start.
    const sim::Recording short_of_threads{{Tag::workload, 2, 1}, {Tag::workload, 2, 0}, {Tag::fault, 2, 1}};
    EXPECT_THAT(tool({"repro", token("a_thread_starts", short_of_threads)}).out, HasSubstr("failed 1 times of 1"));
    EXPECT_THAT(tool({"repro", token("a_thread_starts", short_of_threads), "--here"}).out,
                HasSubstr(" ns: a thread starts\n"));
    EXPECT_EQ(tool({"repro", token("a_thread_starts", {}), "--here"}).out, "it does not fail here\n");
}

TEST_F(Repro, starts_no_debugger_where_nothing_fails) {
    const Said said = tool({"repro", two, "--gdb"});
    EXPECT_EQ(said.status, 0);
    EXPECT_EQ(said.out, "no_three_is_drawn: does not fail here: there is nothing to stop before\n");
}

using ReproDeathTest = Repro;

// A gdb that tells what it was called with, the beginning of the commands that it was to read, and what it inherits.
std::string path_with_debugger() {
    const std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "debugger";
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "gdb") << "#!/bin/sh\n"
                                        "exec >&2\n"
                                        "printf '[%s]' \"$@\"\n"
                                        "file=${3#*\\'} && file=${file%%\\'*}\n"
                                        "read -r line < \"$file\" && echo \"{$line}\"\n"
                                        "echo \"<$ASAN_OPTIONS>\"\n"
                                        "exit 42\n";
    std::filesystem::permissions(directory / "gdb", std::filesystem::perms::owner_all);
    return directory.string() + ":/usr/bin:/bin";
}

TEST_F(ReproDeathTest, becomes_a_debugger_that_stops_before_the_step_that_fails) {
    const std::string path = path_with_debugger();
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    const auto debug = [&](const std::string& of, const char* options) {
        ::setenv("PATH", path.c_str(), 1);
        options != nullptr ? ::setenv("ASAN_OPTIONS", options, 1) : ::unsetenv("ASAN_OPTIONS");
        end_with({"repro", of, "--gdb"});
    };
    EXPECT_EXIT(debug(three, nullptr), testing::ExitedWithCode(42),
                AllOf(HasSubstr("FAILED: no_three_is_drawn: failed: no three is drawn, after step 1\n[-q][-ex]["),
                      HasSubstr("[-ex][acairo goto 1][--args][" + self + "][repro][" + three + "][--here]"),
                      HasSubstr("{\"\"\"What gdb knows of a simulated run."), HasSubstr("<:detect_leaks=0>")));
    // The leak sanitizer is told beside what the user has told the others.
    EXPECT_EXIT(debug(three, "verbosity=0"), testing::ExitedWithCode(42), HasSubstr("<verbosity=0:detect_leaks=0>"));
}

TEST_F(ReproDeathTest, says_when_there_is_no_debugger) {
    const auto debug = [&](const std::string& of, const char* options = nullptr) {
        ::setenv("PATH", "/no/such/directory", 1);
        options != nullptr ? ::setenv("ASAN_OPTIONS", options, 1) : ::unsetenv("ASAN_OPTIONS");
        end_with({"repro", of, "--gdb"});
    };
    const char* const said = "gdb cannot be started: No such file or directory; install Debian's package gdb\n";
    EXPECT_EXIT(debug(three), testing::ExitedWithCode(4), HasSubstr(said));
    // It would have stopped before the last step that a run told of before it died.
    EXPECT_EXIT(debug(token("nobody_dies", {}), "verbosity=0"), testing::ExitedWithCode(4),
                HasSubstr(std::string("FAILED: nobody_dies: signal: Aborted, after step 3\n") + said));
    EXPECT_EXIT(debug(token("nobody_is_dead_from_the_beginning", {})), testing::ExitedWithCode(4),
                HasSubstr(std::string(": signal: Aborted, after step 1\n") + said));
}

TEST_F(ReproDeathTest, says_when_the_debugger_can_be_given_no_commands) {
    const char* const said = "the harness itself failed: no memory for the debugger's commands";
    const auto without_a_file = [&] {
        // That of a child's stderr has a flag.
        refuse_call(SYS_memfd_create, 1, 0, EMFILE);
        end_with({"repro", three, "--gdb"});
    };
    EXPECT_EXIT(without_a_file(), testing::ExitedWithCode(4), HasSubstr(said));
    const auto with_a_small_file = [&] {
        ::signal(SIGXFSZ, SIG_IGN);
        ::rlimit limit{};
        ::getrlimit(RLIMIT_FSIZE, &limit);
        const ::rlimit small{.rlim_cur = 4096, .rlim_max = limit.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        const int status = status_of({"repro", three, "--gdb"});
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ::_exit(status);
    };
    EXPECT_EXIT(with_a_small_file(), testing::ExitedWithCode(4), HasSubstr(said));
}

}  // namespace
