// Which calls and faults are told, and how.
#include <acairo/story.hpp>
#include <acairo/symbols.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <set>

namespace acairo::simulator {
namespace {

constexpr std::size_t most_calls_of_a_deed = 12;

// What may become a line.
struct Told {
    std::uint64_t step;
    std::uint32_t fiber;
    std::string what;
    bool is_call;  // else it is a fault of a step
    bool injected;
    bool says_nothing;
    const Stack* stack;
    bool chosen = false;
};

std::string call_of(const char* operation, int fd) {
    return std::string(operation) + (fd < 0 ? "()" : "(" + std::to_string(fd) + ")");
}

bool says_nothing(const Event& event) {
    return event.result == -EAGAIN || (std::strcmp(event.operation, "epoll_wait") == 0 && event.result == 0);
}

// Calls and faults, in the order of steps.
std::vector<Told> all_of(const Result& result) {
    std::vector<Told> calls;
    for (std::size_t i = 0; i < result.events.size(); ++i) {
        const Event& event = result.events[i];
        calls.push_back({event.step, event.fiber, call_of(event.operation, event.fd) + " = " + text_of_result(event),
                         true, event.injected, says_nothing(event), &result.stacks[i]});
    }
    std::vector<Told> faults;
    for (const Moment& moment : result.moments) {
        if (!moment.faulty) continue;
        faults.push_back({moment.step, moment.fiber,
                          std::string(moment.operation) + " " + text_of_fault(moment.operation), false, true, false,
                          &moment.stack});
    }
    std::vector<Told> all;
    std::ranges::merge(calls, faults, std::back_inserter(all), {}, &Told::step, &Told::step);
    return all;
}

void choose(std::vector<Told>& all, std::size_t lines) {
    const auto newest_first = [&](auto&& wanted) {
        for (auto told = all.rbegin(); told != all.rend() && lines != 0; ++told) {
            if (told->chosen || !wanted(*told)) continue;
            told->chosen = true;
            --lines;
        }
    };
    std::set<std::uint32_t> seen;
    newest_first([&](const Told& told) { return told.is_call && seen.insert(told.fiber).second; });
    newest_first([](const Told& told) { return told.injected; });
    // What changed something, then the rest.
    newest_first([](const Told& told) { return !told.says_nothing; });
    newest_first([](const Told&) { return true; });
}

// The program's, innermost first: from the call to the beginning of the thread, below which is what started it.
std::vector<Line> calls_of(const Deed& deed, const std::map<void*, std::vector<Line>>& lines) {
    std::vector<Line> calls;
    for (void* const address : deed.stack) {
        if (!address) return calls;
        for (const Line& line : lines.at(address)) {
            if (line.function.find("FiberEntry") != std::string::npos || calls.size() == most_calls_of_a_deed)
                return calls;
            if (line.is_the_programs()) calls.push_back(line);
        }
    }
    return calls;
}

}  // namespace

std::string text_of_result(const Event& event) {
    const char* const name = event.result < 0 ? ::strerrorname_np(static_cast<int>(-event.result)) : nullptr;
    return name ? name : std::to_string(event.result);
}

std::string text_of_fault(std::string_view operation) {
    if (operation == "thread.start") return "fails: no thread";
    if (operation == "time.passes") return "although threads could run";
    if (operation == "atomic.load") return "sees an older store";
    return operation == "condition.wait" ? "wakes for no reason" : "fails for no reason";
}

std::vector<std::string> sources_of(std::span<const Stack> stacks) {
    std::set<void*> addresses;
    for (const Stack& stack : stacks) addresses.insert(stack.begin(), stack.end());
    addresses.erase(nullptr);
    const auto lines = lines_of(addresses);
    std::vector<std::string> sources;
    for (const Stack& stack : stacks) {
        std::string& source = sources.emplace_back();
        // The innermost place, and, behind it, the innermost that is not the library's own.
        std::string user;
        for (void* const address : stack) {
            if (!address) break;
            for (const Line& line : lines.at(address)) {
                if (line.file.empty() || !line.is_the_programs()) continue;
                if (source.empty()) source = line.text();
                if (user.empty() && !line.is_the_librarys()) user = line.text();
            }
        }
        if (!user.empty() && user != source) source += " < " + user;
    }
    return sources;
}

std::string story_of(const Result& result, std::size_t lines) {
    std::vector<Told> all = all_of(result);
    choose(all, lines);
    const std::size_t left_out = static_cast<std::size_t>(std::ranges::count(all, false, &Told::chosen));
    std::erase_if(all, [](const Told& told) { return !told.chosen; });
    std::vector<Stack> stacks;
    for (const Told& told : all) stacks.push_back(*told.stack);
    const std::vector<std::string> sources = sources_of(stacks);
    std::string text;
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::array<char, 200> line{};
        std::snprintf(line.data(), line.size(), "  %6llu  thread %-2u %-28s %-12s %s",
                      static_cast<unsigned long long>(all[i].step), all[i].fiber, all[i].what.c_str(),
                      all[i].injected ? "<- injected" : "", sources[i].c_str());
        text.append(line.data()) += '\n';
    }
    if (left_out != 0) text += "  (" + std::to_string(left_out) + " more calls are left out)\n";
    return text;
}

std::string deeds_of(const Result& result) {
    std::set<void*> addresses;
    for (const Deed& deed : result.deeds) addresses.insert(deed.stack.begin(), deed.stack.end());
    addresses.erase(nullptr);
    const auto lines = lines_of(addresses);
    std::string text;
    for (const Deed& deed : result.deeds) {
        text += "  descriptor " + std::to_string(deed.fd) + ", " + deed.operation + " at step " +
                std::to_string(deed.step) + " by thread " + std::to_string(deed.fiber) + ":\n";
        for (const Line& line : calls_of(deed, lines)) text += "      " + line.text() + "\n";
    }
    return text;
}

}  // namespace acairo::simulator
