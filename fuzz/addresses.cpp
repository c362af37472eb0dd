// Any text as the address of a listener: it is bound as it is written, or refused.
// Covers: 10.12 an invalid address binds 0.0.0.0; 10.13 a port that is no number
#include <acairo/acairo.hpp>

#include "target.hpp"
#include "text.hpp"

namespace fuzz {
namespace {

constexpr std::array<std::string_view, 16> words{"127.0.0.1:", "0.0.0.0:", "[::1]:", "[::]:", "127.0.0.1", "[",
                                                 "]",          "::",       ":",      ".",     "0",         "1",
                                                 "255",        "65535",    "65536",  "8080"};

bool is_port(std::string_view text, unsigned long port) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return false;
    const std::size_t begin = std::min(text.find_first_not_of('0'), text.size());
    return begin == text.size() || text.substr(begin) == std::to_string(port);
}

void an_address_is_bound_as_written_or_refused(acairo::Trial& trial) {
    const std::string text = text_of_words(trial, words);
    auto executor = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    acairo::TCPListener listener({}, executor);
    try {
        listener.bind(text);
    } catch (const std::invalid_argument& refusal) {
        const std::string what = refusal.what();
        trial.require(what.find(text.c_str()) != std::string::npos, "a refusal names the text");
        return;
    } catch (const std::system_error&) { return; }  // an address, but none of this machine
    const std::string local = listener.local_address();
    const std::size_t colon = text.rfind(':');
    const std::size_t local_colon = local.rfind(':');
    trial.require(is_port(text.substr(colon + 1), std::stoul(local.substr(local_colon + 1))),
                  "the port is the one that is written");
    // Only IPv6 has more than one text for an address.
    const bool same = text.substr(0, colon) == local.substr(0, local_colon);
    trial.require(same || (text.front() == '[' && local.front() == '['), "the host is the one that is written");
    acairo::TCPListener again({}, executor);
    again.bind(local.substr(0, local_colon) + ":0");
    const std::string second = again.local_address();
    trial.require(second.substr(0, second.rfind(':')) == local.substr(0, local_colon), "a local address is an address");
}

const acairo::Property registered{"an_address_is_bound_as_written_or_refused",
                                  an_address_is_bound_as_written_or_refused,
                                  {.interruptions = false, .older_loads = false, .shortages = false, .network = false}};
const Target target{"addresses", registered.name, "trailing_garbage_in_a_port"};

}  // namespace
}  // namespace fuzz
