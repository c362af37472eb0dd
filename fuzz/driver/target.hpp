// A fuzz target: the name of a property, whose choices are what the fuzzer writes. Everything else (the entry points of
// libFuzzer, failing, telling) is the harness's.
//
//     // What may happen to ...                      <- what `ci/fuzz --list` shows
//     const fuzz::Target target{"partial_reads", "reads_give_what_was_sent", "ignored_end_of_stream"};
//
// Threads: targets register themselves before main().
// Invariants:
//   1. A target knows neither RapidCheck nor GoogleTest nor libFuzzer: the same file is linked into the program that replays
//      tokens, where its property is one like any other.
#pragma once
#include <string_view>

namespace fuzz {

struct Target {
    enum class Watch : bool { branches, order };
    Target(const char* its_name, const char* its_property, const char* its_bug,
           Watch its_watch = Watch::branches) noexcept
        : name(its_name), property(its_property), bug(its_bug), watch(its_watch), next(first) {
        first = this;
    }
    // Null when there is none of that name.
    static const Target* find(std::string_view name) noexcept {
        const Target* target = first;
        while (target && name != target->name) target = target->next;
        return target;
    }

    const char* const name;  // that of its file
    const char* const property;
    const char* const
        bug;  // of stress/museum/: planted, the target finds it, which a test demands. Or "itself": see planted
    const Watch watch;  // what is new to the fuzzer: see fingerprint.hpp
    const Target* const next;
    static inline const Target* first = nullptr;
};

// Whether the target is to be wrong itself: where what it tests is none of the core's, which the museum plants its bugs in.
inline bool planted = false;

}  // namespace fuzz
