// The text of a recording, and back.
#include <acairo/recording.hpp>
#include <stdexcept>

namespace acairo::simulator {

namespace {

constexpr std::string_view version = "1.";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
// A stretch may claim to repeat any number of times; without this, a few bytes of garbage would ask for all memory.
constexpr std::size_t longest = std::size_t{1} << 24;

// The bits of a stretch's first byte.
constexpr unsigned has_value = 8, repeats = 16, n_at = 5, large_n = 7;

[[noreturn]] void refuse(const std::string& why) {
    throw std::invalid_argument("not a recording: " + why + "; paste the whole text, as it was printed");
}

std::uint32_t checksum(std::string_view bytes) noexcept {
    std::uint32_t hash = 0x811c9dc5u;
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
    return (hash ^ (hash >> 16)) & 0xffffu;
}

void put_number(std::string& bytes, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes += static_cast<char>((number & 0x7f) | 0x80);
    bytes += static_cast<char>(number);
}

std::uint64_t take_number(std::string_view& bytes) {
    std::uint64_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (bytes.empty()) refuse("it ends within a number");
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (shift == 63 && byte > 1) refuse("a number in it has more than 64 bits");
        number |= std::uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return number;
    }
}

std::string base64(std::string_view bytes) {
    std::string text(version);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6) text += alphabet[(bits >> (count - 6)) & 63];
    }
    if (count > 0) text += alphabet[(bits << (6 - count)) & 63];
    return text;
}

std::string bytes_of(std::string_view text) {
    if (!text.starts_with(version)) {
        refuse("it begins with \"" + std::string(text.substr(0, 2)) + "\" where \"1.\", the version, should be");
    }
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (std::size_t at = version.size(); at < text.size(); ++at) {
        const std::size_t digit = alphabet.find(text[at]);
        if (digit == std::string_view::npos) {
            refuse(std::string("its character ") + std::to_string(at) + ", '" + text[at] +
                   "', is none of A-Z a-z 0-9 - _");
        }
        bits = (bits << 6) | static_cast<std::uint32_t>(digit);
        if (count += 6; count >= 8) bytes += static_cast<char>((bits >> (count -= 8)) & 0xff);
    }
    return bytes;
}

void take_stretch(std::string_view& bytes, Recording& recording) {
    const auto first = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    Choice choice{static_cast<Tag>(first & 7), (first >> n_at) + 2u, 0};
    if (first >> n_at == large_n) choice.n = take_number(bytes);
    if (first & has_value) choice.value = take_number(bytes);
    const std::uint64_t more = first & repeats ? take_number(bytes) : 0;
    if (choice.value >= choice.n) {
        refuse("its choice " + std::to_string(recording.size()) + " is " + std::to_string(choice.value) + " of " +
               std::to_string(choice.n));
    }
    if (more >= longest - recording.size()) {
        refuse("it claims to hold more than " + std::to_string(longest) + " choices");
    }
    recording.insert(recording.end(), static_cast<std::size_t>(more) + 1, choice);
}

}  // namespace

std::string text_of(const Recording& recording) {
    std::string bytes;
    for (std::size_t at = 0; at < recording.size();) {
        const Choice& choice = recording[at];
        std::size_t end = at + 1;
        while (end < recording.size() && recording[end] == choice) ++end;
        const unsigned n = choice.n < large_n + 2 ? static_cast<unsigned>(choice.n - 2) : large_n;
        bytes += static_cast<char>(static_cast<unsigned>(choice.tag) | (choice.value != 0 ? has_value : 0) |
                                   (end - at > 1 ? repeats : 0) | (n << n_at));
        if (n == large_n) put_number(bytes, choice.n);
        if (choice.value != 0) put_number(bytes, choice.value);
        if (end - at > 1) put_number(bytes, end - at - 1);
        at = end;
    }
    const std::uint32_t sum = checksum(bytes);
    bytes += static_cast<char>(sum & 0xff);
    bytes += static_cast<char>(sum >> 8);
    return base64(bytes);
}

Recording recording_of(std::string_view text) {
    const std::string bytes = bytes_of(text);
    if (bytes.size() < 2) refuse("it has " + std::to_string(text.size()) + " characters, too few to hold its checksum");
    std::string_view left(bytes.data(), bytes.size() - 2);
    const std::uint32_t sum = checksum(left);
    const std::string_view written = std::string_view(bytes).substr(left.size());
    if (written[0] != static_cast<char>(sum & 0xff) || written[1] != static_cast<char>(sum >> 8)) {
        refuse("its checksum is wrong: a character is lost, added or changed");
    }
    Recording recording;
    while (!left.empty()) take_stretch(left, recording);
    if (text_of(recording) != text) refuse("it is not written the way recordings are written");
    return recording;
}

}  // namespace acairo::simulator
