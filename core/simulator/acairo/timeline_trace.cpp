// The Chrome trace: a slice for each step and each wait, a flow for each wake-up, an instant for what should be seen first.
// A step lasts ten microseconds there: time stands still in a run while a thread can go on, so that real time shows nothing.
#include <acairo/timeline_model.hpp>
#include <algorithm>

namespace acairo::simulator::timeline {
namespace {

constexpr std::uint64_t width = 10;

// Thread 0 of a process is somebody else in Perfetto.
std::string place(std::uint32_t thread, std::uint64_t at) {
    return "\"pid\":1,\"tid\":" + std::to_string(thread + 1) + ",\"ts\":" + std::to_string(at);
}

struct Entry {
    std::uint64_t at;
    std::size_t number;
    std::string text;
};

class Writer {
public:
    explicit Writer(const Model& model) : model_(model) {}

    std::string text() {
        for (std::size_t i = 0; i < model_.lanes.size(); ++i) {
            const std::string of = "\"pid\":1,\"tid\":" + std::to_string(i + 1);
            const Lane& lane = model_.lanes[i];
            names_.push_back("{\"ph\":\"M\",\"name\":\"thread_name\"," + of + ",\"args\":{\"name\":" +
                             json_text(lane.started.empty() ? lane.name : lane.name + " (" + lane.started + ")") +
                             "}}");
            names_.push_back("{\"ph\":\"M\",\"name\":\"thread_sort_index\"," + of +
                             ",\"args\":{\"sort_index\":" + std::to_string(i) + "}}");
        }
        // First: one that ends where it begins comes before the step that follows it.
        for (const Pause& pause : model_.pauses) add(pause);
        for (const Box& box : model_.boxes) add(box);
        if (!model_.passed && !model_.boxes.empty()) {
            instant(model_.boxes.back().thread, end(), "FAILED: " + model_.verdict, 'g');
        }
        std::ranges::sort(entries_, {}, [](const Entry& it) { return std::pair(it.at, it.number); });
        std::string all = "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"property\":" + json_text(model_.property) +
                          ",\"verdict\":" + json_text(model_.verdict) + ",\"token\":" + json_text(model_.token) +
                          "},\"traceEvents\":[\n";
        all +=
            "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":" + json_text(model_.property) + "}}";
        for (const std::string& name : names_) all += ",\n" + name;
        for (const Entry& entry : entries_) all += ",\n" + entry.text;
        return all + "\n]}\n";
    }

private:
    void add(std::uint64_t at, std::string text) { entries_.push_back({at, entries_.size(), std::move(text)}); }

    void instant(std::uint32_t thread, std::uint64_t at, const std::string& name, char scope) {
        add(at, "{\"ph\":\"i\",\"s\":\"" + std::string(1, scope) + "\",\"name\":" + json_text(name) + "," +
                    place(thread, at) + "}");
    }

    void add(const Box& box) {
        const std::uint64_t at = box.step * width;
        std::string name = box.operation + (box.object.empty() ? "" : " " + box.object);
        if (!box.value.empty()) name += " " + box.value;
        if (!box.calls.empty()) name = box.calls[0].text;
        if (!box.fault.empty()) name += " " + box.fault;
        const bool injected = !box.fault.empty() || std::ranges::any_of(box.calls, &Call::injected);
        add(at, "{\"ph\":\"X\",\"cat\":\"" + std::string(box.calls.empty() ? "step" : "call") +
                    "\",\"name\":" + json_text(injected ? "INJECTED " + name : name) + "," + place(box.thread, at) +
                    ",\"dur\":" + std::to_string(width) + (injected ? ",\"cname\":\"terrible\"" : "") +
                    ",\"args\":{\"step\":" + std::to_string(box.step) +
                    ",\"virtual time (ns)\":" + std::to_string(box.time.count()) +
                    ",\"object\":" + json_text(box.object) + ",\"source\":" + json_text(box.source) +
                    ",\"candidates\":" + std::to_string(box.candidates) + "}}");
        for (std::size_t i = 1; i < box.calls.size(); ++i) {
            const std::uint64_t inner = at + std::min(i, std::size_t{width - 1});
            add(inner, "{\"ph\":\"X\",\"cat\":\"call\",\"name\":" + json_text(box.calls[i].text) + "," +
                           place(box.thread, inner) +
                           ",\"dur\":1,\"args\":{\"source\":" + json_text(box.calls[i].source) + "}}");
        }
        for (const Call& call : box.calls) {
            if (call.injected) instant(box.thread, at, "injected fault: " + call.text, 't');
        }
        if (!box.fault.empty()) instant(box.thread, at, "injected fault: " + box.operation + " " + box.fault, 't');
        if (box.preempts) instant(box.thread, at, "preempts thread " + std::to_string(box.before), 't');
        if (box.time != time_) {
            time_ = box.time;
            add(at, "{\"ph\":\"C\",\"name\":\"virtual time\"," + place(0, at) +
                        ",\"args\":{\"ns\":" + std::to_string(box.time.count()) + "}}");
        }
    }

    void add(const Pause& pause) {
        const std::uint64_t from = (pause.from + 1) * width;
        const std::uint64_t to = std::max(from, pause.to ? *pause.to * width + width / 2 : end());
        const std::string name = "waits: " + pause.operation + (pause.object.empty() ? "" : " " + pause.object);
        add(from, "{\"ph\":\"X\",\"cat\":\"wait\",\"name\":" + json_text(pause.to ? name : name + ", for ever") + "," +
                      place(pause.thread, from) + ",\"dur\":" + std::to_string(to - from) + "}");
        if (!pause.to || pause.waker != Waker::fiber) return;
        // A flow ends in a slice: in the step that follows the wake-up.
        const auto next = std::ranges::find_if(
            model_.boxes, [&](const Box& box) { return box.thread == pause.thread && box.step > *pause.to; });
        if (next == model_.boxes.end()) return;
        const std::string flow = "\"cat\":\"wake\",\"name\":\"wakes\",\"id\":" + std::to_string(++flows_) + ",";
        const std::uint64_t begin = *pause.to * width + width / 2;
        add(begin, "{\"ph\":\"s\"," + flow + place(pause.by, begin) + "}");
        add(next->step * width, "{\"ph\":\"f\",\"bp\":\"e\"," + flow + place(pause.thread, next->step * width) + "}");
    }

    std::uint64_t end() const { return model_.boxes.empty() ? 0 : (model_.boxes.back().step + 1) * width; }

    const Model& model_;
    std::vector<std::string> names_;
    std::vector<Entry> entries_;
    std::chrono::nanoseconds time_{-1};
    std::uint64_t flows_ = 0;
};

}  // namespace

std::string trace_of(const Model& model) { return Writer(model).text(); }

}  // namespace acairo::simulator::timeline
