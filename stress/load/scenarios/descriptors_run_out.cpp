// There are fewer descriptors than peers, and another thread takes what is left now and then: all peers are served nevertheless, one
// after the other, and the executor goes on.
#include "../load.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace stress {
namespace {

constexpr std::uint32_t descriptors = 50;
constexpr std::uint32_t most_peers = 1500;  // at fifty in an accept's pause

// Every descriptor that there is, and back.
void take_all() {
    std::vector<int> taken;
    for (int fd = 0; fd >= 0;) {
        fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) taken.push_back(fd);
    }
    for (const int fd : taken) ::close(fd);
}

void descriptors_run_out(Round& round) {
    const std::uint32_t peers = std::min(round.peers, most_peers);
    property::Server server(round.workers, serve_once);
    ::rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const ::rlimit low{numbers_in("/proc/self/fd").size() + descriptors, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
    acairo::platform::atomic<bool> over{false};
    acairo::platform::thread taker([&] {
        while (!over.load(std::memory_order_acquire)) take_all();
    });
    round.crowd.begin({.ports = {port_of(server.address)},
                       .peers = peers,
                       .manners = all_manners & ~only(Manner::stalls) & ~only(Manner::is_silent),
                       .at_once = 200,
                       .tell_at = peers,
                       .seed = round.seed});
    round.crowd.wait();
    over.store(true, std::memory_order_release);
    taker.join();
    ::setrlimit(RLIMIT_NOFILE, &before);
    server.listener->stop();
    require(server.executor->drain(std::chrono::hours(1)), "everybody was served, and nobody waits");
    round.remark = std::to_string(peers) + " peers, " + std::to_string(descriptors) + " descriptors";
    round.peers = peers;
}

const Scenario registered{"descriptors_run_out", descriptors_run_out, false};

}  // namespace
}  // namespace stress
