// The only place where the core ends the process.
#include <acairo/errors.hpp>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace acairo::inline ACAIRO_WORLD::detail {

void check(bool expected, const char* what, std::source_location where) noexcept {
    if (expected) return;
    std::fprintf(stderr, "acairo: check failed: %s\n  at %s:%u in %s\n", what, where.file_name(),
                 static_cast<unsigned>(where.line()), where.function_name());
    std::abort();
}

void impossible(std::source_location where) noexcept {
    check(false, "this line cannot be reached", where);
    std::abort();
}

void throw_system_error(std::ptrdiff_t result, const std::string& call) {
    throw std::system_error(static_cast<int>(-result), std::system_category(), "acairo: " + call);
}

}  // namespace acairo::inline ACAIRO_WORLD::detail
