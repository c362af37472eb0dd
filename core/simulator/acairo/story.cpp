// Which events are told, and how their places in the sources are found.
#include <dlfcn.h>
#include <unistd.h>
#include <acairo/story.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

namespace acairo::simulator {
namespace {

// The program's own file, and the offset of `address` in it; 0: it lies elsewhere.
std::uint64_t offset_in_program(void* address) {
    ::Dl_info of_address{};
    ::Dl_info of_program{};
    if (::dladdr(address, &of_address) == 0 || ::dladdr(reinterpret_cast<void*>(&offset_in_program), &of_program) == 0)
        return 0;
    if (of_address.dli_fbase != of_program.dli_fbase) return 0;
    // A return address: the call is before it.
    return static_cast<std::uint64_t>(static_cast<char*>(address) - static_cast<char*>(of_address.dli_fbase)) - 1;
}

struct Line {
    std::string function;
    std::string file;  // with path and line
};

// Innermost first. Asks llvm-symbolizer, which prints a function and a place on two lines for each frame, and an empty line
// behind each address.
std::map<std::uint64_t, std::vector<Line>> symbolize(const std::set<std::uint64_t>& offsets) {
    std::map<std::uint64_t, std::vector<Line>> lines;
    std::array<char, 4096> program{};
    if (offsets.empty() || ::readlink("/proc/self/exe", program.data(), program.size() - 1) <= 0) return lines;
    std::string command =
        "for tool in llvm-symbolizer-19 llvm-symbolizer; do command -v $tool >/dev/null && exec $tool --inlines "
        "--demangle "
        "--output-style=LLVM --obj='" +
        std::string(program.data()) + "'";
    // In a file: they may be more than a command line holds.
    std::FILE* const questions = std::tmpfile();
    if (!questions) return lines;
    for (const std::uint64_t offset : offsets)
        std::fprintf(questions, "%llu\n", static_cast<unsigned long long>(offset));
    std::rewind(questions);
    command += " </dev/fd/" + std::to_string(::fileno(questions)) + " 2>/dev/null; done";
    std::FILE* const answers = ::popen(command.c_str(), "re");
    if (!answers) return std::fclose(questions), lines;
    auto offset = offsets.begin();
    std::array<char, 8192> read{};
    std::string function;
    while (std::fgets(read.data(), static_cast<int>(read.size()), answers) && offset != offsets.end()) {
        std::string text = read.data();
        if (!text.empty() && text.back() == '\n') text.pop_back();
        if (text.empty()) {
            ++offset;
            function.clear();
        } else if (function.empty()) {
            function = text;
        } else {
            lines[*offset].push_back({std::exchange(function, {}), text});
        }
    }
    ::pclose(answers);
    std::fclose(questions);
    return lines;
}

// Without debug information a place has no path and the line 0: it says nothing.
bool is_the_programs(const std::string& file) {
    return file.find(":0:") == std::string::npos && file.find("/core/simulator/") == std::string::npos &&
           file.find("/include/c++/") == std::string::npos && file.find("??") == std::string::npos &&
           file.find("/acairo/platform.hpp") == std::string::npos;
}

bool is_the_librarys(const std::string& file) {
    return file.find("/core/acairo/") != std::string::npos || file.find("/include/acairo/") != std::string::npos;
}

// "path/to/tcp_stream.cpp:83:12" is "tcp_stream.cpp:83".
std::string short_place(std::string file) {
    if (const std::size_t column = file.rfind(':'); column != std::string::npos) file.resize(column);
    return file.substr(file.rfind('/') + 1);
}

std::string short_function(std::string function) {
    for (const std::string_view noise : {"(anonymous namespace)::", "[abi:cxx11]"}) {
        for (std::size_t at = function.find(noise); at != std::string::npos; at = function.find(noise)) {
            function.erase(at, noise.size());
        }
    }
    if (const std::size_t arguments = function.find('('); arguments != std::string::npos) function.resize(arguments);
    return function.substr(function.rfind("::") == std::string::npos ? 0 : function.rfind("::") + 2);
}

bool says_nothing(const Event& event) {
    return event.result == -EAGAIN || (std::strcmp(event.operation, "epoll_wait") == 0 && event.result == 0);
}

}  // namespace

std::string text_of_result(const Event& event) {
    const char* const name = event.result < 0 ? ::strerrorname_np(static_cast<int>(-event.result)) : nullptr;
    return name ? name : std::to_string(event.result);
}

std::vector<std::string> sources_of(const Result& result) { return sources_of(result.stacks); }

std::vector<std::string> sources_of(std::span<const Stack> stacks) {
    std::set<std::uint64_t> offsets;
    for (const Stack& stack : stacks) {
        for (void* const address : stack) {
            if (address) offsets.insert(offset_in_program(address));
        }
    }
    offsets.erase(0);
    const auto lines = symbolize(offsets);
    std::vector<std::string> sources;
    for (const Stack& stack : stacks) {
        std::string& source = sources.emplace_back();
        // The innermost place, and, behind it, the innermost that is not the library's own.
        std::string user;
        for (void* const address : stack) {
            const auto found = address ? lines.find(offset_in_program(address)) : lines.end();
            if (found == lines.end()) continue;
            for (const Line& line : found->second) {
                if (!is_the_programs(line.file)) continue;
                const std::string place = short_place(line.file) + " " + short_function(line.function);
                if (source.empty()) source = place;
                if (user.empty() && !is_the_librarys(line.file)) user = place;
            }
        }
        if (!user.empty() && user != source) source += " < " + user;
    }
    return sources;
}

std::string story_of(const Result& result, std::size_t lines) {
    const std::vector<std::string> sources = sources_of(result);
    std::vector<bool> told(result.events.size());
    std::set<std::uint32_t> ended;
    std::size_t count = 0;
    const auto tell = [&](std::size_t i) {
        if (told[i] || count >= lines) return;
        told[i] = true;
        ++count;
    };
    for (std::size_t i = result.events.size(); i-- != 0;) {
        if (ended.insert(result.events[i].fiber).second) tell(i);
    }
    for (std::size_t i = result.events.size(); i-- != 0;) {
        if (result.events[i].injected) tell(i);
    }
    // What changed something, then the rest; the newest first.
    for (const bool rest : {false, true}) {
        for (std::size_t i = result.events.size(); i-- != 0;) {
            if (rest || !says_nothing(result.events[i])) tell(i);
        }
    }
    std::string text;
    std::size_t left_out = 0;
    for (std::size_t i = 0; i < result.events.size(); ++i) {
        if (!told[i]) {
            ++left_out;
            continue;
        }
        const Event& event = result.events[i];
        std::array<char, 200> line{};
        const std::string call = std::string(event.operation) +
                                 (event.fd < 0 ? "()" : "(" + std::to_string(event.fd) + ")") + " = " +
                                 text_of_result(event);
        std::snprintf(line.data(), line.size(), "  %6llu  thread %-2u %-28s %-12s %s\n",
                      static_cast<unsigned long long>(event.step), event.fiber, call.c_str(),
                      event.injected ? "<- injected" : "", sources[i].c_str());
        text += line.data();
    }
    if (left_out != 0) text += "  (" + std::to_string(left_out) + " more calls are left out)\n";
    return text;
}

}  // namespace acairo::simulator
