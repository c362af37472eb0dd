// The name of what a fiber is about to do.
//
// Threads: any.
// Invariants:
//   1. It is a literal, such as "mutex.lock": it outlives everything, and its hash is computed by the compiler.
//   2. The hash is that of the characters, never of the address: it is the same in every build.
#pragma once
#include <cstdint>

namespace acairo::simulator {

struct Operation {
    consteval Operation(const char* literal) noexcept : name(literal) {
        for (; *literal != '\0'; ++literal) hash = (hash ^ static_cast<unsigned char>(*literal)) * 0x100000001b3u;
    }
    const char* name;
    std::uint64_t hash = 0xcbf29ce484222325u;
};

}  // namespace acairo::simulator
