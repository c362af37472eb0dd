// Generated scripts, on this machine's Linux and in the simulated kernel: they agree, step by step, and between them the
// scripts reach every recorded row and every pair of call and state that the simulated kernel models.
//
//     ACAIRO_FIDELITY_CALLS=100000 ACAIRO_FIDELITY_SEED=7 ./fidelity_tests --gtest_filter='*generated*'
//
// Threads: one.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "rows.hpp"
#include "script.hpp"

namespace {

using acairo::simulator::Call;
using acairo::simulator::State;
using fidelity::Coverage;
using fidelity::Script;
using fidelity::Step;
using fidelity::Verb;

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    std::uint64_t value = otherwise;
    if (text) std::from_chars(text, text + std::strlen(text), value);
    return value;
}

// Each ends with slot 0 in a state of its own, slot 1 at the other end, slot 3 listening if anybody does.
constexpr std::array beginnings{
    "epoll 2",
    "eventfd 0 0; epoll 2",
    "epoll 0; epoll 2",
    "null 0; epoll 2",
    "socket 0; epoll 2",
    "socket 0; bind 0 0; epoll 2",
    "socket 0; bind 0 1; epoll 2; socket 3; bind 3 0; listen 3 2",
    "socket 0; bind 0 0; listen 0 2; epoll 2; socket 1; connect 1 0",
    "socket 3; bind 3 0; listen 3 0; socket 4; connect 4 3; socket 0; connect 0 3; epoll 2",
    "socket 0 1; bind 0 0; listen 0 1; epoll 2; socket 1 1; connect 1 0; accept 0 5",
    "pair 0 1; epoll 2",
    "pair 1 0; epoll 2",
    "socket 3; bind 3 0; listen 3 1; socket 0; connect 0 3; epoll 2",
    "pair 0 1; epoll 2; shutdown 0 1",
    "pair 0 1; epoll 2; send 1 5; shutdown 1 1",
    "pair 0 1; epoll 2; shutdown 1 1; shutdown 0 1",
    "pair 0 1; epoll 2; fill 0; shutdown 0 1; shutdown 1 1",
    "pair 0 1; epoll 2; send 1 5; close_linger 1",
    "pair 0 1; epoll 2; send 0 5; close 1",
    "pair 0 1; epoll 2; fill 0",
    "pair 0 1; epoll 2; send 1 9; send_urgent 1 1; send 1 9",
    "socket 0; connect 0 0 1; epoll 2",
};

rc::Gen<Step> step() {
    const auto slot = rc::gen::weightedElement<int>({{12, 0}, {7, 1}, {1, 2}, {2, 3}, {2, 4}, {3, 5}});
    const auto verb = rc::gen::weightedElement<Verb>(
        {{2, Verb::socket},      {4, Verb::bind},        {4, Verb::listen},      {6, Verb::accept},
         {7, Verb::connect},     {2, Verb::pair},        {10, Verb::recv},       {4, Verb::peek},
         {5, Verb::recv_urgent}, {12, Verb::send},       {5, Verb::send_urgent}, {3, Verb::fill},
         {4, Verb::drain},       {10, Verb::shutdown},   {6, Verb::close},       {4, Verb::close_linger},
         {3, Verb::dup},         {2, Verb::set_option},  {3, Verb::get_option},  {4, Verb::get_error},
         {3, Verb::getsockname}, {3, Verb::getpeername}, {1, Verb::epoll},       {8, Verb::add},
         {8, Verb::modify},      {4, Verb::remove},      {24, Verb::wait},       {1, Verb::eventfd},
         {3, Verb::read},        {4, Verb::write},       {1, Verb::null}});
    return rc::gen::map(
        rc::gen::tuple(verb, slot, slot, rc::gen::inRange(0, 64), rc::gen::element(0, 1, 5, 100, 1024, 3000)),
        [](const std::tuple<Verb, int, int, int, int>& drawn) {
            const auto [chosen, one, other, small, size] = drawn;
            switch (chosen) {
                case Verb::wait: return Step{chosen, 2};
                case Verb::add:
                case Verb::modify:
                case Verb::remove: return Step{chosen, small == 63 ? one : 2, other, small};
                case Verb::connect: return Step{chosen, one, small % 4 == 0 ? other : 3, small % 8 == 1 ? 1 : 0};
                case Verb::bind: return Step{chosen, one, small % 4, other};
                case Verb::accept: return Step{chosen, one, small % 2 == 0 ? 5 : 6};
                case Verb::dup: return Step{chosen, one, small % 2 == 0 ? 4 : 7};
                case Verb::shutdown: return Step{chosen, one, small % 3};
                case Verb::socket: return Step{chosen, one, small == 1 ? 1 : 0};
                case Verb::listen: return Step{chosen, one, small % 3};
                case Verb::pair:
                case Verb::epoll: return Step{chosen, one, other};
                case Verb::write:
                case Verb::eventfd:
                case Verb::set_option:
                case Verb::get_option:
                    return Step{chosen, one, small % 4 + (chosen == Verb::get_option ? small % 2 : 0), other};
                default: return Step{chosen, one, size};
            }
        });
}

TEST(FidelityTest, generated_scripts_agree_and_reach_every_row_and_every_pair) {
    const std::uint64_t wanted = environment("ACAIRO_FIDELITY_CALLS", 60'000);
    const std::uint64_t seed = environment("ACAIRO_FIDELITY_SEED", 1);
    Coverage coverage;
    std::set<std::string> reached;
    std::uint64_t calls = 0;
    constexpr int at_once = 100;
    for (std::uint64_t round = 0; calls < wanted; ++round) {
        rc::detail::TestParams parameters;
        parameters.seed = seed + round * 1'000'003;
        parameters.maxSuccess = at_once;
        parameters.disableShrinking = std::getenv("ACAIRO_FIDELITY_AS_FOUND") != nullptr;
        const auto property = [&] {
            const auto beginning = *rc::gen::inRange<std::size_t>(0, 2 * beginnings.size());
            const auto steps = *rc::gen::container<Script>(step());
            Script script;
            if (beginning < beginnings.size()) {
                script = fidelity::parse(beginnings[beginning]);
            } else {
                const auto drawn = *rc::gen::inRange<std::size_t>(0, fidelity::rows.size());
                // Turned with each round: the draws of neighbouring seeds are alike.
                const fidelity::Row& row = fidelity::rows[(drawn + round * 5) % fidelity::rows.size()];
                script = fidelity::parse(std::string(row.before) + "; " + row.script);
                reached.insert(row.name);
            }
            script.insert(script.end(), steps.begin(), steps.end());
            calls += script.size();
            const std::string difference = fidelity::divergence(script, coverage, parameters.seed);
            if (!difference.empty()) RC_FAIL(difference);
        };
        const rc::detail::TestResult result =
            rc::detail::checkTestable(property, rc::detail::TestMetadata{}, parameters);
        if (!result.is<rc::detail::SuccessResult>()) {
            rc::detail::printResultMessage(result, std::cerr);
            FAIL()
                << "after " << calls << " calls, with ACAIRO_FIDELITY_SEED=" << seed
                << ": make what is printed above a regression of regressions.hpp, then let the simulated kernel agree";
        }
    }
    for (const fidelity::Row& row : fidelity::rows)
        EXPECT_TRUE(reached.contains(row.name)) << row.name << " was not reached";
    std::size_t pairs = 0;
    for (std::size_t call = 0; call != acairo::simulator::call_names.size(); ++call) {
        for (std::size_t state = 0; state != acairo::simulator::state_names.size(); ++state) {
            if (!acairo::simulator::models(static_cast<Call>(call), static_cast<State>(state))) continue;
            ++pairs;
            EXPECT_TRUE(coverage.contains({static_cast<Call>(call), static_cast<State>(state)}))
                << acairo::simulator::call_names[call] << " on " << acairo::simulator::state_names[state]
                << " is said to be modelled, and no script has reached it";
        }
    }
    std::cout << calls << " generated calls agree; " << reached.size() << " rows and " << pairs
              << " pairs of call and state reached\n";
}

}  // namespace
