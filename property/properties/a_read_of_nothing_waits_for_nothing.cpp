// A read into a buffer of no size, and read(0), give nothing at once, before anything has come; and so they do afterwards.
//
// It would have caught: a transfer of no bytes that waits until the socket is readable, or is told as the end.
// Covers: 1.11 a transfer of zero bytes is taken for the end
#include "support.hpp"

namespace property {
namespace {

Task<void> read_nothing(Trial& trial, acairo::TCPStream& stream) {
    trial.require(co_await stream.read_some(std::span<char>()) == 0, "a read of nothing gives nothing");
    const std::vector<char> none = co_await stream.read(0);
    trial.require(none.empty(), "nor does read(0)");
}

void a_read_of_nothing_waits_for_nothing(Trial& trial) {
    Pair pair(trial);
    pair.executor->sync_wait([&] { return read_nothing(trial, *pair.stream); });
    trial.require(pair.peer.send("x") == 1, "a peer that is there takes a byte");
    pair.executor->sync_wait([&] { return read_nothing(trial, *pair.stream); });
    const std::vector<char> one =
        pair.executor->sync_wait([&]() -> Task<std::vector<char>> { co_return co_await pair.stream->read(1); });
    trial.require(one[0] == 'x', "and the byte is still there");
}

const acairo::Property registered{"a_read_of_nothing_waits_for_nothing",
                                  a_read_of_nothing_waits_for_nothing,
                                  {.interruptions = true, .shortages = false}};

}  // namespace
}  // namespace property
