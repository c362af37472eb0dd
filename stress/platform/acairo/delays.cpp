// The streams and the odds.
#include <sched.h>
#include <acairo/delays.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

namespace acairo::stress {
namespace {

constexpr std::chrono::microseconds longest_naps{20'000};
// Where thirty other processes want the processor, each takes as long as a nap, or longer.
constexpr std::uint32_t most_yields = 1000;

Climate climate;
// Cleared in a run, which is why it is no part of the climate.
std::atomic<bool> short_of_everything{false};
std::atomic<std::uint32_t> threads{0};

constexpr std::uint64_t mixed(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// splitmix64, and this thread's odds, of 65,536. They are drawn first: so one thread of a run may be slow and another never
// delayed, which an order of events that is seldom needs more than delays everywhere.
class Stream {
public:
    explicit Stream(std::uint64_t seed) noexcept : state_(mixed(seed)) {
        constexpr std::uint32_t odds[] = {0, 100, 1500, 9000};
        delays_ = climate.delays ? odds[below(4)] : 0;
        faults_ = odds[below(3)];
        cuts_ = odds[1 + below(3)];
    }
    std::uint64_t next() noexcept { return mixed(state_ += 0x9e3779b97f4a7c15u); }
    std::uint64_t below(std::uint64_t n) noexcept { return ((next() >> 32) * n) >> 32; }
    bool is(std::uint32_t odds) noexcept { return odds != 0 && (next() >> 48) < odds; }
    bool is_delay() noexcept { return is(delays_); }
    bool is_fault() noexcept { return is(faults_); }
    bool is_cut() noexcept { return is(cuts_); }

    void delay() noexcept {
        switch (below(8)) {
            case 0: nap(); return;
            case 1:
            case 2:
            case 3: spin(std::uint64_t{1} << below(13)); return;
            default:
                if (yields_ == 0) return;
                --yields_;
                ::sched_yield();
        }
    }

private:
    static void spin(std::uint64_t turns) noexcept {
        while (turns-- != 0) std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    void nap() noexcept {
        const std::chrono::microseconds length(below(32) == 0 ? 1000 + below(1000) : 1 + below(100));
        if (napped_ + length > longest_naps) return;
        napped_ += length;
        std::this_thread::sleep_for(length);
    }

    std::uint64_t state_;
    std::uint32_t delays_ = 0;
    std::uint32_t faults_ = 0;
    std::uint32_t cuts_ = 0;
    std::chrono::microseconds napped_{0};
    std::uint32_t yields_ = most_yields;
};

// Never inlined: a compiler may keep the address of a thread-local variable in a coroutine's frame over a suspension.
[[gnu::noinline]] Stream& stream() noexcept {
    static thread_local Stream mine(climate.seed);
    return mine;
}

}  // namespace

void set_climate(const Climate& its) noexcept {
    climate = its;
    short_of_everything.store(its.shortages, std::memory_order_relaxed);
    stream() = Stream(its.seed);
}
void end_shortages() noexcept { short_of_everything.store(false, std::memory_order_relaxed); }

std::uint64_t split() noexcept { return stream().next(); }
void begin_thread(std::uint64_t its) noexcept { stream() = Stream(its); }

// Relaxed: what a thread's start orders, the thread itself does.
Life::Life() noexcept { threads.fetch_add(1, std::memory_order_relaxed); }
Life::~Life() {
    if (counts_) threads.fetch_sub(1, std::memory_order_release);
}
void wait_for_threads() noexcept {
    while (threads.load(std::memory_order_acquire) != 0) ::sched_yield();
}

void delay() noexcept {
    Stream& mine = stream();
    if (!mine.is_delay()) return;
    const int before = errno;
    mine.delay();
    errno = before;
}

bool wakes_for_nothing() noexcept { return climate.interruptions && stream().is_fault(); }

int error_of(std::span<const int> errors) noexcept {
    Stream& mine = stream();
    if (!mine.is_fault()) return 0;
    const int error = errors[mine.below(errors.size())];
    const bool possible = error == EINTR ? climate.interruptions : short_of_everything.load(std::memory_order_relaxed);
    return possible ? error : 0;
}

std::size_t cut(std::size_t size) noexcept {
    if (!climate.network || size < 2 || !stream().is_cut()) return size;
    return 1 + static_cast<std::size_t>(stream().below(size));
}

std::size_t pick(std::size_t n) noexcept {
    return climate.network && n != 0 && stream().is_cut() ? static_cast<std::size_t>(stream().below(n)) : 0;
}

}  // namespace acairo::stress
