// The interleaving itself: threads and tasks that spawn, and a worker that goes to sleep meanwhile. Watched by a fingerprint.
#include "target.hpp"

namespace {
const fuzz::Target target{"schedule", "spawned_tasks_run_once", "look_then_sleep", fuzz::Target::Watch::order};
}
