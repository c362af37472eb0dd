// A chain that has been woken waits in the ready queue, and others run before it: what has ended its wait stands, and where it
// waited is no longer its own. (One worker: who is spawned by a task of its own, or woken, goes to the back of the queue.)
#include "socket_test.hpp"
#include "support.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace property {
namespace {

using acairo::Task;
using acairo::TCPStream;
using namespace std::chrono_literals;

constexpr auto ages = std::chrono::hours(10000);

// --- its outcome ---

// Three tasks on one worker, whose times come one after the other and are noticed at once: the first one stops the others.
class ItsTimeHasCome : public testing::Test {
protected:
    static constexpr auto soon = 1ms, later = 2ms;

    ItsTimeHasCome() { listener.bind("127.0.0.1:0"), listener.listen(); }
    // How a sleep and a read, both woken by their timers, end when `stop` is called before they go on.
    void expect_that_nothing_changes(std::function<void()> stop, acairo::StopToken token = {}) {
        std::string sleep;
        std::string read;
        work->sync_wait([&]() -> Task<void> {
            const auto near = co_await TCPStream::connect(work, listener.local_address(), {.read_timeout = later});
            const auto far = co_await listener.accept();
            work->spawn([stop]() -> Task<void> {
                co_await acairo::sleep_for(soon);
                stop();
            });
            work->spawn([&]() -> Task<void> { sleep = co_await ending(acairo::sleep_for(later)); }, token);
            work->spawn([&, near]() -> Task<void> { read = co_await ending(near->read(1)); }, token);
            // Keeps the worker from its timers until all three are over.
            work->spawn([]() -> Task<void> {
                const auto start = std::chrono::steady_clock::now();
                while (std::chrono::steady_clock::now() - start <= later) {}
                co_return;
            });
            // The far end lives until then.
            co_await acairo::sleep_for(2 * later);
        });
        work->drain(ages);
        EXPECT_EQ(sleep, "returned");
        EXPECT_EQ(read, "TimedOut");
    }

    std::shared_ptr<acairo::Executor> work = executor();
    acairo::TCPListener listener{acairo::TCPListenerConfiguration(), work};
};

TEST_F(ItsTimeHasCome, and_a_stop_of_the_executor_comes_too_late) {
    expect_that_nothing_changes([this] { work->stop(); });
}

TEST_F(ItsTimeHasCome, and_a_stop_through_its_token_comes_too_late) {
    acairo::StopSource source;
    expect_that_nothing_changes([&source] { source.request_stop(); }, source.get_token());
}

// --- where it waited ---

using sockets::Running;

class ItsPlace : public sockets::SocketTest {
protected:
    // A chain that awaits a task, which stays in `reading`: it reads a byte from `stream` and then waits for `event`.
    // Returns when it waits.
    Running start_to_read(TCPStream& stream) {
        reading = read_and_wait(stream);
        Running awaiter = start([this] { return ending_of_reading(); });
        settle();
        return awaiter;
    }
    Task<void> read_and_wait(TCPStream& stream) {
        co_await stream.read(1);
        has_read.add();
        co_await event;
    }
    // Awaits it where it is.
    Task<std::string> ending_of_reading() {
        std::exception_ptr thrown;
        try {
            co_await std::move(reading);
        } catch (...) { thrown = std::current_exception(); }
        co_return name_of(thrown);
    }

    Tally has_read;
    Event event;
    Task<void> reading;
};

// It would have caught: a wait that is withdrawn twice, the second time from a place that another chain has by then.
TEST_F(ItsPlace, is_not_taken_from_who_has_it_next) {
    Pair old = connected();
    // The limit is for a broken core only: nothing else would wake the read there.
    Pair next = connected({.stream = {.read_timeout = std::chrono::milliseconds(raw::hang_guard_milliseconds / 2)}});
    Running awaiter = start_to_read(*old.stream);
    std::optional<Running> next_read;
    executor_->sync_wait([&]() -> Task<void> {
        // Of these, the first one waits at the place that the closed stream leaves; the second one destroys who was woken by
        // that before it has run.
        next_read = start([&] { return next.stream->read(1); });
        executor_->spawn([this]() -> Task<void> {
            reading = Task<void>();
            co_return;
        });
        old.stream->close();
        co_return;
    });
    EXPECT_EQ(awaiter.ending(), "Cancelled");
    next.client.send("n");
    EXPECT_EQ(next_read->ending(), "n");
}

TEST_F(ItsPlace, is_left_when_it_waits_elsewhere) {
    Pair pair = connected();
    Running awaiter = start_to_read(*pair.stream);
    pair.client.send("a");
    has_read.wait_for(1);
    executor_->sync_wait([&]() -> Task<void> {
        reading = Task<void>();
        co_return;
    });
    EXPECT_EQ(awaiter.ending(), "Cancelled");
    pair.client.send("b");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "b");
}

// --- the exception of a task that nobody has taken ---

// With a budget of one completion, a task that ends lets others run before its awaiter takes its exception.
TEST(an_exception, goes_with_the_task_that_threw_it_and_does_not_come_from_the_next_one) {
    const auto work = executor(1, 1);
    Event event;
    Task<int> child;
    std::string first;
    int second = 0;
    work->spawn([&]() -> Task<void> {
        const auto wait_and_throw = [&]() -> Task<int> {
            co_await event;
            throw 42;
        };
        child = wait_and_throw();
        std::exception_ptr thrown;
        try {
            static_cast<void>(co_await std::move(child));
        } catch (...) { thrown = std::current_exception(); }
        first = name_of(thrown);
        const auto seven = []() -> Task<int> { co_return 7; };
        second = co_await seven();
    });
    settle(*work);
    work->sync_wait([&]() -> Task<void> {
        event.set();
        // The child ends meanwhile.
        co_await acairo::sleep_for(0ns);
        child = Task<int>();
    });
    EXPECT_TRUE(work->drain(ages));
    EXPECT_EQ(first, "Cancelled");
    EXPECT_EQ(second, 7);
}

}  // namespace
}  // namespace property
