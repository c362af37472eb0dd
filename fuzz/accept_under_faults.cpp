// A server that descriptors, memory and threads are refused to: it stays, or was never there.
#include "target.hpp"

namespace {
const fuzz::Target target{"accept_under_faults", "a_server_outlives_shortages", "hang_after_a_shortage"};
}
