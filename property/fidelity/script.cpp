// Scripts as text, their runs in both kernels, and the difference.
#include "script.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <sstream>
#include <stdexcept>

#include "runner.hpp"

namespace fidelity {
namespace {

constexpr std::array<const char*, verbs> names{
    "socket",      "bind",       "listen",      "accept",    "connect",     "pair",        "recv",  "peek",
    "recv_urgent", "send",       "send_urgent", "fill",      "drain",       "shutdown",    "close", "close_linger",
    "dup",         "set_option", "get_option",  "get_error", "getsockname", "getpeername", "epoll", "add",
    "modify",      "remove",     "wait",        "eventfd",   "read",        "null",        "write"};

}  // namespace

std::string print(const Step& step) {
    std::ostringstream out;
    out << names[static_cast<std::size_t>(step.verb)] << ' ' << step.a << ' ' << step.b << ' ' << step.c;
    return out.str();
}

std::string print(const Script& script) {
    std::string all;
    for (const Step& step : script) all += (all.empty() ? "" : "; ") + print(step);
    return all;
}

Script parse(const std::string& text) {
    Script script;
    std::istringstream steps(text);
    for (std::string each; std::getline(steps, each, ';');) {
        std::istringstream words(each);
        std::string verb;
        if (!(words >> verb)) continue;
        const auto found = std::find(names.begin(), names.end(), verb);
        if (found == names.end()) throw std::invalid_argument("no verb of a script: \"" + verb + "\"; see script.hpp");
        Step step{static_cast<Verb>(found - names.begin())};
        words >> step.a >> step.b >> step.c;
        script.push_back(step);
    }
    return script;
}

Run run_simulated(SimulatedCalls& calls, const Script& script, Coverage& coverage) {
    Run run;
    Runner runner(calls, &calls.kernel, &coverage);
    for (std::size_t number = 0; number != script.size(); ++number) {
        run.passed_over.push_back(runner.passes_over(script[number]));
        run.outcomes.push_back(run.passed_over.back() ? "-" : runner.run(script[number], number));
        calls.settle();
    }
    return run;
}

Run run_linux(LinuxCalls& calls, const Script& script, const Run& first) {
    Run run;
    Runner runner(calls, nullptr, nullptr);
    for (std::size_t number = 0; number != script.size(); ++number) {
        run.outcomes.push_back(first.passed_over[number] ? "-" : runner.run(script[number], number));
        calls.settle();
    }
    return run;
}

std::string divergence(const Script& script, Coverage& coverage, std::uint64_t seed) {
    using clock = std::chrono::steady_clock;
    SimulatedCalls calm;
    const Run first = run_simulated(calm, script, coverage);
    Run real;
    // A SYN that met a full backlog is repeated, and a closed window is probed: a script that took so long says nothing.
    for (int attempt = 0; attempt != 5; ++attempt) {
        const clock::time_point begin = clock::now();
        LinuxCalls linux_calls;
        real = run_linux(linux_calls, script, first);
        if (!linux_calls.unsettled().empty()) {
            return "loopback did not settle: " + linux_calls.unsettled() + "\n    " + print(script);
        }
        if (clock::now() - begin < std::chrono::milliseconds{150}) break;
    }
    // Without delays where something waits for a timeout: they would let it pass.
    SimulatedCalls wild(seed, true, !calm.timeout_pending());
    Coverage ignored;
    const Run second = run_simulated(wild, script, ignored);
    const auto compare = [&](const Run& simulated, const char* how) {
        for (std::size_t number = 0; number != script.size(); ++number) {
            if (simulated.outcomes[number] == real.outcomes[number]) continue;
            const Script until(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(number) + 1);
            return "step " + std::to_string(number) + ", " + print(script[number]) + ": Linux \"" +
                   real.outcomes[number] + "\", simulated kernel, " + how + ", \"" + simulated.outcomes[number] +
                   "\"\n    " + print(until);
        }
        return std::string();
    };
    const std::string difference = compare(first, "calm");
    return difference.empty() ? compare(second, "cut and delayed") : difference;
}

}  // namespace fidelity
