// A task awaits what names the coroutine that goes on: that one runs, and the task waits; when it is the task itself, it goes on
// as if it had not waited.
#include "support.hpp"

#include <coroutine>
#include <string>

namespace property {
namespace {

using acairo::Task;

// Its await_suspend keeps the handle that waits, and names `next`, or who waits when that is null.
class Transfers {
public:
    explicit Transfers(std::coroutine_handle<>& waiting, std::coroutine_handle<> next = {})
        : waiting_(waiting), next_(next) {}
    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const {
        waiting_ = waiting;
        return next_ ? next_ : waiting;
    }
    void await_resume() const {}

private:
    std::coroutine_handle<>& waiting_;
    std::coroutine_handle<> next_;
};

TEST(a_task_that_names_another_coroutine, lets_it_run_and_goes_on_when_that_resumes_it) {
    const auto work = executor();
    std::string order;
    std::coroutine_handle<> other;
    std::coroutine_handle<> waiting;
    const auto start_other = [&]() -> Foreign {
        co_await Transfers(other, std::noop_coroutine());
        order += " the other one runs";
        waiting.resume();
    };
    const Foreign foreign = start_other();
    work->sync_wait([&]() -> Task<void> {
        order += "the task names it,";
        // Without this, a core that lets nobody run would hang here.
        work->spawn([&]() -> Task<void> {
            if (!foreign.done()) waiting.resume();
            co_return;
        });
        co_await Transfers(waiting, other);
        order += " and the task goes on";
    });
    EXPECT_EQ(order, "the task names it, the other one runs and the task goes on");
}

TEST(a_task_that_names_another_coroutine, waits_when_that_does_not_resume_it) {
    const auto work = executor();
    bool other_ran = false;
    bool went_on = false;
    std::coroutine_handle<> other;
    std::coroutine_handle<> waiting;
    const auto start_other = [&]() -> Foreign {
        co_await Transfers(other, std::noop_coroutine());
        other_ran = true;
    };
    const Foreign foreign = start_other();
    work->spawn([&]() -> Task<void> {
        co_await Transfers(waiting, other);
        went_on = true;
    });
    settle(*work);
    EXPECT_TRUE(other_ran);
    EXPECT_FALSE(went_on);
    waiting.resume();
    settle(*work);
    EXPECT_TRUE(went_on);
}

TEST(a_task_that_names_itself, goes_on_before_those_that_were_ready) {
    const auto work = executor();
    std::string order;
    std::coroutine_handle<> waiting;
    work->sync_wait([&]() -> Task<void> {
        work->spawn([&]() -> Task<void> {
            order += " and then the next one";
            co_return;
        });
        co_await Transfers(waiting);
        order += "the task";
    });
    settle(*work);
    EXPECT_EQ(order, "the task and then the next one");
}

// Without an executor there is no queue: if it were resumed each time, each time would stand on the stack of the last one.
TEST(a_task_that_names_itself, goes_on_without_an_executor_as_often_as_it_likes) {
    constexpr int often = 1'000'000;
    std::coroutine_handle<> waiting;
    const auto again_and_again = [&]() -> Task<int> {
        int times = 0;
        for (; times < often; ++times) co_await Transfers(waiting);
        co_return times;
    };
    int times = 0;
    const auto await_it = [&]() -> Foreign { times = co_await again_and_again(); };
    const Foreign foreign = await_it();
    EXPECT_TRUE(foreign.done());
    EXPECT_EQ(times, often);
}

}  // namespace
}  // namespace property
