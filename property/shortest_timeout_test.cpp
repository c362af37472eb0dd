// The shortest timeout there is: it ends waits, and not what is over without waiting.
#include "support.hpp"

#include <chrono>

namespace property {
namespace {

using namespace std::chrono_literals;

TEST(a_timeout_of_one_nanosecond, ends_a_wait) {
    const auto sleep = [] { return acairo::timeout(1ns, acairo::sleep_for(std::chrono::hours(10000))); };
    EXPECT_EQ(run([&] { return ending(sleep()); }), "TimedOut");
}

TEST(a_timeout_of_one_nanosecond, lets_a_sleep_of_no_time_return) {
    EXPECT_EQ(run([] { return ending(acairo::timeout(1ns, acairo::sleep_for(0ns))); }), "returned");
}

}  // namespace
}  // namespace property
