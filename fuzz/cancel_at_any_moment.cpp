// A read that is cancelled before, while and after its bytes come.
#include "target.hpp"

namespace {
const fuzz::Target target{"cancel_at_any_moment", "a_cancelled_read_loses_no_byte", "unsubscribed_while_it_runs"};
}
