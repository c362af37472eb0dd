// A token: everything that replays a failure, as a text that fits into a chat.
//
//     acairo1:PROPERTY:SCHEMA:DETECTOR:RECORDING
//
// Threads: any.
// Invariants:
//   1. token_of(text_of(token)) is the token. What is no token is refused, with what is wrong.
//   2. The schema changes when the sources do: a recording means something only to the program that made it.
#pragma once
#include <acairo/choices.hpp>
#include <string>
#include <string_view>

namespace acairo::simulator {

struct Token {
    std::string property;
    std::string schema;
    // What saw it: "any" (an oracle: every build sees it), "asan" (which is also the undefined-behaviour sanitizer), "tsan".
    std::string detector;
    Recording recording;
};

std::string text_of(const Token& token);
// Throws std::invalid_argument.
Token token_of(std::string_view text);

// Of the sources that this program was built from: eight hexadecimal digits.
const char* schema() noexcept;
// Who sees a failure of this kind, or of those that a regular expression for it means: see Result::kind.
const char* detector_of(std::string_view kind) noexcept;
// Whether this program sees what `detector` does.
bool has_detector(std::string_view detector) noexcept;

}  // namespace acairo::simulator
