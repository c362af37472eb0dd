// The timers of a worker, a skew heap, fire in the order of a multimap's, whatever is armed and disarmed between.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <rapidcheck/state.h>

#include <acairo/worker.hpp>
#include <deque>
#include <map>

namespace {

using std::chrono::nanoseconds;

struct Model {
    std::map<int, int> deadlines;  // of the timers that are armed, by their names
    std::multimap<int, int> queue;
    int made = 0;
};

struct System {
    struct Timer final : acairo::detail::Timer {
        void deliver() noexcept override {}
    };
    acairo::detail::Timer* root = nullptr;
    std::deque<Timer> timers;
};

using Command = rc::state::Command<Model, System>;

struct Arm : Command {
    void apply(Model& model) const override {
        model.queue.emplace(deadline, model.made);
        model.deadlines.emplace(model.made++, deadline);
    }
    void run(const Model&, System& system) const override {
        system.timers.emplace_back().arm(system.root, nanoseconds(deadline));
    }
    void show(std::ostream& out) const override { out << "arm at " << deadline; }
    int deadline = *rc::gen::inRange(0, 50);
};

struct Disarm : Command {
    explicit Disarm(const Model& model) : name(*rc::gen::inRange(0, model.made + 1)) {}
    void checkPreconditions(const Model& model) const override { RC_PRE(model.deadlines.contains(name)); }
    void apply(Model& model) const override {
        auto [it, end] = model.queue.equal_range(model.deadlines.at(name));
        while (it->second != name) ++it;
        model.queue.erase(it);
        model.deadlines.erase(name);
    }
    void run(const Model&, System& system) const override { system.timers[static_cast<std::size_t>(name)].disarm(); }
    void show(std::ostream& out) const override { out << "disarm " << name; }
    int name;
};

// Timers of one deadline may fire in any order.
struct Fire : Command {
    void apply(Model& model) const override {
        const int due = model.queue.begin()->first;
        while (!model.queue.empty() && model.queue.begin()->first == due) {
            model.deadlines.erase(model.queue.begin()->second);
            model.queue.erase(model.queue.begin());
        }
    }
    void checkPreconditions(const Model& model) const override { RC_PRE(!model.queue.empty()); }
    void run(const Model& before, System& system) const override {
        const nanoseconds due{before.queue.begin()->first};
        std::size_t fired = 0;
        for (; system.root && system.root->deadline <= due; ++fired) {
            RC_ASSERT(system.root->deadline == due);
            system.root->disarm();
        }
        RC_ASSERT(fired == before.queue.count(before.queue.begin()->first));
        RC_ASSERT((system.root == nullptr) == nextState(before).queue.empty());
    }
    void show(std::ostream& out) const override { out << "fire what is due first"; }
};

RC_GTEST_PROP(Timer, fires_in_the_order_of_a_multimap, ()) {
    System system;
    rc::state::check(Model(), system, rc::state::gen::execOneOfWithArgs<Arm, Arm, Disarm, Fire>());
    while (system.root) system.root->disarm();
}

}  // namespace
