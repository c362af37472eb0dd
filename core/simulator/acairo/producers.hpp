// Everything that choices may come from. See Producer in <acairo/choices.hpp> for writing another.
//
//   Bytes         what a fuzzer feeds: the end of the bytes is calm
//   Seed          random; a number, a commit's hash or any text
//   Replay        the recording of an earlier run
//   Enumeration   every run there is, one after the other
//   PCT, POS, SURW  random as well, with guarantees: see <acairo/strategy.hpp>
#pragma once
#include <acairo/bytes.hpp>
#include <acairo/enumeration.hpp>
#include <acairo/replay.hpp>
#include <acairo/seed.hpp>
