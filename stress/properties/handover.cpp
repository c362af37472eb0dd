// One call of the simulator's program, and what is read out of its answer.
#include "handover.hpp"

#include <sys/wait.h>
#include <cstdio>
#include <sstream>

namespace stress {
namespace {

struct Answer {
    std::string text;
    int status;
};

Answer run(const std::string& command) {
    Answer answer{{}, -1};
    ::FILE* const pipe = ::popen(command.c_str(), "r");
    if (!pipe) return answer;
    std::array<char, 4096> piece{};
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe))
        answer.text.append(piece.data(), size);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) answer.status = WEXITSTATUS(status);
    return answer;
}

std::string values_of(const acairo::simulator::Recording& workload) {
    std::string values;
    for (const acairo::simulator::Choice& choice : workload)
        values += (values.empty() ? "" : ",") + std::to_string(choice.value);
    return values;
}

// A workload that is longer is not handed over: it would be no workload that anybody understands.
constexpr std::size_t longest_workload = 1000;

}  // namespace

std::string hand_over(const Simulator& simulator, const acairo::Property& property, const Failure& failure) {
    if (simulator.program.empty())
        return "  not handed to the simulator: name its program, --simulator build/.../simulated_properties\n";
    std::ostringstream command;
    command << '\'' << simulator.program << "' --only " << property.name << " --seed " << failure.seed << " --seconds "
            << simulator.seconds;
    if (!simulator.plant.empty()) command << " --plant " << simulator.plant;
    const bool with_workload = !failure.workload.empty() && failure.workload.size() <= longest_workload;
    if (with_workload) command << " --workload " << values_of(failure.workload);
    const Answer answer = run(command.str() + " 2>&1");
    std::string report = "  handed to the simulator: " + command.str() + "\n";
    const std::string found = std::string("FAILED: ") + property.name + ": ";
    const std::size_t at = answer.text.find(found);
    if (answer.status == 0) {
        std::istringstream lines(answer.text);
        std::string runs;
        std::getline(lines, runs);
        return report + "  it has not found the failure there: " + runs + "\n";
    }
    if (answer.status != 1 || at == std::string::npos)
        return report + "  it has ended with " + std::to_string(answer.status) + ": " +
               answer.text.substr(0, answer.text.find('\n')) + "\n";
    std::istringstream lines(answer.text.substr(at + found.size()));
    std::string kind;
    std::getline(lines, kind);
    if (kind == failure.kind)
        report += "  it has found the same failure, which can be replayed:\n";
    else if (failure.kind == "deadlock")
        report +=
            "  it has found a failure of another kind, as a limit for which real threads would wait passes there at "
            "once: " +
            kind + "\n";
    else
        report += "  it has found another failure, which may be another bug: " + kind + "\n";
    for (std::string line; std::getline(lines, line) && line.starts_with("  ");) report += line + "\n";
    return report;
}

}  // namespace stress
