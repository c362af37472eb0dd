// One run, here or in a child.
#include <acairo/process.hpp>
#include <acairo/sanitizers.hpp>

#include <algorithm>

namespace acairo::simulator {
namespace {

class SimulatedTrial final : public Trial {
public:
    explicit SimulatedTrial(const Property& property) noexcept : property_(&property) {}
    std::uint64_t below(std::uint64_t n) override { return machine().scheduler().below(n, Tag::workload); }
    void require(bool holds, const char* what) override {
        if (holds) return;
        // A verdict needs memory, also in a run that has none left.
        const Unseen unseen;
        machine().scheduler().fail(Verdict::failed, what);
    }
    void clear_up() override { machine().clear_up(); }
    void sometimes(bool holds, const char* path) override {
        const std::size_t place = property_->place_of(path);
        require(place < property_->paths.size(), "a rare path is in its property's list");
        if (holds) page().reached[place].fetch_add(1, std::memory_order_relaxed);
    }

private:
    const Property* property_;
};

}  // namespace

Outcome run_here(const Property& property, Choices& choices, Observer* observer, Sink* sink) {
    SimulatedTrial trial(property);
    Setting setting;
    setting.climate = property.climate;
    setting.observer = observer;
    setting.sink = sink;
    return machine().run(choices, setting, [&] { property.body(trial); });
}

Result run_in_child(const Property& property, const MakeProducer& make, bool explain, std::chrono::seconds patience) {
    Child child([&] {
        const std::unique_ptr<Producer> producer = make();
        Scribe scribe(*producer);
        Choices choices(scribe);
        Reporter reporter(page().reporter);
        Chronicle chronicle(page().chronicle);
        const Outcome outcome =
            run_here(property, choices, explain ? &reporter : nullptr, explain ? &chronicle : nullptr);
        leave_outcome(outcome);
        return outcome.verdict == Verdict::passed ? 0 : failed_status;
    });
    Result result;
    result.kind = child.wait(patience);
    const Page& shared = page();
    result.text = shared.text[0] != '\0' ? shared.text.data() : child.errors();
    result.recording = shared.written();
    Reporter::read(shared.reporter, result.events, result.stacks, result.deeds);
    result.moments = Chronicle::moments_of(shared.chronicle);
    result.moments_left_out = shared.chronicle.moments - result.moments.size();
    result.threads = Chronicle::threads_of(shared.chronicle);
    result.trace_hash = shared.trace_hash;
    result.steps = shared.steps;
    return result;
}

}  // namespace acairo::simulator
