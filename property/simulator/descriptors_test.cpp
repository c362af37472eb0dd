// What the simulated computer says of calls that end a run: which descriptor, why, and since when.
#include <acairo/machine.hpp>
#include <acairo/platform.hpp>
#include <set>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using testing::ContainsRegex;

template <class Body> Outcome run_unobserved(sim::Producer& producer, Body&& body) {
    static sim::Machine machine;
    sim::Choices choices(producer);
    sim::Setting setting;
    setting.climate = {
        .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};
    return machine.run(choices, setting, body);
}

TEST(A_misuse, of_a_number_that_is_closed_while_a_call_begins_says_where_it_was_closed) {
    std::set<Verdict> verdicts;
    // One to begin the call, one in the middle of it, and one between the close and what has the number next.
    sim::Enumeration all({.preemptions = 3});
    do {
        const Outcome outcome = run_unobserved(all, [] {
            const int fd = platform::eventfd(0, EFD_NONBLOCK);
            platform::thread writer([&] { platform::write_counter(fd, 1); });
            platform::close(fd);
            const int next = platform::eventfd(0, EFD_NONBLOCK);
            writer.join();
            platform::close(next);
        });
        verdicts.insert(outcome.verdict);
        if (outcome.verdict != Verdict::misuse) continue;
        EXPECT_THAT(outcome.text,
                    ContainsRegex("write of descriptor 0: the descriptor is closed; .*; it was closed at step "
                                  "[0-9]+"));
    } while (all.next());
    EXPECT_EQ(verdicts, (std::set{Verdict::passed, Verdict::misuse, Verdict::reused_descriptor}));
}

TEST(A_misuse, by_a_send_that_would_end_the_process_says_where_its_socket_was_made) {
    sim::Bytes zeros({});
    const Outcome outcome = run_unobserved(zeros, [] {
        const int listening = platform::socket(AF_INET, SOCK_STREAM, 0);
        platform::address name;
        name.storage.ss_family = AF_INET;
        name.length = sizeof(::sockaddr_in);
        platform::bind(listening, name);
        platform::listen(listening, 1);
        platform::getsockname(listening, name);
        const int client = platform::socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_EQ(platform::connect(client, name), 0);
        platform::shutdown(client, SHUT_WR);
        platform::send(client, "x", 1, 0);
    });
    EXPECT_EQ(outcome.verdict, Verdict::misuse);
    EXPECT_THAT(outcome.text,
                ContainsRegex("send of descriptor 1: EPIPE without MSG_NOSIGNAL raises SIGPIPE, .*; it was "
                              "made at step [0-9]+"));
}

}  // namespace
