// Writing calls down, with the stacks of the fibers that make them.
#include <execinfo.h>
#include <acairo/reporter.hpp>
#include <algorithm>
#include <cstring>

namespace acairo::simulator {
namespace {

// Without the frame of this function; what else is the simulator's is left out when sources are looked up.
[[gnu::noinline]] WholeStack stack_here() {
    std::array<void*, 49> frames{};
    ::backtrace(frames.data(), static_cast<int>(frames.size()));
    WholeStack stack{};
    std::copy(frames.begin() + 1, frames.end(), stack.begin());
    return stack;
}

// The descriptor that the call made, or -1.
int made_by(const Event& event) noexcept {
    for (const char* const maker : {"socket", "accept4", "epoll_create1", "eventfd"}) {
        if (std::strcmp(event.operation, maker) == 0)
            return static_cast<int>(std::max<std::ptrdiff_t>(event.result, -1));
    }
    return -1;
}

bool is_kept(int fd) noexcept { return fd >= 0 && static_cast<std::size_t>(fd) < Reporter::most_descriptors; }

}  // namespace

void Reporter::Memory::clear() noexcept {
    events = deeds = 0;
    for (std::size_t i = 0; i < most_descriptors; ++i) changed[i].operation = used[i].operation = nullptr;
}

void Reporter::read(const Memory& memory, std::vector<Event>& events, std::vector<Stack>& stacks,
                    std::vector<Deed>& deeds) {
    for (std::uint64_t i = memory.events - std::min<std::uint64_t>(memory.events, most_events); i < memory.events;
         ++i) {
        events.push_back(memory.event[i % most_events]);
        stacks.push_back(memory.stack[i % most_events]);
    }
    deeds.assign(memory.deed.begin(), memory.deed.begin() + static_cast<std::ptrdiff_t>(memory.deeds));
}

void Reporter::happened(const Event& event) {
    const WholeStack whole = stack_here();
    const std::size_t at = memory_->events % most_events;
    memory_->event[at] = event;
    // Without the machine's own frames.
    std::copy_n(whole.begin() + 2, memory_->stack[at].size(), memory_->stack[at].begin());
    ++memory_->events;
    Deed deed{event.operation, event.fd, event.step, event.fiber, whole};
    if (const int made = made_by(event); is_kept(made)) {
        deed.fd = made;
        memory_->changed[static_cast<std::size_t>(made)] = deed;
        memory_->used[static_cast<std::size_t>(made)].operation = nullptr;
    }
    if (!is_kept(event.fd)) return;
    deed.fd = event.fd;
    const bool closes = std::strcmp(event.operation, "close") == 0;
    (closes ? memory_->changed : memory_->used)[static_cast<std::size_t>(event.fd)] = deed;
}

void Reporter::misused(const char* call, int fd) {
    if (is_kept(fd)) add(memory_->changed[static_cast<std::size_t>(fd)]);
    Scheduler& scheduler = *Scheduler::running();
    add({call, fd, scheduler.steps(), scheduler.current().number, stack_here()});
}

void Reporter::left_open(int fd) {
    if (!is_kept(fd)) return;
    add(memory_->changed[static_cast<std::size_t>(fd)]);
    add(memory_->used[static_cast<std::size_t>(fd)]);
}

void Reporter::add(const Deed& deed) noexcept {
    if (!deed.operation || memory_->deeds == most_deeds) return;
    memory_->deed[memory_->deeds++] = deed;
}

}  // namespace acairo::simulator
