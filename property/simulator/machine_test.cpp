// The simulated computer: what it says of a program that waits for nothing, or uses and leaves descriptors as no program
// should, and what its blocking calls do.
#include <acairo/machine.hpp>
#include <acairo/platform.hpp>
#include <cerrno>
#include <string_view>
#include <vector>

#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using sim::Setting;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;

sim::Machine& machine() {
    static sim::Machine one;
    return one;
}

Setting calm() {
    Setting setting;
    setting.climate = {
        .interruptions = false, .older_loads = false, .shortages = false, .network = false, .clock = false};
    return setting;
}

template <class Body> Outcome run_of(sim::Producer& producer, const Setting& setting, Body&& body) {
    sim::Choices choices(producer);
    return machine().run(choices, setting, body);
}

template <class Body> Outcome calm_run_of(Body&& body, const Setting& setting = calm()) {
    sim::Bytes zeros({});
    return run_of(zeros, setting, body);
}

// It is told of nothing but what happens.
struct Incurious : sim::Observer {
    void happened(const sim::Event&) override { ++events; }
    int events = 0;
};

struct Curious final : Incurious {
    void misused(const char* call, int fd) override { misuses.push_back(std::string(call) + std::to_string(fd)); }
    void left_open(int fd) override { open.push_back(fd); }
    std::vector<std::string> misuses;
    std::vector<int> open;
};

// --- sockets ---------------------------------------------------------------------------------------------------------

constexpr int blocking = SOCK_STREAM, not_blocking = SOCK_STREAM | SOCK_NONBLOCK;

int listener(int type, platform::address& name) {
    const int fd = platform::socket(AF_INET, type, 0);
    platform::address any;
    any.storage.ss_family = AF_INET;
    any.length = sizeof(::sockaddr_in);
    EXPECT_EQ(platform::bind(fd, any), 0);
    EXPECT_EQ(platform::listen(fd, 1), 0);
    EXPECT_EQ(platform::getsockname(fd, name), 0);
    return fd;
}

// {accepted, client}, both blocking.
std::array<int, 2> pair() {
    platform::address name;
    const int listening = listener(blocking, name);
    const int client = platform::socket(AF_INET, blocking, 0);
    EXPECT_EQ(platform::connect(client, name), 0);
    const int accepted = platform::accept4(listening, 0);
    EXPECT_EQ(platform::close(listening), 0);
    return {accepted, client};
}

TEST(The_machine, has_who_accepts_wait_for_a_connection_only_on_a_listener_that_blocks) {
    const Outcome outcome = calm_run_of([] {
        platform::address name;
        const int impatient = listener(not_blocking, name);
        EXPECT_EQ(platform::accept4(impatient, 0), -EAGAIN);
        const int patient = listener(blocking, name);
        platform::thread client([&] {
            const int fd = platform::socket(AF_INET, blocking, 0);
            EXPECT_EQ(platform::connect(fd, name), 0);
            platform::close(fd);
        });
        const int accepted = platform::accept4(patient, 0);
        EXPECT_GE(accepted, 0);
        client.join();
        for (const int fd : {impatient, patient, accepted}) platform::close(fd);
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
}

// Weather in which each segment takes 50 ms.
struct SlowNetwork final : sim::Producer {
    std::uint64_t below(std::uint64_t, Tag tag) override {
        if (tag == Tag::clock) return 3;
        return tag == Tag::workload && drawn++ == 0 ? 1 : 0;
    }
    int drawn = 0;
};

TEST(The_machine, tells_each_of_two_who_wait_for_one_connection_that_it_is_there) {
    Setting setting = calm();
    setting.climate.network = true;
    SlowNetwork slow;
    const Outcome outcome = run_of(slow, setting, [] {
        platform::address name;
        const int listening = listener(not_blocking, name);
        const int fd = platform::socket(AF_INET, blocking, 0);
        const auto connects = [&] { EXPECT_EQ(platform::connect(fd, name), 0); };
        platform::thread other(connects);
        connects();
        other.join();
        const int accepted = platform::accept4(listening, 0);
        EXPECT_GE(accepted, 0);
        for (const int each : {listening, fd, accepted}) platform::close(each);
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
    EXPECT_EQ(outcome.time, Setting().options.start + 50ms) << "they have waited for it";
}

TEST(The_machine, has_who_sends_more_than_there_is_room_for_wait_for_the_reader) {
    const Outcome outcome = calm_run_of([] {
        const auto [accepted, client] = pair();
        const std::vector<char> bytes(100'000, 'x');
        platform::thread reader([&, fd = accepted] {
            std::vector<char> read(bytes.size());
            for (std::size_t all = 0; all < bytes.size();) {
                const std::ptrdiff_t some = platform::recv(fd, read.data(), read.size(), 0);
                ASSERT_GT(some, 0);
                all += static_cast<std::size_t>(some);
            }
        });
        EXPECT_EQ(platform::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL), 100'000);
        reader.join();
        platform::close(client);
        platform::close(accepted);
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
}

TEST(The_machine, has_who_receives_wait_for_the_sender) {
    const Outcome outcome = calm_run_of([] {
        const auto [accepted, client] = pair();
        platform::thread sender([fd = accepted] { EXPECT_EQ(platform::send(fd, "abc", 3, MSG_NOSIGNAL), 3); });
        std::array<char, 10> bytes{};
        EXPECT_EQ(platform::recv(client, bytes.data(), bytes.size(), 0), 3);
        sender.join();
        platform::close(client);
        platform::close(accepted);
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
}

TEST(The_machine, has_nobody_wait_who_says_so_with_the_call) {
    const Outcome outcome = calm_run_of([] {
        const auto [accepted, client] = pair();
        std::vector<char> bytes(100'000);
        EXPECT_EQ(platform::recv(client, bytes.data(), bytes.size(), MSG_DONTWAIT), -EAGAIN);
        constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        // One buffer is the sender's, one the reader's.
        for (const int wanted : {16384, 16384, -EAGAIN}) {
            EXPECT_EQ(platform::send(client, bytes.data(), bytes.size(), flags), wanted);
        }
        platform::close(client);
        platform::close(accepted);
    });
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.text;
}

TEST(The_machine, calls_who_asks_an_epoll_again_and_again_busy) {
    Setting setting = calm();
    setting.options.empty_polls = 5;
    const auto asking = [&](int times, bool with_another) {
        return calm_run_of(
            [&] {
                const int epoll = platform::epoll_create1(0);
                ::epoll_event event{};
                platform::thread other;
                if (with_another) other = platform::thread([] {});
                for (int i = 0; i != times; ++i) EXPECT_EQ(platform::epoll_wait(epoll, &event, 1, 0), 0);
                if (with_another) other.join();
                platform::close(epoll);
            },
            setting);
    };
    EXPECT_EQ(asking(5, false).verdict, Verdict::passed);
    EXPECT_EQ(asking(6, true).verdict, Verdict::passed) << "there was somebody to wait for";
    const Outcome outcome = asking(6, false);
    EXPECT_EQ(outcome.verdict, Verdict::busy);
    EXPECT_THAT(outcome.text, AllOf(HasSubstr("a thread asked epoll_wait 6 times in a row, without waiting"),
                                    HasSubstr("wait with a timeout, or until something comes")));
}

// --- descriptors -----------------------------------------------------------------------------------------------------

void write_while_another_closes_and_makes() {
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    platform::thread writer([&] { platform::write_counter(fd, 1); });
    platform::close(fd);
    const int next = platform::eventfd(0, EFD_NONBLOCK);
    EXPECT_EQ(next, fd);
    writer.join();
    platform::close(next);
}

// Who has begun to write goes on when nobody else can.
struct WriterWaits final : sim::Producer {
    std::uint64_t below(std::uint64_t, Tag) override { return 0; }
    std::size_t thread(std::span<const sim::Candidate> candidates) override {
        std::size_t chosen = 0;
        for (std::size_t i = 0; i != candidates.size(); ++i) {
            const std::string_view operation = candidates[i].operation;
            if (operation == "thread.begin") return i;
            if (operation != "write") chosen = i;
        }
        return chosen;
    }
};

TEST(The_machine, finds_a_call_whose_number_becomes_another_ones_whoever_looks_on) {
    Incurious incurious;
    Curious curious;
    for (sim::Observer* const observer : {static_cast<sim::Observer*>(nullptr), static_cast<sim::Observer*>(&incurious),
                                          static_cast<sim::Observer*>(&curious)}) {
        Setting setting = calm();
        setting.observer = observer;
        WriterWaits producer;
        const Outcome outcome = run_of(producer, setting, write_while_another_closes_and_makes);
        EXPECT_EQ(outcome.verdict, Verdict::reused_descriptor);
        EXPECT_THAT(outcome.text, ContainsRegex("write of descriptor 0 was under way when that was closed, and its "
                                                "number is another one's since step [0-9]+: who closes it must wait "
                                                "for the calls that use it"));
    }
    EXPECT_GT(incurious.events, 0);
    EXPECT_THAT(curious.misuses, ElementsAre("write0"));
    EXPECT_EQ(calm_run_of(write_while_another_closes_and_makes).verdict, Verdict::passed) << "it begins afterwards";
}

TEST(The_machine, lists_what_is_left_open_whoever_looks_on) {
    Incurious incurious;
    Curious curious;
    for (sim::Observer* const observer : {static_cast<sim::Observer*>(nullptr), static_cast<sim::Observer*>(&incurious),
                                          static_cast<sim::Observer*>(&curious)}) {
        Setting setting = calm();
        setting.observer = observer;
        const Outcome outcome = calm_run_of(
            [] {
                platform::close(platform::eventfd(0, 0));
                platform::eventfd(0, 0);
                platform::epoll_create1(0);
                platform::address name;
                listener(blocking, name);
                platform::socket(AF_INET, blocking, 0);
            },
            setting);
        EXPECT_EQ(outcome.verdict, Verdict::leaked_descriptor);
        EXPECT_THAT(outcome.text,
                    ContainsRegex("leaked descriptor: the run is over, and 4 descriptors are still open; "
                                  "whoever made them closes them:\n"
                                  "  0, an eventfd made at step [0-9]+\n  1, an epoll made at step [0-9]+\n"
                                  "  2, a listener made at step [0-9]+\n  3, a socket made at step [0-9]+"));
    }
    EXPECT_THAT(curious.open, ElementsAre(0, 1, 2, 3));
}

TEST(The_machine, makes_no_system_call_outside_of_a_run) {
    EXPECT_DEATH(platform::eventfd(0, 0), "a system call of the simulated world outside of a run: call Machine::run");
}

}  // namespace
