// A tree of tasks, on one thread and without an executor, computes what the same tree of functions does, exceptions included;
// and not a frame is left.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <acairo/acairo.hpp>
#include <coroutine>

namespace {

struct Tree {
    std::uint32_t value = 0;
    bool throws = false;   // its value, after its branches have ended
    bool catches = false;  // what its branches throw
    std::vector<Tree> branches;
};

std::ostream& operator<<(std::ostream& out, const Tree& tree) {
    out << (tree.catches ? "catch " : "") << (tree.throws ? "throw " : "") << tree.value << '(';
    for (const Tree& branch : tree.branches) out << branch << ' ';
    return out << ')';
}

rc::Gen<Tree> trees(int depth) {
    const auto branches =
        depth == 0 ? rc::gen::just(std::vector<Tree>())
                   : rc::gen::resize(
                         3, rc::gen::container<std::vector<Tree>>(rc::gen::lazy([=] { return trees(depth - 1); })));
    return rc::gen::build<Tree>(rc::gen::set(&Tree::value, rc::gen::inRange<std::uint32_t>(0, 100)),
                                rc::gen::set(&Tree::throws), rc::gen::set(&Tree::catches),
                                rc::gen::set(&Tree::branches, branches));
}

std::uint32_t by_functions(const Tree& tree) {
    std::uint32_t sum = tree.value;
    for (const Tree& branch : tree.branches) {
        try {
            sum = 31 * sum + by_functions(branch);
        } catch (std::uint32_t thrown) {
            if (!tree.catches) throw;
            sum -= thrown;
        }
    }
    if (tree.throws) throw sum;
    return sum;
}

int frames = 0;
struct Frame {
    Frame() { ++frames; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    ~Frame() { --frames; }
};

acairo::Task<std::uint32_t> by_tasks(const Tree& tree) {
    const Frame frame;
    std::uint32_t sum = tree.value;
    for (const Tree& branch : tree.branches) {
        acairo::Task<std::uint32_t> never_started = by_tasks(branch);
        try {
            sum = 31 * sum + co_await by_tasks(branch);
        } catch (std::uint32_t thrown) {
            if (!tree.catches) throw;
            sum -= thrown;
        }
    }
    if (tree.throws) throw sum;
    co_return sum;
}

// A coroutine that begins at once and returns nothing.
struct Begun {
    struct promise_type {
        Begun get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::terminate(); }
    };
};

Begun await(acairo::Task<std::uint32_t> task, std::optional<std::uint32_t>& result,
            std::optional<std::uint32_t>& thrown) {
    try {
        result = co_await std::move(task);
    } catch (std::uint32_t value) { thrown = value; }
}

RC_GTEST_PROP(Task, of_a_tree_computes_what_functions_compute, ()) {
    const Tree tree = *trees(4);
    std::optional<std::uint32_t> result;
    std::optional<std::uint32_t> thrown;
    await(by_tasks(tree), result, thrown);
    try {
        RC_ASSERT(by_functions(tree) == result);
        RC_ASSERT(!thrown);
    } catch (std::uint32_t expected) { RC_ASSERT(expected == thrown); }
    RC_ASSERT(frames == 0);
}

}  // namespace
