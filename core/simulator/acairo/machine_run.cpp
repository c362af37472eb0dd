// A simulated run: its weather, its end, and what is wrong with how it ended.
#include <acairo/allocations.hpp>
#include <acairo/machine.hpp>
#include <acairo/sanitizers.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace acairo::simulator {
namespace {

constexpr std::uint32_t most_clock_jumps = 64;

Machine* running_machine = nullptr;

}  // namespace

Machine::Machine() : kernel_(*this), scheduler_(*this) {}
Machine::~Machine() = default;

Machine& Machine::running() noexcept {
    if (running_machine != nullptr) return *running_machine;
    std::fputs(
        "acairo: a system call of the simulated world outside of a run: call Machine::run(), and make it in the body\n",
        stderr);
    std::abort();
}

Outcome Machine::run(Choices& choices, const Setting& setting, void (*body)(void*), void* argument) {
    weather_ = Weather::draw(choices, setting.climate);
    KernelConfiguration configuration;
    configuration.descriptors = weather_.descriptors;
    configuration.send_buffer = configuration.receive_buffer = weather_.buffer;
    configuration.delays = weather_.delays;
    configuration.fragments = weather_.fragments;
    configuration.reorders = weather_.reorders;
    kernel_.reset(configuration);
    Options options = setting.options;
    if (!weather_.interruptions) options.spurious = 0;
    if (!weather_.older_loads) options.older_loads = 0;
    options.thread_failures = weather_.shortages ? 1 : 0;
    options.clock_jumps = weather_.clock_jumps ? most_clock_jumps : 0;
    observer_ = setting.observer;
    scheduler_.tell(setting.sink);
    waiters_ = WaitQueue();
    sleepers_.clear();
    epoch_ = kernel_.epoch();
    faults_in_a_row_ = 0;
    calls_that_can_fail_ = 0;
    fault_came_ = false;
    empty_polls_ = 0;
    running_machine = this;
    allocations::begin_run(weather_.failing_allocation, weather_.allocations_keep_failing, &Machine::allocation_fails);
    struct Body {
        void (*body)(void*);
        void* argument;
    } const it{body, argument};
    Outcome outcome = scheduler_.run(choices, options, [&it] { it.body(it.argument); });
    const allocations::Census census = allocations::end_run();
    outcome.fault_came = fault_came_ || census.failed;
    running_machine = nullptr;
    if (outcome.verdict != Verdict::passed) return outcome;
    find_leaks(outcome);
    if (outcome.verdict == Verdict::passed && setting.leaks_are_failures && census.alive != 0) {
        outcome.verdict = Verdict::leaked_memory;
        outcome.text = "leaked memory: the run is over, and " + std::to_string(census.alive) +
                       " of its allocations are still there; the first is its allocation number " +
                       std::to_string(census.first) + ", of " + std::to_string(census.first_size) +
                       " bytes: free it, or destroy the frame that it is";
    }
    return outcome;
}

void Machine::find_leaks(Outcome& outcome) {
    kernel_.list_open(open_);
    if (open_.empty()) return;
    outcome.verdict = Verdict::leaked_descriptor;
    outcome.text = "leaked descriptor: the run is over, and " + std::to_string(open_.size()) +
                   " descriptors are still open; whoever made them closes them:";
    for (const Kernel::OpenDescriptor& left : open_) {
        outcome.text += "\n  " + std::to_string(left.fd) + ", a" + (left.kind[0] == 'e' ? "n " : " ") + left.kind +
                        " made at step " + std::to_string(left.origin);
        if (observer_) observer_->left_open(left.fd);
    }
}

void Machine::clear_up() noexcept {
    weather_.interruptions = weather_.shortages = false;
    weather_.failing_call = 0;
    weather_.descriptors = Weather().descriptors;
    kernel_.set_descriptors_limit(weather_.descriptors);
    scheduler_.clear_up();
    allocations::clear_up();
}

// --- what the scheduler and the kernel ask ---

void Machine::advance(std::chrono::nanoseconds) {
    kernel_.advance();
    wake_waiters();
}

void Machine::failed(Verdict, const std::string&) { allocations::end_run(); }

void Machine::publish(const void* object) noexcept { simulator::publish(object); }
void Machine::observe(const void* object) noexcept { simulator::observe(object); }

void Machine::misuse(const char* call, int fd, const char* why) {
    if (observer_) observer_->misused(call, fd);
    std::string text = std::string(call) + " of descriptor " + std::to_string(fd) + ": " + why;
    const bool closed = kernel_.state_of(fd) == State::no_descriptor;
    if (const std::uint32_t origin = kernel_.origin(fd); origin != 0)
        text += std::string("; it was ") + (closed ? "closed" : "made") + " at step " + std::to_string(origin);
    if (closed)
        text += ". Its number may be somebody else's by now: whoever closes a descriptor must be the last to use it";
    scheduler_.fail(Verdict::misuse, std::move(text));
}

void Machine::allocation_fails() noexcept {
    const Machine& self = *running_machine;
    if (self.observer_ == nullptr) return;
    const Unseen unseen;
    Scheduler& scheduler = *Scheduler::running();
    self.observer_->happened(
        {scheduler.steps(), scheduler.now(), scheduler.current().number, "operator new", -1, -ENOMEM, true});
}

}  // namespace acairo::simulator
