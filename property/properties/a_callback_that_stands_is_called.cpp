// A stop callback that is made while another thread requests the stop, and is still there when both are done, has been called,
// once; and so has one whose callback destroys the last source of the stop.
//
// It would have caught: a callback that comes between the look at the flag and the list; a state that its own callback frees.
// Covers: 6.101 a look, and then a registration; 6.97 a cancel is lost; 5.85 the handler outlives what it uses
#include "support.hpp"

namespace property {
namespace {

void a_callback_that_stands_is_called(Trial& trial) {
    const bool frees = trial.below(2) == 1;
    auto source = std::make_unique<acairo::StopSource>();
    acairo::StopToken token = source->get_token();
    std::uint64_t calls = 0;
    const auto called = [&] {
        ++calls;
        if (frees) source.reset();
    };
    std::optional<acairo::StopCallback<decltype(called)>> callback;
    if (frees) {
        callback.emplace(std::exchange(token, {}), called);
        source->request_stop();
    } else {
        platform::thread requester([&, &its = *source] { its.request_stop(); });
        callback.emplace(token, called);
        requester.join();
    }
    trial.require(calls == 1, "it has been called, once");
}

const acairo::Property registered{"a_callback_that_stands_is_called",
                                  a_callback_that_stands_is_called,
                                  {.interruptions = true, .shortages = false, .network = false}};

}  // namespace
}  // namespace property
