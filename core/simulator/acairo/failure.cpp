// Shrinking, explaining, printing.
#include <acairo/canary.hpp>
#include <acairo/failure.hpp>
#include <acairo/replay.hpp>
#include <acairo/seed.hpp>
#include <acairo/shrink.hpp>
#include <acairo/story.hpp>
#include <acairo/token.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace acairo::simulator {
namespace {

constexpr std::size_t longest_token = 2000;

// The token, or, when that is too long to paste, the file that it was put into.
std::string handle_of(const Token& token) {
    const std::string text = text_of(token);
    if (text.size() <= longest_token) return text;
    const std::filesystem::path directory = "build/failures";
    std::filesystem::create_directories(directory);
    const std::filesystem::path file =
        directory / (token.property + "-" + std::to_string(Seed::of(text) % 1'000'000) + ".token");
    std::ofstream(file) << text << '\n';
    return file.string();
}

// Half of a hunt's minute: each try of a livelock is a million steps, and a failure is told when it is small.
constexpr std::chrono::seconds most_of_shrinking{30};

}  // namespace

// Verdict, command, story, sizes: in this order, whatever found it.
void print_failure(const Property& property, const Result& result, std::size_t choices_before,
                   std::size_t nonzero_before) {
    const Token token{name_in_tokens(property), schema(), detector_of(result.kind), result.recording};
    const std::string first_line = result.text.substr(0, result.text.find('\n'));
    std::printf("FAILED: %s: %s\n", property.name, result.kind.c_str());
    std::printf("  ci/repro %s\n", handle_of(token).c_str());
    std::printf("%s%s", story_of(result).c_str(), deeds_of(result).c_str());
    std::printf("  %s\n", first_line.substr(0, 300).c_str());
    std::printf("  shrunk from %zu choices (%zu of them not calm) to %zu (%zu), %llu steps\n", choices_before,
                nonzero_before, result.recording.size(), nonzero(result.recording),
                static_cast<unsigned long long>(result.steps));
}

// Repeats, shrinks and prints the failure of a seed. 1, or 4 when it does not fail in a fresh process.
int tell(const Property& property, const MakeProducer& make, std::uint64_t tries) {
    Result found = run_in_child(property, make, false);
    if (found.passed()) {
        std::printf("FAILED: %s: only in a process that had made other runs before, so something outlives a run\n",
                    property.name);
        return 4;
    }
    const std::size_t choices = found.recording.size();
    const std::size_t not_calm = nonzero(found.recording);
    const Shrunk shrunk = shrink(property, std::move(found), tries, most_of_shrinking);
    const Recording& small = shrunk.result.recording;
    Result explained = run_in_child(property, [&] { return std::make_unique<Replay>(small); }, true);
    print_failure(property, explained.kind == shrunk.result.kind ? explained : shrunk.result, choices, not_calm);
    return 1;
}

}  // namespace acairo::simulator
