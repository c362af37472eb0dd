// A limit of any length, the longest there is included: what comes within it is not cut off.
//
// It would have caught: a deadline that overflows, and so has passed already.
// Covers: 6.107 a limit is told as something else
#include "support.hpp"

namespace property {
namespace {

void a_limit_of_any_length_holds(Trial& trial) {
    constexpr std::array longest{std::chrono::nanoseconds::max(),
                                 std::chrono::nanoseconds::max() - std::chrono::hours(1),
                                 std::chrono::nanoseconds(std::chrono::hours(1))};
    const std::chrono::nanoseconds limit = longest[trial.below(longest.size())];
    const bool of_the_stream = trial.below(2) == 1;
    Pair pair(trial, 1, {.read_timeout = of_the_stream ? limit : std::chrono::nanoseconds(0)});
    const auto read = [&]() -> Task<char> {
        std::array<char, 1> byte{};
        if (of_the_stream)
            co_await pair.stream->read_some(byte);
        else
            co_await acairo::timeout(limit, pair.stream->read_some(byte));
        co_return byte[0];
    };
    platform::thread sender([&] {
        linger(4);
        trial.require(pair.peer.send("x") == 1, "a peer that is there takes a byte");
    });
    bool over = false;
    try {
        trial.require(pair.executor->sync_wait(read) == 'x', "the byte comes");
    } catch (const acairo::TimedOut&) { over = true; }
    sender.join();
    trial.require(!over, "no limit is shorter than asked for");
}

const acairo::Property registered{
    "a_limit_of_any_length_holds", a_limit_of_any_length_holds, {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
