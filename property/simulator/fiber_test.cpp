// Fibers: stacks, exceptions, and the room for what they are called with.
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "simulation.hpp"

namespace {

using namespace simulation;

TEST(Fiber, has_exceptions_of_its_own) {
    Atomic<int> other_is_in_its_handler{0};
    int uncaught_elsewhere = -1;
    std::string seen[2];
    // Both are in a handler at the same time, and each rethrows what it caught.
    const auto handle = [&](int number) {
        try {
            throw std::runtime_error(std::to_string(number));
        } catch (...) {
            other_is_in_its_handler.fetch_add(1, relaxed);
            while (other_is_in_its_handler.load(relaxed) < 2) {}
            try {
                throw;
            } catch (const std::exception& error) { seen[number] = error.what(); }
        }
        EXPECT_EQ(std::current_exception(), nullptr);
    };
    const Ran one = calm_run([&] {
        Thread first([&] { handle(0); });
        Thread second([&] { handle(1); });
        while (other_is_in_its_handler.load(relaxed) == 0) {}
        uncaught_elsewhere = std::uncaught_exceptions() + (std::current_exception() != nullptr);
        first.join();
        second.join();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    EXPECT_EQ(seen[0], "0");
    EXPECT_EQ(seen[1], "1");
    EXPECT_EQ(uncaught_elsewhere, 0);
}

TEST(Fiber, unwinds_while_another_one_runs) {
    // A destructor that runs because of an exception, and waits there.
    int during[2] = {-1, -1};
    const Ran one = calm_run([&] {
        Mutex mutex;
        struct Unwound {
            ~Unwound() {
                mutex.lock();
                during = std::uncaught_exceptions();
                mutex.unlock();
            }
            Mutex& mutex;
            int& during;
        };
        mutex.lock();
        Thread thread([&] {
            try {
                const Unwound unwound{mutex, during[0]};
                throw 1;
            } catch (int) { during[1] = std::uncaught_exceptions(); }
        });
        sim::sleep_until(sim::now() + 1s);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        mutex.unlock();
        thread.join();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    EXPECT_EQ(during[0], 1);
    EXPECT_EQ(during[1], 0);
}

TEST(Fiber, keeps_what_it_is_called_with_until_it_ends) {
    const auto counted = std::make_shared<int>(0);
    struct Large {
        std::shared_ptr<int> counted;
        char bytes[5'000] = {};
        void operator()() const { ++*counted; }
    };
    const Ran one = calm_run([&] {
        Thread small([counted] { ++*counted; });
        EXPECT_EQ(counted.use_count(), 2);
        small.join();
        EXPECT_EQ(counted.use_count(), 1);
        Thread large(Large{counted});
        EXPECT_EQ(counted.use_count(), 2);
        large.join();
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    EXPECT_EQ(*counted, 2);
    EXPECT_EQ(counted.use_count(), 1);
}

TEST(Fiber, uses_its_whole_stack) {
    const Ran one = calm_run([] {
        volatile char large[200'000];
        large[0] = 1;
        Atomic<int> word{0};
        EXPECT_EQ(word.load(relaxed) + large[0], 1);
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

// Without this, what a thread allocates while another one waits in a system call would not be the run's: neither would it
// fail, nor would it leak.
TEST(Fiber, counts_for_itself_what_is_unseen) {
    int seen = -1;
    calm_run([&] {
        Thread other([] {
            const sim::Unseen unseen;
            sim::sleep_until(sim::now() + 2s);
        });
        sim::sleep_until(sim::now() + 1s);
        seen = sim::Unseen::depth;
        other.join();
    });
    EXPECT_EQ(seen, 0);
    EXPECT_EQ(sim::Unseen::depth, 0);
}

// The next run begins with nothing that a failed one has left.
TEST(Fiber, leaves_nothing_unseen_when_its_run_fails) {
    calm_run([] {
        Thread other([] {
            const sim::Unseen unseen;
            sim::sleep_until(sim::now() + 2s);
        });
        const sim::Unseen unseen;
        scheduler().fail(Verdict::failed, "on purpose");
    });
    EXPECT_EQ(sim::Unseen::depth, 0);
    int seen = -1;
    calm_run([&] { seen = sim::Unseen::depth; });
    EXPECT_EQ(seen, 0);
}

volatile int depth = 0;

[[gnu::noinline]] void recurse() {
    volatile char frame[2'000];
    frame[0] = 1;
    depth = depth + frame[0];
    if (depth > 0) recurse();
    depth = depth - frame[0];
}

// On a stack of its own, because the fiber's is used up.
void on_segmentation_fault(int, siginfo_t* info, void*) {
    ::_exit(Scheduler::running()->current().context.in_guard(info->si_addr) ? 42 : 43);
}

TEST(FiberDeathTest, ends_in_its_guard_when_it_is_too_deep) {
    const auto overflow = [] {
        static char stack[65'536];
        ::stack_t other{};
        other.ss_sp = stack;
        other.ss_size = sizeof stack;
        ::sigaltstack(&other, nullptr);
        struct sigaction action{};
        action.sa_sigaction = on_segmentation_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        ::sigaction(SIGSEGV, &action, nullptr);
        calm_run([] {
            Thread first([] { sim::sleep_until(sim::now() + 1s); });
            Thread second([] { recurse(); });
            Thread third([] { sim::sleep_until(sim::now() + 1s); });
            first.join();
            second.join();
            third.join();
        });
        ::_exit(44);
    };
    EXPECT_EXIT(overflow(), testing::ExitedWithCode(42), "");
}

}  // namespace
