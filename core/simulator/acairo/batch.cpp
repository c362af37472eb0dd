// Many runs in one child: of a strategy, with each single fault, or all that there are.
#include <acairo/process.hpp>
#include <acairo/replay.hpp>
#include <unordered_set>

namespace acairo::simulator {
namespace {

// Zeros before the first fiber runs, which is when the weather is drawn.
class FineWeather final : public Producer {
public:
    explicit FineWeather(Producer& producer) : producer_(&producer) {}
    std::uint64_t below(std::uint64_t n, Tag tag) override {
        return Scheduler::running() == nullptr ? 0 : producer_->below(n, tag);
    }
    std::size_t thread(std::span<const Candidate> candidates) override { return producer_->thread(candidates); }

private:
    Producer* producer_;
};

// The run again, from its recording: what is a function of its choices ends in the same way.
Outcome repeated(const Property& property, const Choices& choices, const Outcome& outcome) {
    const Recording recording = choices.recording();
    Replay replay(recording);
    Choices again(replay);
    Outcome second = run_here(property, again);
    const bool same = second.trace_hash == outcome.trace_hash && !replay.divergence();
    if (second.verdict != Verdict::passed || same) return second;
    second.verdict = Verdict::nondeterminism;
    second.text =
        "nondeterminism: the same choices gave another run; something decides that is not a choice: an address, "
        "a clock, a real thread, memory that is read before it is written";
    if (replay.divergence()) second.text += ". " + replay.divergence()->text();
    return second;
}

Batch batch_of(Child& child) {
    Batch batch;
    batch.kind = child.wait(std::chrono::seconds(30));
    batch.failed = !batch.kind.empty();
    batch.failed_seed = page().seed;
    if (batch.failed) batch.failing = page().written();
    batch.runs = page().runs.load(std::memory_order_relaxed) + (batch.failed ? 1 : 0);
    batch.steps = page().steps;
    batch.interleavings = page().interleavings;
    batch.hash = page().trace_hash;
    for (std::size_t i = 0; i < batch.reached.size(); ++i) {
        batch.reached[i] = page().reached[i].load(std::memory_order_relaxed);
    }
    return batch;
}

}  // namespace

Batch run_batch(const Property& property, const Strategy& strategy, std::uint64_t first, std::uint64_t runs,
                std::chrono::nanoseconds until) {
    Child child([&] {
        Page& shared = page();
        std::unique_ptr<Producer> producer = strategy(first);
        Scribe scribe(*producer);
        Choices choices(scribe);
        std::unordered_set<std::uint64_t> traces;
        for (std::uint64_t i = 0; i < runs && real_now() < until; ++i) {
            shared.seed = first + i;
            shared.choices = 0;
            // The old one is gone before the new one is made: it may leave something to it.
            if (i != 0) producer.reset(), producer = strategy(first + i);
            scribe = Scribe(*producer);
            choices.restart(scribe);
            Outcome outcome = run_here(property, choices);
            if (outcome.verdict == Verdict::passed && i % 20 == 0) outcome = repeated(property, choices, outcome);
            leave_outcome(outcome);
            if (outcome.verdict != Verdict::passed) return failed_status;
            traces.insert(outcome.trace_hash);
            shared.interleavings = traces.size();
            shared.runs.store(i + 1, std::memory_order_relaxed);
        }
        return 0;
    });
    return batch_of(child);
}

Batch run_with_each_fault(const Property& property, std::uint64_t schedules) {
    Child child([&] {
        Page& shared = page();
        // Whether the run with this fault passed, and whether the fault came in it.
        const auto try_out = [&](const OneFault& fault, bool& came) {
            shared.choices = 0;
            WithOneFault producer(fault, shared.seed);
            Scribe scribe(producer);
            Choices choices(scribe);
            const Outcome outcome = run_here(property, choices);
            leave_outcome(outcome);
            came = outcome.fault_came;
            if (outcome.verdict == Verdict::passed) shared.runs.fetch_add(1, std::memory_order_relaxed);
            return outcome.verdict == Verdict::passed;
        };
        for (shared.seed = 0; shared.seed < schedules; ++shared.seed) {
            using enum OneFault::Kind;
            for (const OneFault::Kind kind : {call, allocation, allocations}) {
                bool came = true;
                for (OneFault fault{kind, 1, 0}; came; ++fault.place) {
                    if (!try_out(fault, came)) return failed_status;
                    if (came && fault.place == OneFault::most_places) return 0;
                    // The same call with each other error: the schedule before it is the same.
                    OneFault other = fault;
                    for (bool next = came && kind == call; next && other.error + 1 < OneFault::most_errors;) {
                        ++other.error;
                        if (!try_out(other, next)) return failed_status;
                    }
                }
            }
        }
        shared.covered = true;
        return 0;
    });
    Batch batch = batch_of(child);
    if (!batch.failed && !page().covered)
        throw std::runtime_error(
            std::string("acairo: ") + property.name + " has more than " + std::to_string(OneFault::most_places - 1) +
            " calls or allocations, and later ones cannot be made to fail; let its workload be smaller");
    batch.interleavings = batch.runs;  // each has a fault of its own
    return batch;
}

Enumerated enumerate(const Property& property, Enumeration::Bounds bounds, std::uint64_t runs,
                     std::chrono::nanoseconds until) {
    Child child([&] {
        Page& shared = page();
        Enumeration all(bounds);
        FineWeather fine(all);
        Scribe scribe(bounds.faults == 0 ? static_cast<Producer&>(fine) : all);
        Choices choices(scribe);
        for (std::uint64_t i = 0; i < runs && real_now() < until; ++i) {
            shared.choices = 0;
            choices.restart(scribe);
            Outcome outcome = run_here(property, choices);
            const bool more = outcome.verdict == Verdict::passed && all.next();
            if (outcome.verdict == Verdict::passed && all.divergence()) {
                outcome.verdict = Verdict::nondeterminism;
                outcome.text = "nondeterminism: " + all.divergence()->text();
            }
            leave_outcome(outcome);
            if (outcome.verdict != Verdict::passed) return failed_status;
            shared.runs.store(i + 1, std::memory_order_relaxed);
            if (more) continue;
            shared.covered = true;
            break;
        }
        return 0;
    });
    Enumerated result;
    const Page& shared = page();
    result.failed = !child.wait(std::chrono::seconds(30)).empty();
    result.covered = shared.covered;
    result.runs = shared.runs.load(std::memory_order_relaxed) + (result.failed ? 1 : 0);
    if (result.failed) result.failing = shared.written();
    return result;
}

}  // namespace acairo::simulator
