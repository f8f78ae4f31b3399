//! Peers written by hand, who say and hear bytes.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nanomsg::{SocketType, Statistic};

use super::{PATIENCE, address, count, open, subscriber, wait_for_connections, wait_until};

const PUB: u8 = 32;
const SUB: u8 = 33;
const PUB_FORWARDING: u8 = 34;
const SUB_FORWARDING: u8 = 35;

fn header(kind: u8) -> [u8; 8] {
    [0, b'S', b'P', 0, 0, kind, 0, 0]
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u64).to_be_bytes()[..], body].concat()
}

pub(super) fn dial(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address.strip_prefix("tcp://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(super) fn hear_header(stream: &mut TcpStream) -> u8 {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, header(bytes[5]));
    bytes[5]
}

fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 8];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u64::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

/// A subscriber who has agreed.
pub(super) fn agreed(address: &str) -> TcpStream {
    let mut stream = dial(address);
    stream.write_all(&header(SUB_FORWARDING)).unwrap();
    assert_eq!(hear_header(&mut stream), PUB_FORWARDING);
    stream
}

pub(super) fn tell(stream: &mut TcpStream, body: &[u8]) {
    stream.write_all(&frame(body)).unwrap();
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_publisher_that_listens_answers_in_kind() {
    let (address, _) = address("tcp");
    let publisher = open(SocketType::Pub);
    publisher.bind(&address).unwrap();
    for (said, answer) in [(SUB, PUB), (SUB_FORWARDING, PUB_FORWARDING)] {
        let mut stream = dial(&address);
        stream.write_all(&header(said)).unwrap();
        assert_eq!(hear_header(&mut stream), answer);
    }
    let mut stranger = dial(&address);
    stranger.write_all(&header(16)).unwrap();
    assert_eq!(hear_header(&mut stranger), PUB);
    assert_eq!(stranger.read(&mut [0]).unwrap(), 0, "a PAIR is no peer");
}

#[test]
fn who_waits_for_the_listener_to_begin_is_not_kept_waiting() {
    for (kind, own, other) in [(SocketType::Pub, PUB, SUB), (SocketType::Sub, SUB, PUB)] {
        let (address, _) = address("tcp");
        let socket = open(kind);
        socket.bind(&address).unwrap();
        let begin = Instant::now();
        let mut stream = dial(&address);
        assert_eq!(hear_header(&mut stream), own);
        assert!(begin.elapsed() < PATIENCE / 2);
        stream.write_all(&header(other)).unwrap();
        wait_for_connections(&socket, 1);
        if kind == SocketType::Pub {
            socket.send("everything").unwrap();
            assert_eq!(hear(&mut stream), b"everything");
        } else {
            socket.subscribe("a").unwrap();
            stream.write_all(&frame(b"a1")).unwrap();
            assert_eq!(socket.recv().unwrap(), "a1");
        }
    }
}

#[test]
fn a_subscriber_tells_all_and_then_what_changes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = subscriber(&["a", "b", "a"]);
    subscriber.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let mut stream = accept(&listener);
    assert_eq!(hear_header(&mut stream), SUB_FORWARDING);
    stream.write_all(&header(PUB_FORWARDING)).unwrap();
    let told: Vec<_> = (0..3).map(|_| hear(&mut stream)).collect();
    assert_eq!(told, [&b"\x01a"[..], b"\x01b", b"\x02"]);
    subscriber.subscribe("c").unwrap();
    subscriber.unsubscribe("a").unwrap();
    subscriber.unsubscribe("a").unwrap();
    assert_eq!((hear(&mut stream), hear(&mut stream)), (b"\x01c".to_vec(), b"\0a".to_vec()));
}

/// There is much to tell, in small portions, and suddenly much room for it: one write after the other, none within another.
#[test]
fn what_waited_for_room_is_told_as_there_is_some() {
    const TOPICS: usize = 100_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = subscriber(&[]);
    subscriber.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let mut stream = accept(&listener);
    assert_eq!(hear_header(&mut stream), SUB_FORWARDING);
    stream.write_all(&header(PUB_FORWARDING)).unwrap();
    assert_eq!(hear(&mut stream), b"\x02");
    // The kernel keeps what it had.
    subscriber.set_send_buffer(16).unwrap();
    let topics: BTreeSet<String> = (0..TOPICS).map(|number| format!("topic {number:0100}")).collect();
    for topic in &topics {
        subscriber.subscribe(topic).unwrap();
    }
    let (mut told, mut everything) = (BTreeSet::new(), false);
    while told.len() < TOPICS || everything {
        match &hear(&mut stream)[..] {
            // Asked for while there is much to tell.
            [wanted] => everything = *wanted == 1,
            [1, topic @ ..] => assert!(told.insert(String::from_utf8(topic.to_vec()).unwrap())),
            other => panic!("{other:?}"),
        }
    }
    assert!(told == topics);
}

/// What a listener may do to an offer it does not know.
fn declines(answers: impl Fn(&mut TcpStream)) {
    for (kind, offer, plain, peer) in
        [(SocketType::Sub, SUB_FORWARDING, SUB, PUB), (SocketType::Pub, PUB_FORWARDING, PUB, SUB)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = open(kind);
        // What is dialled again at once is not dialled after this.
        socket.set_reconnect_interval(100 * PATIENCE).unwrap();
        socket.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
        let mut first = accept(&listener);
        answers(&mut first);
        assert_eq!(hear_header(&mut first), offer);
        drop(first);
        for again in [true, false] {
            let mut stream = accept(&listener);
            stream.write_all(&header(peer)).unwrap();
            assert_eq!(hear_header(&mut stream), plain);
            wait_for_connections(&socket, 1);
            let broken = if again { 0 } else { 1 };
            assert_eq!(count(&socket, Statistic::BrokenConnections), broken, "what was declined does not count");
            assert_eq!(count(&socket, Statistic::EstablishedConnections), broken + 1);
            assert_eq!(count(&socket, Statistic::ConnectErrors), 0);
            assert_eq!(count(&socket, Statistic::InProgressConnections), 0);
            // The endpoint has learned: the next one begins without an offer. The first redial comes at once.
            drop(stream);
            wait_for_connections(&socket, 0);
        }
    }
}

#[test]
fn an_offer_that_is_answered_without_is_made_no_more() {
    declines(|stream| stream.write_all(&header_of_peer(stream)).unwrap());
}

/// The classic greeting of who would talk to whoever has greeted here.
fn header_of_peer(stream: &TcpStream) -> [u8; 8] {
    let mut bytes = [0; 8];
    while stream.peek(&mut bytes).unwrap() < bytes.len() {}
    header(if bytes[5] == SUB_FORWARDING { PUB } else { SUB })
}

#[test]
fn an_offer_that_is_closed_upon_is_made_no_more() {
    declines(|_| {});
}

#[test]
fn who_never_takes_a_connection_is_tried_twice_and_then_later() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = open(SocketType::Sub);
    socket.set_reconnect_interval(100 * PATIENCE).unwrap();
    socket.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    // Two tries now, and two more: the first redial comes at once.
    let heard: Vec<u8> = (0..4).map(|_| hear_header(&mut accept(&listener))).collect();
    assert_eq!(heard, [SUB_FORWARDING, SUB, SUB_FORWARDING, SUB]);
    wait_until("the losses are counted", || count(&socket, Statistic::BrokenConnections) == 2);
    listener.set_nonblocking(true).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_peer_of_another_kind_is_not_dialled_again_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = open(SocketType::Sub);
    socket.set_reconnect_interval(100 * PATIENCE).unwrap();
    socket.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    for _ in 0..2 {
        let mut stream = accept(&listener);
        assert_eq!(hear_header(&mut stream), SUB_FORWARDING);
        stream.write_all(&header(16)).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    wait_until("the losses are counted", || count(&socket, Statistic::BrokenConnections) == 2);
}

#[test]
fn another_kind_of_peer_at_the_same_address_costs_one_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = subscriber(&["a"]);
    subscriber.set_reconnect_interval(Duration::from_millis(10)).unwrap();
    subscriber.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let mut agreed = accept(&listener);
    assert_eq!(hear_header(&mut agreed), SUB_FORWARDING);
    agreed.write_all(&header(PUB_FORWARDING)).unwrap();
    assert_eq!([hear(&mut agreed), hear(&mut agreed)], [&b"\x01a"[..], b"\x02"]);
    drop(agreed);
    let mut declined = accept(&listener);
    assert_eq!(hear_header(&mut declined), SUB_FORWARDING, "what was agreed once is offered again");
    declined.write_all(&header(PUB)).unwrap();
    for message in ["a1", "a2", "a3"] {
        let mut plain = accept(&listener);
        assert_eq!(hear_header(&mut plain), SUB);
        plain.write_all(&[&header(PUB)[..], &frame(b"b"), &frame(message.as_bytes())].concat()).unwrap();
        assert_eq!(subscriber.recv().unwrap(), message);
        subscriber.subscribe(message).unwrap();
        plain.shutdown(Shutdown::Write).unwrap();
        assert_eq!(plain.read(&mut [0]).unwrap(), 0, "it is told nothing");
    }
    assert_eq!(count(&subscriber, Statistic::ConnectErrors), 0);
}

#[test]
fn switched_off_while_an_offer_is_answered_it_is_off_from_the_next_connection_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = subscriber(&["a"]);
    subscriber.set_reconnect_interval(Duration::from_millis(10)).unwrap();
    subscriber.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let mut first = accept(&listener);
    assert_eq!(hear_header(&mut first), SUB_FORWARDING);
    subscriber.set_forward_subscriptions(false).unwrap();
    first.write_all(&header(PUB_FORWARDING)).unwrap();
    assert_eq!([hear(&mut first), hear(&mut first)], [&b"\x01a"[..], b"\x02"]);
    subscriber.subscribe("b").unwrap();
    assert_eq!(hear(&mut first), b"\x01b", "or else it would not be sent");
    drop(first);
    let mut second = accept(&listener);
    assert_eq!(hear_header(&mut second), SUB);
    second.write_all(&[&header(PUB)[..], &frame(b"b1")].concat()).unwrap();
    assert_eq!(subscriber.recv().unwrap(), "b1");
}
