// Which lines of a run are told when there is room for a few only, and where they are said to lie.
#include <gmock/gmock.h>
#include <acairo/story.hpp>
#include <cerrno>

#include "symbolizer.hpp"

namespace {

namespace sim = acairo::simulator;
using namespace simulation;
using sim::Moment;
using sim::Result;
using sim::Stack;
using testing::ElementsAre;

constexpr const char* tool = "llvm-symbolizer-19";

void call(Result& result, std::uint64_t step, std::uint32_t thread, const char* operation, int fd, std::ptrdiff_t value,
          bool injected = false, const Stack& stack = {}) {
    result.events.push_back({step, {}, thread, operation, fd, value, injected});
    result.stacks.push_back(stack);
}

void fault(Result& result, std::uint64_t step, std::uint32_t thread, const char* operation, bool faulty = true) {
    Moment moment{};
    moment.step = step;
    moment.fiber = thread;
    moment.operation = operation;
    moment.faulty = faulty;
    result.moments.push_back(moment);
}

// Without the columns' spaces.
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines(1);
    for (const char c : text) {
        if (c == '\n') {
            lines.emplace_back();
        } else if (c != ' ' || (!lines.back().empty() && lines.back().back() != ' ')) {
            lines.back() += c;
        }
    }
    for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
    EXPECT_EQ(lines.back(), "") << "the last line has no end";
    lines.pop_back();
    return lines;
}

std::vector<std::string> told(const Result& result, std::size_t lines) {
    return lines_of(sim::story_of(result, lines));
}

TEST(StoryLines, name_an_error_by_its_name_and_what_has_none_by_its_number) {
    const auto text = [](std::ptrdiff_t result) { return sim::text_of_result({1, {}, 0, "read", 3, result, false}); };
    EXPECT_EQ(text(-EMFILE), "EMFILE");
    EXPECT_EQ(text(-9999), "-9999");
    EXPECT_EQ(text(0), "0");
    EXPECT_EQ(text(12), "12");
}

TEST(StoryLines, say_what_each_fault_does) {
    EXPECT_EQ(sim::text_of_fault("thread.start"), "fails: no thread");
    EXPECT_EQ(sim::text_of_fault("time.passes"), "although threads could run");
    EXPECT_EQ(sim::text_of_fault("atomic.load"), "sees an older store");
    EXPECT_EQ(sim::text_of_fault("condition.wait"), "wakes for no reason");
    EXPECT_EQ(sim::text_of_fault("atomic.compare_exchange_weak"), "fails for no reason");
}

TEST(StoryLines, are_in_the_order_of_steps_calls_and_faults_together) {
    Result result;
    call(result, 1, 0, "eventfd", -1, 3);
    call(result, 4, 1, "write", 3, -EINTR, true);
    call(result, 9, 0, "close", 3, 0);
    fault(result, 2, 1, "condition.wait");
    fault(result, 3, 1, "condition.wait", false);
    fault(result, 4, 0, "thread.start");
    EXPECT_THAT(told(result, 20),
                ElementsAre("1 thread 0 eventfd() = 3", "2 thread 1 condition.wait wakes for no reason <- injected",
                            "4 thread 1 write(3) = EINTR <- injected",
                            "4 thread 0 thread.start fails: no thread <- injected", "9 thread 0 close(3) = 0"));
}

// What goes first: the rest; then what says something; then the faults, however old; and last each thread's last call.
TEST(StoryLines, are_those_that_say_most) {
    Result result;
    call(result, 1, 0, "socket", -1, 4);
    call(result, 2, 0, "epoll_wait", 3, 0);
    call(result, 3, 0, "recv", 4, -EAGAIN);
    fault(result, 4, 2, "thread.start");
    call(result, 5, 0, "recv", 4, 0);
    call(result, 6, 0, "epoll_wait", 3, 1);
    call(result, 7, 1, "recv", 4, -EAGAIN);
    call(result, 8, 0, "recv", 4, -EAGAIN);
    fault(result, 9, 2, "time.passes");

    const std::vector<std::string> all{
        "1 thread 0 socket() = 4",
        "2 thread 0 epoll_wait(3) = 0",
        "3 thread 0 recv(4) = EAGAIN",
        "4 thread 2 thread.start fails: no thread <- injected",
        "5 thread 0 recv(4) = 0",
        "6 thread 0 epoll_wait(3) = 1",
        "7 thread 1 recv(4) = EAGAIN",
        "8 thread 0 recv(4) = EAGAIN",
        "9 thread 2 time.passes although threads could run <- injected",
    };
    // As soon as there is room for as many lines as that.
    const std::vector<std::size_t> needed{7, 9, 8, 4, 6, 5, 2, 1, 3};
    for (std::size_t lines = 0; lines <= all.size(); ++lines) {
        std::vector<std::string> wanted;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (needed[i] <= lines) wanted.push_back(all[i]);
        }
        const std::size_t missing = all.size() - lines;
        if (missing != 0) wanted.push_back("(" + std::to_string(missing) + " more calls are left out)");
        EXPECT_EQ(told(result, lines), wanted);
    }
}

TEST(StoryLines, lie_in_the_library_and_where_the_program_called_it) {
    const Tools tools;
    tools.add(tool, {{"acairo::simulator::send()", "/a/core/simulator/acairo/machine.cpp:1"},
                     {"has_no_place()", "??:0"},
                     {"inlined()", "/a/core/acairo/tcp.cpp:83", "outer()", "/a/core/acairo/tcp.cpp:90"},
                     {"space::application()", "/a/application.cpp:7"},
                     {"main", "/a/main.cpp:2"}});
    Stack whole;
    whole.fill(address(4));
    const std::vector<Stack> stacks{
        {address(0), address(1), address(2), address(3), address(4)},
        {address(3), address(4)},
        {address(0), address(2)},
        {address(0)},
        {},
        whole,
    };
    EXPECT_THAT(sim::sources_of(stacks),
                ElementsAre("tcp.cpp:83 inlined < application.cpp:7 application", "application.cpp:7 application",
                            "tcp.cpp:83 inlined", "", "", "main.cpp:2 main"));
    Result result;
    call(result, 1, 0, "close", 3, 0, false, stacks[0]);
    EXPECT_THAT(told(result, 20),
                ElementsAre("1 thread 0 close(3) = 0 tcp.cpp:83 inlined < application.cpp:7 application"));
}

// --- deeds ---

TEST(DeedLines, end_where_the_simulator_starts_the_thread) {
    const Tools tools;
    tools.add(tool, {{"acairo::simulator::Machine::close(int)", "/a/core/simulator/acairo/machine.cpp:1"},
                     {"inlined()", "/a/application.cpp:7", "closes_it(int)", "/a/application.cpp:9"},
                     {"has_no_place()", "??:0"},
                     {"acairo::simulator::FiberEntry::run()", ""},
                     {"main", "/a/main.cpp:2"}});
    Result result;
    result.deeds.push_back({"close", 4, 12, 1, {address(0), address(1), address(2), address(3), address(4)}});
    result.deeds.push_back({"write", 4, 15, 0, {address(1)}});
    EXPECT_THAT(lines_of(sim::deeds_of(result)),
                ElementsAre("descriptor 4, close at step 12 by thread 1:", "application.cpp:7 inlined",
                            "application.cpp:9 closes_it", "has_no_place()",
                            "descriptor 4, write at step 15 by thread 0:", "application.cpp:7 inlined",
                            "application.cpp:9 closes_it"));
}

TEST(DeedLines, are_a_dozen_of_a_program_that_calls_itself) {
    const Tools tools;
    tools.add(tool, {{"acairo::simulator::Machine::close(int)", "/a/core/simulator/acairo/machine.cpp:1"},
                     {"calls_itself()", "/a/application.cpp:7"}});
    Result result;
    sim::WholeStack deep;
    deep.fill(address(1));
    deep[0] = address(0);
    // Whole, and nothing of it is the program's.
    sim::WholeStack strange;
    strange.fill(address(0));
    result.deeds.push_back({"close", 4, 12, 1, deep});
    result.deeds.push_back({"close", 4, 15, 0, strange});
    const std::vector<std::string> lines = lines_of(sim::deeds_of(result));
    ASSERT_EQ(lines.size(), 14u);
    for (std::size_t i = 1; i <= 12; ++i) EXPECT_EQ(lines[i], "application.cpp:7 calls_itself");
    EXPECT_EQ(lines[13], "descriptor 4, close at step 15 by thread 0:");
}

TEST(DeedLines, are_none_where_no_descriptor_is_to_blame) { EXPECT_EQ(sim::deeds_of({}), ""); }

TEST(StoryLines, are_cut_where_a_place_is_too_long_and_end_all_the_same) {
    const Tools tools;
    const std::vector<std::string> answer{std::string(400, 'f'), "/a/b.cpp:1"};
    tools.add("addr2line", {answer});
    sim::Result result;
    for (const std::uint64_t step : {1, 2}) {
        result.events.push_back({step, {}, 0, "close", 3, 0, false});
        result.stacks.push_back({address(0)});
    }
    const std::string story = sim::story_of(result);
    EXPECT_EQ(std::ranges::count(story, '\n'), 2);
    EXPECT_TRUE(story.ends_with('\n'));
    EXPECT_LE(story.size(), 400u);
}

}  // namespace
