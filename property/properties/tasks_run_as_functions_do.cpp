// Trees of tasks (that await, throw, catch and go on, return values, hold arguments and locals, are destroyed unstarted) do what
// the same tree of plain functions does, step by step: constructions, destructions and results come in the same order.
//
// It would have caught: a frame that is destroyed twice, or never, or before its awaiter took the result; an exception that is
// lost, or passes a handler; a coroutine that is resumed twice; an argument that dies with the call.
// Covers: 5.75 an object destroys itself while it runs; 5.79 a task is destroyed between its end and its final suspend
// Covers: 5.83 captures die before the cleanup that uses them; 5.89 a moved-from object destroys again; 8.135 an exception is lost
#include "support.hpp"

namespace property {
namespace {

using Log = std::string;

struct Noted {
    Noted(Log& its_log, char its_name) : log(&its_log), name(its_name) { *log += name; }
    Noted(Noted&& other) noexcept : log(std::exchange(other.log, nullptr)), name(other.name) {}
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;
    ~Noted() {
        if (log) *log += static_cast<char>(name - 'a' + 'A');
    }
    Log* log;
    char name;
};

// What one function does, after its children and in between.
struct Node {
    std::uint64_t value = 0;
    std::uint64_t throws = 0;  // 1: an int, 2: a class, of its own, at its end
    bool catches = false;      // what its children throw
    bool pauses = false;       // a sleep between two children
    bool discards = false;     // makes each child a second time, and destroys it unstarted
    bool keeps = false;        // the child's task in a variable of its own, moved before it is awaited
    std::vector<Node> children;
};

struct Failure {
    std::uint64_t value;
};

Node grow(Trial& trial, std::uint64_t depth, std::uint64_t& left) {
    Node node;
    node.value = trial.below(4);
    node.throws = trial.below(6);
    node.catches = trial.below(2) == 1;
    node.pauses = trial.below(4) == 1;
    node.discards = trial.below(4) == 1;
    node.keeps = trial.below(2) == 1;
    if (depth == 0) return node;
    for (std::uint64_t children = trial.below(4); children != 0 && left != 0; --children) {
        --left;
        node.children.push_back(grow(trial, depth - 1, left));
    }
    return node;
}

void end(const Node& node, Log& log) {
    log += '.';
    if (node.throws == 1) throw static_cast<int>(node.value);
    if (node.throws == 2) throw Failure{node.value};
}

std::uint64_t call(const Node& node, Log& log, Noted) {
    const Noted local(log, 'l');
    std::uint64_t sum = node.value;
    for (const Node& child : node.children) {
        if (node.discards) Noted(log, 'd');
        try {
            Noted argument(log, 'a');
            sum += call(child, log, std::move(argument));
        } catch (...) {
            if (!node.catches) throw;
            log += 'x';
        }
    }
    end(node, log);
    return sum;
}

Task<std::uint64_t> await(const Node& node, Log& log, Noted argument) {
    const Noted owned = std::move(argument);
    const Noted local(log, 'l');
    std::uint64_t sum = node.value;
    for (const Node& child : node.children) {
        if (node.discards) static_cast<void>(await(child, log, Noted(log, 'd')));
        try {
            if (node.keeps) {
                Task<std::uint64_t> first = await(child, log, Noted(log, 'a'));
                Task<std::uint64_t> second = std::move(first);
                sum += co_await std::move(second);
            } else {
                sum += co_await await(child, log, Noted(log, 'a'));
            }
        } catch (...) {
            if (!node.catches) throw;
            log += 'x';
        }
        if (node.pauses) co_await acairo::sleep_for(std::chrono::microseconds(1));
    }
    end(node, log);
    co_return sum;
}

// The same result, or the same exception, as text.
template <class F> std::string outcome_of(F&& made) {
    try {
        return "returns " + std::to_string(made());
    } catch (const int value) { return "throws the int " + std::to_string(value); } catch (const Failure& failure) {
        return "throws the class " + std::to_string(failure.value);
    }
}

void tasks_run_as_functions_do(Trial& trial) {
    std::uint64_t left = 8;
    const Node root = grow(trial, 3, left);
    Log wanted;
    const std::string expected = outcome_of([&] { return call(root, wanted, Noted(wanted, 'a')); });
    Log log;
    acairo::Executor executor({.workers = 1});
    const std::string got =
        outcome_of([&] { return executor.sync_wait([&] { return await(root, log, Noted(log, 'a')); }); });
    trial.require(got == expected, "a task ends as a function does");
    trial.require(log == wanted, "everything is made and destroyed once, in the order of functions");
    trial.sometimes(log.find('x') != Log::npos, "an exception that is caught on its way");
    trial.sometimes(log.find("dD") != Log::npos, "a task that is destroyed unstarted");
}

const acairo::Property registered{"tasks_run_as_functions_do",
                                  tasks_run_as_functions_do,
                                  {.interruptions = true, .shortages = false},
                                  {"an exception that is caught on its way", "a task that is destroyed unstarted"}};

}  // namespace
}  // namespace property
