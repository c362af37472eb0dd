// The page's data, and the files.
#include <acairo/timeline.hpp>
#include <acairo/timeline_model.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <map>
#include <system_error>

namespace acairo::simulator {
namespace timeline {
namespace {

// How many bytes the character at `at` has; 0 where it is not UTF-8.
std::size_t length_of_character(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned first = byte(at);
    const std::size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    for (std::size_t i = 1; i < size; ++i) {
        if (byte(at + i) >> 6 != 2) return 0;
    }
    return size;
}

// Each text once: most boxes share theirs.
class Texts {
public:
    std::string operator()(const std::string& text) {
        const auto [at, is_new] = numbers_.try_emplace(text, numbers_.size());
        if (is_new) all_ += (all_.empty() ? "" : ",") + json_text(text);
        return std::to_string(at->second);
    }
    const std::string& all() const { return all_; }

private:
    std::map<std::string, std::size_t> numbers_;
    std::string all_;
};

template <class Range, class Text> std::string list_of(const Range& range, Text&& text) {
    std::string all;
    for (const auto& item : range) all += (all.empty() ? "" : ",\n") + text(item);
    return "[" + all + "]";
}

template <class Number> std::string number_or_null(const std::optional<Number>& number) {
    return number ? std::to_string(*number) : "null";
}

// The keys are those that the page's script reads.
std::string data_of(const Model& model) {
    Texts text;
    const std::string lanes = list_of(model.lanes, [](const Lane& lane) {
        return "[" + json_text(lane.name) + "," + json_text(lane.started) + "," + number_or_null(lane.starter) + "," +
               std::to_string(lane.begin) + "," + number_or_null(lane.end) + "]";
    });
    const std::string boxes = list_of(model.boxes, [&](const Box& box) {
        return "[" + std::to_string(box.step) + "," + std::to_string(box.time.count()) + "," +
               std::to_string(box.thread) + "," + text(box.operation) + "," + text(box.object) + "," +
               text(box.source) + "," + text(box.value) + "," + std::to_string(box.candidates) + "," +
               (box.preempts ? std::to_string(box.before) : "null") + "," + text(box.fault) + "," +
               list_of(box.calls,
                       [&](const Call& call) {
                           return "[" + text(call.text) + "," + text(call.operation) + "," + text(call.result) + "," +
                                  text(call.source) + "," + (call.injected ? "1" : "0") + "]";
                       }) +
               "]";
    });
    const std::string pauses = list_of(model.pauses, [&](const Pause& pause) {
        constexpr std::array wakers{"thread", "deadline", "network"};
        return "[" + std::to_string(pause.thread) + "," + text(pause.operation) + "," + text(pause.object) + "," +
               std::to_string(pause.from) + "," + number_or_null(pause.to) + "," +
               json_text(wakers[static_cast<std::size_t>(pause.waker)]) + "," + std::to_string(pause.by) + "]";
    });
    return "{\"property\":" + json_text(model.property) + ",\"verdict\":" + json_text(model.verdict) +
           ",\"passed\":" + (model.passed ? "true" : "false") + ",\"steps\":" + std::to_string(model.steps) +
           ",\"leftOut\":" + std::to_string(model.left_out) + ",\n\"lanes\":" + lanes + ",\n\"boxes\":" + boxes +
           ",\n\"pauses\":" + pauses + ",\n\"texts\":[" + text.all() + "]}";
}

// One sentence. A report's is "deadlock at step 12, 3600 ns: all threads ...", of which the place is seen in the picture.
std::string headline_of(const Model& model) {
    if (model.passed) return "The run passed.";
    const std::string line = model.text.substr(0, model.text.find('\n'));
    const std::size_t place = line.find(" at step ");
    const std::size_t sentence = line.find(" ns: ");
    if (sentence == std::string::npos || sentence < place) return model.verdict;
    return line.substr(0, place) + ": " + line.substr(sentence + 5);
}

}  // namespace

std::string json_text(std::string_view text) {
    std::string result = "\"";
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t size = length_of_character(text, i);
        const char c = text[i];
        if (size == 0) {
            result += "\\ufffd";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&') {
            std::array<char, 8> code{};
            std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
            result += code.data();
        } else {
            result += text.substr(i, size);
        }
        i += std::max<std::size_t>(size, 1);
    }
    return result + "\"";
}

std::string html_text(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '&': result += "&amp;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default: result += c;
        }
    }
    return result;
}

std::string page_of(const Model& model) {
    const std::map<std::string_view, std::string> parts{
        {"STYLE", std::string(page_style)},
        {"PROPERTY", html_text(model.property)},
        {"CLASS", model.passed ? "passed" : "failed"},
        {"BADGE", model.passed ? "\u2714 passed" : "\u2716 failed"},
        {"HEADLINE", html_text(headline_of(model))},
        {"COMMAND", html_text("ci/repro " + model.token)},
        {"REPORT", html_text(model.text)},
        {"DATA", data_of(model)},
        {"SCRIPT", std::string(page_chart) + std::string(page_drawing) + std::string(page_list)},
    };
    std::string page;
    std::string_view rest = page_frame;
    // "{{NAME}}" in the frame. What is put in is not searched: a name may be in it, too.
    for (std::size_t open = rest.find("{{"); open != std::string_view::npos; open = rest.find("{{")) {
        const std::size_t close = rest.find("}}", open);
        page += rest.substr(0, open);
        page += parts.at(rest.substr(open + 2, close - open - 2));
        rest.remove_prefix(close + 2);
    }
    return page += rest;
}

}  // namespace timeline

namespace {

void write(const std::string& file, const std::string& text) {
    // What is said where nobody says why.
    errno = EIO;
    std::ofstream to(file, std::ios::binary);
    if (to << text << std::flush) return;
    throw std::system_error(
        errno, std::generic_category(),
        "the timeline " + file + " cannot be written; give --timeline a file in a directory that is there");
}

}  // namespace

Timeline timeline_of(const Property& property, const Result& result) {
    const timeline::Model model = timeline::model_of(property, result);
    return {timeline::page_of(model), timeline::trace_of(model)};
}

void write_timeline(const std::string& file, const Property& property, const Result& result) {
    const Timeline both = timeline_of(property, result);
    write(file, both.page);
    write(file + ".json", both.trace);
}

}  // namespace acairo::simulator
