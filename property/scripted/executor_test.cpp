// An executor's constructor: it succeeds, or fails with the name of the call and gives everything back.
#include "fixture.hpp"

#include <stdexcept>
#include <tuple>

namespace {

using AnExecutor = Bare;

// The calls that make a worker, whose descriptors are `epoll` and `epoll` + 1; `failing` (0, 1, 2) ends with `error`.
// True: none of them fails.
bool script_worker(scripted::Script& script, int epoll, int failing, int error) {
    const std::string calls[] = {
        "epoll_create1()", "eventfd()",
        "epoll_ctl(" + std::to_string(epoll) + ", ADD, " + std::to_string(epoll + 1) + ", IN ET)"};
    const int results[] = {epoll, epoll + 1, 0};
    for (int i = 0; i < 3; ++i) {
        script.on(calls[i], i == failing ? -error : results[i]);
        if (i == failing) return false;
    }
    return true;
}

class AFailingConstructor : public Bare, public testing::WithParamInterface<std::tuple<int, int, int>> {};

TEST_P(AFailingConstructor, names_the_call_and_leaks_nothing) {
    const auto [worker, failing, error] = GetParam();
    for (int i = 0; script_worker(script, 3 + 2 * i, i == worker ? failing : -1, error);) ++i;
    const Failure failure =
        failure_in([] { std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 3}); });
    EXPECT_EQ(failure.error, error);
    const char* const names[] = {"epoll_create1", "eventfd", "epoll_ctl"};
    EXPECT_TRUE(contains(failure.text, names[failing]));
    for (int fd = 3; fd != 9; ++fd) EXPECT_FALSE(script.is_open(fd)) << fd;
}

INSTANTIATE_TEST_SUITE_P(AtEachCallOfEachWorker, AFailingConstructor,
                         testing::Combine(testing::Values(0, 1, 2), testing::Values(0, 1, 2),
                                          testing::Values(EMFILE, ENFILE, ENOMEM, ENOSPC)));

class AThreadThatIsRefused : public Bare, public testing::WithParamInterface<int> {};

TEST_P(AThreadThatIsRefused, ends_those_that_were_started) {
    for (int i = 0; i < 3; ++i) script_worker(script, 3 + 2 * i, -1, 0);
    for (int i = 0; i < GetParam(); ++i) script.on("thread()", 0);
    script.on("thread()", -EAGAIN);
    const Failure failure =
        failure_in([] { std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 3}); });
    EXPECT_EQ(failure.error, EAGAIN);
    for (int fd = 3; fd != 9; ++fd) EXPECT_FALSE(script.is_open(fd)) << fd;
}

INSTANTIATE_TEST_SUITE_P(TheKth, AThreadThatIsRefused, testing::Values(0, 1, 2));

TEST_F(AnExecutor, that_was_refused_can_be_made_later) {
    script.on("epoll_create1()", -EMFILE);
    const Failure failure =
        failure_in([] { std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1}); });
    EXPECT_EQ(failure.error, EMFILE);
    start();
}

TEST_F(AnExecutor, that_fails_closes_descriptor_0_too) {
    script.on("epoll_create1()", 0);
    script.on("eventfd()", -EMFILE);
    const auto make = [] { std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1}); };
    EXPECT_EQ(failure_in(make).error, EMFILE);
    EXPECT_FALSE(script.is_open(0));
    script.on("epoll_create1()", 1);
    script.on("eventfd()", 0);
    script.on("epoll_ctl(1, ADD, 0, IN ET)", -ENOSPC);
    EXPECT_EQ(failure_in(make).error, ENOSPC);
    EXPECT_FALSE(script.is_open(0));
    EXPECT_FALSE(script.is_open(1));
}

TEST_F(AnExecutor, works_with_the_lowest_descriptors) {
    script_worker(script, 0, -1, 0);
    executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    script.on("epoll_wait(0, 5)", 0).lasting = 5ms;
    executor->sync_wait([this]() -> acairo::Task<> {
        co_await acairo::sleep_for(5ms);
        executor->stop();
    });
    executor.reset();
    EXPECT_FALSE(script.is_open(0));
    EXPECT_FALSE(script.is_open(1));
}

TEST_F(AnExecutor, of_a_bad_configuration_makes_no_system_call) {
    for (const int wrong : {0, -1}) {
        try {
            acairo::Executor(acairo::ExecutorConfiguration{.workers = wrong});
            ADD_FAILURE() << "workers = " << wrong;
        } catch (const std::invalid_argument& error) {
            EXPECT_TRUE(contains(error.what(), "workers is " + std::to_string(wrong)));
        }
        try {
            acairo::Executor(acairo::ExecutorConfiguration{.workers = 1, .budget = wrong});
            ADD_FAILURE() << "budget = " << wrong;
        } catch (const std::invalid_argument& error) {
            EXPECT_TRUE(contains(error.what(), "budget is " + std::to_string(wrong)));
        }
    }
}

TEST_F(AnExecutor, that_is_stopped_before_its_first_task_makes_no_system_call_for_one) {
    start();
    executor->stop();
    executor->sync_wait([]() -> acairo::Task<> { co_await acairo::sleep_for(1s); });
}

}  // namespace
