// Children: shared memory, watchdog, and what kind of failure it was.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <acairo/child.hpp>
#include <acairo/replay.hpp>
#include <acairo/sanitizers.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <ctime>
#include <new>
#include <regex>
#include <stdexcept>

namespace acairo::simulator {
namespace {

constexpr std::size_t most_choices = 1'000'000;
constexpr int failed_status = 77;

// What a child leaves to its parent.
struct Page {
    std::atomic<std::uint64_t> runs;  // finished; the heartbeat
    bool covered;                     // by an enumeration
    std::uint64_t seed;               // of the run under way
    std::array<std::atomic<std::uint64_t>, Paths().size()> reached;
    std::uint64_t steps;
    std::uint64_t trace_hash;
    Verdict verdict;
    std::array<char, 65536> text;
    std::uint64_t choices;
    std::array<Choice, most_choices> recording;
    Reporter::Memory reporter;
    Chronicle::Memory chronicle;

    Recording written() const { return {recording.begin(), recording.begin() + static_cast<std::ptrdiff_t>(choices)}; }
};

Page& page() {
    static Page* const shared = [] {
        void* const memory =
            ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("acairo: no memory to share with the runs");
        return static_cast<Page*>(memory);
    }();
    return *shared;
}

Machine& machine() {
    static Machine one;
    return one;
}

std::chrono::nanoseconds real_now() {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Writes down each choice before the run goes on with it.
class Scribe final : public Producer {
public:
    explicit Scribe(Producer& producer) : producer_(&producer) {}
    std::uint64_t below(std::uint64_t n, Tag tag) override { return write(n, tag, producer_->below(n, tag)); }
    std::size_t thread(std::span<const Candidate> candidates) override {
        return write(candidates.size(), Tag::schedule, producer_->thread(candidates));
    }

private:
    static std::uint64_t write(std::uint64_t n, Tag tag, std::uint64_t value) {
        Page& shared = page();
        if (shared.choices < most_choices) shared.recording[shared.choices++] = {tag, n, value};
        return value;
    }
    Producer* producer_;
};

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

void leave_outcome(const Outcome& outcome) {
    Page& shared = page();
    shared.steps += outcome.steps;
    shared.trace_hash = (shared.trace_hash * 0x100000001b3u) ^ outcome.trace_hash;
    shared.verdict = outcome.verdict;
    const std::size_t size = std::min(outcome.text.size(), shared.text.size() - 1);
    std::memcpy(shared.text.data(), outcome.text.data(), size);
    shared.text[size] = '\0';
}

// The run again, from its recording: what is a function of its choices ends in the same way.
Outcome repeated(const Property& property, const Choices& choices, const Outcome& outcome) {
    const Recording recording = choices.recording();
    Replay replay(recording);
    Choices again(replay);
    Outcome second = run_here(property, again);
    if (second.verdict != Verdict::passed || second.trace_hash == outcome.trace_hash) return second;
    second.verdict = Verdict::nondeterminism;
    second.text =
        "nondeterminism: the same choices gave another run; something decides that is not a choice: an address, "
        "a clock, a real thread, memory that is read before it is written";
    if (replay.divergence()) second.text += ". " + replay.divergence()->text();
    return second;
}

// A child whose stderr is a file. Its body is called in it, and its status is that of the process.
class Child {
public:
    template <class Body> explicit Child(Body&& body) {
        machine();  // before the fork: it starts a thread
        Page& shared = page();
        shared.runs.store(0, std::memory_order_relaxed);
        for (auto& path : shared.reached) path.store(0, std::memory_order_relaxed);
        shared.steps = shared.trace_hash = shared.choices = 0;
        shared.reporter.clear();
        shared.chronicle.moments = shared.chronicle.threads = 0;
        shared.covered = false;
        shared.verdict = Verdict::passed;
        shared.text[0] = '\0';
        stderr_ = ::memfd_create("stderr", MFD_CLOEXEC);
        std::fflush(nullptr);
        pid_ = ::fork();
        if (pid_ < 0)
            throw std::runtime_error(
                "acairo: no process for a run: fork failed; end other processes, or raise ulimit -u");
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(stderr_, STDERR_FILENO);
        const int status = body();
        std::fflush(nullptr);
        ::_exit(status);
    }
    ~Child() { ::close(stderr_); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // Its kind of failure; empty: none.
    std::string wait(std::chrono::seconds patience) {
        const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
        std::uint64_t runs = page().runs.load(std::memory_order_relaxed);
        bool hangs = false;
        for (::pollfd end{handle, POLLIN, 0}; ::poll(&end, 1, static_cast<int>(patience.count()) * 1000) == 0;) {
            if (std::exchange(runs, page().runs.load(std::memory_order_relaxed)) != runs) continue;
            hangs = true;
            ::kill(pid_, SIGKILL);
            break;
        }
        ::close(handle);
        int status = 0;
        ::waitpid(pid_, &status, 0);
        return hangs ? "hang" : kind_of(status);
    }
    std::string errors() const {
        std::string text(static_cast<std::size_t>(std::max<::off_t>(::lseek(stderr_, 0, SEEK_END), 0)), '\0');
        const ::ssize_t size = ::pread(stderr_, text.data(), text.size(), 0);
        text.resize(static_cast<std::size_t>(std::max<::ssize_t>(size, 0)));
        return text;
    }

private:
    std::string kind_of(int status) const {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
        const Page& shared = page();
        if (WIFEXITED(status) && WEXITSTATUS(status) == failed_status) {
            const std::string text = shared.text.data();
            if (shared.verdict != Verdict::failed) return name_of(shared.verdict);
            // "failed at step 12, 3600 ns: what was required"
            const std::size_t colon = text.find(": ");
            return "failed: " + text.substr(colon == std::string::npos ? 0 : colon + 2, text.find('\n') - colon - 2);
        }
        const std::string text = errors();
        std::smatch found;
        if (std::regex_search(text, found, std::regex("SUMMARY: (\\w+Sanitizer: [^/\\n(]*[^/\\n( ])"))) return found[1];
        if (std::regex_search(text, found, std::regex("runtime error: ([^\\n]*)"))) {
            return "UndefinedBehaviorSanitizer: " +
                   std::regex_replace(found[1].str(), std::regex("0x[0-9a-f]+|[0-9]+"), "N");
        }
        if (std::regex_search(text, found, std::regex("acairo: (check failed: [^\\n]*)"))) return found[1];
        if (WIFSIGNALED(status)) return std::string("signal: ") + ::strsignal(WTERMSIG(status));
        return "exit " + std::to_string(WEXITSTATUS(status));
    }

    ::pid_t pid_ = -1;
    int stderr_ = -1;
};

Batch batch_of(Child& child) {
    Batch batch;
    batch.failed = !child.wait(std::chrono::seconds(30)).empty();
    batch.failed_seed = page().seed;
    if (batch.failed) batch.failing = page().written();
    batch.runs = page().runs.load(std::memory_order_relaxed) + (batch.failed ? 1 : 0);
    batch.steps = page().steps;
    batch.hash = page().trace_hash;
    for (std::size_t i = 0; i < batch.reached.size(); ++i) {
        batch.reached[i] = page().reached[i].load(std::memory_order_relaxed);
    }
    return batch;
}

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

Batch run_batch(const Property& property, const Strategy& strategy, std::uint64_t first, std::uint64_t runs,
                std::chrono::nanoseconds until) {
    Child child([&] {
        Page& shared = page();
        std::unique_ptr<Producer> producer = strategy(first);
        Scribe scribe(*producer);
        Choices choices(scribe);
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
                    if (!try_out(fault, came) || fault.place == OneFault::most_places) return failed_status;
                    // The same call with each other error: the schedule before it is the same.
                    OneFault other = fault;
                    for (bool next = came && kind == call; next && other.error + 1 < OneFault::most_errors;) {
                        ++other.error;
                        if (!try_out(other, next)) return failed_status;
                    }
                }
            }
        }
        return 0;
    });
    return batch_of(child);
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
            if (outcome.verdict == Verdict::passed && all.divergence()) {
                outcome.verdict = Verdict::nondeterminism;
                outcome.text = "nondeterminism: " + all.divergence()->text();
            }
            leave_outcome(outcome);
            if (outcome.verdict != Verdict::passed) return failed_status;
            shared.runs.store(i + 1, std::memory_order_relaxed);
            if (all.next()) continue;
            shared.covered = !all.divergence();
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
