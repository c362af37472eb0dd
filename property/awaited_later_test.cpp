// An operation that is handed on before it is awaited: what it owns goes with it.
#include "support.hpp"

#include <chrono>
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

}  // namespace
}  // namespace property
