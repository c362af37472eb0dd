// The text of a failure: each verdict, each state of a thread; and what is kept of the calls that led to it.
#include <dlfcn.h>
#include <execinfo.h>
#include <acairo/child.hpp>
#include <acairo/platform.hpp>
#include <acairo/replay.hpp>
#include <stdexcept>

#include "program.hpp"
#include "simulation.hpp"

namespace without_names {

bool now = false;

}  // namespace without_names

// In the place of the C library's, which gives none when there is no memory for them.
extern "C" char** backtrace_symbols(void* const* frames, int count) noexcept {
    if (without_names::now) return nullptr;
    return reinterpret_cast<decltype(&backtrace_symbols)>(::dlsym(RTLD_NEXT, "backtrace_symbols"))(frames, count);
}

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using sim::Result;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StrEq;

constexpr sim::Climate calm{
    .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};

TEST(Report, names_each_verdict) {
    EXPECT_STREQ(sim::name_of(Verdict::passed), "passed");
    EXPECT_STREQ(sim::name_of(Verdict::deadlock), "deadlock");
    EXPECT_STREQ(sim::name_of(Verdict::livelock), "livelock");
    EXPECT_STREQ(sim::name_of(Verdict::busy), "busy");
    EXPECT_STREQ(sim::name_of(Verdict::misuse), "misuse");
    EXPECT_STREQ(sim::name_of(Verdict::reused_descriptor), "reused descriptor");
    EXPECT_STREQ(sim::name_of(Verdict::exception), "exception");
    EXPECT_STREQ(sim::name_of(Verdict::failed), "failed");
    EXPECT_STREQ(sim::name_of(Verdict::leaked_descriptor), "leaked descriptor");
    EXPECT_STREQ(sim::name_of(Verdict::leaked_memory), "leaked memory");
    EXPECT_STREQ(sim::name_of(Verdict::nondeterminism), "nondeterminism");
    EXPECT_STREQ(sim::name_of(static_cast<Verdict>(99)), "no verdict");
}

// What a thread is to call is copied before it starts.
struct Uncopyable {
    Uncopyable() = default;
    Uncopyable(const Uncopyable&) { throw std::runtime_error("no copy"); }
    void operator()() const {}
};

TEST(Report, tells_a_thread_that_never_started_from_one_that_has_ended) {
    const Ran ran = calm_run([] {
        Thread([] {}).join();
        const Uncopyable function;
        try {
            Thread thread(function);
        } catch (const std::runtime_error&) {}
        scheduler().fail(Verdict::failed, "on purpose");
    });
    EXPECT_THAT(ran.outcome.text, ContainsRegex("fiber 0 \\(the body\\): runs, last step thread.start of fiber 2\n.*"
                                                "fiber 1 \\(started by fiber 0 at .*\\): has ended\n"
                                                "  fiber 2 .*: has not begun, and never will\n"));
}

TEST(Report, that_is_asked_for_after_a_failure_names_who_has_failed) {
    Ran ran = calm_run([] { scheduler().fail(Verdict::failed, "on purpose"); });
    sim::add_report(scheduler(), ran.outcome);
    EXPECT_THAT(ran.outcome.text, HasSubstr("\n  fiber 0 (the body): failed"));
}

TEST(Report, without_memory_for_names_still_tells_of_threads_and_steps) {
    const auto fails = [] { scheduler().fail(Verdict::failed, "on purpose"); };
    const std::string whole = calm_run(fails).outcome.text;
    without_names::now = true;
    const std::string nameless = calm_run(fails).outcome.text;
    without_names::now = false;
    EXPECT_THAT(whole, HasSubstr("\n      "));
    EXPECT_THAT(nameless, AllOf(HasSubstr("fiber 0 (the body): runs"), HasSubstr("the last steps:\n    1 fiber 0 "),
                                Not(HasSubstr("\n      "))));
}

// --- descriptors ---

constexpr int far_off = static_cast<int>(sim::Reporter::most_descriptors);

void closes_a_number_beyond_all(Trial&) { platform::close(far_off); }

void leaves_many_open(Trial& trial) {
    for (int i = 0; i < 20; ++i) trial.require(platform::write_counter(platform::eventfd(0, 0), 1) >= 0, "it counts");
}

const Property beyond_all{"a_number_beyond_all_is_closed", closes_a_number_beyond_all, calm};
const Property many_open{"many_are_left_open", leaves_many_open, calm};

Result explained(const Property& property) {
    static const sim::Recording nothing;
    return sim::run_in_child(property, [] { return std::make_unique<sim::Replay>(nothing); }, true);
}

TEST(Reporter, tells_of_a_descriptor_beyond_those_it_remembers_what_misused_it) {
    const Result result = explained(beyond_all);
    EXPECT_EQ(result.kind, "misuse");
    ASSERT_THAT(result.deeds, SizeIs(1)) << "its use, and not who made it";
    EXPECT_EQ(result.deeds[0].fd, far_off);
    EXPECT_STREQ(result.deeds[0].operation, "close");
    sim::Reporter::Memory memory{};
    sim::Reporter reporter(memory);
    reporter.left_open(far_off);
    EXPECT_EQ(memory.deeds, 0u);
}

TEST(Reporter, tells_of_as_many_deeds_as_there_is_room_for) {
    const Result result = explained(many_open);
    EXPECT_EQ(result.kind, "leaked descriptor");
    ASSERT_THAT(result.deeds, SizeIs(sim::Reporter::most_deeds)) << "two of each of the first ones";
    EXPECT_STREQ(result.deeds[0].operation, "eventfd");
    EXPECT_STREQ(result.deeds.back().operation, "write");
    EXPECT_EQ(result.deeds.back().fd, 7);
}

}  // namespace
