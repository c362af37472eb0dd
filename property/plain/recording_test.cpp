// A recording, and the token that carries it, is its text: and no other text is taken for one.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <acairo/recording.hpp>
#include <acairo/token.hpp>
#include <stdexcept>

namespace acairo::simulator {

static std::ostream& operator<<(std::ostream& out, const Choice& choice) {
    return out << name_of(choice.tag) << ' ' << choice.value << " of " << choice.n;
}

}  // namespace acairo::simulator

namespace rc {

using acairo::simulator::Choice;
using acairo::simulator::Tag;

template <> struct Arbitrary<Choice> {
    static Gen<Choice> arbitrary() {
        return gen::apply(
            [](int tag, std::uint64_t n, std::uint64_t value) { return Choice{static_cast<Tag>(tag), n, value % n}; },
            gen::inRange(0, 8),
            gen::oneOf(gen::inRange<std::uint64_t>(2, 300),
                       gen::suchThat<std::uint64_t>([](std::uint64_t n) { return n >= 2; })),
            gen::arbitrary<std::uint64_t>());
    }
};

}  // namespace rc

namespace {

using namespace acairo::simulator;

RC_GTEST_PROP(Recording, survives_its_text, (const Recording& recording)) {
    RC_ASSERT(recording_of(text_of(recording)) == recording);
}

RC_GTEST_PROP(Recording, is_not_taken_from_a_text_with_one_character_changed, (const Recording& recording)) {
    std::string text = text_of(recording);
    char& character = text[*rc::gen::inRange<std::size_t>(0, text.size())];
    character = *rc::gen::distinctFrom(character);
    RC_ASSERT_THROWS_AS(recording_of(text), std::invalid_argument);
}

RC_GTEST_PROP(Token, survives_its_text, (const Recording& recording)) {
    const Token token{"a_property+a_bug", "01234567", *rc::gen::element<std::string>("any", "asan", "tsan"), recording};
    const Token again = token_of(text_of(token) + "\n");
    RC_ASSERT(again.property == token.property);
    RC_ASSERT(again.schema == token.schema);
    RC_ASSERT(again.detector == token.detector);
    RC_ASSERT(again.recording == token.recording);
}

RC_GTEST_PROP(Token, of_any_other_text_is_refused, (const std::string& text)) {
    RC_ASSERT_THROWS_AS(token_of(text), std::invalid_argument);
    RC_ASSERT_THROWS_AS(token_of("acairo1:p:01234567:any:1." + text), std::invalid_argument);
}

}  // namespace
