// Which stores a load of an atomic may see. Where nothing orders the two, that is not only the newest: a processor may have
// loaded early, or keep what it stored from the others for a while. So such a load is a choice among the stores that C++ allows
// it to see ([intro.races]), and a program that concludes more from a load than its memory order says fails here, on
// whichever machine. The way of C11Tester (Luo and Demsky, ASPLOS 2021), which has more choices: see invariant 2.
//
// Threads: the one that runs the simulation, between two operations of its fibers.
// Invariants:
//   1. Coherence: no load sees a store that is older than one that happens before it, than one that its thread has seen or
//      made, or than one that was seen by what happens before it.
//   2. Stores are in the order in which they are made, and a load never sees one that comes later: what needs a store to pass a
//      later read-modify-write, or another store, is not found. A read-modify-write sees the newest store, also an exchange that
//      fails; but a weak one that fails for no reason is a load.
//   3. Happens-before is what threads.hpp says, and, beyond the standard, so that nothing is told which no machine does: a system
//      call comes after all that was done before the earlier ones, and an instant of the clock after all that was done at earlier
//      ones. What the simulator cannot see, such as the count of a std::shared_ptr, a function's static or std::call_once, orders
//      nothing here: who is the last owner looks at the newest by a read-modify-write.
//   4. Of an object, the newest four stores are remembered. The threads from the 16th on are taken for one; and what is done with
//      the objects from the 8,192nd on is seen by everybody.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace acairo::simulator {

class MemoryModel {
public:
    // For each thread, its last step that happens before.
    using Clock = std::array<std::uint32_t, 16>;
    static constexpr std::uint32_t remembered_stores = 4;
    static constexpr std::uint32_t most_objects = 8192;

    MemoryModel();
    ~MemoryModel();

    // For the next run. Off: each load sees the newest store, and nothing is remembered.
    void reset(bool on) noexcept;
    void turn_off() noexcept { on_ = false; }
    bool on() const noexcept { return on_; }

    // Whose turn it is; called before all that follows.
    void is_at(std::uint32_t fiber, std::uint64_t step) noexcept;
    // Everybody sees what was stored until now.
    void all_seen() noexcept { seen_by_all_ = step_; }
    // The thread that runs starts `fiber`; has seen that `fiber` ended.
    void starts(std::uint32_t fiber) noexcept;
    void joins(std::uint32_t fiber) noexcept;
    // What happens before the release of a mutex (or a system call, as object 0) happens before each later acquire.
    void releases(std::uint32_t object);
    void acquires(std::uint32_t object);

    // How many stores before the newest a load may see at most.
    std::uint32_t older_stores(std::uint32_t object, std::memory_order order) const noexcept;
    // The load sees that one, and returns its value: `newest`, unless `older` is one of older_stores().
    std::uint64_t loads(std::uint32_t object, std::uint64_t newest, std::uint32_t older,
                        std::memory_order order) noexcept;
    // A store, or a read-modify-write that changed the value or not, has left `after` where `before` was.
    void stores(std::uint32_t object, std::uint64_t before, std::uint64_t after, std::memory_order order);
    void modifies(std::uint32_t object, std::uint64_t before, std::uint64_t after, std::memory_order order);

private:
    struct Store {
        std::uint64_t value = 0;
        std::uint32_t fiber = 0;
        std::uint32_t step = 0;
        Clock released{};  // what happens before a load that acquires it
        Clock seen{};      // by each thread, for the first time
    };
    struct Object {
        std::uint32_t run = 0;
        std::uint32_t newest = 0;      // of its stores in this run, numbered from 1; 0: none is remembered
        std::uint32_t sequential = 0;  // the newest that a sequentially consistent operation has made or seen
        std::array<Store, remembered_stores> last;
        Clock released{};  // of a mutex

        Store& store(std::uint32_t number) noexcept { return last[number % remembered_stores]; }
        const Store& store(std::uint32_t number) const noexcept { return last[number % remembered_stores]; }
    };

    static void join(Clock& to, const Clock& from) noexcept;
    Clock& mine() noexcept { return clocks_[fiber_]; }
    bool is_known(std::uint32_t fiber, std::uint32_t step) const noexcept;
    bool is_behind(const Store& store) const noexcept;
    Object& object(std::uint32_t number);
    void add(Object& to, std::uint64_t value, std::memory_order order, bool continues) noexcept;
    void sees(Object& object, std::uint32_t store, std::memory_order order) noexcept;

    bool on_ = false;
    std::uint32_t run_ = 0;
    std::uint32_t fiber_ = 0;
    std::uint32_t step_ = 0;
    std::uint32_t seen_by_all_ = 0;  // all that was stored until this step
    std::array<Clock, std::tuple_size_v<Clock>> clocks_{};
    std::vector<Object> objects_;  // by their numbers
};

}  // namespace acairo::simulator
