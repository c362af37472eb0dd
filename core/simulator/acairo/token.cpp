// Texts of tokens.
#include <acairo/recording.hpp>
#include <acairo/sanitizers.hpp>
#include <acairo/token.hpp>
#include <array>
#include <stdexcept>

namespace acairo::simulator {
namespace {

constexpr std::string_view version = "acairo1";

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
    throw std::invalid_argument("not a token: \"" + std::string(text.substr(0, 60)) + (text.size() > 60 ? "..." : "") +
                                "\": " + why + "; copy it whole, as it was printed");
}

}  // namespace

std::string text_of(const Token& token) {
    return std::string(version) + ":" + token.property + ":" + token.schema + ":" + token.detector + ":" +
           text_of(token.recording);
}

Token token_of(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    std::array<std::string_view, 5> parts;
    std::string_view rest = text;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t colon = i + 1 == parts.size() ? rest.size() : rest.find(':');
        if (colon == std::string_view::npos) {
            refuse(text, "it has " + std::to_string(i + 1) +
                             " parts of 5, which are version:property:schema:detector:recording");
        }
        parts[i] = rest.substr(0, colon);
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    if (parts[0] != version) refuse(text, "it begins with \"" + std::string(parts[0]) + "\", not with \"acairo1\"");
    if (parts[1].empty()) refuse(text, "it names no property");
    if (parts[3] != "any" && parts[3] != "asan" && parts[3] != "tsan") {
        refuse(text, "its detector is \"" + std::string(parts[3]) + "\", not any, asan or tsan");
    }
    return {std::string(parts[1]), std::string(parts[2]), std::string(parts[3]), recording_of(parts[4])};
}

const char* detector_of(std::string_view kind) noexcept {
    if (kind.starts_with('^')) kind.remove_prefix(1);
    if (kind.starts_with("AddressSanitizer") || kind.starts_with("UndefinedBehavior") ||
        kind.starts_with("LeakSanitizer")) {
        return "asan";
    }
    return kind.starts_with("ThreadSanitizer") ? "tsan" : "any";
}

bool has_detector(std::string_view detector) noexcept {
    if (detector == "asan") return has_address_sanitizer();
    if (detector == "tsan") return has_thread_sanitizer();
    return true;
}

}  // namespace acairo::simulator
