// The addresses that TCPListener::bind takes. What is none is refused by name: it never becomes 0.0.0.0, nor another port.
#include "socket_test.hpp"

namespace {

using sockets::message_of;
using testing::HasSubstr;

class AddressTest : public sockets::SocketTest {};
class GoodAddressTest : public AddressTest, public testing::WithParamInterface<std::string> {};
class BadAddressTest : public AddressTest, public testing::WithParamInterface<std::string> {};

TEST_P(BadAddressTest, an_address_that_is_none_is_refused_by_name_and_nothing_is_bound) {
    acairo::TCPListener listener({}, executor_);
    const std::set<int> before = sockets::open_descriptors();
    EXPECT_EQ(sockets::exception_of([&] { listener.bind(GetParam()); }), "invalid_argument");
    EXPECT_EQ(sockets::open_descriptors(), before);
    EXPECT_THAT(message_of([&] { listener.bind(GetParam()); }),
                testing::AllOf(HasSubstr(GetParam()), HasSubstr("write \"127.0.0.1:")))
        << "the value, and the remedy";
    listener.bind("127.0.0.1:0");
    EXPECT_THAT(listener.local_address(), testing::StartsWith("127.0.0.1:"));
}

INSTANTIATE_TEST_SUITE_P(hosts, BadAddressTest,
                         testing::Values("", ":", ":0", "not-an-ip:0", "localhost:0", "127.0.0.1", "127.1:0",
                                         "127.0.0:0", "127.0.0.0.1:0", "256.0.0.1:0", "-1.0.0.1:0", "0x7f.0.0.1:0",
                                         "127.0.0.1 :0", " 127.0.0.1:0", "[127.0.0.1]:0", "*:0", "2130706433:0"));
INSTANTIATE_TEST_SUITE_P(IPv6_hosts, BadAddressTest,
                         testing::Values("::1:0", "[::1:0", "::1]:0", "[]:0", "[::1]", "[::1]0", "[::g]:0", "[[::1]]:0",
                                         "[::1%lo]:0", "[1::2::3]:0"));
INSTANTIATE_TEST_SUITE_P(ports, BadAddressTest,
                         testing::Values("127.0.0.1:", "127.0.0.1:abc", "127.0.0.1:65536", "127.0.0.1:70000",
                                         "127.0.0.1:4294967296", "127.0.0.1:18446744073709551616", "127.0.0.1:-1",
                                         "127.0.0.1:+0", "127.0.0.1: 0", "127.0.0.1:0 ", "127.0.0.1:0x0",
                                         "127.0.0.1:0.0", "[::1]:65536", "[::1]:"));

TEST_P(GoodAddressTest, an_address_is_bound_as_it_is_written) {
    const bool v6 = GetParam().starts_with('[');
    if (v6 && !raw::has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
    acairo::TCPListener listener({}, executor_);
    listener.bind(GetParam());
    const std::string host = GetParam().substr(0, GetParam().rfind(':') + 1);
    EXPECT_THAT(listener.local_address(), testing::StartsWith(v6 && host != "[::]:" ? "[::1]:" : host));
}

INSTANTIATE_TEST_SUITE_P(hosts, GoodAddressTest,
                         testing::Values("127.0.0.1:0", "127.0.0.2:0", "0.0.0.0:0", "127.0.0.1:00000", "[::1]:0",
                                         "[::]:0", "[0:0:0:0:0:0:0:1]:0"));

TEST_F(AddressTest, an_address_does_not_end_at_a_zero_byte) {
    acairo::TCPListener listener({}, executor_);
    for (const std::string& address : {std::string("127.0.0.1\0.example:0", 20), std::string("127.0.0.1:0\0", 12)}) {
        EXPECT_EQ(sockets::exception_of([&] { listener.bind(address); }), "invalid_argument");
    }
}

// "127.0.0.1:65535" is in range; that it may be busy is another matter.
TEST_F(AddressTest, the_last_port_is_a_port) {
    acairo::TCPListener listener({}, executor_);
    EXPECT_THAT(sockets::exception_of([&] { listener.bind("127.0.0.1:" + std::to_string(65535)); }),
                testing::AnyOf("none", "EADDRINUSE"));
}

TEST_F(AddressTest, a_port_of_the_system_needs_its_privilege_or_says_so) {
    acairo::TCPListener listener({}, executor_);
    const std::string address = "127.0.0.1:" + std::to_string(1);
    const std::string refusal = message_of([&] { listener.bind(address); });
    EXPECT_THAT(refusal, testing::AnyOf("", testing::AllOf(HasSubstr("bind"), HasSubstr(address))));
}

}  // namespace
