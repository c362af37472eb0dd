// What Linux does that surprises, recorded once by hand: each row is a script of a few steps and its outcomes.
//
// Threads: any; constants only.
// Invariants:
//   1. `expected` holds the outcomes of `script` alone, without the contents of messages; those of `before` are not looked at.
//   2. Recorded on Linux 6.18. A row for which another kernel has another answer is `since` the oldest one known to give this.
#pragma once
#include <array>

namespace fidelity {

struct Row {
    const char* name;
    const char* before;
    const char* script;
    const char* expected;
    const char* since = "";  // "6.18": elsewhere a difference is reported and does not fail
};

// 0: the socket that is looked at, 1: its peer, 2: an epoll that watches 0 for 23 = IN | OUT | RDHUP | ET, or as said.
inline constexpr std::array rows{
    Row{"fresh_connected_edge_add", "pair 0 1; epoll 2; add 2 0 23", "wait 2; wait 2", "0:OUT ; no events"},
    Row{"peer_sends_3_bytes", "pair 0 1; epoll 2; add 2 0 23; wait 2", "send 1 3; wait 2; wait 2",
        "3 bytes ; 0:IN|OUT ; no events"},
    Row{"peer_sends_1_more_while_data_is_unread", "pair 0 1; epoll 2; add 2 0 23; wait 2; send 1 3; wait 2",
        "send 1 1; wait 2", "1 bytes ; 0:IN|OUT"},
    Row{"read_2_of_4_makes_no_edge", "pair 0 1; epoll 2; add 2 0 23; wait 2; send 1 4; wait 2", "recv 0 2; wait 2",
        "2 bytes ; no events"},
    Row{"modify_reports_again", "pair 0 1; epoll 2; add 2 0 23; wait 2; send 1 4; wait 2; recv 0 2; wait 2",
        "modify 2 0 23; wait 2", "ok ; 0:IN|OUT"},
    Row{"peer_shuts_down_writing", "pair 0 1; epoll 2; add 2 0 23; wait 2",
        "shutdown 1 1; wait 2; recv 0 10; recv 0 10; send 0 1", "ok ; 0:IN|OUT|RDHUP ; 0 bytes ; 0 bytes ; 1 bytes"},
    Row{"then_the_peer_closes_over_an_unread_byte",
        "pair 0 1; epoll 2; add 2 0 23; wait 2; shutdown 1 1; wait 2; recv 0 10; send 0 1",
        "close 1; wait 2; recv 0 10; send 0 1", "ok ; 0:IN|OUT|RDHUP|HUP|ERR ; 0 bytes ; EPIPE"},
    Row{"peer_sends_3_bytes_and_closes", "pair 0 1; epoll 2; add 2 0 23; wait 2",
        "send 1 3; close 1; wait 2; recv 0 10; recv 0 10", "3 bytes ; ok ; 0:IN|OUT|RDHUP ; 3 bytes ; 0 bytes"},
    Row{"two_sends_after_the_peer_has_closed",
        "pair 0 1; epoll 2; add 2 0 23; wait 2; send 1 3; close 1; wait 2; recv 0 10; recv 0 10",
        "send 0 1; wait 2; send 0 1", "1 bytes ; 0:IN|OUT|RDHUP|HUP|ERR ; EPIPE"},
    Row{"peer_sends_3_bytes_then_resets", "pair 0 1; epoll 2; add 2 0 23; wait 2",
        "send 1 3; close_linger 1; wait 2; recv 0 10; recv 0 10; send 0 1",
        "3 bytes ; ok, ok ; 0:IN|OUT|RDHUP|HUP|ERR ; 3 bytes ; ECONNRESET ; EPIPE"},
    Row{"reset_while_idle", "pair 0 1; epoll 2; add 2 0 23; wait 2", "close_linger 1; wait 2; get_error 0; recv 0 10",
        "ok, ok ; 0:IN|OUT|RDHUP|HUP|ERR ; ECONNRESET ; 0 bytes"},
    Row{"reset_before_add", "pair 0 1; epoll 2; close_linger 1", "add 2 0 23; wait 2; recv 0 10; recv 0 10",
        "ok ; 0:IN|OUT|RDHUP|HUP|ERR ; ECONNRESET ; 0 bytes"},
    Row{"reset_then_send_first", "pair 0 1; close_linger 1", "send 0 1; send 0 1; recv 0 1",
        "ECONNRESET ; EPIPE ; 0 bytes"},
    Row{"local_shutdown_of_writing", "pair 0 1; epoll 2; add 2 0 23; wait 2",
        "shutdown 0 1; wait 2; send 0 1; shutdown 0 1", "ok ; 0:OUT ; EPIPE ; ok"},
    Row{"local_shutdown_of_reading", "pair 0 1; epoll 2; add 2 0 23; wait 2", "shutdown 0 0; wait 2; recv 0 1",
        "ok ; 0:IN|OUT|RDHUP ; 0 bytes"},
    Row{"peer_sends_after_local_shutdown_of_reading",
        "pair 0 1; epoll 2; add 2 0 23; wait 2; shutdown 0 0; wait 2; recv 0 1", "send 1 1; wait 2; recv 0 5",
        "1 bytes ; 0:IN|OUT|RDHUP ; 1 bytes"},
    Row{"local_shutdown_of_both", "pair 0 1; epoll 2; add 2 0 23; wait 2", "shutdown 0 2; wait 2; recv 0 1; send 0 1",
        "ok ; 0:IN|OUT|RDHUP|HUP ; 0 bytes ; EPIPE"},
    Row{"never_connected", "socket 0; epoll 2; add 2 0 23", "wait 2; recv 0 1; send 0 1; shutdown 0 1",
        "0:OUT|HUP ; ENOTCONN ; EPIPE ; ENOTCONN"},
    Row{"connect_to_a_closed_port", "socket 0; epoll 2",
        "connect 0 0 1; add 2 0 23; wait 2; get_error 0; connect 0 0 1",
        "EINPROGRESS ; ok ; 0:IN|OUT|RDHUP|HUP|ERR ; ECONNREFUSED ; ECONNABORTED"},
    Row{"connect_that_succeeds", "socket 0; epoll 2; socket 3; bind 3 0; listen 3 4",
        "connect 0 3; add 2 0 23; wait 2; get_error 0; connect 0 3", "EINPROGRESS ; ok ; 0:OUT ; 0 ; ok"},
    Row{"three_queued_connections_are_one_edge",
        "socket 0; bind 0 0; listen 0 4; epoll 2; add 2 0 17; socket 1; connect 1 0; socket 3; connect 3 0; socket 4; "
        "connect 4 0",
        "wait 2; wait 2", "0:IN ; no events"},
    Row{"accept_of_one_of_three_makes_no_edge",
        "socket 0; bind 0 0; listen 0 4; epoll 2; add 2 0 17; socket 1; connect 1 0; socket 3; connect 3 0; socket 4; "
        "connect 4 0; wait 2",
        "accept 0 5; wait 2", "ok ; no events"},
    Row{"accept_of_a_connection_that_was_reset",
        "socket 0; bind 0 0; listen 0 4; socket 1; connect 1 0; connect 1 0; close_linger 1",
        "accept 0 5; recv 5 1; getpeername 5", "ok ; ECONNRESET ; ENOTCONN"},
    Row{"listener_shutdown", "socket 0; bind 0 0; listen 0 4; epoll 2; add 2 0 17", "shutdown 0 2; wait 2; accept 0 5",
        "ok ; 0:HUP ; EINVAL"},
    Row{"closed_number_with_a_duplicate_alive", "pair 0 1; epoll 2; add 2 0 23; wait 2; dup 0 5",
        "close 0; send 1 1; wait 2; remove 2 0", "ok ; 1 bytes ; 0:IN|OUT ; EBADF"},
    Row{"closed_number_without_a_duplicate", "pair 0 1; epoll 2; add 2 0 23; wait 2",
        "close 0; send 1 1; wait 2; remove 2 0", "ok ; 1 bytes ; no events ; EBADF"},
    Row{"oneshot_and_modify", "pair 0 1; epoll 2; add 2 0 33",
        "send 1 1; wait 2; send 1 1; wait 2; modify 2 0 33; wait 2",
        "1 bytes ; 0:IN ; 1 bytes ; no events ; ok ; 0:IN"},
    Row{"oneshot_that_has_fired_hides_a_reset", "pair 0 1; epoll 2; add 2 0 33; send 1 1; wait 2",
        "close_linger 1; wait 2", "ok, ok ; no events"},
    Row{"no_interest_still_reports_errors", "pair 0 1; epoll 2; add 2 0 0", "close_linger 1; wait 2",
        "ok, ok ; 0:HUP|ERR"},
    // The recording by hand saw an edge here, because it did not wait until nothing more was taken.
    Row{"send_until_nothing_more_is_taken", "pair 0 1; epoll 2; add 2 0 18; wait 2", "fill 0; wait 2",
        "some, then EAGAIN ; no events"},
    Row{"peer_drains_1_kibibyte", "pair 0 1; epoll 2; add 2 0 18; wait 2; fill 0; wait 2", "recv 1 1024; wait 2",
        "1024 bytes ; no events"},
    Row{"peer_drains_everything", "pair 0 1; epoll 2; add 2 0 18; wait 2; fill 0; wait 2; recv 1 1024; wait 2",
        "drain 1; wait 2; send 0 100", "some, then EAGAIN ; 0:OUT ; 100 bytes"},
    // The recording by hand has 0 for the recv: Python answered it without asking Linux.
    Row{"nothing_asked_for_and_nothing_sent", "pair 0 1", "recv 0 0; send 0 0", "EAGAIN ; 0 bytes"},
    Row{"eventfd_written_twice", "eventfd 0 0; epoll 2; add 2 0 17",
        "write 0 1; wait 2; write 0 1; wait 2; read 0; read 0", "ok ; 0:IN ; ok ; 0:IN ; read 2 ; EAGAIN"},
    Row{"eventfd_at_its_largest", "eventfd 0 0; epoll 2; add 2 0 17", "write 0 2; write 0 1; wait 2",
        "ok ; EAGAIN ; 0:IN"},
    Row{"add_of_dev_null", "null 0; epoll 2", "add 2 0 1", "EPERM"},
    Row{"add_of_the_epoll_itself", "epoll 2", "add 2 2 1", "EINVAL"},
    Row{"add_twice_and_modify_unknown", "pair 0 1; epoll 2; add 2 0 1", "add 2 0 1; modify 2 1 1", "EEXIST ; ENOENT"},
};
static_assert(rows.size() == 38);

}  // namespace fidelity
