// From moments and events to boxes, pauses and lanes.
#include <acairo/canary.hpp>
#include <acairo/story.hpp>
#include <acairo/timeline_model.hpp>
#include <acairo/token.hpp>
#include <cstring>
#include <map>

namespace acairo::simulator::timeline {
namespace {

std::string name_of_thread(std::uint32_t number) { return "thread " + std::to_string(number); }

// Objects are numbered together, and named after the operations on them. What has no dot is a call of the kernel, whose
// object is the descriptor and one.
std::string name_of_object(std::string_view operation, std::uint64_t object) {
    if (object == 0 && !operation.starts_with("thread.")) return {};
    const std::size_t dot = operation.find('.');
    if (dot == std::string_view::npos) return "descriptor " + std::to_string(object - 1);
    return std::string(operation.substr(0, dot)) + " " + std::to_string(object);
}

std::string text_of_value(std::string_view operation, std::int64_t value) {
    if (operation.find("compare_exchange") != std::string_view::npos) return value != 0 ? "succeeds" : "fails";
    const std::string number = std::to_string(value);
    if (operation == "atomic.load") return "= " + number;
    return operation == "atomic.store" ? ":= " + number : "was " + number;
}

class Builder {
public:
    Builder(const Result& result, Model& model) : result_(result), model_(model) {
        std::vector<Stack> stacks = result.stacks;
        for (const ThreadStart& thread : result.threads) stacks.push_back(thread.stack);
        for (const Moment& moment : result.moments) stacks.push_back(moment.stack);
        // All at once: whoever knows the symbols is a program that reads all of ours.
        const std::vector<std::string> sources = sources_of(stacks);
        auto next = sources.begin();
        const auto take = [&](std::vector<std::string>& to, std::size_t count) {
            to.assign(next, next + static_cast<std::ptrdiff_t>(count));
            next += static_cast<std::ptrdiff_t>(count);
        };
        take(of_events_, result.events.size());
        take(of_threads_, result.threads.size());
        take(of_moments_, result.moments.size());
    }

    void build() {
        add_lanes();
        for (std::size_t i = 0; i < result_.moments.size(); ++i) add(result_.moments[i], of_moments_[i]);
        for (std::size_t i = 0; i < result_.events.size(); ++i) add(result_.events[i], of_events_[i]);
        for (auto& [step, box] : boxes_) {
            lane(box.thread);
            model_.boxes.push_back(std::move(box));
        }
        count_time_from_the_start();
    }

private:
    void add_lanes() {
        for (std::size_t i = 0; i < result_.threads.size(); ++i) {
            const ThreadStart& thread = result_.threads[i];
            Lane& it = lane(static_cast<std::uint32_t>(i));
            it.begin = thread.step;
            if (i == 0) {
                it.started = "the body";
                continue;
            }
            it.starter = thread.starter;
            std::string place = of_threads_[i];
            if (place.empty()) {
                place = thread.where.file_name();
                place = place.substr(place.rfind('/') + 1) + ":" + std::to_string(thread.where.line());
            }
            it.started = "started at " + place + " by " + name_of_thread(thread.starter);
        }
    }

    // Also of a thread that is known from an event only.
    Lane& lane(std::uint32_t number) {
        while (model_.lanes.size() <= number) {
            model_.lanes.push_back({name_of_thread(static_cast<std::uint32_t>(model_.lanes.size())), {}, {}, 0, {}});
        }
        return model_.lanes[number];
    }

    void add(const Moment& moment, const std::string& source) {
        switch (moment.kind) {
            case Moment::Kind::step: add_step(moment, source); return;
            case Moment::Kind::block:
                model_.pauses.push_back({moment.fiber,
                                         moment.operation,
                                         name_of_object(moment.operation, moment.object),
                                         moment.step,
                                         {},
                                         Waker::fiber,
                                         0});
                return;
            case Moment::Kind::wake: end_pause(moment); return;
            case Moment::Kind::end: lane(moment.fiber).end = moment.step; return;
        }
    }

    void add_step(const Moment& moment, const std::string& source) {
        Box& box = boxes_[moment.step];
        box.step = moment.step;
        box.time = moment.time;
        box.thread = moment.fiber;
        box.operation = moment.operation;
        box.object = name_of_object(moment.operation, moment.object);
        // Nothing of the program is on the stack of a thread that begins.
        const bool begins = source.empty() && box.operation == "thread.begin" && moment.fiber < of_threads_.size();
        box.source = begins ? of_threads_[moment.fiber] : source;
        if (moment.has_value && !moment.faulty) box.value = text_of_value(moment.operation, moment.value);
        if (moment.faulty) box.fault = text_of_fault(box.operation);
        box.candidates = moment.candidates;
        box.before = moment.other;
        box.preempts = moment.preempts;
    }

    void end_pause(const Moment& moment) {
        for (auto pause = model_.pauses.rbegin(); pause != model_.pauses.rend(); ++pause) {
            if (pause->thread != moment.fiber) continue;
            pause->to = moment.step;
            pause->waker = moment.waker;
            pause->by = moment.other;
            return;
        }
    }

    void add(const Event& event, const std::string& source) {
        Box& box = boxes_[event.step];
        if (box.operation.empty()) {
            box.step = event.step;
            box.time = event.time;
            box.thread = event.fiber;
            box.operation = event.operation;
            if (event.fd >= 0) box.object = "descriptor " + std::to_string(event.fd);
        }
        // The stack of the call begins nearer to the program.
        if (!source.empty()) box.source = source;
        const std::string result = text_of_result(event);
        box.calls.push_back({std::string(event.operation) +
                                 (event.fd < 0 ? "()" : "(" + std::to_string(event.fd) + ")") + " = " + result,
                             event.operation, result, source, event.injected});
    }

    void count_time_from_the_start() {
        const auto start = Options{}.start;
        for (Box& box : model_.boxes) box.time -= start;
    }

    const Result& result_;
    Model& model_;
    std::vector<std::string> of_events_;
    std::vector<std::string> of_threads_;
    std::vector<std::string> of_moments_;
    std::map<std::uint64_t, Box> boxes_;
};

}  // namespace

Model model_of(const Property& property, const Result& result) {
    Model model;
    model.property = property.name;
    model.passed = result.passed();
    model.verdict = model.passed ? "passed" : result.kind;
    model.text = result.text;
    model.token = text_of(Token{name_in_tokens(property), schema(), detector_of(result.kind), result.recording});
    model.steps = result.steps;
    model.left_out = result.moments_left_out;
    Builder(result, model).build();
    return model;
}

}  // namespace acairo::simulator::timeline
