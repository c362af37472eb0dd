// TCPStream against real sockets: one test for each sentence of its contract.
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <thread>

#include "socket_test.hpp"

namespace {

using namespace std::chrono_literals;
using acairo::StopSource;
using acairo::Task;
using acairo::TCPStream;
using acairo::TCPStreamConfiguration;
using sockets::bytes;
using sockets::exception_of;
using sockets::message_of;
using sockets::Running;
using testing::TestWithParam;

class StreamTest : public sockets::SocketTest {
protected:
    std::array<char, 64> buffer_{};
    std::string received(std::size_t size) const { return {buffer_.data(), size}; }
};

// Not one byte repeated: a piece that is lost, doubled or out of place shows.
std::string pattern(std::size_t size) {
    std::string all(size, '\0');
    std::uint32_t value = 1;
    for (char& byte : all) byte = static_cast<char>((value = value * 1'664'525 + 1'013'904'223) >> 24);
    return all;
}

// Too much for the buffers of both ends, so that a write of it waits for its peer.
const std::string& more_than_fits() {
    static const std::string all = pattern(std::size_t{8} << 20);
    return all;
}

// --- read(n) ---------------------------------------------------------------------------------------------------------

TEST_F(StreamTest, read_returns_exactly_n_bytes_and_leaves_the_rest) {
    Pair pair = connected();
    pair.client.send("abcdef");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(4); }), "abcd");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(2); }), "ef");
}

TEST_F(StreamTest, read_waits_until_the_last_of_its_bytes_has_come) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read(6); });
    for (const char* const fragment : {"a", "bc", "def"}) {
        settle();
        EXPECT_FALSE(read.has_ended());
        pair.client.send(fragment);
    }
    EXPECT_EQ(read.ending(), "abcdef");
}

TEST_F(StreamTest, read_of_zero_bytes_is_ready_at_once) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return pair.stream->read(0); }), "");
    pair.client.send("a");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(0); }), "");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "a") << "nothing was taken by the empty reads";
    pair.client.close();
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "EndOfStream after \"\"");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(0); }), "") << "no byte is missing, so the end is no error";
}

TEST_F(StreamTest, read_gives_all_of_many_bytes_in_their_order) {
    Pair pair = connected();
    const std::string sent = pattern(std::size_t{3} << 20);
    Running read = start([&] { return pair.stream->read(sent.size()); });
    pair.client.send(sent);
    EXPECT_TRUE(read.ending() == sent);
}

TEST_F(StreamTest, read_at_the_end_throws_EndOfStream_that_carries_what_came_before) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read(27); });
    pair.client.send("Is th");
    settle();
    pair.client.close();
    EXPECT_EQ(read.ending(), "EndOfStream after \"Is th\"");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(27); }), "EndOfStream after \"\"")
        << "what was carried is no longer in the stream, and the end stays the end";
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "0");
}

class ReadSizeTest : public StreamTest, public testing::WithParamInterface<std::size_t> {};

TEST_P(ReadSizeTest, read_of_any_size_gives_what_there_is) {
    Pair pair = connected();
    pair.client.send("abc");
    pair.client.shutdown();
    const std::size_t size = GetParam();
    const std::string expected = size <= 3 ? std::string("abc").substr(0, size) : "EndOfStream after \"abc\"";
    EXPECT_EQ(ending_of([&] { return pair.stream->read(size); }), expected);
}

INSTANTIATE_TEST_SUITE_P(limits, ReadSizeTest,
                         testing::Values(0, 1, 2, 3, 4, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff, 0x1'0000'0000,
                                         0x1'0000'0001, std::numeric_limits<std::size_t>::max() - 1,
                                         std::numeric_limits<std::size_t>::max()));

// --- read_some -------------------------------------------------------------------------------------------------------

TEST_F(StreamTest, read_some_gives_what_there_is_as_soon_as_there_is_any) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read_some(buffer_); });
    settle();
    EXPECT_FALSE(read.has_ended());
    pair.client.send("abc");
    EXPECT_EQ(read.ending(), "3");
    EXPECT_EQ(received(3), "abc");
}

TEST_F(StreamTest, read_some_gives_no_more_than_fits_and_leaves_the_rest) {
    Pair pair = connected();
    pair.client.send("abcdef");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(std::span(buffer_).first(4)); }), "4");
    EXPECT_EQ(received(4), "abcd");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "2");
    EXPECT_EQ(received(2), "ef");
}

TEST_F(StreamTest, read_some_gives_0_at_the_end_of_the_stream_each_time) {
    Pair pair = connected();
    pair.client.shutdown();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "0");
}

TEST_F(StreamTest, read_some_into_nothing_is_ready_at_once) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some({}); }), "0");
    pair.client.send("a");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some({}); }), "0");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "1");
}

// --- what comes with the end of a connection -------------------------------------------------------------------------

TEST_F(StreamTest, bytes_that_come_with_FIN_are_delivered_before_the_end) {
    Pair pair = connected();
    pair.client.send("abc");
    pair.client.close();
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "3");
    EXPECT_EQ(received(3), "abc");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "0");
}

// Data and FIN are one edge: a core that waits for another one after its short read would wait for ever.
TEST_F(StreamTest, FIN_that_comes_with_bytes_ends_a_read_that_waits) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read(64); });
    settle();
    pair.client.send("abc");
    pair.client.close();
    EXPECT_EQ(read.ending(), "EndOfStream after \"abc\"");
}

TEST_F(StreamTest, bytes_that_come_with_RST_are_delivered_and_then_its_error_each_time) {
    Pair pair = connected();
    pair.client.send("abc");
    pair.client.reset();
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "3");
    EXPECT_EQ(received(3), "abc");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "ECONNRESET");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "ECONNRESET") << "never a clean end";
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "ECONNRESET");
}

TEST_F(StreamTest, RST_ends_a_read_that_waits_with_its_error) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read_some(buffer_); });
    settle();
    pair.client.reset();
    EXPECT_EQ(read.ending(), "ECONNRESET");
}

TEST_F(StreamTest, RST_that_a_write_has_met_is_told_to_the_next_read) {
    Pair pair = connected();
    pair.client.reset();
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("x")); }), "ECONNRESET");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "ECONNRESET") << "not a clean end";
}

TEST_F(StreamTest, a_read_that_reset_ends_leaves_its_bytes_for_the_next_read) {
    Pair pair = connected();
    pair.client.send("abc");
    pair.client.reset();
    EXPECT_EQ(ending_of([&] { return pair.stream->read(10); }), "ECONNRESET");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(2); }), "ab") << "the bytes before the error";
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "1");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "ECONNRESET");
}

// --- urgent data -----------------------------------------------------------------------------------------------------

// A recv stops in front of an urgent byte: it is short, and yet the socket is not empty.
TEST_F(StreamTest, bytes_behind_an_urgent_one_are_delivered) {
    Pair pair = connected();
    pair.client.send("ab");
    pair.client.send_urgent('!');
    pair.client.send("cd");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(4); }), "abcd");
}

TEST_F(StreamTest, urgent_data_does_not_disturb_a_read_that_waits) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read(4); });
    settle();
    pair.client.send("ab");
    pair.client.send_urgent('!');
    settle();
    EXPECT_FALSE(read.has_ended());
    pair.client.send("cd");
    EXPECT_EQ(read.ending(), "abcd");
}

// --- reads that end early leave their bytes --------------------------------------------------------------------------

TEST_F(StreamTest, a_cancelled_read_leaves_its_bytes_for_the_next_read) {
    Pair pair = connected();
    StopSource stop;
    Running read = start([&] { return pair.stream->read(10); }, stop.get_token());
    pair.client.send("abc");
    settle();
    stop.request_stop();
    EXPECT_EQ(read.ending(), "Cancelled");
    pair.client.send("def");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(6); }), "abcdef");
}

TEST_F(StreamTest, a_read_in_a_timeout_leaves_its_bytes_for_the_next_read) {
    Pair pair = connected();
    pair.client.send("abc");
    EXPECT_EQ(ending_of([&] { return acairo::timeout(20ms, pair.stream->read(10)); }), "TimedOut");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "3");
    EXPECT_EQ(received(3), "abc");
}

TEST_F(StreamTest, a_read_that_times_out_leaves_its_bytes_and_a_usable_stream) {
    Pair pair = connected({.stream = {.read_timeout = 20ms}});
    pair.client.send("abc");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(10); }), "TimedOut");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(10); }), "TimedOut");
    pair.client.send("def");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(6); }), "abcdef");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("pong")); }), "done");
    EXPECT_EQ(pair.client.receive(4), "pong");
}

TEST_F(StreamTest, bytes_that_a_cancelled_read_left_come_before_the_end) {
    Pair pair = connected();
    pair.client.send("abc");
    EXPECT_EQ(ending_of([&] { return acairo::timeout(20ms, pair.stream->read(10)); }), "TimedOut");
    pair.client.close();
    EXPECT_EQ(ending_of([&] { return pair.stream->read(10); }), "EndOfStream after \"abc\"");
}

TEST_F(StreamTest, without_a_timeout_an_operation_has_no_timer) {
    Pair pair = connected({.stream = {.read_timeout = 0ms}});
    Running read = start([&] { return pair.stream->read(1); });
    EXPECT_EQ(ending_of([] { return acairo::sleep_for(20ms); }), "done");
    EXPECT_FALSE(read.has_ended());
    pair.client.send("a");
    EXPECT_EQ(read.ending(), "a");
}

// --- write, write_all, bytes_sent ------------------------------------------------------------------------------------

TEST_F(StreamTest, write_sends_all_of_its_bytes) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("abcdef")); }), "done");
    EXPECT_EQ(pair.stream->bytes_sent(), 6U);
    EXPECT_EQ(pair.client.receive(6), "abcdef");
}

TEST_F(StreamTest, write_all_sends_all_of_its_bytes) {
    Pair pair = connected();
    const std::string sent = "abcdef";
    EXPECT_EQ(ending_of([&] { return pair.stream->write_all(sent); }), "done");
    EXPECT_EQ(pair.stream->bytes_sent(), 6U);
    EXPECT_EQ(pair.client.receive(6), "abcdef");
}

TEST_F(StreamTest, writes_of_nothing_are_ready_at_once) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return pair.stream->write({}); }), "done");
    EXPECT_EQ(ending_of([&] { return pair.stream->write_all({}); }), "done");
    EXPECT_EQ(pair.stream->bytes_sent(), 0U);
    pair.client.reset();
    EXPECT_EQ(ending_of([&] { return pair.stream->write({}); }), "done") << "there is nothing that could fail";
}

TEST_F(StreamTest, a_write_of_more_than_fits_waits_for_its_peer_and_sends_all) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    EXPECT_FALSE(write.has_ended());
    EXPECT_LT(pair.stream->bytes_sent(), sent.size());
    EXPECT_TRUE(pair.client.receive(sent.size()) == sent);
    EXPECT_EQ(write.ending(), "done");
    EXPECT_EQ(pair.stream->bytes_sent(), sent.size());
}

TEST_F(StreamTest, write_owns_its_bytes_from_the_call_on) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  std::optional<std::vector<char>> sent = bytes("abcdef");
                  auto write = pair.stream->write(std::move(*sent));
                  sent.reset();
                  co_await std::move(write);
              }),
              "done");
    EXPECT_EQ(pair.client.receive(6), "abcdef");
}

TEST_F(StreamTest, a_write_that_times_out_tells_how_much_was_sent_and_leaves_a_usable_stream) {
    Pair pair = connected({.stream = {.write_timeout = 20ms}});
    const std::string& sent = more_than_fits();
    EXPECT_EQ(ending_of([&] { return pair.stream->write_all(sent); }), "TimedOut");
    const std::uint64_t first = pair.stream->bytes_sent();
    ASSERT_LT(first, sent.size());
    EXPECT_TRUE(pair.client.receive(first) == sent.substr(0, first));
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("and on")); }), "done");
    EXPECT_EQ(pair.stream->bytes_sent(), first + 6);
    pair.stream->close();
    EXPECT_EQ(pair.client.receive_all(), "and on") << "exactly bytes_sent() bytes were sent, no more";
}

TEST_F(StreamTest, bytes_sent_is_exact_after_a_cancelled_write) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    StopSource stop;
    Running write = start([&] { return pair.stream->write_all(sent); }, stop.get_token());
    settle();
    stop.request_stop();
    EXPECT_EQ(write.ending(), "Cancelled");
    const std::uint64_t first = pair.stream->bytes_sent();
    pair.stream->close();
    EXPECT_EQ(pair.client.receive_all().size(), first);
}

TEST_F(StreamTest, bytes_sent_is_exact_after_a_write_that_close_ends) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    pair.stream->close();
    EXPECT_EQ(write.ending(), "Cancelled");
    EXPECT_EQ(pair.client.receive_all().size(), pair.stream->bytes_sent());
}

TEST_F(StreamTest, RST_ends_a_write_that_waits) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    pair.client.reset();
    EXPECT_THAT(write.ending(), testing::AnyOf("ECONNRESET", "EPIPE"));
    EXPECT_LT(pair.stream->bytes_sent(), sent.size());
}

// The default action of SIGPIPE would end this process.
TEST_F(StreamTest, writes_to_a_peer_that_is_gone_fail_without_SIGPIPE) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read(1); });
    pair.client.close();
    EXPECT_EQ(read.ending(), "EndOfStream after \"\"");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("x")); }), "done")
        << "the peer has only said that it sends no more";
    // The answer to that byte is RST, and it may need its time: until then, the kernel takes more.
    std::string second;
    for (second = "done"; second == "done";) second = ending_of([&] { return pair.stream->write(bytes("y")); });
    EXPECT_THAT(second, testing::AnyOf("EPIPE", "ECONNRESET"));
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("z")); }), "EPIPE");
}

// --- one reader and one writer ---------------------------------------------------------------------------------------

TEST_F(StreamTest, one_reader_and_one_writer_wait_at_once) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running read = start([&] { return pair.stream->read(3); });
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    EXPECT_FALSE(read.has_ended());
    EXPECT_FALSE(write.has_ended());
    pair.client.send("abc");
    EXPECT_EQ(read.ending(), "abc") << "while the writer still waits";
    EXPECT_TRUE(pair.client.receive(sent.size()) == sent);
    EXPECT_EQ(write.ending(), "done");
}

TEST_F(StreamTest, the_reader_and_the_writer_run_on_different_workers) {
    use_workers(2);
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    std::thread::id reader;
    std::thread::id writer;
    Running read = start([&]() -> Task<std::vector<char>> {
        reader = std::this_thread::get_id();
        co_return co_await pair.stream->read(sent.size());
    });
    Running write = start([&]() -> Task<void> {
        writer = std::this_thread::get_id();
        co_await pair.stream->write_all(sent);
    });
    std::thread peer([&] { pair.client.send(sent); });
    EXPECT_TRUE(pair.client.receive(sent.size()) == sent);
    peer.join();
    EXPECT_TRUE(read.ending() == sent);
    EXPECT_EQ(write.ending(), "done");
    EXPECT_NE(reader, writer) << "tasks are dealt to the workers in turn";
}

// Each worker has its own view of the socket's readiness: none may believe that it is empty because it was.
TEST_F(StreamTest, a_stream_is_read_by_one_worker_after_another) {
    use_workers(2);
    Pair pair = connected();
    std::string all;
    for (int i = 0; i < 20; ++i) {
        const std::string sent = std::to_string(i) + "...............";
        pair.client.send(sent);
        EXPECT_EQ(ending_of([&] { return pair.stream->read(4); }), sent.substr(0, 4));
        EXPECT_EQ(ending_of([&] { return pair.stream->read(sent.size() - 4); }), sent.substr(4));
    }
    pair.client.close();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "0");
}

TEST_F(StreamTest, a_second_reader_is_a_logic_error_and_the_first_one_goes_on) {
    Pair pair = connected();
    Running first = start([&] { return pair.stream->read(3); });
    settle();
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "logic_error");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "logic_error");
    pair.client.send("abc");
    EXPECT_EQ(first.ending(), "abc");
    pair.client.send("d");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "d") << "one after the other is fine";
}

TEST_F(StreamTest, a_second_reader_on_another_worker_is_a_logic_error) {
    use_workers(2);
    Pair pair = connected();
    Running first = start([&] { return pair.stream->read(3); });
    settle();
    for (int worker = 0; worker < 2; ++worker) {
        EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "logic_error");
    }
    pair.client.send("abc");
    EXPECT_EQ(first.ending(), "abc");
}

TEST_F(StreamTest, a_second_writer_is_a_logic_error_and_the_first_one_goes_on) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running first = start([&] { return pair.stream->write_all(sent); });
    settle();
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("x")); }), "logic_error");
    EXPECT_EQ(ending_of([&] { return pair.stream->write_all({}); }), "logic_error");
    EXPECT_TRUE(pair.client.receive(sent.size()) == sent);
    EXPECT_EQ(first.ending(), "done");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("x")); }), "done");
}

TEST_F(StreamTest, the_stream_of_another_executor_is_a_logic_error) {
    Pair pair = connected();
    const auto other = std::make_shared<acairo::Executor>(acairo::ExecutorConfiguration{.workers = 1});
    Running read = sockets::start(*other, [&] { return pair.stream->read(1); });
    EXPECT_EQ(read.ending(), "logic_error");
}

TEST_F(StreamTest, a_task_without_an_executor_is_a_logic_error) {
    Pair pair = connected();
    struct Foreign {
        struct promise_type {
            Foreign get_return_object() { return {}; }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_never final_suspend() noexcept { return {}; }
            void return_void() {}
            void unhandled_exception() { std::terminate(); }
        };
    };
    std::string ended;
    [](TCPStream& stream, std::string& into) -> Foreign {
        into = co_await sockets::ending([&] { return stream.read(1); });
    }(*pair.stream, ended);
    EXPECT_EQ(ended, "logic_error");
}

// --- shutdown --------------------------------------------------------------------------------------------------------

TEST_F(StreamTest, shutdown_ends_the_sending_direction_only) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("abc")); }), "done");
    pair.stream->shutdown();
    EXPECT_EQ(pair.client.receive_all(), "abc") << "what was sent, and then the end";
    pair.client.send("still");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(5); }), "still");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("x")); }), "EPIPE");
}

TEST_F(StreamTest, a_peer_that_has_ended_its_sending_direction_still_receives) {
    Pair pair = connected();
    pair.client.shutdown();
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "0");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("abc")); }), "done");
    pair.stream->close();
    EXPECT_EQ(pair.client.receive_all(), "abc");
}

TEST_F(StreamTest, shutdown_may_be_repeated) {
    Pair pair = connected();
    pair.stream->shutdown();
    pair.stream->shutdown();
    EXPECT_EQ(pair.client.end(), "FIN");
}

TEST_F(StreamTest, shutdown_of_a_connection_that_was_reset_is_no_error) {
    Pair pair = connected();
    pair.client.reset();
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "ECONNRESET");
    EXPECT_EQ(exception_of([&] { pair.stream->shutdown(); }), "none");
}

// --- close -----------------------------------------------------------------------------------------------------------

TEST_F(StreamTest, close_completes_both_waiters_with_Cancelled) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running read = start([&] { return pair.stream->read(1); });
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    pair.stream->close();
    EXPECT_EQ(read.ending(), "Cancelled");
    EXPECT_EQ(write.ending(), "Cancelled");
}

TEST_F(StreamTest, close_completes_waiters_on_two_workers_with_Cancelled) {
    use_workers(2);
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running read = start([&] { return pair.stream->read(1); });
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    pair.stream->close();
    EXPECT_EQ(read.ending(), "Cancelled");
    EXPECT_EQ(write.ending(), "Cancelled");
}

TEST_F(StreamTest, close_on_a_worker_completes_a_waiter_with_Cancelled) {
    Pair pair = connected();
    Running read = start([&] { return pair.stream->read(1); });
    settle();
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  pair.stream->close();
                  co_return;
              }),
              "done");
    EXPECT_EQ(read.ending(), "Cancelled");
}

TEST_F(StreamTest, after_close_every_operation_throws_bad_file_descriptor) {
    Pair pair = connected();
    pair.client.send("abc");
    EXPECT_EQ(ending_of([&] { return acairo::timeout(0ms, pair.stream->read(10)); }), "TimedOut");
    pair.stream->close();
    EXPECT_EQ(ending_of([&] { return pair.stream->read(1); }), "EBADF");
    EXPECT_EQ(ending_of([&] { return pair.stream->read(0); }), "EBADF");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "EBADF");
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some({}); }), "EBADF");
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("x")); }), "EBADF");
    EXPECT_EQ(ending_of([&] { return pair.stream->write_all({}); }), "EBADF");
    EXPECT_EQ(exception_of([&] { pair.stream->shutdown(); }), "EBADF");
    EXPECT_EQ(exception_of([&] { pair.stream->local_address(); }), "EBADF");
    EXPECT_EQ(exception_of([&] { pair.stream->peer_address(); }), "EBADF");
    EXPECT_EQ(pair.stream->bytes_sent(), 0U);
    try {
        pair.stream->shutdown();
    } catch (const std::system_error& error) { EXPECT_EQ(error.code(), std::errc::bad_file_descriptor); }
}

TEST_F(StreamTest, close_sends_FIN) {
    Pair pair = connected();
    EXPECT_EQ(ending_of([&] { return pair.stream->write(bytes("abc")); }), "done");
    pair.stream->close();
    EXPECT_EQ(pair.client.receive_all(), "abc");
}

TEST_F(StreamTest, the_last_owner_of_a_stream_closes_it) {
    Pair pair = connected();
    pair.stream.reset();
    EXPECT_EQ(pair.client.end(), "FIN");
}

TEST_F(StreamTest, a_second_close_leaves_the_descriptor_that_now_has_the_number) {
    Pair pair = connected();
    pair.stream->close();
    const raw::Descriptor next(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    pair.stream->close();
    pair.stream.reset();
    EXPECT_NE(::fcntl(next.get(), F_GETFD), -1) << "closed by somebody who no longer owned it";
}

TEST_F(StreamTest, close_from_two_threads_at_once_closes_once) {
    use_workers(2);
    for (int round = 0; round < 20; ++round) {
        Pair pair = connected();
        Running read = start([&] { return pair.stream->read(1); });
        std::thread other([&] { pair.stream->close(); });
        pair.stream->close();
        other.join();
        EXPECT_THAT(read.ending(), testing::AnyOf("Cancelled", "EBADF"));
        EXPECT_EQ(pair.client.end(), "FIN");
    }
}

TEST_F(StreamTest, close_races_with_a_transfer_and_ends_it) {
    use_workers(2);
    const std::string sent = pattern(std::size_t{1} << 20);
    for (int round = 0; round < 10; ++round) {
        Pair pair = connected();
        Running read = start([&]() -> Task<void> {
            for (;;) co_await pair.stream->read_some(buffer_);
        });
        Running write = start([&]() -> Task<void> {
            for (;;) co_await pair.stream->write_all(sent);
        });
        pair.client.send(sent.substr(0, 1000));
        pair.client.receive(static_cast<std::size_t>(round) * 1000);
        pair.stream->close();
        EXPECT_THAT(read.ending(), testing::AnyOf("Cancelled", "EBADF"));
        EXPECT_THAT(write.ending(), testing::AnyOf("Cancelled", "EBADF"));
    }
}

TEST_F(StreamTest, a_stream_must_outlive_its_operations) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            Pair pair = connected();
            TCPStream& stream = *pair.stream;
            Running read = start([&] { return stream.read(1); });
            // On the reader's own worker: on another thread, the reader that close() ends may be gone just in time.
            ending_of([&]() -> Task<void> {
                pair.stream.reset();
                co_return;
            });
        },
        "check failed");
}

// --- after the executor ----------------------------------------------------------------------------------------------

TEST_F(StreamTest, stop_ends_operations_with_Cancelled_and_leaves_the_users_stream_to_him) {
    Pair pair = connected();
    const std::string& sent = more_than_fits();
    Running read = start([&] { return pair.stream->read(1); });
    Running write = start([&] { return pair.stream->write_all(sent); });
    settle();
    executor_->stop();
    EXPECT_EQ(read.ending(), "Cancelled");
    EXPECT_EQ(write.ending(), "Cancelled");
    EXPECT_FALSE(pair.stream->local_address().empty()) << "it is still open";
    pair.stream->close();
    EXPECT_EQ(pair.client.receive_all().size(), pair.stream->bytes_sent());
}

TEST_F(StreamTest, after_stop_further_operations_throw_Cancelled_without_waiting) {
    Pair pair = connected();
    std::vector<std::string> later;
    Running read = start([&]() -> Task<void> {
        co_await sockets::ending([&] { return pair.stream->read(1); });
        later.push_back(co_await sockets::ending([&] { return pair.stream->read(1); }));
        later.push_back(co_await sockets::ending([&] { return pair.stream->write(bytes("x")); }));
        later.push_back(
            co_await sockets::ending([&] { return TCPStream::connect(executor_, pair.client.local_address()); }));
    });
    settle();
    executor_->stop();
    EXPECT_EQ(read.ending(), "done");
    EXPECT_THAT(later, testing::ElementsAre("Cancelled", "Cancelled", "Cancelled"));
}

TEST_F(StreamTest, a_stream_that_outlives_its_executor_can_be_closed) {
    Pair first = connected();
    Pair second = connected();
    EXPECT_EQ(ending_of([&] { return first.stream->write(bytes("abc")); }), "done");
    EXPECT_EQ(ending_of([&] { return acairo::timeout(0ms, first.stream->read(1)); }), "TimedOut");
    executor_.reset();
    first.stream->shutdown();
    EXPECT_EQ(first.client.receive_all(), "abc");
    first.stream->close();
    second.stream.reset();
    EXPECT_EQ(second.client.end(), "FIN");
}

// --- addresses and options -------------------------------------------------------------------------------------------

TEST_F(StreamTest, a_stream_knows_both_of_its_addresses) {
    Pair pair = connected();
    EXPECT_EQ(pair.stream->local_address(), pair.client.peer_address());
    EXPECT_EQ(pair.stream->peer_address(), pair.client.local_address());
}

TEST_F(StreamTest, a_stream_knows_both_of_its_IPv6_addresses) {
    if (!raw::has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
    Pair pair = connected({}, "[::1]:0");
    EXPECT_EQ(pair.stream->local_address(), pair.client.peer_address());
    EXPECT_EQ(pair.stream->peer_address(), pair.client.local_address());
    EXPECT_THAT(pair.stream->peer_address(), testing::StartsWith("[::1]:"));
}

TEST_F(StreamTest, the_address_of_a_peer_that_has_reset_is_an_error_that_names_the_call) {
    Pair pair = connected();
    pair.client.reset();
    EXPECT_EQ(ending_of([&] { return pair.stream->read_some(buffer_); }), "ECONNRESET");
    EXPECT_THAT(message_of([&] { pair.stream->peer_address(); }), testing::HasSubstr("getpeername"));
}

TEST_F(StreamTest, a_failed_call_is_named_in_its_error) {
    Pair pair = connected();
    pair.client.reset();
    EXPECT_THAT(
        message_of([&] { executor_->sync_wait([&]() -> Task<void> { co_await pair.stream->read_some(buffer_); }); }),
        testing::HasSubstr("recv"));
    EXPECT_THAT(
        message_of([&] { executor_->sync_wait([&]() -> Task<void> { co_await pair.stream->write(bytes("x")); }); }),
        testing::HasSubstr("send"));
}

int no_delay_of(TCPStream& stream) {
    int value = -1;
    socklen_t size = sizeof value;
    const int fd = sockets::descriptor_between(stream.local_address(), stream.peer_address());
    ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size);
    return value;
}

TEST_F(StreamTest, no_delay_is_set_unless_it_is_not_wanted) {
    EXPECT_NE(no_delay_of(*connected().stream), 0);
    EXPECT_EQ(no_delay_of(*connected({.stream = {.no_delay = false}}).stream), 0);
    raw::Listener listener;
    const std::string address = listener.address();
    EXPECT_NE(no_delay_of(*connect(address)), 0);
    EXPECT_EQ(ending_of([&]() -> Task<std::string> {
                  const TCPStreamConfiguration with_delay{.no_delay = false};
                  const auto stream = co_await TCPStream::connect(executor_, address, with_delay);
                  co_return std::to_string(no_delay_of(*stream));
              }),
              "0");
}

// --- connect ---------------------------------------------------------------------------------------------------------

TEST_F(StreamTest, connect_gives_a_stream_to_its_peer) {
    raw::Listener listener;
    const std::shared_ptr<TCPStream> stream = connect(listener.address());
    raw::Client peer = listener.accept();
    EXPECT_EQ(stream->peer_address(), listener.address());
    EXPECT_EQ(stream->local_address(), peer.peer_address());
    EXPECT_EQ(ending_of([&] { return stream->write(bytes("ping")); }), "done");
    EXPECT_EQ(peer.receive(4), "ping");
    peer.send("pong");
    EXPECT_EQ(ending_of([&] { return stream->read(4); }), "pong");
}

TEST_F(StreamTest, connect_reaches_an_IPv6_peer) {
    if (!raw::has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
    raw::Listener listener("[::1]:0");
    const std::shared_ptr<TCPStream> stream = connect(listener.address());
    EXPECT_EQ(stream->peer_address(), listener.address());
}

TEST_F(StreamTest, connect_that_is_refused_is_an_error_that_names_call_and_address) {
    const raw::Listener listener = raw::Listener::refusing();
    EXPECT_EQ(ending_of([&] { return TCPStream::connect(executor_, listener.address()); }), "ECONNREFUSED");
    EXPECT_THAT(message_of([&] { connect(listener.address()); }),
                testing::AllOf(testing::HasSubstr("connect"), testing::HasSubstr(listener.address())));
}

TEST_F(StreamTest, connect_to_no_address_is_an_error_that_names_it) {
    for (const char* const address : {"", "localhost:0", "127.0.0.1", "127.0.0.1:65536", "not-an-ip:0", "[::1:0"}) {
        EXPECT_EQ(ending_of([&] { return TCPStream::connect(executor_, address); }), "invalid_argument");
        EXPECT_THAT(message_of([&] { connect(address); }), testing::HasSubstr(address));
    }
}

TEST_F(StreamTest, connect_that_is_never_awaited_does_nothing) {
    raw::Listener listener;
    const std::set<int> before = sockets::open_descriptors();
    { [[maybe_unused]] auto connecting = TCPStream::connect(executor_, listener.address()); }
    EXPECT_EQ(sockets::open_descriptors(), before);
}

TEST_F(StreamTest, connect_without_a_descriptor_left_is_an_error_and_the_next_one_works) {
    raw::Listener listener;
    {
        const sockets::NoMoreDescriptors none;
        EXPECT_EQ(ending_of([&] { return TCPStream::connect(executor_, listener.address()); }), "EMFILE");
    }
    EXPECT_EQ(ending_of([&] { return TCPStream::connect(executor_, listener.address()); }), "a stream");
}

// A listener whose backlog is full: Linux drops what else would connect, so that a connect waits.
class ConnectThatWaitsTest : public StreamTest {
protected:
    void SetUp() override {
        StreamTest::SetUp();
        listener_.emplace("127.0.0.1:0", 0);
        raw::Address to(listener_->address());
        for (int i = 0; i < 4; ++i) {
            raw::Descriptor filler(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            ASSERT_TRUE(::connect(filler.get(), to.get(), to.length()) == 0 || errno == EINPROGRESS);
            fillers_.push_back(std::move(filler));
        }
    }
    void TearDown() override {
        fillers_.clear();
        listener_.reset();
        StreamTest::TearDown();
    }
    auto connecting() { return TCPStream::connect(executor_, listener_->address()); }

    std::optional<raw::Listener> listener_;
    std::vector<raw::Descriptor> fillers_;
};

TEST_F(ConnectThatWaitsTest, connect_is_cancelled_by_its_token) {
    StopSource stop;
    Running connect = start([&] { return connecting(); }, stop.get_token());
    settle();
    EXPECT_FALSE(connect.has_ended());
    stop.request_stop();
    EXPECT_EQ(connect.ending(), "Cancelled");
}

TEST_F(ConnectThatWaitsTest, connect_is_cancelled_by_stop) {
    Running connect = start([&] { return connecting(); });
    settle();
    executor_->stop();
    EXPECT_EQ(connect.ending(), "Cancelled");
}

TEST_F(ConnectThatWaitsTest, connect_times_out) {
    EXPECT_EQ(ending_of([&] { return acairo::timeout(20ms, connecting()); }), "TimedOut");
}

// --- fairness --------------------------------------------------------------------------------------------------------

TEST_F(StreamTest, a_reader_that_always_has_something_to_read_lets_others_run) {
    Pair pair = connected();
    constexpr int sent = 1000;
    pair.client.send(std::string(sent, '.'));
    int read = 0;
    int read_when_the_other_ran = -1;
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  std::array<char, 1> one;
                  while (read < sent) {
                      co_await pair.stream->read_some(one);
                      if (++read == 1) {
                          executor_->spawn([&]() -> Task<void> {
                              read_when_the_other_ran = read;
                              co_return;
                          });
                      }
                  }
              }),
              "done");
    EXPECT_GE(read_when_the_other_ran, 1);
    EXPECT_LE(read_when_the_other_ran, 1 + 64) << "not before the budget of 64 was spent";
}

TEST_F(StreamTest, a_writer_that_always_has_room_lets_others_run) {
    Pair pair = connected();
    int written = 0;
    int written_when_the_other_ran = -1;
    EXPECT_EQ(ending_of([&]() -> Task<void> {
                  executor_->spawn([&]() -> Task<void> {
                      written_when_the_other_ran = written;
                      co_return;
                  });
                  for (; written < 1000; ++written) co_await pair.stream->write_all(std::span("x", 1));
              }),
              "done");
    EXPECT_GE(written_when_the_other_ran, 0);
    EXPECT_LE(written_when_the_other_ran, 64);
}

}  // namespace
