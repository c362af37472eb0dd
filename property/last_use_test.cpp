// Who ends the last use of a closed stream closes its descriptor: not before, and behind all that others have done with it.
// ThreadSanitizer takes close(2) for a write of the descriptor, and send(2) for a read: it reports what is not ordered.
#include "socket_test.hpp"

#include <sys/mman.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <span>
#include <thread>

namespace {

// A page that holds who touches it first, in the middle of that, until release(). Without an order between the two: all is relaxed.
class HoldingPage {
public:
    HoldingPage() {
        held = released = false;
        page = static_cast<char*>(::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        struct sigaction hold{};
        hold.sa_sigaction = on_touch;
        hold.sa_flags = SA_SIGINFO;
        ::sigaction(SIGSEGV, &hold, &before_);
    }
    HoldingPage(const HoldingPage&) = delete;
    HoldingPage& operator=(const HoldingPage&) = delete;
    ~HoldingPage() {
        // Not unmapped: where the core is broken, somebody may still be held.
        release();
        ::sigaction(SIGSEGV, &before_, nullptr);
    }
    std::span<char> byte() const { return {page, 1}; }
    bool holds() const { return held.load(std::memory_order_relaxed); }
    void release() { released.store(true, std::memory_order_relaxed); }

private:
    static void on_touch(int, siginfo_t* touched, void*) {
        if (touched->si_addr != page) std::abort();
        held.store(true, std::memory_order_relaxed);
        while (!released.load(std::memory_order_relaxed)) std::this_thread::yield();
        ::mprotect(page, size, PROT_READ | PROT_WRITE);
    }
    static constexpr std::size_t size = 1;  // rounded up by the kernel
    static inline char* page = nullptr;
    static inline std::atomic<bool> held;
    static inline std::atomic<bool> released;
    struct sigaction before_{};
};

class the_last_use_of_a_closed_stream : public sockets::SocketTest {};

TEST_F(the_last_use_of_a_closed_stream, closes_its_descriptor_behind_what_another_worker_has_sent_meanwhile) {
    use_workers(2);
    // Already over when it begins: a byte that is there is received, and the next one is not waited for.
    Pair pair = connected({.stream = {.read_timeout = std::chrono::nanoseconds(1)}});
    const int fd = sockets::descriptor_between(pair.client.peer_address(), pair.client.local_address());
    pair.client.send("a");
    raw::wait_for(fd, POLLIN);
    ASSERT_EQ(ending_of([&] { return pair.stream->read(2); }), "TimedOut");

    HoldingPage page;
    // The byte was received, and is copied while the reader uses the descriptor.
    sockets::Running reading = start([&] { return pair.stream->read_some(page.byte()); });
    while (!page.holds() && !reading.has_ended()) std::this_thread::yield();
    ASSERT_TRUE(page.holds()) << reading.ending();
    sockets::Running writing = start([&] { return pair.stream->write_all(std::string_view("b")); });
    EXPECT_EQ(writing.ending(), "done");
    pair.stream->close();
    EXPECT_TRUE(sockets::open_descriptors().contains(fd)) << "the reader uses it still";
    page.release();
    EXPECT_EQ(reading.ending(), "1");
    EXPECT_EQ(*page.byte().data(), 'a');
    EXPECT_EQ(pair.client.receive_all(), "b");
    EXPECT_FALSE(sockets::open_descriptors().contains(fd));
}

}  // namespace
