// What each exception of the library's own says of itself: it is what a user sees in a log, so it names the library and the cause.
#include <gtest/gtest.h>

#include <acairo/acairo.hpp>

namespace property {
namespace {

TEST(an_exception, says_what_ended_the_wait) {
    EXPECT_STREQ(acairo::Cancelled().what(), "acairo: the wait was cancelled");
    EXPECT_STREQ(acairo::TimedOut().what(), "acairo: the time is over");
    EXPECT_STREQ(acairo::TCPListenerStoppedError().what(), "acairo: the listener was stopped");
}

TEST(an_end_of_stream, says_so_and_has_what_came_before) {
    const acairo::EndOfStream end(std::make_shared<const std::vector<char>>(3, 'a'));
    EXPECT_STREQ(end.what(), "acairo: the peer ended the stream before all bytes came");
    EXPECT_EQ(end.received(), std::vector<char>(3, 'a'));
}

}  // namespace
}  // namespace property
