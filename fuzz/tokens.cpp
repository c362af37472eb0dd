// Tokens as people paste them, with characters lost, added and changed: each is what it says, or refused.
#include <acairo/property.hpp>
#include <acairo/token.hpp>
#include <stdexcept>

#include "target.hpp"
#include "text.hpp"

namespace fuzz {
namespace {

using acairo::Trial;
using namespace acairo::simulator;

constexpr std::array<std::string_view, 12> words{"acairo1:", "acairo2:",        ":", "any", "asan", "tsan", "1.",
                                                 "AAA",      "EAEKAe7oB-cHhaU", "_", "\n",  " "};

Token drawn(Trial& trial) {
    Token token{"property", "01234567", "any", {}};
    for (std::uint64_t stretches = trial.below(8); stretches != 0; --stretches) {
        const auto tag = static_cast<Tag>(trial.below(8));
        const std::uint64_t n = 2 + trial.below(300);
        const std::uint64_t value = trial.below(n);
        token.recording.insert(token.recording.end(), 1 + trial.below(3), {tag, n, value});
    }
    return token;
}

void damage(Trial& trial, std::string& text) {
    for (std::uint64_t times = trial.below(4); times != 0; --times) {
        const std::size_t at = trial.below(text.size() + 1);
        const std::size_t erased = trial.below(3);
        text.replace(at, erased, text_of_words(trial, words));
    }
}

void a_token_is_what_it_says_or_refused(Trial& trial) {
    std::string text;
    if (trial.below(4) != 3) text = text_of(drawn(trial));
    damage(trial, text);
    try {
        Token token = token_of(text);
        if (planted) token.recording.clear();
        const std::size_t end = text.find_last_not_of("\n ") + 1;
        trial.require(text_of(token) == text.substr(0, end), "a text that is taken for a token is that token's text");
    } catch (const std::invalid_argument&) {}
}

const acairo::Property registered{"a_token_is_what_it_says_or_refused",
                                  a_token_is_what_it_says_or_refused,
                                  {.interruptions = false, .older_loads = false, .shortages = false, .network = false}};
const Target target{"tokens", registered.name, "itself"};

}  // namespace
}  // namespace fuzz
