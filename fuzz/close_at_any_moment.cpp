// A stream that is closed under its reader and its writer, on other threads.
#include "target.hpp"

namespace {
const fuzz::Target target{"close_at_any_moment", "close_ends_both_waiters", "closed_under_a_call"};
}
