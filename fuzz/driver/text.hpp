// Texts that are nearly of a language: its words, and any byte, in any order. A fuzzer needs no dictionary then, and any other
// engine comes near the language, too.
//
// Threads: any.
#pragma once
#include <acairo/property.hpp>
#include <span>
#include <string>

namespace fuzz {

inline std::string text_of_words(acairo::Trial& trial, std::span<const std::string_view> words) {
    std::string text;
    for (;;) {
        switch (trial.below(4)) {
            case 0: return text;
            case 1: text += static_cast<char>(trial.below(256)); break;
            default: text += words[trial.below(words.size())]; break;
        }
    }
}

}  // namespace fuzz
