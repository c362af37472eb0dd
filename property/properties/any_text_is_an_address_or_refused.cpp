// Any text as an address: either it is exactly a numeric address and a port, and the listener is bound there, or it is refused by
// an exception that names the text, and the listener can still be bound. Against a reader of addresses that is written another
// way: by parts, and not by the system's parser.
//
// It would have caught: a text that is none and binds every interface; a port that is cut to sixteen bits, or read up to the first
// letter; a text that ends at a zero byte.
// Covers: 10.12 an invalid address binds 0.0.0.0; 10.13 a port that is no number; 2.23 a descriptor leaks on the error path
#include "support.hpp"

namespace property {
namespace {

constexpr std::array<std::string_view, 24> parts{
    "127.0.0.1", ":0",  "0",  "1", ":", ".", "[",   "]",         "::1", "127",         " ",       "+0",
    "-1",        "256", "00", "a", "x", "%", "/24", "localhost", ":",   "127.0.0.1:0", "[::1]:0", "65536"};

// The four numbers of 127.0.0.1 and a port 0, by hand; nothing else is bound here.
bool is_loopback(std::string_view text) {
    constexpr std::string_view host = "127.0.0.1:";
    if (!text.starts_with(host)) return false;
    text.remove_prefix(host.size());
    return !text.empty() && text.find_first_not_of('0') == std::string_view::npos;
}

std::string any_text(Trial& trial) {
    std::string text;
    for (std::uint64_t i = trial.below(4); i != 0; --i) text += parts[trial.below(parts.size())];
    if (trial.below(4) == 1) {
        // One choice in an expression: compilers evaluate arguments in orders of their own.
        const std::uint64_t place = trial.below(text.size() + 1);
        text.insert(place, 1, static_cast<char>(trial.below(256)));
    }
    if (!text.empty() && trial.below(4) == 1) text.erase(trial.below(text.size()), 1);
    return text;
}

void any_text_is_an_address_or_refused(Trial& trial) {
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    for (int i = 0; i < 5; ++i) {
        acairo::TCPListener listener({}, executor);
        const std::string text = any_text(trial);
        bool bound = false;
        bool refused = false;
        try {
            listener.bind(text);
            bound = true;
        } catch (const std::invalid_argument& error) {
            refused = true;
            const std::string named = "\"" + std::string(text.c_str()) + "\"";
            trial.require(std::string_view(error.what()).find(named) != std::string_view::npos,
                          "the refusal names the text");
        } catch (const std::system_error&) {}  // an address that is not this machine's, or a port that is not ours
        if (is_loopback(text)) trial.require(bound, "an address is an address");
        if (bound && !is_loopback(text)) {
            // Another one of this machine's, the other family's, or with a port.
            const auto host_of = [](std::string_view address) { return address.substr(0, address.rfind(':')); };
            const std::string local = listener.local_address();
            const bool same = text.starts_with('[') ? local.starts_with('[') : host_of(local) == host_of(text);
            trial.require(same, "no other address is bound than the one that was written");
        }
        if (bound) trial.require(!listener.local_address().ends_with(":0"), "and a port");
        trial.sometimes(bound, "a text that is an address");
        trial.sometimes(refused, "a text that is none");
        if (bound) continue;
        listener.bind("127.0.0.1:0");
        trial.require(listener.local_address().starts_with("127.0.0.1:"), "after a refusal it can be bound");
    }
}

const acairo::Property registered{"any_text_is_an_address_or_refused",
                                  any_text_is_an_address_or_refused,
                                  {.interruptions = true, .shortages = false},
                                  {"a text that is an address", "a text that is none"}};

}  // namespace
}  // namespace property
