// Task<T>: lazy, move-only, awaited once, any result, any exception.
#include "support.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace property {
namespace {

using acairo::Task;

Task<int> number(int value) { co_return value; }
Task<void> nothing() { co_return; }
Task<int> throws_42() {
    throw 42;
    co_return 0;
}

// --- lazy, move-only, awaited as an rvalue ---

TEST(a_task, does_not_run_before_it_is_awaited) {
    bool ran = false;
    run([&]() -> Task<void> {
        const auto set = [&]() -> Task<void> {
            ran = true;
            co_return;
        };
        Task<void> task = set();
        EXPECT_FALSE(ran);
        co_await std::move(task);
        EXPECT_TRUE(ran);
    });
}

template <class T>
concept AwaitableInATaskAsLvalue =
    requires(Task<void>::promise_type& promise, T& task) { promise.await_transform(task); };
template <class T>
concept AwaitableElsewhereAsLvalue = requires(T& task) { task.operator co_await(); };

TEST(a_task, can_be_moved_and_not_copied) {
    static_assert(std::is_nothrow_move_constructible_v<Task<int>>);
    static_assert(std::is_nothrow_move_assignable_v<Task<int>>);
    static_assert(std::is_nothrow_default_constructible_v<Task<int>>);
    static_assert(!std::is_copy_constructible_v<Task<int>>);
    static_assert(!std::is_copy_assignable_v<Task<int>>);
    static_assert(std::is_same_v<Task<>, Task<void>>);
}

TEST(a_task, is_awaited_as_an_rvalue_only) {
    static_assert(!AwaitableInATaskAsLvalue<Task<int>>);
    static_assert(!AwaitableInATaskAsLvalue<Task<void>>);
    static_assert(!AwaitableElsewhereAsLvalue<Task<int>>);
}

TEST(a_task, that_was_moved_runs_in_its_new_place) {
    EXPECT_EQ(run([]() -> Task<int> {
                  Task<int> first = number(7);
                  Task<int> second = std::move(first);
                  Task<int> third;
                  third = std::move(second);
                  co_return co_await std::move(third);
              }),
              7);
}

TEST(a_task, may_be_moved_while_it_is_suspended) {
    Event event;
    Task<int> first;
    Task<int> second;
    const auto work = executor();
    work->spawn([&]() -> Task<void> {
        const auto wait = [&]() -> Task<int> {
            co_await event;
            co_return 7;
        };
        first = wait();
        const int result = co_await std::move(first);
        EXPECT_EQ(result, 7);
    });
    work->sync_wait([&]() -> Task<void> {
        second = std::move(first);
        event.set();
        co_return;
    });
    settle(*work);
    EXPECT_EQ(run([&] { return ending(std::move(second)); }), "logic_error") << "it was awaited, and is gone";
}

TEST(a_task, that_is_assigned_to_destroys_what_it_held) {
    Census census;
    const auto hold = [](Counted) -> Task<void> { co_return; };
    Task<void> task = hold(Counted(census));
    EXPECT_EQ(census.alive(), 1);
    task = hold(Counted(census));
    EXPECT_EQ(census.alive(), 1);
    task = Task<void>();
    EXPECT_EQ(census.alive(), 0);
}

// --- awaited once ---

TEST(awaiting, a_moved_from_task_is_a_logic_error) {
    run([]() -> Task<void> {
        Task<int> task = number(1);
        const Task<int> taken = std::move(task);
        const std::string ended = co_await ending(std::move(task));
        EXPECT_EQ(ended, "logic_error");
    });
}

TEST(awaiting, a_default_constructed_task_is_a_logic_error) {
    EXPECT_EQ(run([] { return ending(Task<int>()); }), "logic_error");
    EXPECT_EQ(run([] { return ending(Task<void>()); }), "logic_error");
}

TEST(awaiting, a_task_twice_is_a_logic_error) {
    run([]() -> Task<void> {
        Task<int> task = number(1);
        EXPECT_EQ(co_await std::move(task), 1);
        std::string ended = "returned";
        try {
            co_await std::move(task);
        } catch (const std::logic_error&) { ended = "logic_error"; }
        EXPECT_EQ(ended, "logic_error");
    });
}

TEST(awaiting, a_task_that_threw_twice_is_a_logic_error) {
    run([]() -> Task<void> {
        Task<int> task = throws_42();
        for (const std::string expected : {"int 42", "logic_error"}) {
            std::exception_ptr thrown;
            try {
                co_await std::move(task);
            } catch (...) { thrown = std::current_exception(); }
            EXPECT_EQ(name_of(thrown), expected);
        }
    });
}

TEST(awaiting, a_task_that_another_coroutine_awaits_is_a_logic_error_and_disturbs_nobody) {
    Event event;
    Task<int> task;
    const auto work = executor();
    std::string ended;
    work->spawn([&]() -> Task<void> {
        const auto wait = [&]() -> Task<int> {
            co_await event;
            co_return 7;
        };
        task = wait();
        EXPECT_EQ(co_await std::move(task), 7);
    });
    work->sync_wait([&]() -> Task<void> {
        try {
            co_await std::move(task);
        } catch (const std::logic_error&) { ended = "logic_error"; }
        event.set();
    });
    work->drain(std::chrono::hours(1));
    EXPECT_EQ(ended, "logic_error");
}

// --- results ---

TEST(the_result, may_be_void) {
    run([] { return nothing(); });
    run([]() -> Task<void> { co_await nothing(); });
}

TEST(the_result, may_be_a_reference_to_what_it_was_given) {
    int object = 1;
    const auto give = [](int& it) -> Task<int&> { co_return it; };
    const auto give_constant = [](const int& it) -> Task<const int&> { co_return it; };
    run([&]() -> Task<void> {
        int& got = co_await give(object);
        EXPECT_EQ(&got, &object);
        const int& constant = co_await give_constant(object);
        EXPECT_EQ(&constant, &object);
    });
    EXPECT_EQ(&executor()->sync_wait([&] { return give(object); }), &object);
    static_assert(std::is_same_v<decltype(executor()->sync_wait([&] { return give(object); })), int&>);
}

TEST(the_result, may_be_move_only) {
    const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    run([&]() -> Task<void> {
        const std::unique_ptr<int> got = co_await make();
        EXPECT_EQ(*got, 7);
    });
    EXPECT_EQ(*run(make), 7);
}

class NotDefaultConstructible {
public:
    explicit NotDefaultConstructible(int value) : value_(value) {}
    int value() const { return value_; }

private:
    int value_;
};

TEST(the_result, need_not_be_default_constructible) {
    const auto make = []() -> Task<NotDefaultConstructible> { co_return NotDefaultConstructible(7); };
    run([&]() -> Task<void> {
        const NotDefaultConstructible got = co_await make();
        EXPECT_EQ(got.value(), 7);
    });
    EXPECT_EQ(run(make).value(), 7);
}

TEST(the_result, may_be_returned_from_an_lvalue_a_constant_or_what_it_is_made_from) {
    const std::string constant = "constant";
    const auto from_constant = [&]() -> Task<std::string> { co_return constant; };
    const auto from_literal = []() -> Task<std::string> { co_return "literal"; };
    const auto from_local = []() -> Task<std::string> {
        std::string local = "local";
        co_return local;
    };
    const auto empty = []() -> Task<std::optional<int>> { co_return {}; };
    EXPECT_EQ(run(from_constant), "constant");
    EXPECT_EQ(run(from_literal), "literal");
    EXPECT_EQ(run(from_local), "local");
    EXPECT_EQ(run(empty), std::nullopt);
    EXPECT_EQ(constant, "constant");
}

TEST(the_result, is_never_copied_when_it_can_be_moved) {
    struct NoCopies {
        explicit NoCopies(int) {}
        NoCopies(NoCopies&&) = default;
        NoCopies(const NoCopies&) { ADD_FAILURE() << "copied"; }
        NoCopies& operator=(const NoCopies&) = delete;
        ~NoCopies() = default;
    };
    const auto make = []() -> Task<NoCopies> { co_return NoCopies(1); };
    run([&]() -> Task<void> { [[maybe_unused]] const NoCopies got = co_await make(); });
    run(make);
}

// Throws when it has been moved so often.
class ThrowsOnMove {
public:
    ThrowsOnMove(Census& census, int moves) : counted_(census), left_(moves) {}
    ThrowsOnMove(ThrowsOnMove&& other) : counted_(other.counted_), left_(other.left_ - 1) {
        if (left_ < 0) throw 42;
    }

private:
    Counted counted_;
    int left_;
};

TEST(the_result, may_throw_when_it_is_moved_and_the_exception_reaches_the_awaiter) {
    Census census;
    for (int moves = 0; moves < 4; ++moves) {
        const auto make = [&]() -> Task<ThrowsOnMove> { co_return ThrowsOnMove(census, moves); };
        const std::string ended = run([&]() -> Task<std::string> {
            std::exception_ptr thrown;
            try {
                const ThrowsOnMove got = co_await make();
            } catch (...) { thrown = std::current_exception(); }
            co_return name_of(thrown);
        });
        // One move into the task, one out of it.
        EXPECT_EQ(ended, moves < 2 ? "int 42" : "returned") << moves;
        EXPECT_EQ(census.alive(), 0) << moves;
    }
}

TEST(the_result, may_throw_when_sync_wait_moves_it) {
    Census census;
    bool returned = false;
    for (int moves = 0; moves < 8; ++moves) {
        const auto work = executor();
        const std::string ended = ending_of(
            [&] { return work->sync_wait([&]() -> Task<ThrowsOnMove> { co_return ThrowsOnMove(census, moves); }); });
        if (ended == "returned") returned = true;
        EXPECT_EQ(ended, returned ? "returned" : "int 42") << moves;
        EXPECT_EQ(census.alive(), 0) << moves;
    }
    EXPECT_TRUE(returned);
}

// --- exceptions ---

// Not an aggregate: g++ 12 would destroy a temporary of it twice in a co_await expression.
struct OwnException {
    explicit OwnException(std::string what) : text(std::move(what)) {}
    std::string text;
};

TEST(an_exception, of_any_type_travels_through_every_awaiter) {
    const auto through = [](auto self, int depth, auto value) -> Task<void> {
        if (depth == 0) throw value;
        co_await self(self, depth - 1, value);
    };
    run([&]() -> Task<void> {
        int caught = 0;
        try {
            co_await through(through, 10, 42);
        } catch (int number) { caught += number == 42; }
        try {
            co_await through(through, 10, OwnException("own"));
        } catch (const OwnException& own) { caught += own.text == "own"; }
        try {
            co_await through(through, 10, std::runtime_error("standard"));
        } catch (const std::exception& standard) { caught += standard.what() == std::string("standard"); }
        try {
            co_await through(through, 10, static_cast<const char*>("characters"));
        } catch (const char* characters) { caught += characters == std::string("characters"); }
        EXPECT_EQ(caught, 4);
    });
}

TEST(an_exception, arrives_as_the_same_object) {
    std::exception_ptr sent;
    const auto throws = [&]() -> Task<void> {
        try {
            throw std::runtime_error("sent");
        } catch (...) {
            sent = std::current_exception();
            throw;
        }
        co_return;
    };
    run([&]() -> Task<void> {
        std::exception_ptr got;
        try {
            co_await throws();
        } catch (...) { got = std::current_exception(); }
        EXPECT_EQ(got, sent);
    });
}

TEST(an_exception, that_was_caught_does_not_come_again) {
    run([]() -> Task<void> {
        for (int i = 0; i < 3; ++i) {
            std::exception_ptr thrown;
            try {
                co_await throws_42();
            } catch (...) { thrown = std::current_exception(); }
            EXPECT_EQ(name_of(thrown), "int 42");
            EXPECT_EQ(co_await number(i), i);
        }
    });
}

TEST(an_exception, may_leave_a_task_while_another_exception_is_handled) {
    run([]() -> Task<void> {
        std::exception_ptr outer;
        try {
            throw std::runtime_error("outer");
        } catch (...) { outer = std::current_exception(); }
        EXPECT_EQ(co_await ending(throws_42()), "int 42");
        try {
            std::rethrow_exception(outer);
        } catch (const std::runtime_error& error) { EXPECT_STREQ(error.what(), "outer"); }
    });
}

// --- parameters, frames ---

Task<std::size_t> size_of(std::vector<char> bytes) {
    co_await nothing();
    co_return bytes.size();
}

TEST(a_parameter, lives_as_long_as_its_task) {
    run([]() -> Task<void> {
        Task<std::size_t> stored = size_of(std::vector<char>(100, 'x'));
        co_await nothing();
        EXPECT_EQ(co_await std::move(stored), 100u);
    });
}

TEST(a_frame, is_gone_when_its_awaiter_has_the_result) {
    Census census;
    const auto work = [&]() -> Task<int> {
        const Counted local(census);
        co_await nothing();
        co_return 7;
    };
    run([&]() -> Task<void> {
        Task<int> task = work();
        EXPECT_EQ(co_await std::move(task), 7);
        EXPECT_EQ(census.alive(), 0);
    });
    EXPECT_EQ(census.made(), 1);
}

TEST(a_frame, is_gone_when_its_awaiter_has_the_exception) {
    Census census;
    const auto work = [&](Counted) -> Task<int> {
        const Counted local(census);
        throw 42;
        co_return 0;
    };
    run([&]() -> Task<void> {
        Task<int> task = work(Counted(census));
        bool caught = false;
        try {
            co_await std::move(task);
        } catch (int) {
            caught = true;
            EXPECT_EQ(census.alive(), 0);
        }
        EXPECT_TRUE(caught);
    });
    EXPECT_GE(census.made(), 2);
}

// --- trees of tasks ---

Task<int> sum_to(int n) {
    if (n == 0) co_return 0;
    const int below = co_await sum_to(n - 1);
    co_return n + below;
}

TEST(a_task, may_await_tasks_that_await_tasks) {
    EXPECT_EQ(run([] { return sum_to(100); }), 5050);
}

TEST(a_task, may_be_handed_on_and_awaited_by_another_task) {
    const auto await_it = [](Task<int> task) -> Task<int> { co_return 1 + co_await std::move(task); };
    EXPECT_EQ(run([&] { return await_it(await_it(await_it(number(4)))); }), 7);
}

TEST(several_tasks, awaited_in_one_expression_run_in_their_order) {
    std::string order;
    const auto step = [&](char name) -> Task<int> {
        order += name;
        co_return 1;
    };
    const int sum = run([&]() -> Task<int> {
        const int first = co_await step('a') - co_await step('b');
        co_return first;
    });
    EXPECT_EQ(sum, 0);
    EXPECT_EQ(order.size(), 2u);
}

}  // namespace
}  // namespace property
