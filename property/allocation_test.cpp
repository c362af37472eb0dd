// Memory: what must not allocate does not, and when there is none left everything still unwinds.
//
// The global operator new of this executable is replaced here: it counts, or fails, only between the construction and the
// destruction of a Memory object; otherwise it costs one relaxed load.
#include "support.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

// clang's ThreadSanitizer brings an operator new that cannot be replaced; there these tests are skipped.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ACAIRO_TEST_KEEPS_OPERATOR_NEW
#endif
#endif

namespace {

std::atomic<bool> memory_watched{false};
std::atomic<long> memory_allowed{0};
std::atomic<long> memory_asked{0};

#ifndef ACAIRO_TEST_KEEPS_OPERATOR_NEW
void* allocate(std::size_t size) noexcept {
    if (memory_watched.load(std::memory_order_relaxed)) {
        const long before = memory_asked.fetch_add(1, std::memory_order_relaxed);
        if (before >= memory_allowed.load(std::memory_order_relaxed)) return nullptr;
    }
    return std::malloc(size == 0 ? 1 : size);
}

void* allocate_or_throw(std::size_t size) {
    if (void* const memory = allocate(size)) return memory;
    throw std::bad_alloc();
}
#endif

}  // namespace

#ifndef ACAIRO_TEST_KEEPS_OPERATOR_NEW
void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
#endif

namespace property {
namespace {

using acairo::Executor;
using acairo::ExecutorConfiguration;
using acairo::Task;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

Task<void> nothing() { co_return; }
Task<void> forever() { co_await acairo::sleep_for(ages); }

// While it lives, allocations of all threads are counted, and those after the first `allowed` ones fail.
class Memory {
public:
    explicit Memory(long allowed = std::numeric_limits<long>::max()) {
        memory_allowed.store(allowed, std::memory_order_relaxed);
        memory_asked.store(0, std::memory_order_relaxed);
        memory_watched.store(true, std::memory_order_relaxed);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { memory_watched.store(false, std::memory_order_relaxed); }
    long asked() const { return memory_asked.load(std::memory_order_relaxed); }
};

class memory : public testing::Test {
protected:
#ifdef ACAIRO_TEST_KEEPS_OPERATOR_NEW
    void SetUp() override { GTEST_SKIP() << "the sanitizer's operator new cannot be replaced"; }
#endif
};
class the_allocation_hook : public memory {};
class nothing_is_allocated : public memory {};
class without_memory : public memory {};

// How often memory was asked for while `function` ran, with none to be had.
template <class F> long asked_in(F function) {
    const Memory none(0);
    function();
    return none.asked();
}

std::ptrdiff_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
}

TEST_F(the_allocation_hook, counts_and_fails) {
    const Memory two(2);
    auto first = std::make_unique<int>(1);
    auto second = std::make_unique<int>(2);
    EXPECT_THROW(static_cast<void>(std::make_unique<int>(3)), std::bad_alloc);
    EXPECT_EQ(two.asked(), 3);
    EXPECT_EQ(new (std::nothrow) int(4), nullptr);
}

// --- what allocates nothing ---

TEST_F(nothing_is_allocated, by_stop_while_everything_unwinds) {
    const auto work = executor(2);
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    listener.listen();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    const std::vector<char> much(std::size_t{64} << 20, 'x');
    const acairo::StopSource source;
    work->spawn([&]() -> Task<void> { co_await listener.accept(); });
    work->spawn([&]() -> Task<void> { co_await streams.first->read(1); });
    work->spawn([&]() -> Task<void> { co_await streams.first->write_all(much); });
    work->spawn([] { return forever(); });
    work->spawn([] { return acairo::timeout(ages, forever()); });
    work->spawn([] { return forever(); }, source.get_token());
    settle(*work, 2);
    EXPECT_EQ(asked_in([&] {
                  work->stop();
                  work->drain(ages);
              }),
              0);
}

TEST_F(nothing_is_allocated, by_the_destructor) {
    auto work = executor(2);
    for (int i = 0; i < 10; ++i) work->spawn(forever);
    settle(*work, 2);
    EXPECT_EQ(asked_in([&] { work.reset(); }), 0);
}

// Counts what is asked for from `act()` until every task of `work` has ended.
template <class F> long asked_until_all_ended(Executor& work, F act) {
    return asked_in([&] {
        act();
        work.drain(ages);
    });
}

TEST_F(nothing_is_allocated, by_cancelling) {
    const auto work = executor(2);
    const acairo::StopSource source;
    for (int i = 0; i < 10; ++i) {
        work->spawn([&]() -> Task<void> { co_await acairo::with_stop_token(source.get_token(), forever()); },
                    source.get_token());
    }
    settle(*work, 2);
    EXPECT_EQ(asked_until_all_ended(*work, [&] { source.request_stop(); }), 0);
}

TEST_F(nothing_is_allocated, by_cancelling_from_a_coroutine_and_by_deregistering) {
    const auto work = executor();
    const acairo::StopSource source;
    const Streams streams = work->sync_wait([&] { return connected(work); });
    work->spawn([&]() -> Task<void> { co_await streams.first->read(1); }, source.get_token());
    Event go;
    work->spawn([&]() -> Task<void> {
        co_await go;
        source.request_stop();
    });
    settle(*work);
    EXPECT_EQ(asked_until_all_ended(*work, [&] { go.set(); }), 0);
}

TEST_F(nothing_is_allocated, by_timing_out) {
    const auto work = executor();
    for (int i = 0; i < 10; ++i) {
        // Caught, as reporting a TimedOut is the user's own business.
        work->spawn([]() -> Task<void> {
            try {
                co_await acairo::timeout(5ms, forever());
            } catch (const acairo::TimedOut&) {}
        });
    }
    settle(*work);
    EXPECT_EQ(asked_until_all_ended(*work, [] {}), 0);
}

TEST_F(nothing_is_allocated, by_closing) {
    const auto work = executor(2);
    Streams streams = work->sync_wait([&] { return connected(work); });
    const std::vector<char> much(std::size_t{64} << 20, 'x');
    work->spawn([&]() -> Task<void> { co_await streams.first->read(1); });
    work->spawn([&]() -> Task<void> { co_await streams.first->write_all(much); });
    settle(*work, 2);
    EXPECT_EQ(asked_until_all_ended(*work,
                                    [&] {
                                        streams.first->close();
                                        streams.second.reset();
                                    }),
              0);
}

TEST_F(nothing_is_allocated, by_resuming) {
    const auto work = executor(2);
    std::array<Event, 10> events;
    for (Event& event : events) work->spawn([&]() -> Task<void> { co_await event; });
    settle(*work, 2);
    EXPECT_EQ(asked_until_all_ended(*work,
                                    [&] {
                                        for (Event& event : events) event.set();
                                    }),
              0);
}

TEST_F(nothing_is_allocated, by_waiting_with_what_was_made_before) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    Event go;
    constexpr std::size_t messages = 100;
    std::size_t moved = 0;
    const auto receive = [&]() -> Task<void> {
        std::array<char, 1> buffer;
        co_await streams.first->read_some(buffer);
        while (moved < messages) moved += co_await streams.first->read_some(buffer);
    };
    const auto send = [&]() -> Task<void> {
        const std::array<char, 1> message{'x'};
        co_await streams.second->write_all(message);
        co_await go;
        for (std::size_t i = 0; i < messages; ++i) {
            co_await streams.second->write_all(message);
            co_await acairo::sleep_for(i % 10 == 0 ? 1us : 0us);
        }
    };
    work->spawn(receive);
    work->spawn(send);
    while (work->sync_wait([&]() -> Task<bool> { co_return streams.second->bytes_sent() == 0; }))
        std::this_thread::yield();
    settle(*work);
    EXPECT_EQ(asked_until_all_ended(*work, [&] { go.set(); }), 0);
    EXPECT_EQ(moved, messages);
}

TEST_F(nothing_is_allocated, by_destroying_a_suspended_task) {
    const auto work = executor();
    Task<void> victim;
    Census census;
    Event go;
    const acairo::StopSource source;
    const auto deep = [&](auto self, int depth, Counted) -> Task<void> {
        if (depth == 0) co_await acairo::with_stop_token(source.get_token(), acairo::timeout(ages, forever()));
        if (depth != 0) co_await self(self, depth - 1, Counted(census));
    };
    work->spawn([&]() -> Task<void> {
        victim = deep(deep, 10, Counted(census));
        co_await std::move(victim);
    });
    work->spawn([&]() -> Task<void> {
        co_await go;
        victim = Task<void>();
    });
    settle(*work);
    EXPECT_GE(census.alive(), 10);
    EXPECT_EQ(asked_until_all_ended(*work, [&] { go.set(); }), 0);
    EXPECT_EQ(census.alive(), 0);
}

// --- when there is none ---

std::atomic<bool> something_unexpected{false};

void expect_bad_alloc(std::exception_ptr thrown) {
    const std::string name = name_of(thrown);
    // The peer of a task that has ended so reads the end of its stream.
    if (name != "bad_alloc" && name != "EndOfStream") something_unexpected = true;
}

// All kinds of tasks; some clean up with waits and frames of their own.
class Work {
public:
    explicit Work(Census& census) : census_(census) {
        ExecutorConfiguration configuration{.workers = 2};
        configuration.on_unhandled = expect_bad_alloc;
        executor_ = std::make_shared<Executor>(configuration);
        try {
            fill();
        } catch (...) {
            end();
            throw;
        }
    }
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    ~Work() { end(); }
    void end() {
        executor_->stop();
        event_.set();  // which a stop does not do
        executor_->drain(ages);
        executor_.reset();
    }

private:
    void fill() {
        Executor* const work = executor_.get();
        listener_.emplace(acairo::TCPListenerConfiguration{.maximum_connections = 2}, executor_);
        listener_->bind("127.0.0.1:0");
        listener_->listen();
        work->spawn([this, work, counted = Counted(census_)]() -> Task<void> {
            for (;;) {
                auto stream = co_await listener_->accept();
                work->spawn([stream = std::move(stream), mine = Counted(counted)]() -> Task<void> {
                    const std::vector<char> got = co_await stream->read(2);
                    co_await stream->write_all(got);
                    co_await stream->read(1);
                });
            }
        });
        work->spawn([this, counted = Counted(census_)]() -> Task<void> {
            const auto stream = co_await acairo::TCPStream::connect(executor_, listener_->local_address());
            const std::array<char, 2> two{'a', 'b'};
            co_await stream->write_all(two);
            co_await stream->read(2);
            co_await clean_up_afterwards(stream->read(1));
        });
        work->spawn([this, counted = Counted(census_)] { return clean_up_afterwards(deep(5, Counted(census_))); });
        work->spawn([this, counted = Counted(census_)] { return acairo::timeout(ages, deep(2, Counted(census_))); },
                    source_.get_token());
        work->spawn([this, counted = Counted(census_)]() -> Task<void> {
            co_await event_;
            co_await deep(2, Counted(census_));
        });
        settle(*work, 2);
        event_.set();
        settle(*work, 2);
    }
    Task<void> deep(int depth, Counted) {
        const Counted local(census_);
        if (depth == 0) co_await forever();
        if (depth != 0) co_await deep(depth - 1, Counted(census_));
    }
    template <class A> Task<void> clean_up_afterwards(A awaitable) {
        bool cancelled = false;
        try {
            co_await std::move(awaitable);
        } catch (const acairo::Cancelled&) { cancelled = true; }
        if (!cancelled) co_return;
        const Counted local(census_);
        co_await nothing();
        co_await ending(deep(3, Counted(census_)));
        try {
            executor_->spawn([counted = Counted(census_)] { return nothing(); });
        } catch (const acairo::Cancelled&) {}
    }

    Census& census_;
    std::shared_ptr<Executor> executor_;
    std::optional<acairo::TCPListener> listener_;
    acairo::StopSource source_;
    Event event_;
};

TEST_F(without_memory, from_the_kth_allocation_on_a_whole_life_unwinds) {
    something_unexpected = false;
    const std::ptrdiff_t descriptors = open_descriptors();
    long asked = 0;
    long k = 0;
    for (; asked >= k; ++k) {
        Census census;
        std::string ended = "returned";
        {
            const Memory limited(k);
            try {
                Work work(census);
            } catch (...) { ended = name_of(std::current_exception()); }
            asked = limited.asked();
        }
        EXPECT_TRUE(ended == "returned" || ended == "bad_alloc") << ended << " at " << k;
        ASSERT_EQ(census.alive(), 0) << k;
        ASSERT_EQ(open_descriptors(), descriptors) << k;
        ASSERT_FALSE(something_unexpected) << k;
        ASSERT_LT(k, 10'000);
    }
    EXPECT_GT(k, 30) << "the allocations of a whole life";
}

TEST_F(without_memory, from_the_kth_allocation_on_a_whole_shutdown_unwinds) {
    something_unexpected = false;
    const std::ptrdiff_t descriptors = open_descriptors();
    long asked = 0;
    long k = 0;
    for (; asked >= k; ++k) {
        Census census;
        {
            std::optional<Work> work(std::in_place, census);
            const Memory limited(k);
            work.reset();
            asked = limited.asked();
        }
        ASSERT_EQ(census.alive(), 0) << k;
        ASSERT_EQ(open_descriptors(), descriptors) << k;
        ASSERT_FALSE(something_unexpected) << k;
        ASSERT_LT(k, 10'000);
    }
    EXPECT_GT(k, 3) << "the allocations of the cleanups";
}

TEST_F(without_memory, an_operation_that_cannot_build_its_error_throws_bad_alloc) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    streams.first->close();
    work->sync_wait([&]() -> Task<void> {
        bool system_error = false;
        bool bad_alloc = false;
        try {
            co_await streams.first->read(1);
        } catch (const std::system_error&) { system_error = true; }
        std::optional<Memory> none(std::in_place, 0);
        try {
            co_await streams.first->read(1);
        } catch (const std::bad_alloc&) { bad_alloc = true; }
        none.reset();
        EXPECT_TRUE(system_error);
        EXPECT_TRUE(bad_alloc);
    });
}

// Its address, which an error would name, does not fit into a string without memory.
TEST_F(without_memory, a_connect_that_is_stopped_throws_cancelled) {
    const auto work = executor();
    std::string ended;
    work->sync_wait([&]() -> Task<void> {
        auto connect = acairo::TCPStream::connect(work, "[2001:db8:1111:2222:3333:4444:5555:6666]:0");
        work->stop();
        std::exception_ptr thrown;
        std::optional<Memory> none(std::in_place, 0);
        try {
            co_await std::move(connect);
        } catch (...) { thrown = std::current_exception(); }
        none.reset();
        ended = name_of(thrown);
    });
    EXPECT_EQ(ended, "Cancelled");
}

TEST_F(without_memory, a_read_throws_bad_alloc_and_the_stream_goes_on) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    work->sync_wait([&]() -> Task<void> {
        std::vector<char> bytes{'a', 'b', 'c'};
        co_await streams.second->write(std::move(bytes));
        std::array<char, 1> first;
        co_await streams.first->read_some(first);
        bool bad_alloc = false;
        std::optional<Memory> none(std::in_place, 0);
        try {
            co_await streams.first->read(2);
        } catch (const std::bad_alloc&) { bad_alloc = true; }
        none.reset();
        EXPECT_TRUE(bad_alloc);
        const std::vector<char> rest = co_await streams.first->read(2);
        EXPECT_EQ(std::string(rest.begin(), rest.end()), "bc");
    });
}

TEST_F(without_memory, a_foreign_await_throws_bad_alloc_and_may_be_tried_again) {
    run([]() -> Task<void> {
        Event event;
        bool bad_alloc = false;
        std::optional<Memory> none(std::in_place, 0);
        try {
            co_await event;
        } catch (const std::bad_alloc&) { bad_alloc = true; }
        none.reset();
        EXPECT_TRUE(bad_alloc);
        event.set();
        co_await event;
    });
}

}  // namespace
}  // namespace property
