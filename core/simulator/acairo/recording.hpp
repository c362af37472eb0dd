// The text of a recording: what a token carries, what a person pastes.
//
// It is "1." (the version) and base64url of: for each stretch of equal choices one byte (tag, whether its value is not zero,
// whether it repeats, n from 2 to 8), then what does not fit in it; at the end two bytes of checksum. A calm choice so costs
// one byte and a thousand equal ones three; a recording of a few hundred choices is a line or two.
//
// Threads: any.
// Invariants:
//   1. recording_of(text_of(r)) is r. Each recording has one text, and no other text is taken for it.
//   2. Anything that text_of() could not have made is refused, with what is wrong and where: a token with a lost character
//      must not replay as another run.
#pragma once
#include <acairo/choices.hpp>
#include <string>
#include <string_view>

namespace acairo::simulator {

std::string text_of(const Recording& recording);
// Throws std::invalid_argument.
Recording recording_of(std::string_view text);

}  // namespace acairo::simulator
