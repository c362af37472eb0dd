// The memory of a simulated thread's stack: where its guard is, that it is given back, and what is said where there is none. And
// that no sanitizer is told of it where there is none.
#include <sys/resource.h>
#include <acairo/fiber.hpp>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "simulation.hpp"

namespace {

using namespace simulation;

// How many mappings this process has.
int mappings() {
    std::FILE* const maps = std::fopen("/proc/self/maps", "r");
    int lines = 0;
    for (int c = std::fgetc(maps); c != EOF; c = std::fgetc(maps)) lines += c == '\n';
    std::fclose(maps);
    return lines;
}

// Makes a stack where `resource` is used up, prints what is thrown, and ends the process; with 0 when the error is ENOMEM, and
// there are as many mappings as before.
[[noreturn]] void make_a_stack_without(int resource) {
    // The first exception of a process needs more memory than those that follow.
    try {
        throw std::system_error(ENOMEM, std::generic_category());
    } catch (const std::system_error&) {}
    const int before = mappings();
    ::rlimit none{};
    ::getrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &none);
    // Not 0, which Linux takes for "no limit" of data, as long as there is none.
    none.rlim_cur = 4096;
    ::setrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &none);
    int status = 3;
    try {
        const sim::FiberContext context{sim::FiberContext::OwnStack{}};
    } catch (const std::system_error& error) {
        std::fputs(error.what(), stderr);
        status = error.code() == std::errc::not_enough_memory ? 0 : 4;
    }
    none.rlim_cur = none.rlim_max;
    ::setrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &none);
    if (status == 0 && mappings() != before) status = 5;
    std::exit(status);
}

struct StackMemoryDeathTest : testing::Test {
    void SetUp() override {
        if (sim::has_address_sanitizer() || sim::has_thread_sanitizer())
            GTEST_SKIP() << "the limit would be that of the sanitizer's own memory";
    }
};

TEST_F(StackMemoryDeathTest, no_addresses_are_told_by_an_exception) {
    EXPECT_EXIT(make_a_stack_without(RLIMIT_AS), testing::ExitedWithCode(0),
                "mmap of 320 KiB for the stack of a simulated thread");
}

// The addresses are there, and the memory is not: they are given back.
TEST_F(StackMemoryDeathTest, no_memory_behind_the_addresses_is_told_by_an_exception) {
    EXPECT_EXIT(make_a_stack_without(RLIMIT_DATA), testing::ExitedWithCode(0),
                "mprotect of the stack of a simulated thread");
}

TEST(StackMemory, has_a_guard_of_which_each_byte_is_known) {
    sim::FiberContext context{sim::FiberContext::OwnStack{}};
    const auto* const end = static_cast<const std::byte*>(context.room()) + sim::FiberContext::room_size;
    const auto* const bottom = end - sim::FiberContext::stack_size;
    EXPECT_FALSE(context.in_guard(bottom)) << "the last byte that a stack may use";
    EXPECT_TRUE(context.in_guard(bottom - 1));
    EXPECT_TRUE(context.in_guard(bottom - sim::FiberContext::guard_size));
    EXPECT_FALSE(context.in_guard(bottom - sim::FiberContext::guard_size - 1)) << "somebody else's";
}

TEST(StackMemory, is_given_back) {
    if (sim::has_thread_sanitizer()) GTEST_SKIP() << "which has memory of its own for each fiber";
    const int before = mappings();
    {
        const sim::FiberContext one{sim::FiberContext::OwnStack{}}, two{sim::FiberContext::OwnStack{}};
        EXPECT_GT(mappings(), before);
    }
    EXPECT_EQ(mappings(), before);
}

TEST(Sanitizers, that_are_not_there_leave_a_switch_as_it_is) {
    if (sim::has_address_sanitizer()) GTEST_SKIP() << "it is there";
    int place = 0;
    void* fake_stack = &place;
    const void* bottom = &place;
    std::size_t size = sizeof place;
    sim::sanitizers::start_switch(&fake_stack, bottom, size);
    sim::sanitizers::finish_switch(fake_stack, &bottom, &size);
    sim::sanitizers::keep(bottom, size);
    EXPECT_EQ(fake_stack, &place);
    EXPECT_EQ(bottom, &place);
    EXPECT_EQ(size, sizeof place);
}

}  // namespace
