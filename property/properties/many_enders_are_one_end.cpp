// A read under a time limit and a token, its stream closed, its executor stopped, its byte sent: all at about the same time, from
// several threads. It ends once, for a reason that there was, and afterwards nothing of it is left.
//
// It would have caught: two ends of one operation; a timer, a token or a close that comes to a frame that is gone; a reason that
// never was.
// Covers: 2.19 two ends of one operation; 6.99 a stop from one arm races with the end of another; 5.85 a handler is used after free
// Covers: 7.115 shutdown races with what runs; 3.43 operations without the lock race; 6.109 a cancel races with what another thread does
#include "support.hpp"

namespace property {
namespace {

void many_enders_are_one_end(Trial& trial) {
    const acairo::StopSource source;
    std::array<std::uint64_t, 4> at{};  // when each of them acts; the largest values: not at all
    for (std::uint64_t& moment : at) moment = trial.below(40);
    constexpr std::uint64_t never = 18;
    const bool expires = trial.below(2) == 1;
    // Somebody must.
    if (!expires && std::ranges::all_of(at, [](std::uint64_t moment) { return moment >= never; })) at[2] = 0;
    std::uint64_t ends = 0;
    Pair pair(trial, 1 + static_cast<int>(trial.below(2)));
    pair.executor->spawn([&]() -> Task<void> {
        try {
            const std::chrono::nanoseconds limit = expires ? std::chrono::microseconds(1) : std::chrono::hours(1);
            co_await acairo::with_stop_token(source.get_token(), acairo::timeout(limit, pair.stream->read(1)));
            trial.require(at[0] < never, "a byte was sent");
            trial.sometimes(true, "a result");
        } catch (const acairo::TimedOut&) {
            trial.require(expires, "the limit is over");
            trial.sometimes(true, "a time limit");
        } catch (const acairo::Cancelled&) {
            trial.require(at[1] < never || at[2] < never || at[3] < never, "somebody cancelled it");
            trial.sometimes(true, "a cancel");
        } catch (const std::system_error& error) {
            trial.require(error.code() == std::errc::bad_file_descriptor, "it was closed before it began");
            trial.require(at[2] < never, "by us");
        }
        ++ends;
    });
    const auto act = [&](std::size_t which) {
        if (at[which] >= never) return;
        linger(at[which]);
        if (which == 0) pair.peer.send("!");
        if (which == 1) source.request_stop();
        if (which == 2) pair.stream->close();
        if (which == 3) pair.executor->stop();
    };
    std::vector<platform::thread> actors;
    for (std::size_t i = 0; i < at.size(); ++i) actors.emplace_back([&act, i] { act(i); });
    for (platform::thread& actor : actors) actor.join();
    trial.require(pair.executor->drain(std::chrono::seconds(100)), "it ends");
    trial.require(ends <= 1, "once");
    trial.require(ends == 1 || at[3] < never, "and only a stop keeps it from beginning");
}

const acairo::Property registered{"many_enders_are_one_end",
                                  many_enders_are_one_end,
                                  {.interruptions = true, .shortages = false},
                                  {"a result", "a time limit", "a cancel"}};

}  // namespace
}  // namespace property
