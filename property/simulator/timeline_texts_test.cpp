// What stands in a timeline's page and in its trace, for models that are written by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <acairo/timeline.hpp>
#include <acairo/timeline_model.hpp>
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "json.hpp"

namespace {

namespace sim = acairo::simulator;
namespace timeline = acairo::simulator::timeline;
using namespace simulation;
using sim::Waker;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using timeline::Box;
using timeline::Model;
using timeline::Pause;

Model passed() {
    Model model;
    model.property = "a_run_is_drawn";
    model.verdict = "passed";
    model.token = "a token";
    model.passed = true;
    model.steps = model.left_out = 0;
    return model;
}

Model failed(const std::string& kind, const std::string& text) {
    Model model = passed();
    model.passed = false;
    model.verdict = kind;
    model.text = text;
    return model;
}

Box box(std::uint64_t step, std::uint32_t thread, const std::string& operation) {
    Box it;
    it.step = step;
    it.thread = thread;
    it.operation = operation;
    return it;
}

Pause pause(std::uint32_t thread, std::uint64_t from, std::optional<std::uint64_t> to, Waker waker,
            std::uint32_t by = 0) {
    return {thread, "mutex.lock", "mutex 7", from, to, waker, by};
}

// --- texts ---

TEST(TimelineTexts, are_json_that_ends_no_element) {
    EXPECT_EQ(timeline::json_text("plain ~\x7f"), "\"plain ~\x7f\"");
    EXPECT_EQ(timeline::json_text("\n\x01\x1f "), "\"\\u000a\\u0001\\u001f \"");
    EXPECT_EQ(timeline::json_text("\"\\<>&"), "\"\\u0022\\u005c\\u003c\\u003e\\u0026\"");
    EXPECT_EQ(timeline::json_text(""), "\"\"");
}

TEST(TimelineTexts, keep_characters_of_any_length_and_no_broken_one) {
    // Two, three and four bytes.
    const std::string whole = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";
    EXPECT_EQ(timeline::json_text(whole), "\"" + whole + "\"");
    const std::string none = "\\ufffd";
    EXPECT_EQ(timeline::json_text("\xc3"), "\"" + none + "\"") << "the text ends in it";
    EXPECT_EQ(timeline::json_text("\xe2\x82"), "\"" + none + none + "\"");
    EXPECT_EQ(timeline::json_text("\xe2\x82<"), "\"" + none + none + "\\u003c\"");
    EXPECT_EQ(timeline::json_text("\xf0\x9f\xff\x80z"), "\"" + none + none + none + none + "z\"");
    EXPECT_EQ(timeline::json_text("\x80\xf8"), "\"" + none + none + "\"");
}

TEST(TimelineTexts, are_markup_that_begins_no_element) {
    EXPECT_EQ(timeline::html_text("<b a=\"1\" c='2'>&</b>"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;&lt;/b&gt;");
}

// --- the page ---

std::string headline(const Model& model) {
    const std::string page = timeline::page_of(model);
    const std::string before = "<div id=\"headline\">";
    const std::size_t begin = page.find(before) + before.size();
    return page.substr(begin, page.find("</div>", begin) - begin);
}

TEST(TimelinePage, says_in_one_sentence_how_the_run_ended) {
    EXPECT_EQ(headline(passed()), "The run passed.");
    EXPECT_EQ(headline(failed("deadlock", "deadlock at step 12, 3600 ns: all threads wait\nthread 1 waits")),
              "deadlock: all threads wait");
    EXPECT_EQ(headline(failed("crash", "")), "crash");
    EXPECT_EQ(headline(failed("hang", "it stood still at step 3\nfor 7 ns: long")), "hang");
    EXPECT_EQ(headline(failed("odd", "after 7 ns: nothing")), "odd");
    EXPECT_EQ(headline(failed("odd", "after 7 ns: it fails at step 3")), "odd");
}

TEST(TimelinePage, looks_as_the_run_ended) {
    EXPECT_THAT(timeline::page_of(passed()),
                testing::AllOf(HasSubstr("<body class=\"passed\">"), HasSubstr("\u2714 passed"), Not(HasSubstr("{{"))));
    EXPECT_THAT(timeline::page_of(failed("deadlock", "")),
                testing::AllOf(HasSubstr("<body class=\"failed\">"), HasSubstr("\u2716 failed")));
}

TEST(TimelinePage, holds_what_was_recorded) {
    Model model = failed("deadlock", "");
    model.left_out = 4;
    model.lanes = {{"thread 0", "the body", {}, 0, 9}, {"thread 1", "", 0, 2, {}}};
    model.boxes = {box(2, 0, "send"), box(3, 1, "send")};
    model.boxes[0].calls = {{"send(4) = 1", "send", "1", "a.cpp:3", false},
                            {"send(4) = EINTR", "send", "EINTR", "", true}};
    model.boxes[1].preempts = true;
    model.pauses = {pause(0, 2, 3, Waker::fiber, 1), pause(0, 4, 5, Waker::deadline), pause(0, 6, 7, Waker::host),
                    pause(1, 8, {}, Waker::fiber)};
    const std::string page = timeline::page_of(model);
    const std::string opening = "id=\"run\">";
    const std::size_t begin = page.find(opening) + opening.size();
    const Json data = JsonReader(std::string_view(page).substr(begin, page.find("</script>", begin) - begin)).whole();
    const auto text = [&](const Json& number) {
        return data["texts"].list.at(static_cast<std::size_t>(number.number)).text;
    };
    EXPECT_EQ(data["leftOut"].number, 4);
    EXPECT_EQ(data["lanes"].list[0].list[2].kind, Json::Kind::null);
    EXPECT_EQ(data["lanes"].list[0].list[4].number, 9);
    EXPECT_EQ(data["lanes"].list[1].list[2].kind, Json::Kind::number);
    EXPECT_EQ(data["lanes"].list[1].list[4].kind, Json::Kind::null);
    const std::vector<Json>& calls = data["boxes"].list[0].list[10].list;
    ASSERT_EQ(calls.size(), 2u);
    EXPECT_EQ(text(calls[1].list[2]), "EINTR");
    EXPECT_EQ(calls[0].list[4].number, 0);
    EXPECT_EQ(calls[1].list[4].number, 1);
    EXPECT_EQ(data["boxes"].list[0].list[8].kind, Json::Kind::null);
    EXPECT_EQ(data["boxes"].list[1].list[8].kind, Json::Kind::number);
    EXPECT_EQ(data["boxes"].list[0].list[3].number, data["boxes"].list[1].list[3].number);
    EXPECT_EQ(text(data["boxes"].list[1].list[3]), "send");
    std::set<std::string> different;
    for (const Json& it : data["texts"].list) different.insert(it.text);
    EXPECT_EQ(different.size(), data["texts"].list.size());
    std::vector<std::string> wakers;
    for (const Json& it : data["pauses"].list) wakers.push_back(it.list[5].text);
    EXPECT_THAT(wakers, ElementsAre("thread", "deadline", "network", "thread"));
    EXPECT_EQ(data["pauses"].list[0].list[4].number, 3);
    EXPECT_EQ(data["pauses"].list[3].list[4].kind, Json::Kind::null);
}

// --- the trace: "what name thread time duration" of each entry that is none of the names ---

std::vector<std::string> entries(const Model& model) {
    const Json trace = JsonReader(timeline::trace_of(model)).whole();
    std::vector<std::string> all;
    for (const Json& it : trace["traceEvents"].list) {
        if (it["ph"].text == "M") continue;
        std::string entry = it["ph"].text + " " + it["name"].text;
        for (const char* const key : {"tid", "ts", "dur"}) {
            if (it.has(key)) entry += " " + std::to_string(static_cast<long>(it[key].number));
        }
        all.push_back(entry);
    }
    return all;
}

TEST(TimelineTrace, names_lanes_by_what_started_them) {
    Model model = passed();
    model.lanes = {{"thread 0", "the body", {}, 0, {}}, {"thread 1", "", {}, 0, {}}};
    const std::string trace = timeline::trace_of(model);
    EXPECT_THAT(trace, HasSubstr("{\"name\":\"thread 0 (the body)\"}"));
    EXPECT_THAT(trace, HasSubstr("{\"name\":\"thread 1\"}"));
}

TEST(TimelineTrace, marks_the_failure_behind_the_last_step) {
    EXPECT_THAT(entries(failed("crash", "")), ElementsAre()) << "there is no step";
    Model model = failed("crash", "");
    model.boxes = {box(3, 0, "time.passes"), box(5, 2, "time.passes")};
    EXPECT_THAT(entries(model), ElementsAre("X time.passes 1 30 10", "C virtual time 1 30", "X time.passes 3 50 10",
                                            "i FAILED: crash 3 60"));
    model.passed = true;
    EXPECT_THAT(entries(model), Not(testing::Contains(HasSubstr("FAILED"))));
}

TEST(TimelineTrace, tells_of_each_step_what_it_did) {
    Model model = passed();
    model.boxes = {box(1, 0, "atomic.load"), box(2, 1, "thread.start")};
    model.boxes[0].object = "atomic 3";
    model.boxes[0].value = "= 4";
    model.boxes[1].fault = "fails: no thread";
    model.boxes[1].preempts = true;
    model.boxes[1].time = std::chrono::nanoseconds(7);
    EXPECT_THAT(entries(model), ElementsAre("X atomic.load atomic 3 = 4 1 10 10", "C virtual time 1 10",
                                            "X INJECTED thread.start fails: no thread 2 20 10",
                                            "i injected fault: thread.start fails: no thread 2 20",
                                            "i preempts thread 0 2 20", "C virtual time 1 20"));
}

TEST(TimelineTrace, keeps_the_calls_of_a_step_inside_of_it) {
    Model model = passed();
    model.boxes = {box(1, 0, "send")};
    for (int i = 0; i < 12; ++i) model.boxes[0].calls.push_back({"call " + std::to_string(i), "send", "1", "", i == 1});
    const std::vector<std::string> all = entries(model);
    EXPECT_THAT(all, testing::IsSupersetOf({"X INJECTED call 0 1 10 10", "i injected fault: call 1 1 10",
                                            "X call 1 1 11 1", "X call 9 1 19 1", "X call 11 1 19 1"}));
    EXPECT_EQ(std::ranges::count_if(all, [](const std::string& it) { return it.starts_with("i "); }), 1);
    EXPECT_EQ(std::ranges::count_if(all, [](const std::string& it) { return it.starts_with("X "); }), 12);
}

TEST(TimelineTrace, draws_a_wake_up_to_the_step_that_follows_it) {
    Model model = passed();
    model.boxes = {box(1, 1, "mutex.lock"), box(4, 0, "mutex.unlock"), box(6, 1, "mutex.lock")};
    model.pauses = {pause(1, 1, 4, Waker::fiber, 0)};
    EXPECT_THAT(entries(model),
                testing::IsSupersetOf({"X waits: mutex.lock mutex 7 2 20 25", "s wakes 1 45", "f wakes 2 60"}));
    // Its thread never goes on; it waits on; it goes on because of something else.
    const auto flows = [&] {
        return std::ranges::count_if(entries(model), [](const std::string& it) { return it.starts_with("s "); });
    };
    EXPECT_EQ(flows(), 1);
    for (const Pause& other : {pause(2, 1, 4, Waker::fiber), pause(1, 6, 6, Waker::fiber),
                               pause(1, 1, {}, Waker::fiber), pause(1, 1, 4, Waker::deadline)}) {
        model.pauses = {other};
        EXPECT_EQ(flows(), 0);
    }
}

TEST(TimelineTrace, draws_a_wait_to_its_wake_up_or_to_the_end) {
    Model model = passed();
    model.boxes = {box(9, 0, "thread.end")};
    model.pauses = {pause(1, 2, {}, Waker::fiber), pause(2, 3, 3, Waker::host), pause(3, 12, {}, Waker::host)};
    model.pauses[1].object.clear();
    const std::vector<std::string> all = entries(model);
    EXPECT_THAT(all,
                testing::IsSupersetOf({"X waits: mutex.lock mutex 7, for ever 2 30 70", "X waits: mutex.lock 3 40 0",
                                       "X waits: mutex.lock mutex 7, for ever 4 130 0"}));
    // One that ends where it begins comes before the step that follows it.
    model.boxes = {box(4, 2, "mutex.lock")};
    model.pauses = {model.pauses[1]};
    EXPECT_THAT(entries(model),
                ElementsAre("X waits: mutex.lock 3 40 0", "X mutex.lock 3 40 10", "C virtual time 1 40"));
    model.boxes.clear();
    model.pauses = {pause(1, 2, {}, Waker::fiber)};
    EXPECT_THAT(entries(model), testing::Contains("X waits: mutex.lock mutex 7, for ever 2 30 0"))
        << "no step is known";
}

// --- the files ---

const acairo::Property property{"a_file_is_written", [](acairo::Trial&) {}};

TEST(TimelineFiles, name_the_one_that_cannot_be_written) {
    const std::string file = testing::TempDir() + "timeline-texts-" + std::to_string(::getpid()) + ".html";
    // What is short fails only when it leaves the stream.
    std::filesystem::create_symlink("/dev/full", file + ".json");
    const auto error_of = [](const std::string& name) {
        try {
            sim::write_timeline(name, property, {});
        } catch (const std::system_error& error) {
            EXPECT_THAT(error.what(), HasSubstr("--timeline"));
            return std::to_string(error.code().value()) + " " + error.what();
        }
        return std::string("none");
    };
    EXPECT_THAT(error_of(file), testing::AllOf(testing::StartsWith(std::to_string(ENOSPC) + " "),
                                               HasSubstr(file + ".json cannot be written")));
    EXPECT_TRUE(std::filesystem::exists(file)) << "the first of the two";
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
    EXPECT_THAT(error_of(file), testing::AllOf(testing::StartsWith(std::to_string(EISDIR) + " "),
                                               HasSubstr(file + " cannot be written")));
    std::filesystem::remove(file);
    std::filesystem::remove(file + ".json");
    EXPECT_EQ(error_of(file), "none");
    EXPECT_EQ(std::filesystem::remove(file) + std::filesystem::remove(file + ".json"), 2);
}

}  // namespace
