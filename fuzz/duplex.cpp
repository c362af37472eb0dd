// Both directions of several connections at once: an echo under everything that the network may do.
#include "target.hpp"

namespace {
const fuzz::Target target{"duplex", "an_echo_comes_back", "bytes_lost_at_a_partial_write"};
}
