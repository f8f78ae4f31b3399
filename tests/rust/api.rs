//! The Rust API, where it is more than the scenarios that all languages share.

use std::io;
use std::time::Duration;

use nanomsg::{Message, Overflow, Socket, SocketType, Statistic, TlsVerify, TlsVersion, WsMessageType};

fn pair(name: &str) -> (Socket, Socket) {
    let (a, b) = (Socket::new(SocketType::Pair).unwrap(), Socket::new(SocketType::Pair).unwrap());
    for socket in [&a, &b] {
        socket.set_recv_timeout(Some(Duration::from_secs(10))).unwrap();
    }
    a.bind(name).unwrap();
    b.connect(name).unwrap();
    (a, b)
}

#[test]
fn every_type_opens_cooked_and_raw() {
    for kind in SocketType::ALL {
        assert_eq!(Socket::new(kind).unwrap().socket_type(), kind);
        Socket::raw(kind).unwrap();
    }
}

#[test]
fn every_statistic_can_be_asked_for() {
    let (push, pull) = (Socket::new(SocketType::Push).unwrap(), Socket::new(SocketType::Pull).unwrap());
    for which in Statistic::ALL {
        push.statistic(which).unwrap();
    }
    assert_eq!(push.current_send_priority(), Ok(None));
    pull.bind("inproc://every-statistic").unwrap();
    push.set_send_priority(5).unwrap();
    push.connect("inproc://every-statistic").unwrap();
    assert_eq!(push.current_send_priority(), Ok(Some(5)));
}

#[test]
fn every_option_can_be_set_and_read() {
    let socket = Socket::new(SocketType::Pair).unwrap();
    let time = Duration::from_millis(123);
    macro_rules! check {
        ($socket:ident, $($set:ident, $read:ident, $value:expr;)*) => {
            $($socket.$set($value).unwrap(); assert_eq!($socket.$read().unwrap(), $value, stringify!($read));)*
        };
    }
    check! { socket,
        set_linger, linger, Some(time);
        set_linger, linger, None;
        set_send_buffer, send_buffer, 5000;
        set_recv_buffer, recv_buffer, 6000;
        set_recv_max_size, recv_max_size, Some(0);
        set_recv_max_size, recv_max_size, None;
        set_send_timeout, send_timeout, Some(time);
        set_recv_timeout, recv_timeout, Some(Duration::ZERO);
        set_reconnect_interval, reconnect_interval, time;
        set_reconnect_interval_max, reconnect_interval_max, time;
        set_send_priority, send_priority, 16;
        set_recv_priority, recv_priority, 1;
        set_ipv4_only, ipv4_only, false;
        set_name, name, "a name";
        set_max_ttl, max_ttl, 255;
        set_tcp_nodelay, tcp_nodelay, true;
        set_ws_message_type, ws_message_type, WsMessageType::Text;
        set_ws_ping, ws_ping, Some(time);
        set_ws_ping, ws_ping, None;
        set_recv_peer, recv_peer, true;
        set_conflate, conflate, true;
        set_conflate_prefix, conflate_prefix, 4096;
    }
    let publisher = Socket::new(SocketType::Pub).unwrap();
    for overflow in [Overflow::DropOld, Overflow::Wait, Overflow::DropNew] {
        check! { publisher, set_overflow, overflow, overflow; }
    }
    let (req, surveyor) = (Socket::new(SocketType::Req).unwrap(), Socket::new(SocketType::Surveyor).unwrap());
    check! { req, set_resend_interval, resend_interval, Some(time); }
    check! { surveyor, set_survey_deadline, survey_deadline, Some(time); }
    assert_eq!(socket.set_resend_interval(None).unwrap_err().errno(), libc::ENOPROTOOPT);
    assert_eq!(socket.set_recv_timeout(Some(Duration::MAX)).unwrap_err().errno(), libc::EINVAL);
}

#[test]
fn every_option_of_tls_can_be_set_and_is_there_only_with_it() {
    let socket = Socket::new(SocketType::Pair).unwrap();
    if cfg!(not(feature = "tls")) {
        assert_eq!(socket.set_tls_name("localhost").unwrap_err().errno(), libc::ENOPROTOOPT);
        assert_eq!(socket.tls_verify().unwrap_err().errno(), libc::ENOPROTOOPT);
        return;
    }
    assert_eq!(socket.tls_verify(), Ok(None));
    for whom in [TlsVerify::None, TlsVerify::Optional, TlsVerify::Required].map(Some).into_iter().chain([None]) {
        socket.set_tls_verify(whom).unwrap();
        assert_eq!(socket.tls_verify(), Ok(whom));
    }
    assert_eq!(socket.tls_min_version(), Ok(TlsVersion::V1_2));
    for oldest in [TlsVersion::V1_3, TlsVersion::V1_2] {
        socket.set_tls_min_version(oldest).unwrap();
        assert_eq!(socket.tls_min_version(), Ok(oldest));
    }
    socket.set_tls_name("localhost").unwrap();
    assert_eq!(socket.tls_name(), Ok("localhost".to_owned()));
    for set in [Socket::set_tls_ca, Socket::set_tls_cert, Socket::set_tls_key] {
        set(&socket, "").unwrap();
        assert_eq!(set(&socket, "no/such/file").unwrap_err().errno(), libc::ENOENT);
        assert_eq!(set(&socket, "a\0b").unwrap_err().errno(), libc::EINVAL);
    }
    assert_eq!((socket.tls_ca(), socket.tls_cert()), (Ok(String::new()), Ok(String::new())));
}

#[test]
fn who_may_conflate_and_who_may_overflow() {
    for kind in SocketType::ALL {
        let socket = Socket::new(kind).unwrap();
        let conflates = matches!(kind, SocketType::Sub | SocketType::Pull | SocketType::Pair);
        if conflates {
            assert_eq!((socket.conflate(), socket.conflate_prefix()), (Ok(false), Ok(0)));
            socket.set_conflate(true).unwrap();
            socket.set_conflate_prefix(4096).unwrap();
            assert_eq!((socket.conflate(), socket.conflate_prefix()), (Ok(true), Ok(4096)));
            assert_eq!(socket.set_conflate_prefix(4097).unwrap_err().errno(), libc::EINVAL);
        } else {
            assert_eq!(socket.set_conflate(true).unwrap_err().errno(), libc::ENOPROTOOPT);
            assert_eq!(socket.conflate_prefix().unwrap_err().errno(), libc::ENOPROTOOPT);
        }
        if matches!(kind, SocketType::Pub | SocketType::Bus | SocketType::Surveyor) {
            for overflow in [Overflow::default(), Overflow::DropOld, Overflow::Wait, Overflow::DropNew] {
                socket.set_overflow(overflow).unwrap();
                assert_eq!(socket.overflow(), Ok(overflow));
            }
        } else {
            assert_eq!(socket.set_overflow(Overflow::Wait).unwrap_err().errno(), libc::ENOPROTOOPT);
            assert_eq!(socket.overflow().unwrap_err().errno(), libc::ENOPROTOOPT);
        }
    }
}

#[test]
fn a_receiver_may_have_the_newest_only() {
    let (a, b) = pair("inproc://newest");
    a.set_conflate_prefix(1).unwrap();
    a.set_conflate(true).unwrap();
    for body in ["x1", "y1", "x2", "x3"] {
        b.send(body).unwrap();
    }
    assert_eq!(
        (a.recv().unwrap(), a.recv().unwrap()),
        (Message::copy_of("x3").unwrap(), Message::copy_of("y1").unwrap())
    );
    assert!(a.try_recv().unwrap_err().is_would_block());
    assert_eq!(a.statistic(Statistic::MessagesConflated), Ok(2));
}

#[test]
fn a_sender_to_many_may_wait_for_all() {
    let (sender, receiver) = (Socket::new(SocketType::Bus).unwrap(), Socket::new(SocketType::Bus).unwrap());
    receiver.set_recv_buffer(100).unwrap();
    receiver.bind("inproc://waits-for-all").unwrap();
    sender.connect("inproc://waits-for-all").unwrap();
    for (overflow, error) in [(Overflow::DropNew, None), (Overflow::Wait, Some(()))] {
        sender.set_overflow(overflow).unwrap();
        let failed = (0..10).find_map(|_| sender.try_send([7; 60]).err());
        assert_eq!(failed.map(|error| assert!(error.is_would_block())), error);
    }
    assert_eq!(sender.statistic(Statistic::MessagesOverflowed), Ok(8));
    receiver.recv().unwrap();
    sender.send([7; 60]).unwrap();
}

#[test]
fn a_message_grows_wherever_it_lies() {
    for capacity in [0, 50, 104, 105, 5000] {
        let mut message = Message::with_capacity(capacity).unwrap();
        let mut expected = Vec::new();
        for piece in 0..40_u8 {
            message.push(&[piece; 7]).unwrap();
            expected.extend_from_slice(&[piece; 7]);
            assert_eq!(message, &expected);
        }
    }
    assert_eq!(Message::with_capacity(usize::MAX).unwrap_err().errno(), libc::ENOMEM);
}

#[test]
fn a_monitor_is_refused_as_a_bind_is_and_what_there_was_stays() {
    let (socket, other) = (Socket::new(SocketType::Pair).unwrap(), Socket::new(SocketType::Pair).unwrap());
    other.bind("inproc://taken").unwrap();
    socket.set_monitor("inproc://refused").unwrap();
    for (address, errno) in
        [("inproc://taken", libc::EADDRINUSE), ("nonsense", libc::EINVAL), ("tcp://\0", libc::EINVAL)]
    {
        assert_eq!(socket.set_monitor(address).unwrap_err().errno(), errno, "{address:?}");
        assert_eq!(socket.monitor(), Ok("inproc://refused".to_owned()));
    }
    socket.set_monitor("tcp://127.0.0.1:0").unwrap();
    let chosen = socket.monitor().unwrap();
    assert!(chosen.starts_with("tcp://127.0.0.1:") && !chosen.ends_with(":0"), "{chosen}");
    socket.set_monitor("").unwrap();
    assert_eq!(socket.monitor(), Ok(String::new()));
}

#[test]
fn a_peer_goes_with_its_message() {
    let (a, b) = pair("inproc://peer-of-a-message");
    b.set_recv_peer(true).unwrap();
    assert_eq!(Message::copy_of("mine").unwrap().peer(), None);
    a.send("yours").unwrap();
    let mut message = b.recv().unwrap();
    assert_eq!(message.peer().unwrap().socket_type, Some(SocketType::Pair));
    b.send_message(&mut message).unwrap();
    assert_eq!(message.peer(), None);
    assert_eq!(a.recv().unwrap().peer(), None);
}

#[test]
fn a_message_that_was_not_sent_is_still_there() {
    let socket = Socket::raw(SocketType::Req).unwrap();
    for length in [5, 5000] {
        let mut message = Message::copy_of(vec![9; length]).unwrap();
        message.set_header(&[0x80, 0, 0, 1]);
        assert!(socket.try_send_message(&mut message).unwrap_err().is_would_block());
        assert_eq!((message.len(), message.header()), (length, &[0x80, 0, 0, 1][..]));
    }
}

#[test]
fn a_raw_socket_shows_the_header_and_answers_by_it() {
    let (asker, answerer) = (Socket::new(SocketType::Req).unwrap(), Socket::raw(SocketType::Rep).unwrap());
    answerer.bind("inproc://raw-header").unwrap();
    asker.connect("inproc://raw-header").unwrap();
    asker.send("question").unwrap();
    let question = answerer.recv().unwrap();
    assert_eq!(question.header().len(), 8);
    let mut answer = Message::copy_of("answer").unwrap();
    answer.set_header(question.header());
    answerer.send_message(&mut answer).unwrap();
    assert_eq!(asker.recv().unwrap(), "answer");
}

#[test]
fn a_text_message_says_so_over_websocket() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (a, b) = pair(&format!("ws://127.0.0.1:{port}"));
    let mut text = Message::copy_of("text").unwrap();
    text.set_ws_message_type(Some(WsMessageType::Text));
    b.send_message(&mut text).unwrap();
    b.send("bytes").unwrap();
    assert_eq!(a.recv().unwrap().ws_message_type(), Some(WsMessageType::Text));
    assert_eq!(a.recv().unwrap().ws_message_type(), Some(WsMessageType::Binary));
}

#[test]
fn memory_of_the_program_takes_what_fits() {
    let (a, b) = pair("inproc://recv-into");
    b.send("hello").unwrap();
    b.send("you").unwrap();
    let mut memory = *b"....";
    assert_eq!(a.recv_into(&mut memory), Ok(5));
    assert_eq!(&memory, b"hell");
    assert_eq!(a.recv_into(&mut memory), Ok(3));
    assert_eq!(&memory, b"youl");
}

#[test]
fn dropping_closes_and_what_was_sent_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = pair(&format!("ipc://{}/socket", dir.path().display()));
    b.send("last words").unwrap();
    drop(b);
    assert_eq!(a.recv().unwrap(), "last words");
}

#[test]
fn errors_are_those_of_std_too() {
    fn question_mark() -> io::Result<()> {
        Socket::new(SocketType::Pair)?.try_recv()?;
        Ok(())
    }
    let error = question_mark().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let inner: &nanomsg::Error = error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap();
    assert_eq!(inner.errno(), libc::EAGAIN);
    let error = Socket::new(SocketType::Pair).unwrap().bind("tcp://192.0.2.1:1").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
}

#[test]
fn an_address_with_a_nul_is_refused() {
    let socket = Socket::new(SocketType::Pair).unwrap();
    assert_eq!(socket.bind("inproc://a\0b").unwrap_err().errno(), libc::EINVAL);
}
