// What the simulator tells the sanitizers. This program has none: it defines the functions of their runtimes that the simulator
// looks for, and these take nothing on trust. A real one would report a mistake later, as a race or an overflow that is none, or
// not at all.
//
// Threads: one.
// Invariants:
//   1. Nothing here allocates: what is called on a fiber would be an allocation of its run.
#include <pthread.h>
#include <acairo/child.hpp>
#include <acairo/platform.hpp>
#include <array>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;

// A fiber, as the thread sanitizer knows it.
struct KnownFiber {
    bool alive = false;
    int unseen = 0;
};
std::array<KnownFiber, 256> fibers{KnownFiber{.alive = true}};  // the first is the thread
std::size_t fibers_made = 1;
KnownFiber* current = fibers.data();

// A stack, as the address sanitizer knows it, and the fiber that has it.
struct KnownStack {
    const void* bottom = nullptr;
    std::size_t size = 0;
    void* left_with = nullptr;  // the fake stack of who left it
    KnownFiber* fiber = nullptr;
};
std::array<KnownStack, 256> stacks;
std::size_t stacks_known = 0;
KnownStack* here = nullptr;
KnownStack* next = nullptr;

const char* mistake = nullptr;
int switches = 0;
void must(bool holds, const char* what) {
    if (!holds && mistake == nullptr) mistake = what;
}

bool holds(const KnownStack& stack, const void* place) {
    const auto* const bottom = static_cast<const std::byte*>(stack.bottom);
    const auto* const byte = static_cast<const std::byte*>(place);
    return byte >= bottom && byte < bottom + stack.size;
}

KnownStack& stack_of(const void* bottom, std::size_t size) {
    for (KnownStack& known : std::span(stacks).first(stacks_known))
        if (known.bottom == bottom && known.size == size) return known;
    stacks.at(stacks_known) = {.bottom = bottom, .size = size};
    return stacks[stacks_known++];
}

KnownStack& stack_of_the_thread() {
    ::pthread_attr_t attributes;
    ::pthread_getattr_np(::pthread_self(), &attributes);
    void* bottom = nullptr;
    std::size_t size = 0;
    ::pthread_attr_getstack(&attributes, &bottom, &size);
    ::pthread_attr_destroy(&attributes);
    KnownStack& stack = stack_of(bottom, size);
    stack.fiber = fibers.data();
    return stack;
}

// What orders is noted at one place: 'r' a release, 'a' an acquire, 'f' that it is forgotten; and on which fiber, 0 being the
// first that was there.
const void* watched = nullptr;
std::array<char, 64> noted{};
std::size_t notes = 0;
std::array<KnownFiber*, 8> seen{};

void note(const void* place, char what) {
    if (place != watched || notes + 3 > noted.size()) return;
    std::size_t who = 0;
    while (seen.at(who) != nullptr && seen[who] != current) ++who;
    seen[who] = current;
    noted[notes++] = what;
    noted[notes++] = static_cast<char>('0' + who);
    noted[notes++] = ' ';
}

void watch(const void* place) {
    watched = place;
    notes = 0;
    seen = {};
}

std::string order_there() { return {noted.data(), notes}; }

struct Range {
    const void* place = nullptr;
    std::size_t size = 0;
    bool operator==(const Range&) const = default;
};
Range was_read, was_written, made_fresh;
std::array<Range, 8> kept{};
std::size_t kept_count = 0;

}  // namespace

extern "C" {
void __tsan_acquire(void* place) { note(place, 'a'); }
void __tsan_release(void* place) { note(place, 'r'); }
void __tsan_mutex_destroy(void* place, unsigned) { note(place, 'f'); }
void __tsan_ignore_thread_begin() { ++current->unseen; }
void __tsan_ignore_thread_end() { must(--current->unseen >= 0, "what was not unseen ends"); }
void* __tsan_create_fiber(unsigned flags) {
    must(flags == 0, "a fiber is made with flags");
    fibers.at(fibers_made).alive = true;
    return &fibers[fibers_made++];
}
void __tsan_destroy_fiber(void* fiber) {
    auto& it = *static_cast<KnownFiber*>(fiber);
    must(it.alive, "a fiber is destroyed twice");
    must(&it != current, "the fiber that runs is destroyed");
    must(it.unseen == 0, "a fiber is destroyed that is unseen");
    it.alive = false;
}
void* __tsan_get_current_fiber() { return current; }
void __tsan_switch_to_fiber(void* fiber, unsigned flags) {
    must(flags == 1, "a switch orders");
    current = static_cast<KnownFiber*>(fiber);
    must(current->alive, "a switch goes to a fiber that was destroyed");
}
void __tsan_read_range(void* place, unsigned long size) { was_read = {place, size}; }
void __tsan_write_range(void* place, unsigned long size) { was_written = {place, size}; }

void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t size) {
    if (here == nullptr) here = &stack_of_the_thread();
    must(next == nullptr, "a switch begins within one");
    must(holds(*here, &fake_stack), "a stack is left that was not announced");
    next = &stack_of(bottom, size);
    *fake_stack = here->left_with = &++switches + here->size;
}
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* size) {
    must(next != nullptr, "a switch ends that has not begun");
    must(holds(*next, &fake_stack), "it has gone to another stack than the one that was announced");
    *bottom = here->bottom;
    *size = here->size;
    here = std::exchange(next, nullptr);
    must(fake_stack == std::exchange(here->left_with, nullptr), "the fake stack is another one's");
    if (here->fiber == nullptr) here->fiber = current;
    must(here->fiber == current, "the two sanitizers are told of different fibers");
}
void __asan_unpoison_memory_region(const volatile void* place, std::size_t size) {
    made_fresh = {const_cast<const void*>(place), size};
}
void __lsan_register_root_region(const void* place, std::size_t size) { kept.at(kept_count++) = {place, size}; }
}

namespace {

struct Told : testing::Test {
    void SetUp() override {
        ASSERT_TRUE(sim::has_address_sanitizer());
        ASSERT_TRUE(sim::has_thread_sanitizer());
        switches = 0;
        kept_count = 0;
        watch(nullptr);
    }
    void TearDown() override {
        EXPECT_STREQ(std::exchange(mistake, nullptr), nullptr);
        EXPECT_EQ(current, fibers.data()) << "the thread";
        EXPECT_EQ(current->unseen, 0);
    }
};

// Two that wait for each other, by all that there is.
void body() {
    Mutex mutex;
    ConditionVariable changed;
    Atomic<int> word{0};
    int turn = 0;
    const auto play = [&](int mine) {
        for (int i = 0; i < 3; ++i) {
            mutex.lock();
            while (turn % 2 != mine) changed.wait(mutex);
            ++turn;
            word.fetch_add(1, relaxed);
            changed.notify_all();
            mutex.unlock();
        }
    };
    Thread one([&] { play(0); }), two([&] { play(1); });
    one.join(), two.join();
    EXPECT_EQ(word.load(relaxed), 6);
}

TEST_F(Told, each_switch_with_the_stack_that_it_goes_to) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        sim::Seed random(seed);
        const Ran one = run(random, body);
        ASSERT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
    }
    EXPECT_GT(switches, 200);
    EXPECT_EQ(here, &stack_of_the_thread());
}

TEST_F(Told, what_a_mutex_orders_until_it_ends) {
    calm_run([] {
        Mutex mutex;
        watch(&mutex);
        mutex.lock();
        mutex.unlock();
        Thread other([&] {
            mutex.lock();
            mutex.unlock();
        });
        other.join();
    });
    EXPECT_EQ(order_there(), "a0 r0 a1 r1 f0 ");
}

TEST_F(Told, that_a_thread_begins_after_its_start_and_is_joined_after_its_end) {
    for (const bool at_its_end : {false, true}) {
        // A run uses the fibers of those before it again.
        calm_run([&] {
            const sim::Fiber& fiber = Scheduler::running()->next_fiber();
            watch(at_its_end ? static_cast<const void*>(&fiber.joiners) : &fiber.entry);
        });
        calm_run([] {
            seen[0] = current;
            Thread([] {}).join();
        });
        EXPECT_EQ(order_there(), at_its_end ? "r1 a0 " : "r0 a1 ");
    }
}

TEST_F(Told, that_what_follows_a_run_comes_after_all_of_it) {
    watch(&scheduler());
    calm_run([] { Thread([] {}).join(); });
    EXPECT_EQ(order_there(), "r0 r1 a2 ") << "each at its end, then who called run()";
}

TEST_F(Told, that_a_stack_is_kept_on_which_nobody_goes_on) {
    const void* on_the_stack[2] = {};
    watch(&scheduler());
    const Ran failed = calm_run([&] {
        Mutex mutex;
        on_the_stack[0] = &mutex;
        mutex.lock();
        Thread waits([&] {
            const int local = 0;
            on_the_stack[1] = &local;
            mutex.lock();
        });
        waits.join();
    });
    EXPECT_EQ(failed.outcome.verdict, Verdict::deadlock);
    EXPECT_EQ(order_there(), "r0 r1 a2 ") << "also what never goes on is over";
    ASSERT_EQ(kept_count, 2u);
    for (const std::size_t i : {0u, 1u}) {
        EXPECT_EQ(kept[i].size, sim::FiberContext::stack_size);
        EXPECT_TRUE(holds({.bottom = kept[i].place, .size = kept[i].size}, on_the_stack[i])) << i;
        EXPECT_FALSE(holds({.bottom = kept[i].place, .size = kept[i].size}, on_the_stack[1 - i])) << i;
    }
    EXPECT_EQ(made_fresh.size, sim::FiberContext::guard_size + sim::FiberContext::stack_size);
    const void* again = nullptr;
    const Ran next_one = calm_run([&] {
        const int local = 0;
        again = &local;
        body();
    });
    EXPECT_EQ(next_one.outcome.verdict, Verdict::passed) << next_one.outcome.text;
    EXPECT_FALSE(holds({.bottom = kept[0].place, .size = kept[0].size}, again)) << "it is never used again";
}

TEST_F(Told, that_a_stack_is_new_and_that_its_fiber_ends) {
    const std::size_t before = fibers_made;
    {
        sim::FiberContext context{sim::FiberContext::OwnStack{}};
        const auto* const guard = static_cast<const std::byte*>(context.room()) + sim::FiberContext::room_size -
                                  sim::FiberContext::stack_size - sim::FiberContext::guard_size;
        EXPECT_EQ(made_fresh, (Range{guard, sim::FiberContext::guard_size + sim::FiberContext::stack_size}));
        ASSERT_EQ(fibers_made, before + 1);
        EXPECT_TRUE(fibers[before].alive);
    }
    EXPECT_FALSE(fibers[before].alive);
}

TEST_F(Told, what_is_unseen_as_often_as_it_is) {
    {
        const sim::Unseen once;
        EXPECT_EQ(current->unseen, 1);
        const sim::Unseen twice;
        EXPECT_EQ(current->unseen, 2);
    }
    EXPECT_EQ(current->unseen, 0);
    current->unseen = 3;
    sim::sanitizers::end_unseen(0);
    EXPECT_EQ(current->unseen, 3);
    sim::sanitizers::end_unseen(3);
    EXPECT_EQ(current->unseen, 0);
}

// --- what system calls do with the program's memory ---

char sent[] = "bread";
char received[16];
platform::event event;

void sends_and_receives(acairo::Trial& trial) {
    platform::address address;
    auto& v4 = reinterpret_cast<::sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.length = sizeof v4;
    const int listener = platform::socket(AF_INET, SOCK_STREAM, 0);
    platform::bind(listener, address);
    platform::listen(listener, 1);
    platform::getsockname(listener, address);
    const int client = platform::socket(AF_INET, SOCK_STREAM, 0);
    trial.require(platform::connect(client, address) == 0, "it connects");
    const int server = platform::accept4(listener, 0);
    trial.require(platform::send(client, sent, sizeof sent, 0) == sizeof sent, "all is sent");
    trial.require(platform::recv(server, received, sizeof received, 0) == sizeof sent, "all is received");
    trial.require(was_written == Range{received, sizeof sent}, "what was received is written, and no more");
    const int epoll = platform::epoll_create1(0);
    platform::event wanted{.events = EPOLLOUT, .data = {}};
    platform::epoll_ctl(epoll, EPOLL_CTL_ADD, client, &wanted);
    trial.require(platform::epoll_wait(epoll, &event, 1, -1) == 1, "there is room");
    for (const int fd : {listener, client, server, epoll}) platform::close(fd);
}
const acairo::Property sending{"bytes_are_seen",
                               sends_and_receives,
                               {.interruptions = false, .shortages = false, .network = false, .clock = false}};

TEST_F(Told, which_memory_a_system_call_reads_and_writes) {
    sim::Bytes zeros({});
    sim::Choices choices(zeros);
    const Outcome outcome = sim::run_here(sending, choices);
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
    EXPECT_EQ(was_read, (Range{sent, sizeof sent}));
    EXPECT_EQ(was_written, (Range{&event, sizeof event})) << "the last one";
    EXPECT_STREQ(received, sent);
}

}  // namespace
