// Stacks, and the switch between them.
#include <sys/mman.h>
#include <acairo/fiber.hpp>
#include <acairo/sanitizers.hpp>
#include <cerrno>
#include <system_error>

// Part of the C++ ABI, and begins with what FiberContext::Exceptions holds.
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

namespace acairo::simulator {

namespace context = boost::context::detail;

// What the first jump to a new stack calls.
struct FiberEntry {
    static void enter(context::transfer_t transfer) noexcept {
        const auto* const jump = static_cast<const FiberJump*>(transfer.data);
        FiberContext& self = *jump->to;
        self.arrive(transfer.fctx, *jump->from);
        self.loop();
    }
};

FiberContext::FiberContext() noexcept
    : thread_exceptions_(reinterpret_cast<Exceptions*>(__cxxabiv1::__cxa_get_globals())),
      tsan_(sanitizers::current_fiber()) {}

FiberContext::FiberContext(OwnStack) : FiberContext() { allocate(); }

FiberContext::~FiberContext() {
    if (mapping_ == nullptr) return;
    sanitizers::destroy_fiber(tsan_);
    ::munmap(mapping_, guard_size + stack_size);
}

void FiberContext::allocate() {
    // Memory that is not touched costs nothing: the guard is wide, so that a frame of many kilobytes does not step over it.
    void* const mapping =
        ::mmap(nullptr, guard_size + stack_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "mmap of 320 KiB for the stack of a simulated thread");
    }
    mapping_ = static_cast<std::byte*>(mapping);
    if (::mprotect(mapping_ + guard_size, stack_size, PROT_READ | PROT_WRITE) != 0) {
        const int error = errno;
        ::munmap(mapping_, guard_size + stack_size);
        mapping_ = nullptr;
        throw std::system_error(error, std::generic_category(), "mprotect of the stack of a simulated thread");
    }
    // Without this, g++ 12's runtime finds the frames of a stack that was unmapped here.
    sanitizers::fresh(mapping_, guard_size + stack_size);
    bottom_ = mapping_ + guard_size;
    size_ = stack_size - room_size;
    room_ = mapping_ + guard_size + size_;
    resume_ = nullptr;
    fake_stack_ = nullptr;
    exceptions_ = Exceptions{};
    has_exceptions_ = false;
    unseen_ = 0;
    tsan_ = sanitizers::create_fiber();
}

void FiberContext::prepare(FiberContext& (*body)(void*), void* argument) noexcept {
    body_ = body;
    argument_ = argument;
    if (resume_ == nullptr) resume_ = context::make_fcontext(room_, size_, FiberEntry::enter);
}

void FiberContext::loop() noexcept {
    for (;;) {
        FiberContext& next = body_(argument_);
        switch_to(next);
    }
}

void FiberContext::exchange_exceptions(FiberContext& next) noexcept {
    exceptions_ = *thread_exceptions_;
    has_exceptions_ = true;
    *thread_exceptions_ = next.exceptions_;
    next.exceptions_ = Exceptions{};
    next.has_exceptions_ = false;
}

void FiberContext::leave(FiberContext& next) noexcept {
    // Nothing that the thread sanitizer sees stands between this and the jump: it now takes this stack for the other.
    sanitizers::switch_to_fiber(next.tsan_);
    sanitizers::start_switch(&fake_stack_, next.bottom_, next.size_);
}

void FiberContext::told(FiberContext& from) noexcept {
    // The bounds of the thread's own stack are known to nobody else.
    sanitizers::finish_switch(fake_stack_, &from.bottom_, &from.size_);
}

void FiberContext::abandon() {
    if (has_address_sanitizer()) {
        // Frames that never end leave their marks in the sanitizer's shadow of the stack, and what they own is not leaked.
        sanitizers::keep(bottom_, stack_size);
        mapping_ = nullptr;
        allocate();
        return;
    }
    resume_ = nullptr;
    exceptions_ = Exceptions{};
    has_exceptions_ = false;
    // The sanitizer knows a stack of calls, which nobody will return from, and refuses to end what is still unseen.
    if (unseen_ > 0) {
        void* const self = sanitizers::current_fiber();
        sanitizers::switch_to_fiber(tsan_);
        sanitizers::end_unseen(unseen_);
        sanitizers::switch_to_fiber(self);
        unseen_ = 0;
    }
    sanitizers::destroy_fiber(tsan_);
    tsan_ = sanitizers::create_fiber();
}

void FiberContext::publish_for(const void* place) noexcept {
    void* const self = sanitizers::current_fiber();
    sanitizers::switch_to_fiber(tsan_);
    publish(place);
    sanitizers::switch_to_fiber(self);
}

bool FiberContext::in_guard(const void* address) const noexcept {
    const auto* const byte = static_cast<const std::byte*>(address);
    return byte >= mapping_ && byte < mapping_ + guard_size;
}

}  // namespace acairo::simulator
