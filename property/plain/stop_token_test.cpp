// Stop sources, tokens and callbacks do what a model of a few lines says, in whatever order they are used.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <rapidcheck/state.h>

#include <acairo/acairo.hpp>
#include <map>
#include <memory>

namespace {

struct Model {
    int sources = 1;
    bool requested = false;
    int subscribed = 0;             // callbacks ever made: the next one's name
    std::map<int, bool> callbacks;  // that live, and whether they have run
};

struct System {
    std::vector<acairo::StopSource> sources{1};
    acairo::StopToken token = sources.front().get_token();
    std::map<int, int> calls;
    struct Count {
        int& calls;
        void operator()() const noexcept { ++calls; }
    };
    std::map<int, acairo::StopCallback<Count>> callbacks;
};

struct Command : rc::state::Command<Model, System> {
    // What the command does to the system; then both must agree.
    virtual void act(const Model& before, System& system) const = 0;
    void run(const Model& before, System& system) const final {
        act(before, system);
        const Model after = nextState(before);
        RC_ASSERT(system.token.stop_requested() == after.requested);
        RC_ASSERT(system.token.stop_possible() == (after.requested || after.sources > 0));
        for (const auto& [name, ran] : after.callbacks) RC_ASSERT(system.calls[name] == (ran ? 1 : 0));
        for (const auto& [name, calls] : system.calls) RC_ASSERT(calls <= 1);
    }
};

struct CopySource : Command {
    void checkPreconditions(const Model& model) const override { RC_PRE(model.sources > 0); }
    void apply(Model& model) const override { ++model.sources; }
    void act(const Model&, System& system) const override { system.sources.push_back(system.sources.front()); }
    void show(std::ostream& out) const override { out << "copy a source"; }
};

struct DropSource : Command {
    void checkPreconditions(const Model& model) const override { RC_PRE(model.sources > 0); }
    void apply(Model& model) const override { --model.sources; }
    void act(const Model&, System& system) const override { system.sources.pop_back(); }
    void show(std::ostream& out) const override { out << "drop a source"; }
};

struct Request : Command {
    void checkPreconditions(const Model& model) const override { RC_PRE(model.sources > 0); }
    void apply(Model& model) const override {
        model.requested = true;
        for (auto& [name, ran] : model.callbacks) ran = true;
    }
    void act(const Model& before, System& system) const override {
        RC_ASSERT(system.sources.front().request_stop() == !before.requested);
    }
    void show(std::ostream& out) const override { out << "request a stop"; }
};

struct Subscribe : Command {
    void apply(Model& model) const override { model.callbacks[model.subscribed++] = model.requested; }
    void act(const Model& before, System& system) const override {
        const int name = before.subscribed;
        system.callbacks.try_emplace(name, system.token, System::Count{system.calls[name]});
    }
    void show(std::ostream& out) const override { out << "subscribe"; }
};

struct Unsubscribe : Command {
    explicit Unsubscribe(const Model& model) : name(*rc::gen::inRange(0, model.subscribed + 1)) {}
    void checkPreconditions(const Model& model) const override { RC_PRE(model.callbacks.contains(name)); }
    void apply(Model& model) const override { model.callbacks.erase(name); }
    void act(const Model&, System& system) const override { system.callbacks.erase(name); }
    void show(std::ostream& out) const override { out << "unsubscribe " << name; }
    int name;
};

RC_GTEST_PROP(StopToken, does_what_the_model_says, ()) {
    System system;
    rc::state::check(Model(), system,
                     rc::state::gen::execOneOfWithArgs<CopySource, DropSource, Request, Subscribe, Unsubscribe>());
}

}  // namespace
