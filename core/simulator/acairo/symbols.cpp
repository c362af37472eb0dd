// Asking llvm-symbolizer, or addr2line where there is none.
#include <dlfcn.h>
#include <unistd.h>
#include <acairo/symbols.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>
#include <utility>

namespace acairo::simulator {
namespace {

struct Place {
    std::string module;    // a path
    std::uint64_t offset;  // in it
    bool in_program;
};

Place place_of(void* address) {
    ::Dl_info of_address{};
    ::Dl_info of_program{};
    if (::dladdr(address, &of_address) == 0) return {"?", reinterpret_cast<std::uintptr_t>(address), false};
    ::dladdr(reinterpret_cast<void*>(&place_of), &of_program);
    // A return address: the call is before it.
    const auto offset = static_cast<char*>(address) - static_cast<char*>(of_address.dli_fbase) - 1;
    return {of_address.dli_fname, static_cast<std::uint64_t>(offset), of_address.dli_fbase == of_program.dli_fbase};
}

std::string in_hexadecimal(std::uint64_t number) {
    std::array<char, 20> text{};
    std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(number));
    return text.data();
}

// Both tools answer in the same way: the address, then a function and a place on two lines for each frame.
std::map<std::uint64_t, std::vector<Line>> symbolize(const std::set<std::uint64_t>& offsets) {
    std::map<std::uint64_t, std::vector<Line>> lines;
    if (offsets.empty()) return lines;
    // In a file: they may be more than a command line holds.
    std::FILE* const questions = std::tmpfile();
    if (!questions) return lines;
    for (const std::uint64_t offset : offsets) std::fprintf(questions, "%s\n", in_hexadecimal(offset).c_str());
    std::rewind(questions);
    const std::string command = "exec </dev/fd/" + std::to_string(::fileno(questions)) +
                                " 2>/dev/null; for tool in 'llvm-symbolizer-19 --output-style=GNU' 'llvm-symbolizer "
                                "--output-style=GNU' addr2line; do "
                                "command -v ${tool%% *} >/dev/null && exec $tool -a -f -C -i -e /proc/" +
                                std::to_string(::getpid()) + "/exe; done";
    std::FILE* const answers = ::popen(command.c_str(), "re");
    if (!answers) return std::fclose(questions), lines;
    char* read = nullptr;
    std::size_t size = 0;
    std::vector<Line>* current = nullptr;
    std::string function;
    while (::getline(&read, &size, answers) > 0) {
        std::string text(read, std::strcspn(read, "\n"));
        if (text.starts_with("0x")) {
            current = &lines[std::stoull(text, nullptr, 16)];
            function.clear();
        } else if (function.empty()) {
            function = text;
        } else if (current) {
            text.resize(std::min(text.size(), text.find(" (discriminator")));
            // Without debug information a place has no path, or no line: it says nothing.
            if (text.ends_with(":0") || text.ends_with(":?") || text.starts_with("??")) text.clear();
            current->push_back({std::exchange(function, {}), text});
        }
    }
    std::free(read);
    ::pclose(answers);
    std::fclose(questions);
    return lines;
}

// What backtrace_symbols(3) puts at the end of a line, or null.
void* address_in(const std::string& line) {
    const std::size_t at = line.rfind("[0x");
    if (at == std::string::npos || !line.ends_with(']')) return nullptr;
    return reinterpret_cast<void*>(std::strtoull(line.c_str() + at + 1, nullptr, 16));
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

}  // namespace

bool Line::is_the_programs() const {
    for (const std::string_view others : {"/core/simulator/", "/include/c++/", "/acairo/platform.hpp"}) {
        if (file.find(others) != std::string::npos) return false;
    }
    return !file.empty() || function.find("acairo::simulator::") == std::string::npos;
}

bool Line::is_the_librarys() const {
    return file.find("/core/acairo/") != std::string::npos || file.find("/include/acairo/") != std::string::npos;
}

std::string Line::text() const {
    if (file.empty()) return function;
    return file.substr(file.rfind('/') + 1) + " " + short_function(function);
}

std::map<void*, std::vector<Line>> lines_of(const std::set<void*>& addresses) {
    std::set<std::uint64_t> offsets;
    for (void* const address : addresses) {
        if (const Place place = place_of(address); place.in_program) offsets.insert(place.offset);
    }
    const auto known = symbolize(offsets);
    std::map<void*, std::vector<Line>> lines;
    for (void* const address : addresses) {
        const Place place = place_of(address);
        const auto found = place.in_program ? known.find(place.offset) : known.end();
        if (found != known.end() && !found->second.empty() && found->second[0].function != "??") {
            lines[address] = found->second;
        } else {
            lines[address] = {
                {place.module.substr(place.module.rfind('/') + 1) + "+" + in_hexadecimal(place.offset), {}}};
        }
    }
    return lines;
}

std::string with_lines(const std::string& text) {
    std::set<void*> addresses;
    std::istringstream before(text);
    for (std::string line; std::getline(before, line);) {
        if (void* const address = address_in(line)) addresses.insert(address);
    }
    const auto lines = lines_of(addresses);
    const bool places = std::ranges::any_of(lines, [](const auto& of) { return !of.second[0].file.empty(); });
    std::string told;
    std::istringstream again(text);
    for (std::string line; std::getline(again, line);) {
        void* const address = address_in(line);
        if (!address || !places) {
            told += line + "\n";
            continue;
        }
        for (const Line& call : lines.at(address)) {
            if (call.is_the_programs() && !call.file.empty()) told += "      " + call.text() + "\n";
        }
    }
    return told;
}

}  // namespace acairo::simulator
