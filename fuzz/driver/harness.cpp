// libFuzzer's entry points, for every target: one program, which is the target that it is called by the name of.
//
//     NAME [--target=NAME] [--plant[=BUG]] [--fingerprint=yes|no]   beside libFuzzer's own flags, which have one dash
//     NAME --about                                              only prints its property, and the bug that --plant plants
//
// Threads: one.
// Invariants:
//   1. A run that fails says why on stderr and aborts: libFuzzer writes the input down. What it means is told in another
//      process, which makes a token of it: `PROGRAM bytes FILE`, see tool.hpp.
//   2. Any input is a run; what a target's property does not ask for is not looked at.
#include <acairo/bytes.hpp>
#include <acairo/child.hpp>
#include <acairo/plants.hpp>
#include <cstdio>
#include <cstdlib>

#include "fingerprint.hpp"
#include "target.hpp"

namespace {

using namespace acairo::simulator;

const acairo::Property* property = nullptr;
bool with_fingerprint = false;

[[noreturn]] void refuse(const char* what, std::string_view name) {
    std::fprintf(stderr, "no %s \"%.*s\" in this program; the targets are:\n", what, static_cast<int>(name.size()),
                 name.data());
    for (const fuzz::Target* it = fuzz::Target::first; it; it = it->next) std::fprintf(stderr, "  %s\n", it->name);
    std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    std::string_view name = (*argv)[0];
    name.remove_prefix(name.rfind('/') + 1);  // 0 where there is none
    std::string_view bug;
    std::string_view fingerprint;
    bool about = false;
    for (int i = 1; i < *argc; ++i) {
        const std::string_view argument = (*argv)[i];
        const std::string_view value = argument.substr(std::min(argument.find('='), argument.size()));
        if (argument.starts_with("--target=")) name = value.substr(1);
        if (argument.starts_with("--plant")) bug = value.empty() ? "=" : value;
        if (argument.starts_with("--fingerprint=")) fingerprint = value.substr(1);
        if (argument == "--about") about = true;
    }
    const fuzz::Target* const target = fuzz::Target::find(name);
    if (!target) refuse("target", name);
    with_fingerprint = fingerprint.empty() ? target->watch == fuzz::Target::Watch::order : fingerprint == "yes";
    property = acairo::Property::find(target->property);
    if (!property) refuse("property", target->property);
    if (about) {
        std::printf("%s %s\n", target->property, target->bug);
        std::exit(0);
    }
    if (bug.empty()) return 0;
    bug = bug == "=" ? target->bug : bug.substr(1);
    fuzz::planted = bug == "itself";
    if (!fuzz::planted && !Plants::choose(bug)) refuse("planted bug", bug);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::Fingerprint fingerprint;
    static Bytes bytes({});
    static Choices choices(bytes);
    bytes = Bytes({data, size});
    choices.restart(bytes);
    fingerprint.restart();
    const Outcome outcome = run_here(*property, choices, nullptr, with_fingerprint ? &fingerprint : nullptr);
    if (outcome.verdict == Verdict::passed) return 0;
    std::fprintf(stderr, "FAILED: %s: %s\n", property->name, outcome.text.c_str());
    std::abort();
}
