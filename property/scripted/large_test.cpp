// Transfers of more than one system call is asked for: a gibibyte at most, which no integer of the kernel's is too small for.
#include "fixture.hpp"

#include <sys/mman.h>

namespace {

constexpr std::size_t gibibyte = std::size_t{1} << 30;

// Addresses that hardly anybody touches, so that they take no memory.
class Untouched {
public:
    explicit Untouched(std::size_t size)
        : size_(size),
          place_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
        if (place_ == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
    }
    Untouched(const Untouched&) = delete;
    Untouched& operator=(const Untouched&) = delete;
    ~Untouched() { ::munmap(place_, size_); }
    std::span<char> bytes() const { return {static_cast<char*>(place_), size_}; }

private:
    const std::size_t size_;
    void* const place_;
};

using ALargeTransfer = Scripted;

TEST_F(ALargeTransfer, that_reads_asks_for_a_gibibyte_at_most) {
    const Untouched room(2 * gibibyte);
    run([&]() -> acairo::Task<> {
        stream = co_await connected();
        registers(7);
        script.ready({{7, EPOLLIN}});
        script.receives("recv(7, 1073741824)", "abc");
        const std::size_t size = co_await stream->read_some(room.bytes());
        EXPECT_EQ(size, 3u);
        EXPECT_EQ(std::string(room.bytes().data(), size), "abc");
        stream.reset();
    });
}

TEST_F(ALargeTransfer, that_writes_sends_a_gibibyte_at_most_and_goes_on) {
    const Untouched much(2 * gibibyte);
    run([&]() -> acairo::Task<> {
        stream = co_await connected();
        script.on("send(7, 1073741824)", 10);
        script.on("send(7, 1073741824)", -EPIPE);
        const Failure failure = co_await failure_of(stream->write_all(much.bytes()));
        EXPECT_EQ(failure.error, EPIPE);
        EXPECT_EQ(stream->bytes_sent(), 10u);
        stream.reset();
    });
}

TEST_F(ALargeTransfer, that_writes_sends_what_is_left_of_it) {
    const Untouched much(gibibyte + 5);
    run([&]() -> acairo::Task<> {
        stream = co_await connected();
        script.on("send(7, 1073741824)", 10);
        script.on("send(7, 1073741819)", -EPIPE);
        const Failure failure = co_await failure_of(stream->write_all(much.bytes()));
        EXPECT_EQ(failure.error, EPIPE);
        stream.reset();
    });
}

}  // namespace
