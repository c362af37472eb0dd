// Which errors a call may fail with, and the choices that are one fault.
#include <acairo/one_fault.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace acairo::simulator {
namespace {

struct Row {
    std::string_view call;
    std::array<int, OneFault::most_errors> errors;  // 0: no more
};

// Those of the manual pages that no misuse explains.
constexpr std::array catalogue_rows{
    Row{"socket", {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT}},
    Row{"bind", {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM}},
    Row{"listen", {EADDRINUSE}},
    Row{"accept4",
        {EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
         EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT}},
    Row{"connect", {EINTR, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EAGAIN, EACCES, EPERM}},
    Row{"recv", {EINTR, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, EPIPE, ENOMEM, ENOBUFS}},
    Row{"send", {EINTR, EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, ENOBUFS}},
    Row{"shutdown", {ENOTCONN}},
    Row{"close", {EINTR, EIO, ENOSPC, EDQUOT}},
    Row{"setsockopt", {ENOBUFS, ENOMEM}},
    Row{"getsockopt", {ENOBUFS, ENOMEM}},
    Row{"getsockname", {ENOBUFS}},
    Row{"getpeername", {ENOBUFS}},
    Row{"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    Row{"eventfd", {EMFILE, ENFILE, ENOMEM, ENODEV}},
    Row{"epoll_ctl", {ENOMEM, ENOSPC}},
    Row{"epoll_wait", {EINTR}},
    Row{"write", {EINTR}}};

}  // namespace

std::span<const int> catalogue(const Operation& call) noexcept {
    const auto row = std::ranges::find(catalogue_rows, std::string_view(call.name), &Row::call);
    if (row == catalogue_rows.end()) return {};
    return std::span(row->errors)
        .first(static_cast<std::size_t>(std::ranges::find(row->errors, 0) - row->errors.begin()));
}

OneFault OneFault::draw(Choices& choices) {
    OneFault fault;
    fault.kind = static_cast<Kind>(choices.below(4, Tag::workload));
    if (fault.kind == Kind::none) return fault;
    // Early ones oftener: a run may be short.
    const std::uint64_t bits = choices.below(place_bits + 1, Tag::workload);
    fault.place = 1 + choices.below(std::uint64_t{1} << bits, Tag::workload);
    // The first ones oftener: most calls have few.
    const std::uint64_t error_bits = choices.below(most_error_bits + 1, Tag::workload);
    fault.error = choices.below(std::uint64_t{1} << error_bits, Tag::workload);
    return fault;
}

void OneFault::add_to(Weather& weather) const noexcept {
    if (kind == Kind::none) return;
    (kind == Kind::call ? weather.failing_call : weather.failing_allocation) = place;
    weather.failing_error = error;
    weather.allocations_keep_failing = kind == Kind::allocations;
}

std::uint64_t WithOneFault::below(std::uint64_t n, Tag tag) {
    if (drawn_ < 5) {
        const std::array answers{static_cast<std::uint64_t>(fault_.kind), OneFault::place_bits, fault_.place - 1,
                                 OneFault::most_error_bits, fault_.error};
        return answers[drawn_++];
    }
    return random_ && tag != Tag::fault ? seed_.below(n, tag) : 0;
}

std::size_t WithOneFault::thread(std::span<const Candidate> candidates) {
    return random_ ? seed_.thread(candidates) : 0;
}

}  // namespace acairo::simulator
