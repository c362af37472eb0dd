// StopSource, StopToken and StopCallback behave as std::stop_source, std::stop_token and std::stop_callback: each test
// runs over acairo's and, where the standard library has them, over the standard's.
#include "support.hpp"

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>
#include <version>
#ifdef __cpp_lib_jthread
#include <stop_token>
#endif

namespace property {
namespace {

struct Ours {
    using Source = acairo::StopSource;
    using Token = acairo::StopToken;
    template <class F> using Callback = acairo::StopCallback<F>;
};
#ifdef __cpp_lib_jthread
struct Standard {
    using Source = std::stop_source;
    using Token = std::stop_token;
    template <class F> using Callback = std::stop_callback<F>;
};
using Worlds = testing::Types<Ours, Standard>;
#else
using Worlds = testing::Types<Ours>;
#endif

template <class World> class stop_tokens : public testing::Test {};
TYPED_TEST_SUITE(stop_tokens, Worlds, );

TYPED_TEST(stop_tokens, see_a_request_and_only_the_first_one_makes_it) {
    typename TypeParam::Source source;
    const auto token = source.get_token();
    const auto copy = token;
    EXPECT_FALSE(token.stop_requested());
    EXPECT_TRUE(token.stop_possible());
    EXPECT_TRUE(source.request_stop());
    EXPECT_FALSE(source.request_stop());
    EXPECT_TRUE(token.stop_requested());
    EXPECT_TRUE(copy.stop_requested());
    EXPECT_TRUE(source.stop_requested());
}

TYPED_TEST(stop_tokens, made_by_default_can_never_be_stopped) {
    const typename TypeParam::Token token;
    EXPECT_FALSE(token.stop_requested());
    EXPECT_FALSE(token.stop_possible());
    bool ran = false;
    const auto set = [&] { ran = true; };
    const typename TypeParam::template Callback<decltype(set)> callback(token, set);
    EXPECT_FALSE(ran);
}

TYPED_TEST(stop_tokens, stay_with_who_a_source_was_moved_to) {
    typename TypeParam::Source source;
    const auto token = source.get_token();
    typename TypeParam::Source moved = std::move(source);
    // NOLINTBEGIN(bugprone-use-after-move): what is left of it is asked on purpose
    EXPECT_FALSE(source.request_stop());
    EXPECT_FALSE(source.stop_requested());
    EXPECT_FALSE(source.get_token().stop_possible());
    // NOLINTEND(bugprone-use-after-move)
    EXPECT_FALSE(token.stop_requested());
    EXPECT_TRUE(moved.request_stop());
    EXPECT_TRUE(moved.stop_requested());
    EXPECT_TRUE(token.stop_requested());
}

TYPED_TEST(stop_tokens, whose_sources_are_gone_can_no_longer_be_stopped) {
    using Source = typename TypeParam::Source;
    std::optional<Source> source(std::in_place);
    std::optional<Source> copy = source;
    const auto token = source->get_token();
    source.reset();
    EXPECT_TRUE(token.stop_possible());
    copy.reset();
    EXPECT_FALSE(token.stop_possible());
    source.emplace();
    const auto stopped = source->get_token();
    source->request_stop();
    source.reset();
    EXPECT_TRUE(stopped.stop_possible()) << "it has been stopped";
    EXPECT_TRUE(stopped.stop_requested());
}

TYPED_TEST(stop_tokens, are_equal_when_they_are_of_one_source) {
    const typename TypeParam::Source source;
    const typename TypeParam::Source other;
    const typename TypeParam::Token none;
    EXPECT_EQ(source.get_token(), source.get_token());
    EXPECT_NE(source.get_token(), other.get_token());
    EXPECT_NE(source.get_token(), none);
    EXPECT_EQ(none, typename TypeParam::Token());
}

TYPED_TEST(stop_tokens, run_a_callback_on_the_thread_that_requests_before_the_request_returns) {
    typename TypeParam::Source source;
    std::thread::id ran_on;
    const auto note = [&] { ran_on = std::this_thread::get_id(); };
    const typename TypeParam::template Callback<decltype(note)> callback(source.get_token(), note);
    EXPECT_EQ(ran_on, std::thread::id());
    std::thread::id requested_on;
    std::thread([&] {
        requested_on = std::this_thread::get_id();
        source.request_stop();
        EXPECT_EQ(ran_on, requested_on);
    }).join();
    EXPECT_EQ(ran_on, requested_on);
}

TYPED_TEST(stop_tokens, that_were_stopped_run_a_callback_in_its_constructor) {
    typename TypeParam::Source source;
    source.request_stop();
    int ran = 0;
    const auto count = [&] { ++ran; };
    {
        const typename TypeParam::template Callback<decltype(count)> callback(source.get_token(), count);
        EXPECT_EQ(ran, 1);
        source.request_stop();
    }
    EXPECT_EQ(ran, 1);
}

TYPED_TEST(stop_tokens, run_each_of_many_callbacks_once) {
    typename TypeParam::Source source;
    int ran = 0;
    const auto count = [&] { ++ran; };
    using Callback = typename TypeParam::template Callback<decltype(count)>;
    std::vector<std::unique_ptr<Callback>> callbacks;
    for (int i = 0; i < 100; ++i) callbacks.push_back(std::make_unique<Callback>(source.get_token(), count));
    for (std::size_t i = 0; i < 100; i += 3) callbacks[i].reset();
    source.request_stop();
    source.request_stop();
    EXPECT_EQ(ran, 66);
}

TYPED_TEST(stop_tokens, do_not_run_a_callback_that_was_destroyed) {
    typename TypeParam::Source source;
    const auto fail = [] { ADD_FAILURE() << "ran"; };
    using Callback = typename TypeParam::template Callback<decltype(fail)>;
    { const Callback callback(source.get_token(), fail); }
    source.request_stop();
}

TYPED_TEST(stop_tokens, let_a_callback_destroy_itself) {
    typename TypeParam::Source source;
    struct Destroy {
        void operator()() const { destroy(*this); }
        void (*destroy)(const Destroy&);
        std::optional<typename TypeParam::template Callback<Destroy>>* callback;
        int* ran;
    };
    std::optional<typename TypeParam::template Callback<Destroy>> callback;
    int ran = 0;
    const auto destroy = [](const Destroy& self) {
        ++*self.ran;
        self.callback->reset();  // returns at once, and takes `self` along
    };
    callback.emplace(source.get_token(), Destroy{destroy, &callback, &ran});
    source.request_stop();
    EXPECT_EQ(ran, 1);
    EXPECT_FALSE(callback.has_value());
}

TYPED_TEST(stop_tokens, let_a_callback_destroy_one_that_has_not_run) {
    typename TypeParam::Source source;
    struct DestroyOther {
        void operator()() const {
            ++*ran;
            other->reset();
        }
        std::optional<typename TypeParam::template Callback<DestroyOther>>* other;
        int* ran;
    };
    using Callback = std::optional<typename TypeParam::template Callback<DestroyOther>>;
    Callback first;
    Callback second;
    int ran = 0;
    first.emplace(source.get_token(), DestroyOther{&second, &ran});
    second.emplace(source.get_token(), DestroyOther{&first, &ran});
    source.request_stop();
    EXPECT_EQ(ran, 1) << "whichever ran has destroyed the other";
    EXPECT_NE(first.has_value(), second.has_value());
}

TYPED_TEST(stop_tokens, let_a_callback_ask_register_and_request_again) {
    typename TypeParam::Source source;
    const auto token = source.get_token();
    int ran = 0;
    const auto inner = [&] { ++ran; };
    const auto outer = [&] {
        EXPECT_TRUE(token.stop_requested());
        EXPECT_FALSE(source.request_stop());
        const typename TypeParam::template Callback<decltype(inner)> nested(token, inner);
        EXPECT_EQ(ran, 1);
        ++ran;
    };
    const typename TypeParam::template Callback<decltype(outer)> callback(token, outer);
    EXPECT_TRUE(source.request_stop());
    EXPECT_EQ(ran, 2);
}

TYPED_TEST(stop_tokens, let_a_callback_release_the_last_source_and_token) {
    using Source = typename TypeParam::Source;
    std::optional<Source> source(std::in_place);
    bool ran = false;
    const auto release = [&] {
        source.reset();
        ran = true;
    };
    {
        const typename TypeParam::template Callback<decltype(release)> callback(source->get_token(), release);
        Source requesting = *source;
        requesting.request_stop();
    }
    EXPECT_TRUE(ran);
}

TYPED_TEST(stop_tokens, make_a_callbacks_destructor_wait_while_it_runs_on_another_thread) {
    for (int i = 0; i < 20; ++i) {
        typename TypeParam::Source source;
        std::latch running(1);
        std::latch destroying(1);
        std::atomic<bool> ended{false};
        const auto slow = [&] {
            running.count_down();
            destroying.wait();
            for (int j = 0; j < 100; ++j) std::this_thread::yield();
            ended.store(true, std::memory_order_relaxed);
        };
        using Callback = typename TypeParam::template Callback<decltype(slow)>;
        auto callback = std::make_unique<Callback>(source.get_token(), slow);
        std::jthread requester([&] { source.request_stop(); });
        running.wait();
        destroying.count_down();
        callback.reset();
        EXPECT_TRUE(ended.load(std::memory_order_relaxed));
    }
}

TYPED_TEST(stop_tokens, do_not_make_a_destructor_wait_for_another_callback) {
    typename TypeParam::Source source;
    std::latch running(1);
    std::latch destroyed(1);
    const auto slow = [&] {
        running.count_down();
        destroyed.wait();
    };
    int ran = 0;
    const auto quick = [&] { ++ran; };
    using Slow = typename TypeParam::template Callback<decltype(slow)>;
    using Quick = typename TypeParam::template Callback<decltype(quick)>;
    auto before = std::make_unique<Quick>(source.get_token(), quick);
    auto blocking = std::make_unique<Slow>(source.get_token(), slow);
    auto after = std::make_unique<Quick>(source.get_token(), quick);
    std::jthread requester([&] { source.request_stop(); });
    running.wait();
    before.reset();
    after.reset();
    { const Quick late(source.get_token(), quick); }
    destroyed.count_down();
    EXPECT_GE(ran, 1);
    EXPECT_LE(ran, 2);
}

TYPED_TEST(stop_tokens, do_not_confuse_a_callback_with_one_that_stood_at_its_place) {
    // A callback that destroys itself; then another one at the same address, which another thread destroys while the
    // first one still runs.
    typename TypeParam::Source source;
    struct Act {
        void operator()() const {
            if (*first) (*self)(*place);
        }
        bool* first;
        std::optional<typename TypeParam::template Callback<Act>>* place;
        void (**self)(std::optional<typename TypeParam::template Callback<Act>>&);
    };
    using Callback = typename TypeParam::template Callback<Act>;
    static bool first;
    static std::optional<Callback> place;
    static typename TypeParam::Source* from;
    static void (*act)(std::optional<Callback>&);
    first = true;
    from = &source;
    act = [](std::optional<Callback>& there) {
        first = false;
        there.reset();
        there.emplace(from->get_token(), Act{&first, &place, &act});
        std::thread([&there] { there.reset(); }).join();
    };
    place.emplace(source.get_token(), Act{&first, &place, &act});
    source.request_stop();
    EXPECT_FALSE(place.has_value());
}

TYPED_TEST(stop_tokens, race_requests_registrations_and_destructions_and_lose_no_callback) {
    for (int i = 0; i < 200; ++i) {
        typename TypeParam::Source source;
        std::atomic<int> won{0};
        std::atomic<int> ran{0};
        const auto count = [&] { ran.fetch_add(1, std::memory_order_relaxed); };
        using Callback = typename TypeParam::template Callback<decltype(count)>;
        const Callback before(source.get_token(), count);
        std::latch start(4);
        {
            std::vector<std::jthread> threads;
            for (int j = 0; j < 2; ++j) {
                threads.emplace_back([&] {
                    start.arrive_and_wait();
                    if (source.request_stop()) won.fetch_add(1, std::memory_order_relaxed);
                });
                threads.emplace_back([&] {
                    start.arrive_and_wait();
                    for (int k = 0; k < 5; ++k) {
                        const auto own = source.get_token();
                        bool mine = false;
                        {
                            const bool requested_before = own.stop_requested();
                            const auto set = [&] { mine = true; };
                            const typename TypeParam::template Callback<decltype(set)> callback(own, set);
                            EXPECT_TRUE(!requested_before || mine);
                        }
                        EXPECT_TRUE(own.stop_requested() || !mine);
                    }
                });
            }
        }
        EXPECT_EQ(won.load(), 1);
        EXPECT_EQ(ran.load(), 1);
    }
}

TYPED_TEST(stop_tokens, show_what_the_requester_wrote_before) {
    for (int i = 0; i < 100; ++i) {
        typename TypeParam::Source source;
        int written = 0;
        std::jthread requester([&] {
            written = 7;
            source.request_stop();
        });
        const auto token = source.get_token();
        while (!token.stop_requested()) std::this_thread::yield();
        EXPECT_EQ(written, 7);
    }
}

TEST(a_stop_callback, is_made_from_the_type_of_what_it_is_given) {
    acairo::StopSource source;
    int ran = 0;
    const acairo::StopCallback callback(source.get_token(), [&] { ++ran; });
    source.request_stop();
    EXPECT_EQ(ran, 1);
    static_assert(!std::is_copy_constructible_v<decltype(callback)>);
    static_assert(!std::is_move_constructible_v<decltype(callback)>);
}

}  // namespace
}  // namespace property
