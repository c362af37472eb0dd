// Who may use the descriptor, and who closes it; and addresses, parsed by hand only where inet_pton(3) does not: the brackets
// and the port.
#include <acairo/socket.hpp>
#include <charconv>
#include <cstddef>
#include <stdexcept>
#include <string_view>

namespace acairo::inline ACAIRO_WORLD::detail {

Socket::~Socket() {
    check((word_.load(std::memory_order_acquire) & (reading | writing)) == 0, "a stream outlives its operations");
    close();
}

bool Socket::open(int fd) noexcept {
    // Entered as for a use: without this, a close() at this moment would leave the descriptor open for ever.
    if (!enter()) {
        platform::close(fd);
        return false;
    }
    fd_ = fd;
    leave();
    return true;
}

bool Socket::close() noexcept {
    // Acquire and release: every use on another thread comes before close(2), on whichever thread that is.
    const std::uint32_t before = word_.fetch_or(closed_flag, std::memory_order_acq_rel);
    if (before & closed_flag) return false;
    if (before < one_use) finish_close();
    return true;
}

void Socket::finish_close() const noexcept {
    // The kernel forgets the registrations by itself. EINTR is not retried: the descriptor is gone, and its number may
    // already be somebody else's.
    if (fd_ >= 0) platform::close(fd_);
    Registration* entry = registrations_.load(std::memory_order_acquire);
    // The next one is read first: a registration is recycled as soon as it has been posted.
    while (entry) std::exchange(entry, entry->next_of_socket)->post(Registration::closed);
}

bool Socket::enter() const noexcept {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    do {
        // In the same read-modify-write as the count: without this, close() could give the number back in between.
        if (word & closed_flag) return false;
    } while (!word_.compare_exchange_weak(word, word + one_use, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
}

void Socket::leave() const noexcept {
    const std::uint32_t after = word_.fetch_sub(one_use, std::memory_order_acq_rel) - one_use;
    if ((after & closed_flag) && after < one_use) finish_close();
}

void Socket::claim(Direction direction, const char* call) {
    // Acquire: what the last reader or writer left in the stream, perhaps on another thread, is visible to the next.
    const std::uint32_t before = word_.fetch_or(claim_of(direction), std::memory_order_acquire);
    if (before & claim_of(direction))
        throw std::logic_error(std::string("acairo: ") + call + " while another one waits; await one after the other");
    if ((before & closed_flag) == 0) return;
    unclaim(direction);
    throw_system_error(-EBADF, std::string(call) + " after close()");
}

void Socket::retry() noexcept {
    const Use use(*this);
    if (!use) return;
    Registration* entry = registrations_.load(std::memory_order_acquire);
    for (; entry; entry = entry->next_of_socket) entry->post(Registration::retry);
}

Registration* Socket::registration(Worker& worker, Direction direction, int& error) noexcept {
    // Acquire: without this, the fields of a registration that another worker has just added could be read too early.
    Registration* first = registrations_.load(std::memory_order_acquire);
    Registration* entry = first;
    while (entry && entry->worker != &worker) entry = entry->next_of_socket;
    Registration* const fresh = entry ? nullptr : entry = worker.take();
    error = entry ? worker.report(*entry, fd_, direction) : -ENOMEM;
    if (error < 0) {
        if (fresh) worker.recycle(*fresh);
        return nullptr;
    }
    if (fresh) {
        do {
            fresh->next_of_socket = first;
        } while (
            !registrations_.compare_exchange_weak(first, fresh, std::memory_order_acq_rel, std::memory_order_acquire));
    }
    return entry;
}

std::string Socket::address_by(int (*call)(int, platform::address&) noexcept, const char* name) const {
    platform::address address;
    const Use use(*this);
    const int result = use ? call(use.fd, address) : -EBADF;
    if (result < 0) throw_system_error(result, name);
    return to_text(address);
}

namespace {

// What the address of a socket of either family begins with.
::sockaddr_in& v4(platform::address& address) noexcept { return reinterpret_cast<::sockaddr_in&>(address.storage); }
::sockaddr_in6& v6(platform::address& address) noexcept { return reinterpret_cast<::sockaddr_in6&>(address.storage); }
static_assert(offsetof(::sockaddr_in, sin_port) == offsetof(::sockaddr_in6, sin6_port));

[[noreturn]] void refuse(const std::string& text, const char* why) {
    // Up to a zero byte: what() ends there.
    throw std::invalid_argument("acairo: \"" + std::string(text.c_str()) + "\" is not an address: " + why +
                                "; write \"127.0.0.1:8080\" or \"[::1]:8080\"");
}

}  // namespace

platform::address parse_address(const std::string& text) {
    // inet_pton reads to the first zero byte: without this, "127.0.0.1\0.evil:80" would be 127.0.0.1.
    if (text.find('\0') != std::string::npos) refuse(text, "a zero byte follows");
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) refuse(text, "it has no port");
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data() + colon + 1, end, port);
    const bool is_port = error == std::errc{} && parsed == end;
    if (!is_port) refuse(text, "its port is not a number from 0 to 65535");
    std::string host = text.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    platform::address address;
    address.storage.ss_family = bracketed ? AF_INET6 : AF_INET;
    address.length = bracketed ? sizeof(::sockaddr_in6) : sizeof(::sockaddr_in);
    v4(address).sin_port = htons(port);
    void* const number = bracketed ? static_cast<void*>(&v6(address).sin6_addr) : &v4(address).sin_addr;
    if (::inet_pton(address.storage.ss_family, host.c_str(), number) == 1) return address;
    refuse(text, "its host is not a numeric IPv4 address, or an IPv6 address in brackets");
}

std::string to_text(platform::address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool bracketed = address.storage.ss_family == AF_INET6;
    const void* const number = bracketed ? static_cast<void*>(&v6(address).sin6_addr) : &v4(address).sin_addr;
    const std::string host = ::inet_ntop(bracketed ? AF_INET6 : AF_INET, number, text.data(), text.size());
    return (bracketed ? "[" + host + "]:" : host + ":") + std::to_string(ntohs(v4(address).sin_port));
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
