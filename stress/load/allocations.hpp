// How many allocations of the whole process are alive.
//
// Threads: any.
// Invariants:
//   1. Under a sanitizer that has an operator new of its own it is always 0.
#pragma once
#include <cstdint>

namespace stress {

std::int64_t allocations() noexcept;

}  // namespace stress
