// What a timeline holds, and that a run's texts are harmless in it. Whether it is good to look at, only a person sees.
#include <unistd.h>
#include <acairo/platform.hpp>
#include <acairo/replay.hpp>
#include <acairo/seed.hpp>
#include <acairo/story.hpp>
#include <acairo/timeline.hpp>
#include <acairo/token.hpp>
#include <algorithm>
#include <map>
#include <stdexcept>

#include "json.hpp"
#include "simulation.hpp"

namespace {

using namespace simulation;
using acairo::platform;
using acairo::Property;
using acairo::Trial;
using sim::Result;
using sim::Timeline;

Json trace_of(const Timeline& timeline) { return JsonReader(timeline.trace).whole(); }

Json data_of(const Timeline& timeline) {
    const std::string_view page = timeline.page;
    const std::string_view opening = "<script type=\"application/json\" id=\"run\">";
    const std::size_t begin = page.find(opening) + opening.size();
    return JsonReader(page.substr(begin, page.find("</script>", begin) - begin)).whole();
}

std::size_t occurrences(std::string_view text, std::string_view of) {
    std::size_t count = 0;
    for (std::size_t at = text.find(of); at != std::string_view::npos; at = text.find(of, at + 1)) ++count;
    return count;
}

// --- what is drawn ---

void loses_an_update(Trial& trial) {
    platform::atomic<int> counter(0);
    const auto increment = [&] { counter.store(counter.load(acquire) + 1, release); };
    platform::thread first(increment);
    platform::thread second(increment);
    first.join();
    second.join();
    trial.require(counter.load(acquire) == 2, "both are counted");
}

void loses_a_wakeup(Trial&) {
    platform::mutex mutex;
    platform::condition_variable changed;
    platform::thread waiter([&] {
        mutex.lock();
        changed.wait(mutex);
        mutex.unlock();
    });
    changed.notify_all();
    waiter.join();
}

void counts_and_sleeps(Trial& trial) {
    const int fd = platform::eventfd(0, EFD_NONBLOCK);
    platform::thread other([&] {
        for (int i = 0; i < 5; ++i) platform::write_counter(fd, 1);
    });
    for (int i = 0; i < 5; ++i) platform::write_counter(fd, 1);
    other.join();
    const int epoll = platform::epoll_create1(0);
    platform::event event{};
    while (platform::epoll_wait(epoll, &event, 1, 10) < 0) {}
    platform::close(epoll);
    platform::close(fd);
    trial.require(fd >= 0, "a counter is made");
}

const Property update{"an_update_is_not_lost", loses_an_update};
const Property wakeup{"a_wakeup_is_not_lost", loses_a_wakeup};
void exchanges(Trial&) {
    platform::atomic<int> atomic(0);
    for (int expected = 0; !atomic.compare_exchange_weak(expected, 1, acq_rel, acquire);) expected = 0;
    platform::thread([] {}).join();
}

// Alone, so that nobody but the network can wake it.
void talks_to_itself(Trial&) {
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
    platform::connect(client, address);
    const int server = platform::accept4(listener, 0);
    char byte = 'x';
    platform::send(client, &byte, 1, 0);
    platform::recv(server, &byte, 1, 0);
    for (const int fd : {listener, client, server}) platform::close(fd);
}

const Property talking{"bytes_arrive", talks_to_itself, {.interruptions = false, .shortages = false}};
const Property exchanging{"exchanges_end", exchanges};
const Property counting{"counters_count", counts_and_sleeps, {.interruptions = true, .shortages = false}};

// The first of some seeds with which it is so.
template <class Wanted> Result first_with(const Property& property, Wanted&& wanted) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        const auto make = [&] { return std::make_unique<sim::Seed>(seed); };
        Result result = sim::run_in_child(property, make, true);
        if (wanted(result)) return result;
    }
    throw std::runtime_error(std::string("no seed gives the wanted run of ") + property.name);
}
const Result& lost_update() {
    static const Result result = first_with(update, [](const Result& it) { return !it.passed(); });
    return result;
}
const Result& counted() {
    static const Result result = first_with(counting, [](const Result& it) {
        return it.passed() && std::ranges::any_of(it.events, &sim::Event::injected);
    });
    return result;
}

TEST(Timeline, has_a_lane_for_each_thread) {
    const Json trace = trace_of(sim::timeline_of(update, lost_update()));
    std::vector<std::string> names;
    for (const Json& entry : trace["traceEvents"].list) {
        if (entry["name"].text != "thread_name") continue;
        names.push_back(entry["args"]["name"].text);
        EXPECT_EQ(entry["tid"].number, static_cast<double>(names.size()));
    }
    EXPECT_THAT(names, testing::ElementsAre("thread 0 (the body)",
                                            testing::HasSubstr("thread 1 (started at timeline_test.cpp:"),
                                            testing::HasSubstr("thread 2 (started at timeline_test.cpp:")));
    EXPECT_EQ(data_of(sim::timeline_of(update, lost_update()))["lanes"].list.size(), 3u);
}

TEST(Timeline, has_every_event) {
    const Result& result = counted();
    const Json trace = trace_of(sim::timeline_of(counting, result));
    ASSERT_GT(result.events.size(), 10u);
    for (const sim::Event& event : result.events) {
        const std::string call = std::string(event.operation) + "(" + (event.fd < 0 ? "" : std::to_string(event.fd)) +
                                 ") = " + sim::text_of_result(event);
        const auto drawn = std::ranges::count_if(trace["traceEvents"].list, [&](const Json& it) {
            return it["ph"].text == "X" && it["name"].text == (event.injected ? "INJECTED " : "") + call &&
                   it["tid"].number == event.fiber + 1 && it["ts"].number >= static_cast<double>(event.step * 10) &&
                   it["ts"].number < static_cast<double>(event.step * 10 + 10);
        });
        EXPECT_EQ(drawn, 1) << call << " at step " << event.step;
    }
}

TEST(Timeline, is_monotonic_and_nested) {
    for (const auto& [property, result] : {std::pair(&update, &lost_update()), std::pair(&counting, &counted())}) {
        const Json trace = trace_of(sim::timeline_of(*property, *result));
        double time = 0;
        std::map<double, double> busy_until;
        std::map<double, double> flows;
        for (const Json& it : trace["traceEvents"].list) {
            if (it["ph"].text == "M") continue;
            EXPECT_GE(it["ts"].number, time);
            time = it["ts"].number;
            if (it["ph"].text == "s") flows[it["id"].number] = time;
            if (it["ph"].text == "f") {
                EXPECT_EQ(flows.count(it["id"].number), 1u) << "a flow ends that did not begin";
                flows.erase(it["id"].number);
            }
            if (it["ph"].text != "X" || it["dur"].number == 1) continue;
            EXPECT_GE(time, busy_until[it["tid"].number]) << it["name"].text << " overlaps";
            busy_until[it["tid"].number] = time + it["dur"].number;
        }
        EXPECT_TRUE(flows.empty());
        EXPECT_GT(time, 0);
    }
}

TEST(Timeline, shows_steps_with_values_preemptions_and_wakeups) {
    const Json data = data_of(sim::timeline_of(update, lost_update()));
    const auto text = [&](const Json& number) {
        return data["texts"].list.at(static_cast<std::size_t>(number.number)).text;
    };
    EXPECT_EQ(data["boxes"].list.size(), lost_update().steps);
    std::string values;
    int preemptions = 0;
    for (const Json& box : data["boxes"].list) {
        if (text(box.list[3]).starts_with("atomic.")) values += text(box.list[3]) + " " + text(box.list[6]) + ";";
        if (text(box.list[3]) == "atomic.load") {
            EXPECT_THAT(text(box.list[5]), testing::HasSubstr("timeline_test.cpp:"));
        }
        if (box.list[8].kind == Json::Kind::number) ++preemptions;
    }
    EXPECT_THAT(values, testing::EndsWith("atomic.store := 1;atomic.load = 1;"));
    EXPECT_EQ(occurrences(values, "atomic.load = 0;"), 2u);
    EXPECT_GT(preemptions, 0);
    ASSERT_FALSE(data["pauses"].list.empty());
    const Json& join = data["pauses"].list[0];
    EXPECT_EQ(text(join.list[1]), "thread.join");
    EXPECT_EQ(join.list[5].text, "thread");
    EXPECT_EQ("thread " + std::to_string(static_cast<int>(join.list[6].number)), text(join.list[2]));
}

TEST(Timeline, marks_faults_of_threads_and_atomics) {
    const Result weak = first_with(exchanging, [](const Result& it) {
        return std::ranges::any_of(it.moments, [](const sim::Moment& at) {
            return at.faulty && std::string_view(at.operation) == "atomic.compare_exchange_weak";
        });
    });
    EXPECT_THAT(sim::timeline_of(exchanging, weak).trace,
                testing::HasSubstr("INJECTED atomic.compare_exchange_weak atomic 1 fails for no reason"));
    const Result threadless = first_with(exchanging, [](const Result& it) { return it.kind == "exception"; });
    const Timeline timeline = sim::timeline_of(exchanging, threadless);
    EXPECT_THAT(timeline.trace, testing::HasSubstr("injected fault: thread.start fails: no thread"));
    EXPECT_THAT(timeline.page, testing::HasSubstr("\"fails: no thread\""));
}

TEST(Timeline, shows_what_time_and_the_network_wake) {
    const Json data = data_of(sim::timeline_of(counting, counted()));
    EXPECT_TRUE(std::ranges::any_of(data["pauses"].list, [](const Json& it) { return it.list[5].text == "deadline"; }));
    const Result talk = first_with(talking, [](const Result& it) {
        return std::ranges::any_of(it.events, [](const sim::Event& event) { return event.result == -EAGAIN; });
    });
    const Json network = data_of(sim::timeline_of(talking, talk));
    ASSERT_FALSE(network["pauses"].list.empty());
    EXPECT_EQ(network["pauses"].list[0].list[5].text, "network");
    EXPECT_EQ(data["boxes"].list.front().list[1].number, 0);
    EXPECT_GE(data["boxes"].list.back().list[1].number, 10e6);
}

TEST(Timeline, shows_who_waits_for_ever) {
    const Result result = first_with(wakeup, [](const Result& it) { return it.kind == "deadlock"; });
    const Timeline timeline = sim::timeline_of(wakeup, result);
    EXPECT_THAT(timeline.trace, testing::HasSubstr("waits: condition.wait condition 2, for ever"));
    EXPECT_THAT(timeline.trace, testing::HasSubstr("FAILED: deadlock"));
    EXPECT_THAT(timeline.page, testing::HasSubstr("deadlock: all threads wait"));
}

TEST(Timeline, names_the_verdict_and_how_to_repeat_it) {
    const std::string page = sim::timeline_of(update, lost_update()).page;
    EXPECT_THAT(page, testing::HasSubstr("failed: both are counted"));
    const std::string_view before = "ci/repro ";
    const std::size_t begin = page.find(before) + before.size();
    const sim::Token token = sim::token_of(page.substr(begin, page.find('<', begin) - begin));
    EXPECT_EQ(token.property, "an_update_is_not_lost");
    EXPECT_EQ(token.recording, lost_update().recording);
}

TEST(Timeline, fetches_nothing) {
    const std::string page = sim::timeline_of(update, lost_update()).page;
    for (const char* const reference :
         {"http://", "https://", "src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest"}) {
        EXPECT_EQ(occurrences(page, reference), 0u) << reference;
    }
    EXPECT_THAT(page, testing::HasSubstr("default-src 'none'"));
}

TEST(Timeline, shows_texts_and_interprets_none) {
    const std::string markup = "</script><script>alert(\"1\")</script><img src='x' onerror=alert(2)>&{{DATA}}";
    // Bytes that are no character, of which one would take what follows with it.
    const std::string evil = markup + "\xe2<b>\xff";
    const std::string shown = markup + "?<b>?";
    const Property property{evil.c_str(), loses_an_update};
    Result result = lost_update();
    result.kind = "failed: " + evil;
    result.text = "failed at step 1, 2 ns: " + evil + "\nmore " + evil;
    const Timeline timeline = sim::timeline_of(property, result);
    EXPECT_EQ(occurrences(timeline.page, "<script"), 2u);
    EXPECT_EQ(occurrences(timeline.page, "</script"), 2u);
    EXPECT_EQ(occurrences(timeline.page, "<img"), 0u);
    EXPECT_EQ(occurrences(timeline.page, "<b>"), 0u);
    EXPECT_EQ(data_of(timeline)["verdict"].text, "failed: " + shown);
    EXPECT_EQ(trace_of(timeline)["otherData"]["verdict"].text, "failed: " + shown);
    EXPECT_THAT(timeline.page, testing::HasSubstr("alert(&quot;1&quot;)"));
    EXPECT_THAT(timeline.page, testing::HasSubstr("src=&#39;x&#39;"));
}

TEST(Timeline, keeps_the_newest_of_a_long_run) {
    static constexpr int loads = 17'000;
    const Property property{"loads", [](Trial&) {
                                platform::atomic<int> atomic(0);
                                for (int i = 0; i < loads; ++i) atomic.store(i, release);
                            }};
    const Result result = first_with(property, [](const Result&) { return true; });
    EXPECT_EQ(result.moments.size(), sim::Chronicle::most_moments);
    EXPECT_GT(result.moments_left_out, 0u);
    EXPECT_TRUE(std::ranges::is_sorted(result.moments, {}, &sim::Moment::step));
    const Json data = data_of(sim::timeline_of(property, result));
    EXPECT_EQ(data["leftOut"].number, static_cast<double>(result.moments_left_out));
    EXPECT_EQ(data["boxes"].list.back().list[0].number, static_cast<double>(loads + 1));
    EXPECT_EQ(data["lanes"].list.size(), 1u);
}

TEST(Timeline, watching_changes_nothing) {
    const Result& seen = lost_update();
    const auto replay = [&] { return std::make_unique<sim::Replay>(seen.recording); };
    const Result unseen = sim::run_in_child(update, replay, false);
    EXPECT_EQ(unseen.trace_hash, seen.trace_hash);
    EXPECT_EQ(unseen.kind, seen.kind);
    EXPECT_TRUE(unseen.moments.empty());
}

TEST(Timeline, says_why_it_cannot_be_written) {
    try {
        sim::write_timeline("/proc/no/such/directory/timeline.html", update, lost_update());
        FAIL() << "it was written";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), ENOENT);
        EXPECT_THAT(error.what(), testing::HasSubstr("/proc/no/such/directory/timeline.html"));
    }
}

TEST(Timeline, is_two_files) {
    const std::string file = testing::TempDir() + "timeline-" + std::to_string(::getpid()) + ".html";
    sim::write_timeline(file, update, lost_update());
    const auto remove = [](const std::string& name) {
        const bool was_there = ::access(name.c_str(), R_OK) == 0;
        ::unlink(name.c_str());
        return was_there;
    };
    EXPECT_TRUE(remove(file));
    EXPECT_TRUE(remove(file + ".json"));
}

}  // namespace
