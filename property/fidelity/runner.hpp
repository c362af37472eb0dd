// Runs the steps of a script on one kernel, and keeps what its slots stand for.
//
// Threads: one at a time.
// Invariants:
//   1. On Linux nothing is decided but by what Linux has answered; on the simulated kernel, its states are noted.
#pragma once
#include <array>

#include "outcomes.hpp"
#include "script.hpp"

namespace fidelity {

using acairo::simulator::Call;
using acairo::simulator::State;

inline constexpr int slots = 16;
inline constexpr int no_descriptor = 1'000'000;  // open in neither world
inline constexpr int small_reads = 8;
inline constexpr long small_sends = 512;
class Runner {
public:
    // `kernel` is null on Linux.
    Runner(Calls& calls, const acairo::simulator::Kernel* kernel, Coverage* coverage)
        : calls_(calls), kernel_(kernel), coverage_(coverage) {
        const int closed = calls_.socket(false);
        calls_.bind(closed, loopback(false));
        calls_.getsockname(closed, nobody_);
        calls_.close(closed);
    }

    bool passes_over(const Step& step) const;
    std::string run(const Step& step, std::size_t number);

private:
    struct Slot {
        int fd = no_descriptor;
        bool v6 = false;
        int peer = -1;
        bool filled = false;   // by its owner
        int read_of_full = 0;  // small reads by the peer since
        long sent = 0;         // bytes, since its peer has read everything
        SocketAddress name;
    };
    Slot& at(int slot) { return slots_[static_cast<std::size_t>(slot)]; }
    const Slot& at(int slot) const { return slots_[static_cast<std::size_t>(slot)]; }
    State state(int slot) const { return kernel_->state_of(at(slot).fd); }
    bool is_open(int slot) const { return at(slot).fd != no_descriptor; }
    void cover(Call call, int slot) {
        if (coverage_) coverage_->insert({call, state(slot)});
    }
    std::string open(int slot, int fd, bool v6 = false) {
        if (fd >= 0) {
            at(slot) = {};
            at(slot).fd = fd;
            at(slot).v6 = v6;
        }
        return text(fd);
    }
    // The peer by the ports, as both worlds tell it.
    void find_peer(int slot);
    std::string pair(int accepted, int client);
    std::string receive(int slot, int size, int flags);
    std::string fill(int slot, std::size_t number);
    std::string drain(int slot);
    std::string option(const Step& step, bool set);
    std::string wait(int slot);

    Calls& calls_;
    const acairo::simulator::Kernel* kernel_;
    Coverage* coverage_;
    std::array<Slot, slots> slots_{};
    SocketAddress nobody_;
};

}  // namespace fidelity
