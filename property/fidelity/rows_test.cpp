// Each recorded surprise, on this machine's Linux and in the simulated kernel.
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <iostream>
#include <regex>

#include "regressions.hpp"
#include "rows.hpp"
#include "script.hpp"

namespace {

using fidelity::Coverage;
using fidelity::Script;

std::string joined(const std::vector<std::string>& outcomes, std::size_t from) {
    std::string all;
    for (std::size_t number = from; number != outcomes.size(); ++number) {
        all += (all.empty() ? "" : " ; ") + std::regex_replace(outcomes[number], std::regex(" of [^ ]*"), "");
    }
    return all;
}

Script whole(const fidelity::Row& row) { return fidelity::parse(std::string(row.before) + "; " + row.script); }

struct RowTest : testing::TestWithParam<fidelity::Row> {};

TEST_P(RowTest, the_simulated_kernel_does_what_was_recorded) {
    fidelity::SimulatedCalls calls;
    Coverage coverage;
    const fidelity::Run run = fidelity::run_simulated(calls, whole(GetParam()), coverage);
    EXPECT_EQ(joined(run.outcomes, fidelity::parse(GetParam().before).size()), GetParam().expected);
}

TEST_P(RowTest, Linux_does_what_was_recorded) {
    fidelity::SimulatedCalls calls;
    Coverage coverage;
    const Script script = whole(GetParam());
    const fidelity::Run simulated = fidelity::run_simulated(calls, script, coverage);
    fidelity::LinuxCalls linux_calls;
    const fidelity::Run real = fidelity::run_linux(linux_calls, script, simulated);
    EXPECT_EQ(linux_calls.unsettled(), "");
    const std::string outcomes = joined(real.outcomes, fidelity::parse(GetParam().before).size());
    ::utsname machine{};
    ::uname(&machine);
    const std::string since = GetParam().since;
    if (!since.empty() && std::string(machine.release).rfind(since, 0) != 0 && outcomes != GetParam().expected) {
        GTEST_SKIP() << "Linux " << machine.release << " does \"" << outcomes << "\", " << since << " does \""
                     << GetParam().expected << '"';
    }
    EXPECT_EQ(outcomes, GetParam().expected) << "on Linux " << machine.release;
}

// Cut and delayed, too.
TEST_P(RowTest, both_agree_step_by_step) {
    Coverage coverage;
    EXPECT_EQ(fidelity::divergence(whole(GetParam()), coverage, 1), "");
}

const auto name_of_row = [](const auto& each) { return std::string(each.param.name); };
INSTANTIATE_TEST_SUITE_P(kernel_truths, RowTest, testing::ValuesIn(fidelity::rows), name_of_row);

struct RegressionTest : testing::TestWithParam<fidelity::Regression> {};

TEST_P(RegressionTest, both_agree_step_by_step) {
    Coverage coverage;
    EXPECT_EQ(fidelity::divergence(fidelity::parse(GetParam().script), coverage, 1), "");
}

INSTANTIATE_TEST_SUITE_P(once_diverged, RegressionTest, testing::ValuesIn(fidelity::regressions), name_of_row);

}  // namespace
