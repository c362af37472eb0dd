// What is made of a symbolizer's answers; and that a place is still told, as far as it is known, where none answers.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <acairo/symbols.hpp>
#include <cstdio>
#include <iterator>

#include "symbolizer.hpp"

namespace {

namespace sim = acairo::simulator;
using namespace simulation;
using sim::Line;
using testing::ElementsAre;
using testing::EndsWith;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr const char* newest = "llvm-symbolizer-19";
constexpr const char* module_and_offset = ".+\\+0x[0-9a-f]+";

std::vector<std::string> texts_of(void* of) {
    const std::vector<Line> lines = sim::lines_of({of}).at(of);
    std::vector<std::string> texts;
    for (const Line& line : lines) texts.push_back(line.text());
    return texts;
}

std::string name_of_program() { return std::filesystem::read_symlink("/proc/self/exe").filename().string(); }

std::string offset_in_module(void* address) {
    ::Dl_info of_address{};
    EXPECT_NE(::dladdr(address, &of_address), 0);
    char text[32];
    std::snprintf(text, sizeof text, "+0x%tx",
                  static_cast<char*>(address) - static_cast<char*>(of_address.dli_fbase) - 1);
    return text;
}

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

std::string frame(void* address) {
    char text[64];
    std::snprintf(text, sizeof text, "./program(+0x12) [%p]\n", address);
    return text;
}

TEST(Symbols, are_asked_of_the_best_tool_that_is_there) {
    const Tools tools;
    EXPECT_THAT(texts_of(address(0)), ElementsAre(name_of_program() + offset_in_module(address(0))));
    const auto arguments_of = [&](const char* name) {
        tools.add(name, {{std::string(name) + " $*", "/a/place.cpp:1"}});
        const std::string function = sim::lines_of({address(0)}).at(address(0))[0].function;
        const std::size_t program = function.find('/');
        EXPECT_TRUE(std::filesystem::equivalent(function.substr(program), "/proc/self/exe")) << function;
        return function.substr(0, program);
    };
    EXPECT_EQ(arguments_of("addr2line"), "addr2line -a -f -C -i -e ");
    EXPECT_EQ(arguments_of("llvm-symbolizer"), "llvm-symbolizer --output-style=GNU -a -f -C -i -e ");
    EXPECT_EQ(arguments_of(newest), "llvm-symbolizer-19 --output-style=GNU -a -f -C -i -e ");
}

TEST(Symbols, of_all_addresses_are_asked_at_once_and_told_apart) {
    const Tools tools;
    tools.add(newest, {{"first()", "/a/one.cpp:1"}, {"second()", "/a/two.cpp:2"}});
    const auto lines = sim::lines_of({address(5), address(1)});
    EXPECT_EQ(lines.at(address(1))[0].text(), "one.cpp:1 first");
    EXPECT_EQ(lines.at(address(5))[0].text(), "two.cpp:2 second");
}

TEST(Symbols, of_an_inlined_call_are_both_calls_innermost_first) {
    const Tools tools;
    tools.add(newest, {{"inner()", "/a/inner.hpp:3 (discriminator 2)", "outer(int)", "/a/outer.cpp:7"}});
    const std::vector<Line> lines = sim::lines_of({address(0)}).at(address(0));
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].file, "/a/inner.hpp:3");
    EXPECT_EQ(lines[0].function, "inner()");
    EXPECT_EQ(lines[1].file, "/a/outer.cpp:7");
    EXPECT_EQ(lines[1].function, "outer(int)");
}

TEST(Symbols, without_a_place_are_functions_and_without_a_function_offsets) {
    const Tools tools;
    tools.add(newest, {{"no_line()", "/a/b.cpp:0"},
                       {"unknown_line()", "/a/b.cpp:?"},
                       {"nowhere()", "??"},
                       {"??", "??:0"},
                       {},
                       {"line_ten()", "/a/b.cpp:10"}});
    std::set<void*> addresses;
    for (std::size_t i = 0; i < 6; ++i) addresses.insert(address(i));
    const auto lines = sim::lines_of(addresses);
    const auto text = [&](std::size_t number) { return lines.at(address(number))[0].text(); };
    EXPECT_EQ(text(0), "no_line()");
    EXPECT_EQ(text(1), "unknown_line()");
    EXPECT_EQ(text(2), "nowhere()");
    EXPECT_EQ(text(3), name_of_program() + offset_in_module(address(3)));
    EXPECT_EQ(text(4), name_of_program() + offset_in_module(address(4)));
    EXPECT_EQ(text(5), "b.cpp:10 line_ten");
}

TEST(Symbols, are_read_whatever_else_a_tool_says) {
    const Tools tools;
    tools.add(newest, {{"after_a_warning()", "/a/b.cpp:1"}}, "echo warning; echo it is long; echo it is odd");
    EXPECT_THAT(texts_of(address(0)), ElementsAre("b.cpp:1 after_a_warning"));
    tools.add(newest, {}, "read -r offset; echo \"$offset\"; echo 'dies()'; printf '/a/b.cpp:12'; exit 1");
    EXPECT_THAT(texts_of(address(0)), ElementsAre("b.cpp:12 dies"));
    tools.add(newest, {}, "read -r offset; echo \"$offset\"; echo 'no_text()'; printf '\\000\\n'; exit 1");
    EXPECT_THAT(texts_of(address(0)), ElementsAre("no_text()"));
}

TEST(Symbols, of_what_is_not_the_programs_are_offsets) {
    const Tools tools;
    tools.add(newest, {{"nobody_asks()", "/a/b.cpp:1"}});
    void* const elsewhere = ::dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    ASSERT_NE(elsewhere, nullptr);
    ASSERT_EQ(texts_of(elsewhere).size(), 1u);
    EXPECT_THAT(texts_of(elsewhere)[0], testing::AllOf(StartsWith("libc"), EndsWith(offset_in_module(elsewhere))));
    EXPECT_THAT(texts_of(reinterpret_cast<void*>(std::uintptr_t{7})), ElementsAre("?+0x7"));
}

TEST(Symbols, are_offsets_while_descriptors_are_missing) {
    const Tools tools;
    tools.add(newest, {{"found()", "/a/b.cpp:1"}});
    const std::ptrdiff_t open = open_descriptors();
    const int lowest = ::dup(0);
    ASSERT_GE(lowest, 0);
    ::close(lowest);
    ::rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    // None: no file for the questions. One: no pipe for the answers.
    for (const int left : {0, 1}) {
        ::rlimit few = before;
        few.rlim_cur = static_cast<::rlim_t>(lowest + left);
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        const std::vector<std::string> texts = texts_of(address(0));
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
        EXPECT_THAT(texts, ElementsAre(MatchesRegex(module_and_offset))) << left << " descriptors are left";
    }
    EXPECT_THAT(texts_of(address(0)), ElementsAre("b.cpp:1 found"));
    EXPECT_EQ(open_descriptors(), open);
}

TEST(Lines, know_whose_they_are) {
    const auto is_the_programs = [](const char* function, const char* file) {
        return Line{function, file}.is_the_programs();
    };
    EXPECT_TRUE(is_the_programs("main", "/a/main.cpp:1"));
    EXPECT_TRUE(is_the_programs("main", ""));
    EXPECT_TRUE(is_the_programs("void run<acairo::simulator::Trial>()", "/a/main.cpp:1"));
    EXPECT_FALSE(is_the_programs("acairo::simulator::Scheduler::run()", ""));
    EXPECT_FALSE(is_the_programs("run", "/a/core/simulator/acairo/scheduler.cpp:1"));
    EXPECT_FALSE(is_the_programs("std::sort", "/usr/include/c++/13/algorithm:1"));
    EXPECT_FALSE(is_the_programs("send", "/a/include/acairo/platform.hpp:1"));
    const auto is_the_librarys = [](const char* file) { return Line{"f", file}.is_the_librarys(); };
    EXPECT_TRUE(is_the_librarys("/a/core/acairo/tcp.cpp:1"));
    EXPECT_TRUE(is_the_librarys("/usr/include/acairo/task.hpp:1"));
    EXPECT_FALSE(is_the_librarys("/a/acairo.cpp:1"));
}

TEST(Lines, are_short) {
    const auto text = [](const char* function) { return Line{function, "/a/long/path/b.cpp:1"}.text(); };
    EXPECT_EQ(text("main"), "b.cpp:1 main");
    EXPECT_EQ(text("space::Class::function(int, space::Class)"), "b.cpp:1 function");
    EXPECT_EQ(text("(anonymous namespace)::hidden((anonymous namespace)::Class)"), "b.cpp:1 hidden");
    EXPECT_EQ(text("space::(anonymous namespace)::name[abi:cxx11](int)"), "b.cpp:1 name");
    EXPECT_EQ((Line{"space::function(int)", ""}.text()), "space::function(int)");
    EXPECT_EQ((Line{"f", "b.cpp:1"}.text()), "b.cpp:1 f");
}

TEST(Backtraces, become_the_programs_calls) {
    const Tools tools;
    tools.add(newest, {{"acairo::simulator::fail()", "/a/core/simulator/acairo/fail.cpp:3"},
                       {"inlined()", "/a/inlined.hpp:2", "caller()", "/a/caller.cpp:9"},
                       {"has_no_place()", "??:0"}});
    const std::string text = "check failed\n" + frame(address(0)) + frame(address(1)) + frame(address(2)) +
                             "[0x12] is in the middle\na list [1]\nnothing [0x0]\nthe end";
    EXPECT_EQ(sim::with_lines(text),
              "check failed\n      inlined.hpp:2 inlined\n      caller.cpp:9 caller\n"
              "[0x12] is in the middle\na list [1]\nnothing [0x0]\nthe end\n");
}

TEST(Backtraces, stay_what_they_are_where_nobody_knows_a_place) {
    const Tools tools;
    const std::string text = "check failed\n" + frame(address(0)) + frame(address(1));
    EXPECT_EQ(sim::with_lines(text), text);
    tools.add(newest, {{"has_no_place()", "??:0"}, {"nor_has_this()", "??:0"}});
    EXPECT_EQ(sim::with_lines(text), text);
    EXPECT_EQ(sim::with_lines("no address\n"), "no address\n");
}

TEST(Symbols, may_have_long_names) {
    const Tools tools;
    const std::vector<std::string> answer{std::string(9000, 'f'), "/a/b.cpp:1"};
    tools.add("addr2line", {answer});
    EXPECT_EQ(sim::lines_of({address(0)}).at(address(0)).at(0).text(), "b.cpp:1 " + answer[0]);
}

TEST(Backtraces, are_not_every_number_in_brackets) {
    const std::string text = "the key is [0x123456789abcdef0123456789abcdef0]\n";
    EXPECT_EQ(sim::with_lines(text), text);
}

}  // namespace
