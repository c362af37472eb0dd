// What the story of a run is told from: its calls with their stacks, and, for each descriptor, where it was made or closed and
// where it was used last.
//
// Threads: written on the fibers of one run, read when it is over, possibly by another process.
// Invariants:
//   1. Reporter::Memory is plain memory, and zeros are an empty one: a process that dies leaves what it had written.
//   2. The newest calls are kept. Of a descriptor, how old the call may be does not matter.
#pragma once
#include <acairo/machine.hpp>
#include <array>
#include <vector>

namespace acairo::simulator {

// Return addresses, innermost first; null at the end.
using Stack = std::array<void*, 12>;
using WholeStack = std::array<void*, 48>;

// What was done to the descriptor that a run fails for.
struct Deed {
    const char* operation;  // null: nothing
    int fd;
    std::uint64_t step;
    std::uint32_t fiber;
    WholeStack stack;
};

class Reporter final : public Observer {
public:
    static constexpr std::size_t most_events = 4096;
    static constexpr std::size_t most_descriptors = 1024;
    static constexpr std::size_t most_deeds = 16;
    struct Memory {
        std::uint64_t events;  // also those that are not kept
        std::uint64_t deeds;
        std::array<Event, most_events> event;
        std::array<Stack, most_events> stack;
        std::array<Deed, most_descriptors> changed;  // made, or closed
        std::array<Deed, most_descriptors> used;
        std::array<Deed, most_deeds> deed;  // that the run fails for
        void clear() noexcept;
    };

    explicit Reporter(Memory& memory) noexcept : memory_(&memory) {}
    // The oldest first, each with its stack.
    static void read(const Memory& memory, std::vector<Event>& events, std::vector<Stack>& stacks,
                     std::vector<Deed>& deeds);

    void happened(const Event& event) override;
    void misused(const char* call, int fd) override;
    void left_open(int fd) override;

private:
    void add(const Deed& deed) noexcept;

    Memory* memory_;
};

}  // namespace acairo::simulator
