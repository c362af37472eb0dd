// Bytes, taken little-endian.
#include <acairo/bytes.hpp>

namespace acairo::simulator {

std::uint64_t Bytes::below(std::uint64_t n, Tag) {
    std::uint64_t value = 0;
    int shift = 0;
    for (std::uint64_t left = n - 1; left != 0; left >>= 8, shift += 8) {
        if (used_ == bytes_.size()) break;
        value |= std::uint64_t{bytes_[used_++]} << shift;
    }
    return value % n;
}

}  // namespace acairo::simulator
