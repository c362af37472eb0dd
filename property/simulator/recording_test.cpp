// The text of a recording is short, stands for it exactly, and nothing else is taken for one.
#include <acairo/recording.hpp>

#include "simulation.hpp"

namespace {

using namespace simulation;
using sim::Choice;
using sim::Recording;
using sim::recording_of;
using sim::text_of;

Recording drawn(std::uint64_t seed) {
    sim::Seed random(seed);
    Recording recording;
    const std::uint64_t size = random.below(60, Tag::workload);
    while (recording.size() < size) {
        const std::uint64_t kind = random.below(4, Tag::workload);
        const std::uint64_t n =
            kind == 0 ? ~random.below(9, Tag::workload) : 2 + random.below(kind == 1 ? 300 : 8, Tag::workload);
        const auto tag = static_cast<Tag>(random.below(8, Tag::workload));
        const Choice choice{tag, n, random.below(3, Tag::workload) == 0 ? random.below(n, Tag::workload) : 0};
        recording.insert(recording.end(), 1 + random.below(kind == 3 ? 500 : 2, Tag::workload), choice);
    }
    return recording;
}

std::string why_not(const std::string& text) {
    try {
        recording_of(text);
    } catch (const std::invalid_argument& error) { return error.what(); }
    return "";
}

TEST(Recording, survives_its_text) {
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
        const Recording recording = drawn(seed);
        ASSERT_EQ(recording_of(text_of(recording)), recording) << "seed " << seed;
    }
    const Recording extreme{{Tag::workload, ~std::uint64_t{0}, ~std::uint64_t{0} - 1}, {Tag::schedule, 2, 1}};
    EXPECT_EQ(recording_of(text_of(extreme)), extreme);
    EXPECT_EQ(recording_of(text_of(Recording{})), Recording{});
}

TEST(Recording, is_short) {
    EXPECT_LE(text_of(Recording(1'000, {Tag::schedule, 2, 0})).size(), 10u);
    Recording mixed;
    for (int i = 0; i < 100; ++i) mixed.push_back({Tag::schedule, i % 2 == 0 ? 2u : 3u, 0});
    EXPECT_LE(text_of(mixed).size(), 2 + (100 + 2) * 4 / 3 + 1) << "a byte for each calm choice";
}

TEST(Recording, is_the_same_text_for_ever) {
    // Tokens are kept in regressions: a new format needs a new version.
    const Recording recording{
        {Tag::schedule, 2, 0}, {Tag::schedule, 2, 0}, {Tag::fault, 2, 1}, {Tag::order, 1'000, 999}};
    EXPECT_EQ(text_of(recording), "1.EAEKAe7oB-cHhaU");
}

TEST(Recording, refuses_each_change_of_a_character) {
    std::string text;
    for (std::uint64_t seed = 0; text.size() < 40; ++seed) text = text_of(drawn(seed));
    for (std::size_t at = 2; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = text[at] == 'A' ? 'B' : 'A';
        EXPECT_NE(why_not(changed), "") << "at " << at;
        EXPECT_NE(why_not(text.substr(0, at)), "") << "cut at " << at;
    }
    EXPECT_NE(why_not(text + "A"), "");
}

TEST(Recording, says_what_is_wrong) {
    using testing::HasSubstr;
    EXPECT_THAT(why_not(""), HasSubstr("version"));
    EXPECT_THAT(why_not("2.AAAA"), HasSubstr("\"2.\""));
    EXPECT_THAT(why_not("1."), HasSubstr("too few"));
    EXPECT_THAT(why_not("1.AB+A"), HasSubstr("character 4, '+'"));
    std::string text = text_of({{Tag::fault, 2, 1}});
    text[2] = text[2] == 'A' ? 'B' : 'A';
    EXPECT_THAT(why_not(text), HasSubstr("checksum"));
}

TEST(Recording, refuses_what_no_recording_has) {
    using testing::HasSubstr;
    // Each with the right checksum.
    EXPECT_THAT(why_not("1.CgKC7A"), HasSubstr("is 2 of 2"));
    EXPECT_THAT(why_not("1.EoCAgBApGA"), HasSubstr("claims to hold more"));
    EXPECT_THAT(why_not("1.EoAMwQ"), HasSubstr("ends within a number"));
    EXPECT_THAT(why_not("1.4v___________wIG9Q"), HasSubstr("64 bits"));
    EXPECT_THAT(why_not("1.AAC7hg"), HasSubstr("not written the way"));
}

}  // namespace
