// A thread writes something down, and then requests a stop; a task that only looks whether a stop was
// requested finds what was written.
//
// It would have caught: a flag that is stored, or looked at, without an order.
#include "support.hpp"

namespace property {
namespace {

Task<void> look(Trial& trial, const Written& written, acairo::StopToken token) {
    // Nothing else orders the two threads: this task waits for nothing that the other one does.
    for (int i = 0; i < 200 && !token.stop_requested(); ++i) co_await acairo::sleep_for(std::chrono::microseconds(1));
    if (!token.stop_requested()) co_return;
    trial.sometimes(true, "a stop is seen");
    written.require_seen(trial);
}

void a_seen_stop_shows_what_came_before(Trial& trial) {
    Written written;
    acairo::StopSource source;
    const auto executor =
        std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1, .on_unhandled = quiet});
    executor->spawn([&] { return look(trial, written, source.get_token()); });
    platform::thread requester([&] {
        written.write();
        source.request_stop();
    });
    executor->drain(std::chrono::seconds(100));
    requester.join();
}

const acairo::Property registered{
    "a_seen_stop_shows_what_came_before", a_seen_stop_shows_what_came_before, {.shortages = false}, {"a stop is seen"}};

}  // namespace
}  // namespace property
