// A server that is stopped while clients connect, speak and wait.
#include "target.hpp"

namespace {
const fuzz::Target target{"shutdown_at_any_moment", "stop_ends_every_connection", "stop_before_the_wait"};
}
