// A task awaits any awaitable, and goes on on its worker whoever resumes it; a task awaited by a foreign coroutine runs
// without an executor until it needs one.
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace property {
namespace {

using acairo::Task;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

// --- kinds of awaitables ---

// Ready at once, and counts what is asked of it.
class Ready {
public:
    explicit Ready(int value) : value_(value) {}
    bool await_ready() const { return true; }
    void await_suspend(std::coroutine_handle<>) const { ADD_FAILURE() << "it was ready"; }
    int await_resume() const { return value_; }

private:
    int value_;
};

// Its operator co_await is a member, or free.
class WithMember {
public:
    Ready operator co_await() && { return Ready(1); }
};
class WithFreeFunction {};
Ready operator co_await(WithFreeFunction&&) { return Ready(2); }

// Its result is in the awaitable itself.
class GivesItsOwn {
public:
    bool await_ready() const { return true; }
    void await_suspend(std::coroutine_handle<>) const { ADD_FAILURE() << "it was ready"; }
    std::string&& await_resume() { return std::move(result_); }

private:
    std::string result_ = std::string(100, 'x');
};

// await_suspend that changes its mind.
class NotSuspended {
public:
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<>) const { return false; }
    int await_resume() const { return 3; }
};

// await_suspend that resumes before it returns.
class ResumedInside {
public:
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const { waiting.resume(); }
    int await_resume() const { return 4; }
};

// await_suspend that names who goes on.
class TransfersBack {
public:
    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const { return waiting; }
    int await_resume() const { return 5; }
};
class TransfersElsewhere {
public:
    explicit TransfersElsewhere(std::coroutine_handle<>& waiting) : waiting_(waiting) {}
    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const {
        waiting_ = waiting;
        return std::noop_coroutine();
    }
    int await_resume() const { return 6; }

private:
    std::coroutine_handle<>& waiting_;
};

TEST(a_task, awaits_any_kind_of_awaitable) {
    std::coroutine_handle<> waiting;
    const auto work = executor();
    std::string got;
    work->spawn([&]() -> Task<void> {
        got += std::to_string(co_await Ready(0));
        got += std::to_string(co_await WithMember());
        got += std::to_string(co_await WithFreeFunction());
        got += std::to_string(co_await NotSuspended());
        got += std::to_string(co_await ResumedInside());
        got += std::to_string(co_await TransfersBack());
        co_await std::suspend_never();
        got += std::to_string(co_await TransfersElsewhere(waiting));
    });
    settle(*work);
    settle(*work);
    EXPECT_EQ(got, "012345");
    waiting.resume();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(got, "0123456");
}

// Names the one that waits, or nobody: the same awaitable does either.
class TransfersBackOrNot {
public:
    explicit TransfersBackOrNot(std::coroutine_handle<>& waiting, bool back) : waiting_(waiting), back_(back) {}
    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const {
        waiting_ = waiting;
        return back_ ? waiting : std::noop_coroutine();
    }
    void await_resume() const {}

private:
    std::coroutine_handle<>& waiting_;
    bool back_;
};

TEST(a_task, goes_on_at_once_when_it_is_named_and_else_waits) {
    const auto work = executor();
    std::coroutine_handle<> waiting;
    for (const bool back : {true, false}) {
        bool went_on = false;
        work->spawn([&]() -> Task<void> {
            co_await TransfersBackOrNot(waiting, back);
            went_on = true;
        });
        settle(*work);
        EXPECT_EQ(went_on, back);
        if (!back) waiting.resume();
        settle(*work);
        EXPECT_TRUE(went_on);
    }
}

TEST(a_task, awaits_an_lvalue_without_copying_or_moving_it) {
    Event event;
    event.set();
    run([&]() -> Task<void> {
        co_await event;
        co_await event;
    });
}

class Throws {
public:
    explicit Throws(int where) : where_(where) {}
    bool await_ready() const {
        if (where_ == 0) throw 42;
        return false;
    }
    bool await_suspend(std::coroutine_handle<>) const {
        if (where_ == 1) throw 42;
        return false;
    }
    void await_resume() const {
        if (where_ == 2) throw 42;
    }

private:
    int where_;
};

TEST(a_task, gets_what_a_foreign_awaitable_throws_wherever_it_throws) {
    Census census;
    run([&]() -> Task<void> {
        for (int where = 0; where < 3; ++where) {
            const auto await_it = [&](Counted) -> Task<void> { co_await Throws(where); };
            EXPECT_EQ(co_await ending(await_it(Counted(census))), "int 42") << where;
        }
    });
}

TEST(a_task, gets_the_reference_that_a_foreign_awaitable_gives) {
    static int object = 0;
    struct Refers {
        bool await_ready() const { return true; }
        void await_suspend(std::coroutine_handle<>) const {}
        int& await_resume() const { return object; }
    };
    run([]() -> Task<void> {
        int& got = co_await Refers();
        EXPECT_EQ(&got, &object);
    });
}

// --- it goes on on its worker ---

TEST(a_task_resumed_by_another_thread, goes_on_on_its_worker) {
    const auto work = executor(2);
    for (int i = 0; i < 200; ++i) {
        Event event;
        std::jthread setter([&] { event.set(); });
        work->sync_wait([&]() -> Task<void> {
            const auto home = std::this_thread::get_id();
            co_await event;
            EXPECT_EQ(std::this_thread::get_id(), home);
        });
    }
}

TEST(a_task_resumed_by_another_task, goes_on_on_its_own_worker) {
    const auto work = executor(2);
    for (int i = 0; i < 100; ++i) {
        Event first;
        Event second;
        std::atomic<int> at_home{0};
        const auto wait_then_set = [&](Event& wait, Event& set) -> Task<void> {
            const auto home = std::this_thread::get_id();
            co_await wait;
            if (std::this_thread::get_id() == home) at_home.fetch_add(1, std::memory_order_relaxed);
            set.set();
            co_await acairo::sleep_for(0ns);
            if (std::this_thread::get_id() == home) at_home.fetch_add(1, std::memory_order_relaxed);
        };
        Event last;
        work->spawn([&] { return wait_then_set(first, second); });
        work->spawn([&] { return wait_then_set(second, last); });
        first.set();
        work->sync_wait([&]() -> Task<void> { co_await last; });
        settle(*work, 2);
        EXPECT_EQ(at_home.load(), 4);
    }
}

TEST(a_task_resumed_by_another_thread, is_never_resumed_on_that_threads_stack) {
    const auto work = executor();
    Event event;
    bool resumed = false;
    work->spawn([&]() -> Task<void> {
        co_await event;
        resumed = true;
    });
    settle(*work);
    work->sync_wait([&]() -> Task<void> {
        event.set();
        EXPECT_FALSE(resumed) << "not on this coroutine's stack either";
        co_return;
    });
    settle(*work);
    EXPECT_TRUE(resumed);
}

TEST(many_tasks, resumed_by_many_threads_are_all_resumed) {
    constexpr int count = 200;
    const auto work = executor(2);
    std::vector<Event> events(count);
    std::atomic<int> resumed{0};
    for (Event& event : events) {
        work->spawn([&]() -> Task<void> {
            co_await event;
            resumed.fetch_add(1, std::memory_order_relaxed);
        });
    }
    {
        std::vector<std::jthread> setters;
        for (int i = 0; i < 4; ++i) {
            setters.emplace_back([&, i] {
                for (int j = i; j < count; j += 4) events[static_cast<std::size_t>(j)].set();
            });
        }
    }
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(resumed.load(), count);
}

TEST(an_idle_worker, is_woken_by_each_of_many_posts) {
    // Each round the worker may just be going to sleep.
    const auto work = executor();
    for (int i = 0; i < 2000; ++i) {
        Event event;
        Tally waits;
        std::jthread setter([&] {
            waits.wait_for(1);
            event.set();
        });
        work->sync_wait([&]() -> Task<void> {
            waits.add();
            co_await event;
        });
    }
}

// --- tasks without an executor ---

Task<int> sum_of(std::vector<int> numbers) {
    int sum = 0;
    for (const int number : numbers) sum += co_await Ready(number);
    co_return sum;
}

TEST(a_task_in_a_foreign_coroutine, runs_on_the_thread_that_awaits_it) {
    int got = 0;
    std::thread::id ran_on;
    const auto add = [&]() -> Task<int> {
        ran_on = std::this_thread::get_id();
        std::vector<int> numbers{1, 2, 4};
        const int sum = co_await sum_of(std::move(numbers));
        co_return sum;
    };
    const auto own = [&]() -> Foreign { got = co_await add(); };
    const Foreign foreign = own();
    EXPECT_TRUE(foreign.done());
    EXPECT_EQ(got, 7);
    EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(a_task_in_a_foreign_coroutine, gives_results_references_and_exceptions) {
    int object = 0;
    const auto refer = [&]() -> Task<int&> { co_return object; };
    const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    const auto throws = []() -> Task<void> {
        throw 42;
        co_return;
    };
    const auto own = [&]() -> Foreign {
        int& got = co_await refer();
        EXPECT_EQ(&got, &object);
        const std::unique_ptr<int> made = co_await make();
        EXPECT_EQ(*made, 7);
        bool caught = false;
        try {
            co_await throws();
        } catch (int) { caught = true; }
        EXPECT_TRUE(caught);
        co_await throws();
    };
    const Foreign foreign = own();
    EXPECT_TRUE(foreign.done());
    EXPECT_EQ(ending_of([&] { foreign.rethrow(); }), "int 42");
}

TEST(a_task_in_a_foreign_coroutine, is_a_logic_error_when_it_was_moved_from_or_awaited) {
    const auto own = [&]() -> Foreign {
        std::vector<int> numbers{7};
        Task<int> task = sum_of(std::move(numbers));
        EXPECT_EQ(co_await std::move(task), 7);
        for (int i = 0; i < 2; ++i) {
            bool caught = false;
            try {
                co_await std::move(task);
            } catch (const std::logic_error&) { caught = true; }
            EXPECT_TRUE(caught) << i;
            task = Task<int>();
        }
    };
    const Foreign foreign = own();
    EXPECT_TRUE(foreign.done());
    foreign.rethrow();
}

TEST(a_task_in_a_foreign_coroutine, goes_on_where_its_awaitable_is_resumed) {
    Event event;
    std::thread::id went_on;
    const auto wait = [&]() -> Task<int> {
        co_await event;
        went_on = std::this_thread::get_id();
        co_return 7;
    };
    const auto through = [&]() -> Task<int> { co_return co_await wait(); };
    int got = 0;
    const auto own = [&]() -> Foreign { got = co_await through(); };
    const Foreign foreign = own();
    EXPECT_FALSE(foreign.done());
    std::thread::id setter;
    std::thread([&] {
        setter = std::this_thread::get_id();
        event.set();
    }).join();
    EXPECT_TRUE(foreign.done());
    EXPECT_EQ(got, 7);
    EXPECT_EQ(went_on, setter);
}

TEST(a_task_in_a_foreign_coroutine, waits_as_often_as_it_likes) {
    Event first;
    Event second;
    std::string steps;
    const auto waits = [&]() -> Task<void> {
        co_await first;
        steps += "first ";
        co_await second;
        steps += "second ";
    };
    const auto own = [&]() -> Foreign {
        co_await waits();
        steps += "ended";
    };
    const Foreign foreign = own();
    first.set();
    EXPECT_EQ(steps, "first ");
    EXPECT_FALSE(foreign.done());
    second.set();
    EXPECT_EQ(steps, "first second ended");
    EXPECT_TRUE(foreign.done());
}

TEST(a_task_in_a_foreign_coroutine, whose_awaited_task_is_destroyed_is_not_resumed_and_leaves_no_frame) {
    Census census;
    Event event;
    bool went_on = false;
    {
        const auto waits = [&](Counted) -> Task<void> { co_await event; };
        Task<void> inner = waits(Counted(census));
        const auto awaits = [&](Counted) -> Task<void> {
            co_await std::move(inner);
            went_on = true;
        };
        const auto own = [&]() -> Foreign {
            Task<void> task = awaits(Counted(census));
            co_await std::move(task);
        };
        const Foreign foreign = own();
        EXPECT_EQ(census.alive(), 2);
        inner = Task<void>();
        EXPECT_EQ(census.alive(), 1) << "its own frame, and not the one of who awaits it";
        event.set();
        EXPECT_FALSE(foreign.done()) << "it has no worker that could go on with it";
    }
    EXPECT_FALSE(went_on);
    EXPECT_EQ(census.alive(), 0);
}

TEST(a_task_in_a_foreign_coroutine, may_be_resumed_before_its_await_has_returned) {
    for (int i = 0; i < 300; ++i) {
        Event event;
        Tally done;
        std::jthread setter([&] { event.set(); });
        const auto wait = [&]() -> Task<void> { co_await event; };
        const auto through = [&]() -> Task<void> { co_await wait(); };
        const auto own = [&]() -> Foreign {
            co_await through();
            done.add();
        };
        const Foreign foreign = own();
        done.wait_for(1);
        setter.join();
        EXPECT_TRUE(foreign.done());
    }
}

TEST(a_task_in_a_foreign_coroutine, has_a_logic_error_at_its_first_acairo_wait_and_may_go_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    const acairo::StopSource source;
    std::string endings;
    const auto tries = [&]() -> Task<void> {
        endings += co_await ending(acairo::sleep_for(1ms)) + " ";
        endings += co_await ending(streams.first->read(1)) + " ";
        endings += co_await ending(streams.first->write_all({})) + " ";
        endings += co_await ending(listener.accept()) + " ";
        endings += co_await ending(acairo::TCPStream::connect(work, listener.local_address())) + " ";
        endings += co_await ending(acairo::timeout(1ms, Ready(1))) + " ";
        endings += co_await ending(acairo::with_stop_token(source.get_token(), Ready(1))) + " ";
        std::vector<int> numbers{7};
        endings += std::to_string(co_await sum_of(std::move(numbers)));
    };
    const auto own = [&]() -> Foreign { co_await tries(); };
    const Foreign foreign = own();
    EXPECT_TRUE(foreign.done());
    foreign.rethrow();
    std::string expected;
    for (int i = 0; i < 7; ++i) expected += "logic_error ";
    EXPECT_EQ(endings, expected + "7");
}

TEST(a_task_in_a_foreign_coroutine, has_no_executor_even_on_a_worker) {
    std::string ended;
    const auto sleep = [&]() -> Task<void> { ended = co_await ending(acairo::sleep_for(0ns)); };
    const auto own = [&]() -> Foreign { co_await sleep(); };
    run([&]() -> Task<void> {
        const Foreign foreign = own();
        EXPECT_TRUE(foreign.done());
        co_return;
    });
    EXPECT_EQ(ended, "logic_error");
}

TEST(a_foreign_coroutine, may_be_awaited_by_a_task_and_await_one) {
    Event inner;
    Event outer;
    std::string steps;
    const auto waits = [&]() -> Task<void> {
        co_await inner;
        steps += "task ";
    };
    const auto relay = [&]() -> Foreign {
        co_await waits();
        steps += "foreign ";
        outer.set();
    };
    const auto work = executor();
    const Foreign foreign = relay();
    work->spawn([&]() -> Task<void> {
        co_await outer;
        steps += "worker";
    });
    settle(*work);
    inner.set();
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(steps, "task foreign worker");
}

TEST(a_result_in_a_foreign_awaitable, outlives_it_under_a_limit) {
    const acairo::StopSource source;
    std::string direct;
    std::string limited;
    std::string stoppable;
    run([&]() -> Task<void> {
        direct = co_await GivesItsOwn();
        limited = co_await acairo::timeout(ages, GivesItsOwn());
        stoppable = co_await acairo::with_stop_token(source.get_token(), GivesItsOwn());
    });
    const std::string whole(100, 'x');
    EXPECT_EQ(direct, whole);
    EXPECT_EQ(limited, whole);
    EXPECT_EQ(stoppable, whole);
}

// --- the budget ---

TEST(the_budget, is_how_many_completions_a_task_has_in_its_turn) {
    for (const int budget : {1, 2, 7}) {
        for (const int kind : {0, 1, 2, 3}) {
            const auto work = executor(1, budget);
            std::vector<int> turns;
            bool done = false;
            int completions = 0;
            work->sync_wait([&]() -> Task<void> {
                work->spawn([&]() -> Task<void> {
                    for (; completions < 50; ++completions) {
                        if (kind == 0) co_await acairo::sleep_for(0ns);
                        if (kind == 1) co_await Ready(0);
                        if (kind == 2) co_await NotSuspended();
                        if (kind == 3) co_await TransfersBack();
                    }
                    done = true;
                });
                work->spawn([&]() -> Task<void> {
                    while (!done) {
                        turns.push_back(completions);
                        for (int i = 0; i < budget; ++i) co_await acairo::sleep_for(0ns);
                    }
                });
                co_return;
            });
            EXPECT_TRUE(work->drain(1h));
            ASSERT_GE(turns.size(), 3u) << kind;
            for (std::size_t i = 1; i < turns.size(); ++i) {
                EXPECT_GE(turns[i] - turns[i - 1], 1) << i;
                EXPECT_LE(turns[i] - turns[i - 1], budget) << i;
            }
        }
    }
}

// One that waits for its turn is not awaited by anything else: it can be destroyed there.
TEST(the_budget, that_a_ready_awaitable_has_used_up_leaves_a_task_that_can_be_destroyed) {
    const auto work = executor(1, 1);
    bool went_on = false;
    work->sync_wait([&]() -> Task<void> {
        std::optional<Task<void>> awaited;
        bool cancelled = false;
        const auto never = [&]() -> Task<void> {
            co_await Ready(0);
            went_on = true;
        };
        awaited = never();
        work->spawn([&]() -> Task<void> {
            try {
                co_await std::move(*awaited);
            } catch (const acairo::Cancelled&) { cancelled = true; }
        });
        while (!cancelled && !went_on) {
            co_await acairo::sleep_for(0ns);
            awaited.reset();
        }
    });
    EXPECT_FALSE(went_on);
}

}  // namespace
}  // namespace property
