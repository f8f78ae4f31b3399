//! Several requests at once, beside what all languages do: many, again, closed, and peers that speak wrongly.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use nanomsg::{Replies, Requests, Socket, SocketType, device};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

fn sides(name: &str) -> (Requests, Replies) {
    let replies = Replies::bind(name).unwrap();
    replies.socket().set_recv_timeout(PATIENCE).unwrap();
    let requests = Requests::connect(name).unwrap();
    requests.socket().set_recv_timeout(PATIENCE).unwrap();
    (requests, replies)
}

#[test]
fn many_threads_ask_many_times() {
    let (requests, replies) = sides("inproc://many-threads");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Ok(first) = replies.recv() {
                    // Where there is another one it goes before the first.
                    for request in replies.try_recv().into_iter().chain([first]) {
                        let answer = [b"to ", request.body()].concat();
                        request.reply(answer).unwrap();
                    }
                }
            });
        }
        let asking = [(); 16].map(|()| {
            scope.spawn(|| {
                let number = thread::current().id();
                for turn in 0..100 {
                    let body = format!("{number:?} {turn}");
                    assert_eq!(requests.ask(&body).unwrap(), &format!("to {body}"));
                }
            })
        });
        for thread in asking {
            thread.join().unwrap();
        }
        replies.close().unwrap();
    });
    assert!(format!("{requests:?}").ends_with(", 0 under way)"));
}

#[test]
fn a_request_is_sent_again_and_its_second_reply_is_nobodys() {
    let (requests, replies) = sides("inproc://sent-again");
    assert_eq!(requests.resend_interval(), Some(Duration::from_secs(60)));
    assert_eq!(requests.set_resend_interval(Some(Duration::ZERO)).unwrap_err().errno(), libc::EINVAL);
    requests.set_resend_interval(Some(Duration::from_millis(20))).unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| requests.ask("hello?").unwrap());
        let (first, second) = (replies.recv().unwrap(), replies.recv().unwrap());
        assert_eq!((first.body(), first.header()), (second.body(), second.header()));
        requests.set_resend_interval(None).unwrap();
        second.reply("yes").unwrap();
        assert_eq!(asking.join().unwrap(), "yes");
        let asking = scope.spawn(|| requests.ask("and you?").unwrap());
        first.reply("yes, too").unwrap();
        let request = loop {
            let request = replies.recv().unwrap();
            if request.body() == b"and you?" {
                break request;
            }
        };
        request.reply("fine").unwrap();
        assert_eq!(asking.join().unwrap(), "fine");
    });
}

#[test]
fn a_request_waits_for_a_peer_and_finds_the_next_one() {
    let requests = Requests::connect("inproc://peers-to-come").unwrap();
    requests.set_resend_interval(Some(Duration::from_millis(20))).unwrap();
    assert!(requests.ask_within("?", Some(Duration::from_millis(20))).unwrap_err().is_timed_out());
    thread::scope(|scope| {
        let asking = scope.spawn(|| requests.ask_within("?", PATIENCE).unwrap());
        for last in [false, true] {
            let replies = Replies::bind("inproc://peers-to-come").unwrap();
            replies.socket().set_recv_timeout(PATIENCE).unwrap();
            let request = replies.recv().unwrap();
            if last {
                request.reply("!").unwrap();
                assert_eq!(asking.join().unwrap(), "!");
                break;
            }
        }
    });
}

#[test]
fn closing_ends_those_who_wait() {
    let (requests, replies) = sides("inproc://closed-while-asking");
    let lonely = Requests::connect("inproc://nobody-ever").unwrap();
    let started = Barrier::new(2);
    thread::scope(|scope| {
        let asking = [(); 4].map(|()| scope.spawn(|| requests.ask_within("?", None)));
        for _ in &asking {
            replies.recv().unwrap();
        }
        requests.close().unwrap();
        for thread in asking {
            assert!(thread.join().unwrap().unwrap_err().is_closed());
        }
        let waiting = scope.spawn(|| {
            started.wait();
            lonely.ask("?")
        });
        started.wait();
        lonely.close().unwrap();
        assert!(waiting.join().unwrap().unwrap_err().is_closed());
    });
    assert!(requests.ask("?").unwrap_err().is_closed());
    assert!(requests.close().unwrap_err().is_closed());
}

#[test]
fn dropping_closes_also_for_requests_that_are_still_there() {
    let client = Socket::new(SocketType::Req).unwrap();
    let replies = Replies::bind("inproc://dropped-replies").unwrap();
    client.connect("inproc://dropped-replies").unwrap();
    client.send("?").unwrap();
    let request = replies.recv().unwrap();
    drop(replies);
    assert!(request.reply("!").unwrap_err().is_closed());
    Socket::new(SocketType::Pair).unwrap().bind("inproc://dropped-replies").unwrap();
}

#[test]
fn only_raw_sockets_will_do() {
    let cooked = || Socket::new(SocketType::Req).unwrap();
    let rep = || Socket::raw(SocketType::Rep).unwrap();
    assert!(!cooked().is_raw() && rep().is_raw());
    for socket in [cooked(), rep()] {
        assert_eq!(Requests::new(socket).unwrap_err().errno(), libc::EINVAL);
    }
    for socket in [cooked(), Socket::new(SocketType::Rep).unwrap()] {
        assert_eq!(Replies::new(socket).unwrap_err().errno(), libc::EINVAL);
    }
    assert_eq!(Requests::connect("nowhere").unwrap_err().errno(), libc::EINVAL);
    Replies::new(rep()).unwrap();
}

#[test]
fn the_whole_header_comes_back_through_a_device() {
    let (front, back) = (Socket::raw(SocketType::Rep).unwrap(), Socket::raw(SocketType::Req).unwrap());
    front.bind("inproc://device-front").unwrap();
    back.bind("inproc://device-back").unwrap();
    let requests = Requests::connect("inproc://device-front").unwrap();
    let behind = Socket::raw(SocketType::Rep).unwrap();
    behind.connect("inproc://device-back").unwrap();
    let replies = Replies::new(behind).unwrap();
    replies.socket().set_recv_timeout(PATIENCE).unwrap();
    thread::scope(|scope| {
        let forwarding = scope.spawn(|| device(&front, &back));
        let asking = ["0", "1"].map(|body| {
            let requests = &requests;
            scope.spawn(move || requests.ask_within(body, PATIENCE).unwrap())
        });
        let mut received = [(); 2].map(|()| replies.recv().unwrap());
        received.sort_by(|one, other| other.body().cmp(one.body()));
        for request in received {
            assert_eq!(request.header().len(), 12);
            let answer = [b"to ", request.body()].concat();
            request.reply(answer).unwrap();
        }
        assert_eq!(asking.map(|thread| thread.join().unwrap()), ["to 0", "to 1"]);
        front.close().unwrap();
        back.close().unwrap();
        assert!(forwarding.join().unwrap().is_closed());
    });
}

#[test]
fn what_a_hostile_replier_says_is_nobodys() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let requests = Requests::connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| requests.ask_within("?", PATIENCE).unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"\0SP\0\0\x31\0\0").unwrap();
        let mut got = [0; 8 + 13];
        stream.read_exact(&mut got).unwrap();
        let id: [u8; 4] = got[16..20].try_into().unwrap();
        let (mut unknown, mut bare) = (id, id);
        unknown[3] ^= 1;
        bare[0] &= 0x7f;
        let said: [&[&[u8]]; 6] =
            [&[], &[&id[..3]], &[&unknown, b"no"], &[&bare, &id, b"no"], &[&id, b"yes"], &[&id, b"no"]];
        for parts in said {
            let body = parts.concat();
            stream.write_all(&[&(body.len() as u64).to_be_bytes()[..], &body[..]].concat()).unwrap();
        }
        assert_eq!(asking.join().unwrap(), "yes");
    });
}
