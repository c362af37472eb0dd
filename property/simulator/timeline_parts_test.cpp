// What a timeline says of each part of a run: objects, values, places, waits and calls, from results that are written by hand.
#include <gmock/gmock.h>
#include <acairo/scheduler.hpp>
#include <acairo/timeline_model.hpp>
#include <acairo/token.hpp>
#include <cerrno>

#include "symbolizer.hpp"

namespace {

namespace sim = acairo::simulator;
namespace timeline = acairo::simulator::timeline;
using namespace simulation;
using acairo::Property;
using sim::Moment;
using sim::Result;
using sim::Waker;
using testing::ElementsAre;
using timeline::Box;
using timeline::Model;

const Property property{"a_run_is_drawn", [](acairo::Trial&) {}};

Moment moment(Moment::Kind kind, std::uint64_t step, std::uint32_t thread, const char* operation = nullptr,
              std::uint64_t object = 0) {
    Moment it{};
    it.kind = kind;
    it.step = step;
    it.fiber = thread;
    it.operation = operation;
    it.object = object;
    it.time = sim::Options{}.start;
    return it;
}

Moment step(std::uint64_t number, std::uint32_t thread, const char* operation, std::uint64_t object = 0) {
    return moment(Moment::Kind::step, number, thread, operation, object);
}

Moment woken(std::uint64_t step, std::uint32_t thread, Waker waker, std::uint32_t by) {
    Moment it = moment(Moment::Kind::wake, step, thread);
    it.waker = waker;
    it.other = by;
    return it;
}

Box box_of(const Moment& one) {
    Result result;
    result.moments.push_back(one);
    return timeline::model_of(property, result).boxes.at(0);
}

void call(Result& result, std::uint64_t step, std::uint32_t thread, const char* operation, int fd, std::ptrdiff_t value,
          bool injected = false, const sim::Stack& stack = {}) {
    result.events.push_back(
        {step, sim::Options{}.start + std::chrono::nanoseconds(step), thread, operation, fd, value, injected});
    result.stacks.push_back(stack);
}

// --- from a result to a model ---

TEST(TimelineBoxes, name_the_object_after_what_is_done_to_it) {
    EXPECT_EQ(box_of(step(1, 0, "mutex.lock", 7)).object, "mutex 7");
    EXPECT_EQ(box_of(step(1, 0, "recv", 5)).object, "descriptor 4");
    EXPECT_EQ(box_of(step(1, 0, "recv", 0)).object, "");
    EXPECT_EQ(box_of(step(1, 0, "time.passes", 0)).object, "");
    EXPECT_EQ(box_of(step(1, 0, "thread.join", 0)).object, "thread 0");
}

TEST(TimelineBoxes, say_what_became_of_a_value) {
    const auto value = [](const char* operation, std::int64_t of, bool faulty = false) {
        Moment it = step(1, 0, operation, 3);
        it.has_value = true;
        it.value = of;
        it.faulty = faulty;
        const Box box = box_of(it);
        return box.value + "|" + box.fault;
    };
    EXPECT_EQ(value("atomic.load", -3), "= -3|");
    EXPECT_EQ(value("atomic.store", 3), ":= 3|");
    EXPECT_EQ(value("atomic.fetch_add", 3), "was 3|");
    EXPECT_EQ(value("atomic.compare_exchange_strong", 1), "succeeds|");
    EXPECT_EQ(value("atomic.compare_exchange_weak", 0), "fails|");
    EXPECT_EQ(value("atomic.compare_exchange_weak", 0, true), "|fails for no reason");
    EXPECT_EQ(box_of(step(1, 0, "atomic.load", 3)).value, "");
}

TEST(TimelineBoxes, of_a_thread_that_begins_lie_where_it_was_started) {
    const Tools tools;
    tools.add("addr2line", {{"starts()", "/a/starts.cpp:5"}, {"goes_on()", "/a/goes_on.cpp:6"}});
    Result result;
    result.threads.push_back({0, 0, {}, {}});
    result.threads.push_back({0, 2, {}, {address(0)}});
    result.moments = {step(1, 0, "thread.begin"), step(2, 1, "thread.begin"), step(3, 1, "mutex.lock"),
                      step(4, 1, "thread.begin"), step(5, 2, "thread.begin")};
    result.moments[3].stack[0] = address(1);
    const Model model = timeline::model_of(property, result);
    std::vector<std::string> sources;
    for (const Box& box : model.boxes) sources.push_back(box.source);
    EXPECT_THAT(sources, ElementsAre("", "starts.cpp:5 starts", "", "goes_on.cpp:6 goes_on", ""));
    ASSERT_EQ(model.lanes.size(), 3u);
    EXPECT_EQ(model.lanes[0].started, "the body");
    EXPECT_FALSE(model.lanes[0].starter);
    EXPECT_EQ(model.lanes[1].started, "started at starts.cpp:5 starts by thread 0");
    EXPECT_EQ(model.lanes[1].starter, 0u);
    EXPECT_EQ(model.lanes[1].begin, 2u);
    EXPECT_EQ(model.lanes[2].started, "") << "it is known from a step only";
}

TEST(TimelineLanes, without_symbols_name_the_line_that_started_the_thread) {
    const std::source_location here = std::source_location::current();
    Result result;
    result.threads = {{0, 0, {}, {}}, {0, 1, {}, {}}, {1, 2, here, {}}};
    result.moments.push_back(moment(Moment::Kind::end, 8, 1));
    const Model model = timeline::model_of(property, result);
    ASSERT_EQ(model.lanes.size(), 3u);
    EXPECT_EQ(model.lanes[2].started,
              "started at timeline_parts_test.cpp:" + std::to_string(here.line()) + " by thread 1");
    EXPECT_EQ(model.lanes[1].end, 8u);
    EXPECT_FALSE(model.lanes[2].end);
}

TEST(TimelinePauses, end_with_the_wake_up_of_the_same_thread) {
    Result result;
    result.moments = {woken(1, 1, Waker::fiber, 0),
                      moment(Moment::Kind::block, 2, 1, "mutex.lock", 7),
                      moment(Moment::Kind::block, 3, 2, "condition.wait", 8),
                      woken(4, 1, Waker::deadline, 5),
                      moment(Moment::Kind::block, 6, 1, "epoll_wait", 4),
                      woken(7, 1, Waker::host, 0)};
    const Model model = timeline::model_of(property, result);
    ASSERT_EQ(model.pauses.size(), 3u);
    EXPECT_EQ(model.pauses[0].object, "mutex 7");
    EXPECT_EQ(model.pauses[0].from, 2u);
    EXPECT_EQ(model.pauses[0].to, 4u);
    EXPECT_EQ(model.pauses[0].waker, Waker::deadline);
    EXPECT_EQ(model.pauses[0].by, 5u);
    EXPECT_EQ(model.pauses[1].operation, "condition.wait");
    EXPECT_FALSE(model.pauses[1].to) << "nobody wakes thread 2";
    EXPECT_EQ(model.pauses[2].object, "descriptor 3");
    EXPECT_EQ(model.pauses[2].to, 7u);
    EXPECT_EQ(model.pauses[2].waker, Waker::host);
}

TEST(TimelineCalls, are_in_the_boxes_of_their_steps_or_make_one) {
    const Tools tools;
    tools.add("llvm-symbolizer", {{"step()", "/a/step.cpp:1"}, {"sends()", "/a/sends.cpp:2"}});
    Result result;
    result.moments = {step(1, 0, "send", 5), step(2, 0, "close", 5)};
    for (Moment& it : result.moments) it.stack[0] = address(0);
    call(result, 1, 0, "send", 4, -EINTR, true, {address(1)});
    call(result, 2, 0, "close", 4, 0);
    call(result, 3, 2, "recv", 4, 12);
    call(result, 4, 2, "eventfd", -1, 7);
    const Model model = timeline::model_of(property, result);
    ASSERT_EQ(model.boxes.size(), 4u);
    EXPECT_EQ(model.lanes.size(), 3u) << "a thread is known from its calls, too";
    EXPECT_EQ(model.boxes[0].source, "sends.cpp:2 sends");
    EXPECT_EQ(model.boxes[0].calls.at(0).text, "send(4) = EINTR");
    EXPECT_TRUE(model.boxes[0].calls.at(0).injected);
    EXPECT_EQ(model.boxes[0].time.count(), 0) << "the step's, from the start of the run";
    EXPECT_EQ(model.boxes[1].source, "step.cpp:1 step");
    EXPECT_FALSE(model.boxes[1].calls.at(0).injected);
    EXPECT_EQ(model.boxes[2].operation, "recv");
    EXPECT_EQ(model.boxes[2].object, "descriptor 4");
    EXPECT_EQ(model.boxes[2].time.count(), 3);
    EXPECT_EQ(model.boxes[3].object, "");
    EXPECT_EQ(model.boxes[3].calls.at(0).text, "eventfd() = 7");
}

TEST(TimelineModel, of_a_run_that_passed_without_a_step_is_empty_and_says_so) {
    Result result;
    result.text = "what was on stderr";
    result.steps = 3;
    result.moments_left_out = 2;
    const Model passed = timeline::model_of(property, result);
    EXPECT_TRUE(passed.passed);
    EXPECT_EQ(passed.verdict, "passed");
    EXPECT_EQ(passed.text, "what was on stderr");
    EXPECT_EQ(passed.steps, 3u);
    EXPECT_EQ(passed.left_out, 2u);
    EXPECT_TRUE(passed.boxes.empty());
    result.kind = "ThreadSanitizer: data race";
    const Model failed = timeline::model_of(property, result);
    EXPECT_FALSE(failed.passed);
    EXPECT_EQ(failed.verdict, "ThreadSanitizer: data race");
    EXPECT_EQ(sim::token_of(failed.token).detector, "tsan");
    EXPECT_EQ(sim::token_of(failed.token).property, "a_run_is_drawn");
}

}  // namespace
