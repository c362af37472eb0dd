// An operation that is handed on before it is awaited: what it owns goes with it. And one that was refused: it may be awaited later.
#include "support.hpp"

#include <chrono>
#include <stdexcept>
#include <vector>

namespace property {
namespace {

using acairo::Task;

// It would have caught: a const member, which a move copies, under a span that does not move.
TEST(a_write, owns_its_bytes_when_it_is_handed_on_before_it_is_awaited) {
    auto work = executor();
    const std::vector<char> sent(1000, 'x');
    EXPECT_EQ(work->sync_wait([&]() -> Task<std::vector<char>> {
        auto [near, far] = co_await connected(work);
        auto limited = acairo::timeout(std::chrono::hours(1), near->write(sent));
        co_await std::move(limited);
        co_return co_await far->read(sent.size());
    }),
              sent);
}

// Who awaits `operation`, and is refused, in each way that there is: it still belongs to nobody.
template <class O> void expect_refusals_outside(O& operation) {
    const auto await_it = [&]() -> Task<void> { co_await operation; };
    const auto as_it_is = [&]() -> Foreign { co_await operation; };
    const auto in_a_task = [&]() -> Foreign { co_await await_it(); };
    EXPECT_EQ(ending_of([&] { as_it_is().rethrow(); }), "logic_error") << "in a foreign coroutine";
    EXPECT_EQ(ending_of([&] { in_a_task().rethrow(); }), "logic_error") << "in a task that has no executor";
    EXPECT_EQ(ending_of([&] { run(await_it); }), "logic_error") << "on another executor";
}

TEST(a_read, that_was_refused_may_be_awaited_later) {
    const auto work = executor();
    const Streams streams = work->sync_wait([&] { return connected(work); });
    auto read = streams.first->read(1);
    expect_refusals_outside(read);
    const auto await_it = [&]() -> Task<std::vector<char>> { co_return co_await read; };
    std::vector<char> first;
    work->spawn([&]() -> Task<void> { first = co_await streams.first->read(1); });
    settle(*work);
    EXPECT_EQ(ending_of([&] { work->sync_wait(await_it); }), "logic_error") << "while another one waits";
    const std::vector<char> sent{'a', 'b'};
    work->sync_wait([&]() -> Task<void> { co_await streams.second->write_all(sent); });
    EXPECT_EQ(work->sync_wait(await_it), std::vector<char>{'b'});
    EXPECT_EQ(first, std::vector<char>{'a'});
}

TEST(an_accept, that_was_refused_may_be_awaited_later) {
    const auto work = executor();
    acairo::TCPListener listener(acairo::TCPListenerConfiguration(), work);
    listener.bind("127.0.0.1:0");
    auto accept = listener.accept();
    work->sync_wait([&]() -> Task<void> {
        bool early = false;
        try {
            co_await accept;
        } catch (const std::logic_error&) { early = true; }
        EXPECT_TRUE(early) << "before listen()";
    });
    listener.listen();
    expect_refusals_outside(accept);
    work->sync_wait([&]() -> Task<void> {
        const auto near = co_await acairo::TCPStream::connect(work, listener.local_address());
        const auto far = co_await accept;
        EXPECT_EQ(near->local_address(), far->peer_address());
    });
}

}  // namespace
}  // namespace property
