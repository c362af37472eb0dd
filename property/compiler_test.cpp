// What compilers do with coroutines that the library relies on, or protects its users from.
#include "support.hpp"

#include <coroutine>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace property {
namespace {

using acairo::Task;

// --- temporaries in a co_await expression ---

// Counts without owning anything, so that being destroyed twice does no harm here.
class Tracked {
public:
    explicit Tracked(int& balance) : balance_(&balance) { ++*balance_; }
    Tracked(const Tracked& other) : balance_(other.balance_) { ++*balance_; }
    Tracked& operator=(const Tracked&) = delete;
    ~Tracked() { --*balance_; }

private:
    int* balance_;
};

struct Aggregate {
    Tracked tracked;
};
class WithConstructor {
public:
    explicit WithConstructor(Tracked tracked) : tracked_(tracked) {}

private:
    Tracked tracked_;
};
struct AggregateAwaiter {
    Tracked tracked;
    bool await_ready() const { return true; }
    void await_suspend(std::coroutine_handle<>) const {}
    void await_resume() const {}
};

std::suspend_never take_aggregate(const Aggregate&) { return {}; }
std::suspend_never take_object(const WithConstructor&) { return {}; }
std::suspend_never take_function(const std::function<void()>&) { return {}; }

// No acairo in these: the behaviour is the compiler's.
Foreign await_with_an_aggregate(int& balance) { co_await take_aggregate(Aggregate{Tracked(balance)}); }
Foreign await_an_aggregate(int& balance) { co_await AggregateAwaiter{Tracked(balance)}; }
Foreign await_with_a_constructed_object(int& balance) { co_await take_object(WithConstructor(Tracked(balance))); }
Foreign await_with_a_lambda_made_a_function(int& balance) {
    const Tracked tracked(balance);
    co_await take_function([tracked] {});
}

// Destructions that no construction stands for.
template <class F> int surplus_of(F coroutine) {
    int balance = 0;
    { const Foreign foreign = coroutine(balance); }
    return -balance;
}

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
constexpr int surplus_expected = 1;
#else
constexpr int surplus_expected = 0;
#endif

TEST(gcc_12, destroys_a_temporary_aggregate_twice_in_a_co_await_expression) {
    EXPECT_EQ(surplus_of(await_with_an_aggregate), surplus_expected)
        << "when this compiler is right, README's note on g++ may go, and the configurations may hold anything";
}

TEST(gcc_12, destroys_a_temporary_aggregate_awaiter_twice) {
    EXPECT_EQ(surplus_of(await_an_aggregate), surplus_expected);
}

TEST(gcc_12, destroys_a_capturing_lambda_twice_that_becomes_a_function) {
    EXPECT_EQ(surplus_of(await_with_a_lambda_made_a_function), surplus_expected);
}

TEST(every_compiler, destroys_a_temporary_with_a_constructor_once) {
    EXPECT_EQ(surplus_of(await_with_a_constructed_object), 0);
}

// An aggregate in such an expression does no harm when its destruction does nothing, nor does what has a constructor.
template <class T> constexpr bool safe_in_a_co_await_expression =
    !std::is_aggregate_v<T> || std::is_trivially_destructible_v<T>;

using Stream = acairo::TCPStream;
static_assert(std::is_aggregate_v<acairo::ExecutorConfiguration>);
static_assert(std::is_aggregate_v<acairo::TCPStreamConfiguration>);
static_assert(std::is_aggregate_v<acairo::TCPListenerConfiguration>);
static_assert(std::is_trivially_destructible_v<acairo::ExecutorConfiguration>);
static_assert(std::is_trivially_destructible_v<acairo::TCPStreamConfiguration>);
static_assert(std::is_trivially_destructible_v<acairo::TCPListenerConfiguration>);
static_assert(safe_in_a_co_await_expression<Task<int>>);
static_assert(safe_in_a_co_await_expression<acairo::StopSource>);
static_assert(safe_in_a_co_await_expression<acairo::StopToken>);
static_assert(safe_in_a_co_await_expression<acairo::StopCallback<void (*)()>>);
static_assert(safe_in_a_co_await_expression<acairo::EndOfStream>);
static_assert(safe_in_a_co_await_expression<decltype(acairo::sleep_for(std::chrono::nanoseconds()))>);
static_assert(safe_in_a_co_await_expression<decltype(std::declval<const acairo::TCPListener&>().accept())>);
static_assert(safe_in_a_co_await_expression<decltype(std::declval<Stream&>().read(1))>);
static_assert(safe_in_a_co_await_expression<decltype(std::declval<Stream&>().read_some({}))>);
static_assert(safe_in_a_co_await_expression<decltype(std::declval<Stream&>().write({}))>);
static_assert(safe_in_a_co_await_expression<decltype(std::declval<Stream&>().write_all({}))>);
static_assert(safe_in_a_co_await_expression<decltype(Stream::connect(nullptr, ""))>);

TEST(every_temporary_of_acairo, in_a_co_await_expression_is_destroyed_once) {
    Census census;
    const auto work = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    const acairo::StopSource source;
    const auto hold = [](Counted) -> Task<void> { co_return; };
    work->sync_wait([&]() -> Task<void> {
        const auto near = co_await Stream::connect(work, listener.local_address(), {.no_delay = false});
        const auto far = co_await listener.accept();
        co_await near->write(std::vector<char>(3, 'x'));
        co_await far->read(3);
        co_await hold(Counted(census));
        co_await acairo::timeout(std::chrono::hours(1), hold(Counted(census)));
        co_await acairo::with_stop_token(source.get_token(), hold(Counted(census)));
    });
    EXPECT_GE(census.made(), 3);
}

// --- what the library relies on ---

TEST(every_compiler, destroys_the_parameters_and_locals_of_a_suspended_frame_once) {
    Census census;
    const auto own = [](Counted parameter) -> Foreign {
        const Counted local(parameter);
        co_await std::suspend_always();
    };
    {
        const Foreign foreign = own(Counted(census));
        EXPECT_GE(census.alive(), 2);
    }
    EXPECT_EQ(census.alive(), 0);
}

TEST(every_compiler, destroys_the_awaiter_of_a_suspended_frame_once) {
    Census census;
    class Awaiter {
    public:
        explicit Awaiter(Census& in) : counted_(in) {}
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<>) const {}
        void await_resume() const {}

    private:
        Counted counted_;
    };
    const auto own = [&]() -> Foreign { co_await Awaiter(census); };
    {
        const Foreign foreign = own();
        EXPECT_EQ(census.alive(), 1);
    }
    EXPECT_EQ(census.alive(), 0);
}

}  // namespace
}  // namespace property
