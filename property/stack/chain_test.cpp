// Bounded stack: a worker with 256 KiB (more only where a thread needs more to start) runs chains of any depth and loops
// of any length, under every compiler, level and sanitizer. One stack frame for each task, of however few bytes, would
// need several MiB.
// Covers: 5.91 symmetric transfer is no tail call; 5.93 frames are destroyed recursively
#include "../support.hpp"

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

namespace property {
namespace {

using acairo::Task;
using namespace std::chrono_literals;

constexpr int deep = 100'000;
constexpr long often = 10'000'000;
constexpr auto ages = std::chrono::hours(10000);

// Threads that are made while it lives have a small stack: 256 KiB beside what a thread cannot do without, which is much
// where a sanitizer keeps its state in thread-local storage.
class SmallStacks {
public:
    SmallStacks() {
        pthread_attr_init(&before_);
        pthread_getattr_default_np(&before_);
        std::size_t needed = small;
        for (set(needed); !can_start_a_thread(); set(needed)) needed *= 2;
        set(needed == small ? small : needed + small);
    }
    SmallStacks(const SmallStacks&) = delete;
    SmallStacks& operator=(const SmallStacks&) = delete;
    ~SmallStacks() {
        pthread_setattr_default_np(&before_);
        pthread_attr_destroy(&before_);
    }

private:
    static constexpr std::size_t small = std::size_t{256} << 10;
    static bool can_start_a_thread() {
        try {
            std::thread([] {}).join();
            return true;
        } catch (const std::system_error&) { return false; }
    }
    static void set(std::size_t size) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_getattr_default_np(&attributes);
        pthread_attr_setstacksize(&attributes, size);
        const int error = pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
        if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_setattr_default_np");
    }
    pthread_attr_t before_;
};

class the_stack_is_bounded : public testing::Test {
protected:
    template <class F> void on_a_small_thread(F function) { std::thread(function).join(); }

    SmallStacks small_;
    Census census_;
    std::shared_ptr<acairo::Executor> work_ = executor();
};

Task<long> ready(long value) { co_return value; }

// `depth` frames, each with a counted local; the innermost awaits `wait()`.
template <class Wait> Task<long> nested(Census& census, long depth, Wait wait) {
    const Counted local(census);
    if (depth == 0) {
        co_await wait();
        co_return 0;
    }
    const long below = co_await nested(census, depth - 1, wait);
    co_return below + 1;
}

TEST_F(the_stack_is_bounded, by_ten_million_awaits_of_ready_tasks) {
    const long sum = work_->sync_wait([]() -> Task<long> {
        long total = 0;
        for (long i = 0; i < often; ++i) total += co_await ready(1);
        co_return total;
    });
    EXPECT_EQ(sum, often);
}

TEST_F(the_stack_is_bounded, by_ten_million_awaits_of_ready_tasks_in_a_foreign_coroutine) {
    long total = 0;
    const auto loop = [&]() -> Task<void> {
        for (long i = 0; i < often; ++i) total += co_await ready(1);
    };
    const auto own = [&]() -> Foreign { co_await loop(); };
    on_a_small_thread([&] {
        const Foreign foreign = own();
        EXPECT_TRUE(foreign.done());
    });
    EXPECT_EQ(total, often);
}

TEST_F(the_stack_is_bounded, by_a_million_operations_that_are_ready_at_once) {
    work_->sync_wait([]() -> Task<void> {
        for (int i = 0; i < 1'000'000; ++i) co_await acairo::sleep_for(0ns);
    });
}

TEST_F(the_stack_is_bounded, by_a_million_foreign_awaitables_that_resume_at_once) {
    struct ResumesInside {
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> waiting) const { waiting.resume(); }
        void await_resume() const {}
    };
    work_->sync_wait([]() -> Task<void> {
        for (int i = 0; i < 1'000'000; ++i) co_await ResumesInside();
    });
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_completes) {
    EXPECT_EQ(work_->sync_wait([&] { return nested(census_, deep, [] { return ready(0); }); }), deep);
    EXPECT_EQ(census_.alive(), 0);
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_completes_after_a_wait) {
    EXPECT_EQ(work_->sync_wait([&] { return nested(census_, deep, [] { return acairo::sleep_for(1ms); }); }), deep);
    EXPECT_EQ(census_.alive(), 0);
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_is_cancelled) {
    const acairo::StopSource source;
    std::string ended;
    work_->spawn([&]() -> Task<void> {
        ended = co_await ending(
            acairo::with_stop_token(source.get_token(), nested(census_, deep, [] { return acairo::sleep_for(ages); })));
    });
    settle(*work_);
    EXPECT_GT(census_.alive(), 0);
    source.request_stop();
    EXPECT_TRUE(work_->drain(ages));
    EXPECT_EQ(ended, "Cancelled");
    EXPECT_EQ(census_.alive(), 0);
    EXPECT_EQ(census_.made(), deep + 1);
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_stop_ends) {
    work_->spawn([&]() -> Task<void> { co_await nested(census_, deep, [] { return acairo::sleep_for(ages); }); });
    EXPECT_FALSE(work_->drain(0ns));
    work_.reset();
    EXPECT_EQ(census_.alive(), 0);
    EXPECT_EQ(census_.made(), deep + 1);
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_is_thrown_through) {
    const auto throws = []() -> Task<void> {
        throw 42;
        co_return;
    };
    EXPECT_EQ(work_->sync_wait([&] { return ending(nested(census_, deep, throws)); }), "int 42");
    EXPECT_EQ(census_.alive(), 0);
    EXPECT_EQ(census_.made(), deep + 1);
}

// Spawns the chain, waits until all of it is suspended, and destroys it in another coroutine of its worker.
template <class Wait> void destroy_suspended(acairo::Executor& work, Census& census, Wait wait) {
    Task<long> held;
    std::string ended;
    Tally suspended;
    const auto note_and_wait = [&]() -> Task<void> {
        suspended.add();
        co_await wait();
    };
    work.spawn([&]() -> Task<void> {
        held = nested(census, deep, note_and_wait);
        std::exception_ptr thrown;
        try {
            co_await std::move(held);
        } catch (...) { thrown = std::current_exception(); }
        ended = name_of(thrown);
    });
    suspended.wait_for(1);
    settle(work);
    EXPECT_EQ(census.alive(), deep + 1);
    work.sync_wait([&]() -> Task<void> {
        held = Task<long>();
        EXPECT_EQ(census.alive(), 0);
        co_return;
    });
    EXPECT_TRUE(work.drain(ages));
    EXPECT_EQ(ended, "Cancelled");
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_is_destroyed_while_it_sleeps) {
    destroy_suspended(*work_, census_, [] { return acairo::sleep_for(ages); });
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_is_destroyed_in_a_foreign_awaitable) {
    Event never;
    destroy_suspended(*work_, census_, [&]() -> Event& { return never; });
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_that_is_destroyed_with_the_holder_of_its_task) {
    struct Holder {
        Task<long> task;
    };
    auto holder = std::make_unique<Holder>();
    Tally suspended;
    work_->spawn([&]() -> Task<void> {
        const auto note_and_wait = [&]() -> Task<void> {
            suspended.add();
            co_await acairo::sleep_for(ages);
        };
        holder->task = nested(census_, deep, note_and_wait);
        co_await std::move(holder->task);
    });
    suspended.wait_for(1);
    settle(*work_);
    work_->sync_wait([&]() -> Task<void> {
        holder.reset();
        EXPECT_EQ(census_.alive(), 0);
        co_return;
    });
    EXPECT_TRUE(work_->drain(ages));
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_in_a_foreign_coroutine_that_completes) {
    Event event;
    std::optional<Foreign> foreign;
    long got = 0;
    const auto own = [&]() -> Foreign { got = co_await nested(census_, deep, [&]() -> Event& { return event; }); };
    on_a_small_thread([&] { foreign.emplace(own()); });
    EXPECT_EQ(census_.alive(), deep + 1);
    on_a_small_thread([&] { event.set(); });
    EXPECT_TRUE(foreign->done());
    EXPECT_EQ(got, deep);
    EXPECT_EQ(census_.alive(), 0);
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_in_a_foreign_coroutine_that_is_destroyed) {
    Event event;
    std::optional<Foreign> foreign;
    const auto own = [&]() -> Foreign { co_await nested(census_, deep, [&]() -> Event& { return event; }); };
    on_a_small_thread([&] { foreign.emplace(own()); });
    EXPECT_EQ(census_.alive(), deep + 1);
    on_a_small_thread([&] { foreign.reset(); });
    EXPECT_EQ(census_.alive(), 0);
}

TEST_F(the_stack_is_bounded, by_a_deep_chain_on_a_worker_in_a_foreign_coroutine_that_is_destroyed) {
    Event event;
    std::optional<Foreign> foreign;
    const auto own = [&]() -> Foreign { co_await nested(census_, deep, [&]() -> Event& { return event; }); };
    work_->sync_wait([&]() -> Task<void> {
        foreign.emplace(own());
        EXPECT_EQ(census_.alive(), deep + 1);
        foreign.reset();
        EXPECT_EQ(census_.alive(), 0);
        co_return;
    });
}

TEST_F(the_stack_is_bounded, by_many_tasks_that_wake_one_another) {
    constexpr int tasks = 20'000;
    std::vector<Event> events(tasks + 1);
    for (std::size_t i = 0; i < tasks; ++i) {
        work_->spawn([&, i]() -> Task<void> {
            co_await events[i];
            events[i + 1].set();
        });
    }
    events[0].set();
    EXPECT_TRUE(work_->drain(ages));
    EXPECT_TRUE(events[tasks].is_set());
}

}  // namespace
}  // namespace property
