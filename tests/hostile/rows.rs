//! Everything that a library of this kind was seen to die of, to leak or to get wrong, from outside (R), by its callers (B)
//! and by the machine (E), and which tests hold what we do instead. Not all of these tests are in this folder: the names
//! of files are from the root of the repository. The ids are those of docs/differences.md. Behind them: what upstream mended
//! from 1.2.1 to 1.3.0, and others in 2026, by upstream's numbers where it has some.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// An id, what goes wrong elsewhere, and the tests: each a file, and a word of it that names the test.
pub(crate) type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const MESSAGES: &str = "tests/hostile/sp/messages.rs";
const FRAMES: &str = "tests/hostile/sp/frames.rs";
const GREETINGS: &str = "tests/hostile/sp/greetings.rs";
const CROWDS: &str = "tests/hostile/sp/crowds.rs";
const CONNECTING: &str = "tests/hostile/sp/connecting.rs";
const SHARING: &str = "tests/hostile/sp/sharing.rs";
const REQUESTS: &str = "tests/hostile/ws/requests.rs";
const RESPONSES: &str = "tests/hostile/ws/responses.rs";
const WS_FRAMES: &str = "tests/hostile/ws/frames.rs";
const UNUSUAL: &str = "tests/hostile/ws/unusual.rs";
const LOAD: &str = "tests/hostile/ws/load.rs";
const REFUSALS: &str = "tests/hostile/ws/refusals.rs";
const TLS_HANDSHAKES: &str = "tests/hostile/tls/handshakes.rs";
const TLS_RECORDS: &str = "tests/hostile/tls/records.rs";
const TLS_CROWDS: &str = "tests/hostile/tls/crowds.rs";
const TLS_STREAMS: &str = "tests/hostile/tls/streams.rs";
const ADDR_UNIX: &str = "ctests/addr_unix.c";
const REFUSED: &str = "ctests/faults_refused.c";

#[rustfmt::skip]
const FROM_OUTSIDE: &[Row] = &[
    ("R1", "anything said to a PUB ends the process", &[(MESSAGES, "strange_messages_are_passed_over_over_tcp"), (UNUSUAL, "a_publisher_does_not_listen"), ("ctests/pubsub.c", "Q-R1")]),
    ("R2", "so does an ipc frame of an unknown kind", &[(FRAMES, "wrong_frames_end_their_connection_over_ipc"), ("ctests/wire_frames.c", "Q-R2")]),
    ("R3", "bytes of one connection are read as the next one's", &[(CONNECTING, "wrong_servers_are_left_and_dialled_again_over_tcp"), ("ctests/wire_frames.c", "Q-R3")]),
    ("R4", "a second reply frees the first, which is still to be received", &[(MESSAGES, "second_answers_are_dropped"), ("ctests/reqrep_cooked.c", "Q-R4")]),
    ("R5", "ws: the client's version overruns a buffer", &[(REQUESTS, "a version of 1500 digits")]),
    ("R6", "ws: a request that is no GET of HTTP/1.1 ends the process", &[(REQUESTS, "a_request_that_is_refused_ends_with_a_400")]),
    ("R7", "ws: so do bytes behind an early end", &[(REQUESTS, "a body in the first 151 bytes")]),
    ("R8", "ws: and a NUL", &[(REQUESTS, "a NUL in a header")]),
    ("R9", "ws: and a request that fills the buffer", &[(REQUESTS, "a_request_of_any_length_is_answered")]),
    ("R10", "ws: and a response with another status line", &[(RESPONSES, "a_response_that_is_none_is_refused_and_the_next_one_taken")]),
    ("R11", "ws: a refused client is connected all the same", &[(REQUESTS, "what_follows_a_refused_request_is_not_heard")]),
    ("R12", "ws: a character cut by two pieces ends the process", &[(UNUSUAL, "pieces_control_frames_and_text_are_one_message")]),
    ("R13", "ws: PING is a message and has no answer", &[(UNUSUAL, "pieces_control_frames_and_text_are_one_message"), ("ctests/ws_types.c", "Q-R13")]),
    ("R14", "ws: an empty last piece completes half a character", &[(WS_FRAMES, "text whose last piece is missing")]),
    ("R15", "ws: half a message is remembered by the next connection", &[(UNUSUAL, "half_a_message_is_forgotten")]),
    ("R16", "ws: masking changes a message that others still need", &[(UNUSUAL, "masks_do_not_touch_the_message")]),
    ("R17", "without a limit an absurd length ends the process", &[(FRAMES, "without_a_limit_absurd_lengths_end_their_connection"), (WS_FRAMES, "without_a_limit_an_absurd_length_is_refused"), ("ctests/faults_memory.c", "Q-R17")]),
    ("R18", "an announced length is allocated at once", &[(FRAMES, "announced_lengths_take_no_memory_over_tcp_and_ipc"), (LOAD, "announced_lengths_take_no_memory")]),
    ("R19", "answers to other surveys are leaked", &[(MESSAGES, "answers_to_other_surveys_take_no_memory")]),
    ("R20", "empty messages queue up without end", &[("src/transport/inproc.rs", "empty_messages_have_a_limit_too"), (MESSAGES, "floods_of_nothing_take_no_memory")]),
    ("R21", "some errors of accept end the process", &[(REFUSED, "Q-R21")]),
    ("R22", "accept spins while descriptors lack", &[(REFUSED, "Q-R22"), ("ctests/exhaustion.c", "Q-R22")]),
    ("R23", "the reserved bytes of a greeting are not looked at (as here)", &[(GREETINGS, "greetings_and_messages_may_come_in_any_pieces"), ("ctests/wire_greeting.c", "reserved")]),
    ("R24", "a SUB looks behind a message's end", &[("src/pattern/pubsub/subscriber.rs", "a_shorter_message_than_all_topics_does_not_match"), ("ctests/pubsub.c", "Q-R24")]),
    ("R25", "headers of any length are walked", &[(MESSAGES, "strange_messages_are_passed_over_over_tcp"), ("src/pattern/replying.rs", "a_question_that_has_made_too_many_hops_is_dropped")]),
    ("R26", "ws: a wrong proof and a wrong Connection are taken", &[(RESPONSES, "the proof in lower case"), (REQUESTS, "an Upgrade elsewhere")]),
    ("R27", "a header is cut from a body of more than 32 bytes, and the process ends", &[(MESSAGES, "messages_of_every_size_pass")]),
    ("R28", "ipc: descriptors that come along are leaked", &[(CROWDS, "descriptors_sent_along_are_not_taken")]),
    ("R29", "the time limits of greetings are kept in a list", &[(GREETINGS, "half_open_connections_keep_nobody_out"), ("src/reactor/timers.rs", "due_timers_come_in_order_and_once")]),
    ("R30", "ids, keys and masks can be guessed", &[(CONNECTING, "ids_start_anywhere"), (RESPONSES, "keys_are_random"), (RESPONSES, "masks_are_random")]),
    ("R31", "ws: what pads a property is memory of the process", &[("src/ffi/cmsg.rs", "the_control_block_goes_back_into_a_send")]),
    ("R32", "after thousands of short visits a PAIR takes nobody", &[(CROWDS, "thousands_of_short_visits_leave_nothing"), (LOAD, "thousands_of_short_visits_leave_the_door_open"), ("ctests/threads.c", "main")]),
    ("R33", "ws: requests of about 4,100 bytes end the process", &[(REQUESTS, "a_request_of_any_length_is_answered")]),
];

#[rustfmt::skip]
const BY_CALLERS: &[Row] = &[
    ("B1", "inproc: the second peer of a PAIR crashes", &[("ctests/pair_second_peer.c", "Q-B1")]),
    ("B2", "inproc: two peers at once end the process", &[("ctests/pair_second_peer.c", "Q-B2"), ("ctests/inproc_again.c", "Q-B2")]),
    ("B3", "unsubscribing without a subscription crashes", &[("ctests/pubsub.c", "Q-B3")]),
    ("B4", "unsubscribing from nothing takes something", &[("ctests/pubsub.c", "Q-B4"), ("ctests/options_patterns.c", "Q-B4")]),
    ("B5", "negative times end the process later", &[("ctests/options_patterns.c", "Q-B5")]),
    ("B6", "an interval of 0 floods", &[("ctests/reqrep_cooked.c", "Q-B6")]),
    ("B7", "a header for a cooked socket ends the process", &[("ctests/reqrep_cooked.c", "Q-B7"), ("ctests/survey_cooked.c", "Q-B7")]),
    ("B8", "an ipc path that is a little too long ends the process", &[("ctests/addr_ipc.c", "Q-B8")]),
    ("B9", "ipc: files of others are deleted", &[("ctests/ipc_files.c", "Q-B9")]),
    ("B10", "ipc: a folder in the way, or one that may not be written, ends the process", &[("ctests/ipc_files.c", "Q-B10"), ("ctests/faults_disk.c", "Q-B10"), ("ctests/ipc_permissions.c", "a folder that may not be written")]),
    ("B11", "tcp: a source address that does not fit ends the process", &[("ctests/addr_tcp.c", "Q-B11"), ("ctests/addr_tcp_ipv6.c", "Q-B11")]),
    ("B12", "NN_IPV4ONLY 0 means both families", &[("ctests/addr_tcp_ipv6.c", "main")]),
    ("B13", "a control chunk is gone after a failed send (as here)", &[("src/ffi/msghdr.rs", "a_failed_send_returns_the_body_but_not_the_control_chunk")]),
    ("B14", "a property of length 0 is walked for ever", &[("ctests/cmsg.c", "Q-B14"), ("ctests/msghdr_control.c", "Q-B14")]),
    ("B15", "a property shorter than its head is read beyond its end", &[("ctests/msghdr_control.c", "Q-B15")]),
    ("B16", "nn_freemsg of what is no message crashes", &[("ctests/memory.c", "Q-B16"), ("src/ffi/chunk.rs", "foreign_and_dead_pointers_are_faults")]),
    ("B17", "nn_getsockopt without a length crashes, or overruns it", &[("ctests/options_socket.c", "Q-B17"), ("ctests/options_levels.c", "Q-B17")]),
    ("B18", "NN_STAT_ACCEPT_ERRORS counts nothing", &[("ctests/exhaustion.c", "Q-B18"), (REFUSED, "NN_STAT_ACCEPT_ERRORS")]),
    ("B19", "nn_poll leaves revents as it was", &[("ctests/poll.c", "Q-B19")]),
    ("B20", "nn_recvmsg leaves msg_controllen as it was (as here)", &[("ctests/msghdr_control.c", "controllen")]),
    ("B21", "nn_device leaks what it cannot forward, and waits for both ends", &[("ctests/device.c", "both directions have failed"), ("ctests/device.c", "Q-B21")]),
    ("B22", "sizes above INT_MAX are cut", &[("src/ffi/args.rs", "numbers_become_lengths_and_times")]),
    ("B23", "receiving into NULL crashes when a message comes", &[("ctests/send_errors.c", "Q-B23"), ("ctests/ownership.c", "Q-B23")]),
    ("B24", "a bind that fails leaks", &[("ctests/faults_disk.c", "descriptors more"), (REFUSED, "leaves nothing behind")]),
    ("B25", "the back-off never starts over", &[("src/transport/backoff.rs", "a_long_connection_starts_the_series_again_and_a_short_one_does_not")]),
    ("B26", "a large back-off overflows", &[("src/transport/backoff.rs", "a_huge_maximum_does_not_overflow")]),
    ("B27", "a socket's name is not what is documented (as here)", &[("ctests/options_name.c", "main")]),
    ("B28", "ws: a bind has to name its port", &[("ctests/addr_ws.c", "Q-B28")]),
];

#[rustfmt::skip]
const BY_THE_MACHINE: &[Row] = &[
    ("E1", "the first nn_socket without descriptors hangs", &[("ctests/exhaustion.c", "Q-E1"), (REFUSED, "Q-E1")]),
    ("E2", "a thread, watch or memory that is refused ends the process", &[(REFUSED, "Q-E2"), ("ctests/faults_memory.c", "Q-E2"), ("src/socket/turn.rs", "a_socket_that_cannot_be_watched_is_served_all_the_same")]),
    ("E3", "after fork the child's sockets hang", &[("ctests/fork.c", "Q-E3"), ("ctests/fork_traffic.c", "Q-E3")]),
    ("E4", "a cancelled thread takes its socket along", &[("ctests/cancelled.c", "Q-E4")]),
    ("E5", "a process that has closed all descriptors is ended by nn_close", &[("ctests/closed_fds.c", "Q-E5")]),
    ("E6", "SIGPIPE is not raised (as here)", &[("ctests/signals.c", "SIGPIPE")]),
    ("E7", "what should not happen ends the process", &[("src/ffi/panicking.rs", "alone!(while_driving, 1")]),
    ("E8", "one thread does all, and all wait for it", &[(GREETINGS, "a_greeting_has_a_second_over_tcp"), ("ctests/faults_dns.c", "Q-E9"), ("ctests/faults_peer.c", "stalled")]),
    ("E9", "closing waits for a name server", &[("ctests/faults_dns.c", "Q-E9"), ("src/socket/io/dialling.rs", "a_lookup_that_hangs_delays_nobody")]),
    ("E10", "a host that has vanished is not noticed, and goes on when it is back (as here)", &[("ctests/faults_network.c", "goes on where it was")]),
    ("E11", "what was not sent yet is dropped, and NN_LINGER does nothing", &[("ctests/linger.c", "Q-E11"), ("ctests/linger_exit.c", "Q-E11"), ("ctests/faults_peer.c", "Q-E11")]),
    ("E12", "inproc: a closing sender takes its messages back", &[("ctests/inproc_again.c", "Q-E12"), (CROWDS, "what_gone_neighbours_leave_unread_is_bounded")]),
    ("E13", "ipc: a burst and its end: nothing arrives", &[("ctests/linger.c", "Q-E13"), ("ctests/linger_exit.c", "Q-E13")]),
    ("E14", "a short queue of connections that wait to be accepted", &[(CROWDS, "what_gone_peers_leave_unread_is_bounded")]),
    ("E15", "512 sockets", &[("ctests/handles.c", "Q-E15")]),
    ("E16", "programs that are executed inherit nothing (as here)", &[("ctests/fork_traffic.c", "a program that is executed inherits")]),
];

/// What a connection may do wrong on its way, by transport.
#[rustfmt::skip]
const ON_THE_WIRE: &[Row] = &[
    ("signature and version of a greeting", "", &[(GREETINGS, "wrong_greetings_are_refused_over_tcp"), (GREETINGS, "wrong_greetings_are_refused_over_ipc"), (CONNECTING, "another version")]),
    ("the type in a greeting", "", &[(GREETINGS, "wrong_greetings_are_refused_over_tcp"), (REQUESTS, "another type"), (RESPONSES, "another type")]),
    ("the time a greeting takes", "", &[(GREETINGS, "a_greeting_has_a_second_over_tcp"), (GREETINGS, "a_greeting_has_a_second_over_ipc"), (LOAD, "a_handshake_has_five_seconds")]),
    ("the pieces it comes in", "", &[(GREETINGS, "greetings_and_messages_may_come_in_any_pieces"), (UNUSUAL, "one_byte_at_a_time_is_understood")]),
    ("what comes right behind it", "", &[(CROWDS, "unread_messages_keep_no_descriptors"), (UNUSUAL, "what_comes_right_behind_a_handshake_is_heard")]),
    ("a length above NN_RCVMAXSIZE", "", &[(FRAMES, "wrong_frames_end_their_connection_over_tcp"), (WS_FRAMES, "more than the limit"), ("ctests/wire_limits.c", "main")]),
    ("a message that breaks off", "", &[(FRAMES, "bytes of a small message"), (UNUSUAL, "half_a_message_is_forgotten")]),
    ("connections that are only opened", "", &[(GREETINGS, "half_open_connections_keep_nobody_out"), (CROWDS, "thousands_of_short_visits_leave_nothing")]),
    ("floods", "", &[(MESSAGES, "floods_take_no_memory_over_tcp"), (MESSAGES, "floods_take_no_memory_over_ipc"), (LOAD, "floods_take_no_memory"), (LOAD, "a_flood_of_pings_takes_no_memory")]),
    ("messages left by those who have gone", "", &[(CROWDS, "unread_messages_keep_no_descriptors"), (CROWDS, "what_gone_peers_leave_unread_is_bounded"), (CROWDS, "an_endpoint_that_ends_frees_what_gone_peers_left")]),
    ("ipc: references", "", &[(SHARING, "references_are_messages_and_are_given_back"), (SHARING, "lies_about_references_end_their_connection"), (SHARING, "a_reference_is_held_to_the_limit")]),
    ("ipc: memory that is handed over", "", &[(SHARING, "memory_that_could_harm_is_refused"), (SHARING, "without_the_sign_nothing_is_agreed")]),
    ("ipc: floods about memory", "", &[(SHARING, "floods_of_descriptors_are_not_kept"), (SHARING, "who_asks_without_end_and_does_not_read_is_left")]),
    ("ipc: readers of shared memory", "", &[(SHARING, "readers_that_lie_hurt_nobody_else"), ("ctests/shared_memory.c", "a_reader_dies")]),
    ("tls: handshakes", "", &[(TLS_HANDSHAKES, "a_handshake_may_break_off_anywhere"), (TLS_HANDSHAKES, "a_servers_handshake_may_break_off_anywhere"), (TLS_HANDSHAKES, "what_is_no_handshake_ends_at_once"), (TLS_HANDSHAKES, "a_server_that_does_not_shake_hands_is_left"), (GREETINGS, "wrong_greetings_are_refused_over_tls"), (CONNECTING, "wrong_servers_are_left_and_dialled_again_over_tls")]),
    ("tls: the time a handshake takes", "", &[(TLS_HANDSHAKES, "a_handshake_of_tls_has_five_seconds"), (TLS_HANDSHAKES, "who_was_secured_is_to_greet"), (GREETINGS, "a_greeting_has_a_second_over_tls")]),
    ("tls: records", "", &[(TLS_RECORDS, "records_that_should_not_be_end_their_connection"), (TLS_RECORDS, "records_of_a_server_that_should_not_be_end_their_connection"), (TLS_RECORDS, "a_record_that_was_changed_anywhere_is_lost"), (TLS_RECORDS, "what_is_allowed_is_no_harm"), (FRAMES, "wrong_frames_end_their_connection_over_tls"), (MESSAGES, "strange_messages_are_passed_over_over_tls"), (WS_FRAMES, "a_client_that_breaks_the_rules_over_tls_is_told_which")]),
    ("tls: floods and crowds", "", &[(TLS_RECORDS, "a_flood_of_key_updates_takes_no_memory"), (MESSAGES, "floods_take_no_memory_over_tls"), (TLS_CROWDS, "half_open_handshakes_keep_nobody_out"), (TLS_CROWDS, "without_descriptors_peers_wait"), ("tests/hostile/tls/memory.rs", "a_connection_takes_little_memory")]),
    ("tls: streams", "", &[(TLS_STREAMS, "who_does_not_read_is_waited_for"), (TLS_STREAMS, "threads_that_read_and_write_lose_nothing"), (TLS_STREAMS, "small_buffers_lose_nothing"), (TLS_STREAMS, "both_may_send_at_once"), (TLS_STREAMS, "a_long_chain_goes_through_small_buffers")]),
    ("ws: requests", "", &[(REQUESTS, "the_same_requests_are_refused_in_any_pieces"), (REQUESTS, "without_a_subprotocol_only_a_pair_is_reached")]),
    ("ws: responses", "", &[(RESPONSES, "a_response_that_breaks_off_is_no_end")]),
    ("ws: frames", "", &[(WS_FRAMES, "a_client_that_breaks_the_rules_is_told_which"), (WS_FRAMES, "a_server_that_breaks_the_rules_is_told_which"), (WS_FRAMES, "a_message_without_end_is_refused_at_the_limit")]),
];

/// What upstream mended since 1.2.1, what others had to mend in 2026, and what 1.3.0 promises of unix.
#[rustfmt::skip]
const SINCE_1_2_1: &[Row] = &[
    ("CVE-2026-97152", "ws: a refusal repeats the client's version, beyond the buffer's end (before 1.2.3)", &[(REFUSALS, "a_refusal_repeats_nothing_of_the_request"), (REQUESTS, "a version of 1500 digits")]),
    ("upstream 1111, 1121", "nn_recv with NN_MSG ends the process for certain sizes (1.2)", &[("ctests/sizes.c", "NN_MSG"), (MESSAGES, "messages_of_every_size_pass")]),
    ("upstream 1078, 1091", "an errno of close(2) ends the process", &[("ctests/faults_close.c", "QUIRK(\"close(2)\"")]),
    ("upstream 1127", "without a port for its end a client crashes", &[("ctests/faults_ports.c", "QUIRK(\"ports\"")]),
    ("upstream 1129", "of several threads in nn_recv on one socket one ends the process", &[("ctests/readers.c", "READERS = 8")]),
    ("ws: small pieces", "time and memory grow with the square of the number of pieces; empty ones have no end", &[(LOAD, "small_pieces_take_little_time_and_memory"), ("src/codec/ws_upgrade.rs", "what_comes_byte_by_byte_is_looked_at_a_few_times"), (WS_FRAMES, "a_message_of_too_many_pieces_is_refused"), ("src/codec/ws_frame.rs", "a_message_has_so_many_pieces_and_no_more")]),
    ("ws: odd headers", "a header that is no ASCII, or is there twice, ends the server", &[(REFUSALS, "a_refusal_repeats_nothing_of_the_request"), (REFUSALS, "empty_lines_in_front_have_a_limit")]),
    ("ws: targets and bodies", "odd targets come back, and chunked requests are read differently on the way", &[(REFUSALS, "any_target_is_answered"), (REFUSALS, "a_request_with_a_body_is_refused")]),
    ("unix: names and paths", "unix and ipc are one transport; a path that cannot be is refused at once", &[(ADDR_UNIX, "two_names"), (ADDR_UNIX, "an empty path is EINVAL"), ("tests/ctests.rs", "mod over_unix"), ("tests/nanocat.rs", "our_nanocat_talks_to_debians")]),
    ("unix: the file", "the file that is removed is the one that was made, and before the listener closes", &[(ADDR_UNIX, "a file that has taken the place of ours stays"), (ADDR_UNIX, "unlinked_first"), (ADDR_UNIX, "a bind that fails leaves no file")]),
    ("symbols of 1.3.0", "NN_UNIX is row 32 of nn_symbol", &[("ctests/symbols.c", "NN_UNIX is row 32"), ("src/ffi/symbols.rs", "rows_stand_where_upstream_has_them")]),
];

pub(crate) fn all() -> Vec<Row> {
    [FROM_OUTSIDE, BY_CALLERS, BY_THE_MACHINE, ON_THE_WIRE, SINCE_1_2_1].concat()
}

#[test]
fn every_row_is_there() {
    for (letter, count, rows) in [("R", 33, FROM_OUTSIDE), ("B", 28, BY_CALLERS), ("E", 16, BY_THE_MACHINE)] {
        let ids: Vec<String> = (1..=count).map(|number| format!("{letter}{number}")).collect();
        assert!(rows.iter().map(|(id, ..)| *id).eq(ids), "the rows of {letter}, in order");
    }
}

#[test]
fn every_row_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = BTreeSet::new();
    for (id, _, tests) in all() {
        assert!(!tests.is_empty(), "{id} has no test");
        for &(file, word) in tests {
            let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{id}, {file}: {error}"));
            let stated = match word {
                // A test function, or a case that is named in a table, a mark of a C program, or a part of its output.
                word if word.contains(' ') || word.starts_with("Q-") => text.contains(word),
                word if file.ends_with(".c") => text.contains(word),
                word => {
                    text.split("#[test]\n").skip(1).any(|test| test.trim_start().starts_with(&format!("fn {word}(")))
                }
            };
            assert!(stated, "{id}: {file} has no {word}");
            read.insert(file);
        }
    }
    assert!(read.len() > 40, "{read:?}");
}
