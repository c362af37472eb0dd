// An address is its text: nothing is lost on the way there and back, and what is no address is refused by name.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <acairo/acairo.hpp>

namespace {

using acairo::detail::parse_address;
using acairo::detail::to_text;

std::string round_trip(const std::string& text) {
    auto address = parse_address(text);
    return to_text(address);
}

RC_GTEST_PROP(Address, of_four_bytes_and_a_port_is_its_text,
              (std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port)) {
    std::string text;
    for (const int byte : {a, b, c, d}) text += (text.empty() ? "" : ".") + std::to_string(byte);
    text += ":" + std::to_string(port);
    RC_ASSERT(round_trip(text) == text);
}

RC_GTEST_PROP(Address, in_brackets_is_the_same_address_in_its_shortest_text,
              (const std::array<std::uint16_t, 8>& groups, std::uint16_t port)) {
    std::ostringstream text;
    text << std::hex << '[';
    for (std::size_t i = 0; i < groups.size(); ++i) text << (i == 0 ? "" : ":") << groups[i];
    text << "]:" << std::dec << port;
    const std::string shortest = round_trip(text.str());
    RC_ASSERT(shortest.size() <= text.str().size());
    RC_ASSERT(round_trip(shortest) == shortest);
}

// Of the characters that addresses are made of, so that some of them are.
RC_GTEST_PROP(Address, that_is_none_is_refused_by_name, ()) {
    const std::string text =
        *rc::gen::container<std::string>(rc::gen::element('1', '2', '0', '.', ':', '[', ']', 'f', 'x', '-', ' ', '\0'));
    try {
        const std::string canonical = round_trip(text);
        RC_ASSERT(round_trip(canonical) == canonical);
    } catch (const std::invalid_argument& refusal) {
        RC_ASSERT(std::string(refusal.what()).find(text.c_str()) != std::string::npos);
    }
}

RC_GTEST_PROP(Address, with_anything_behind_it_is_none, (std::uint16_t port)) {
    const char behind = *rc::gen::suchThat<char>([](char c) { return c < '0' || c > '9'; });
    RC_ASSERT_THROWS_AS(parse_address("127.0.0.1:" + std::to_string(port) + behind), std::invalid_argument);
}

}  // namespace
