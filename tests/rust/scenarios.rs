//! The scenarios of bindings/scenarios.txt, which every language runs, through the Rust API.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use nanomsg::{
    Message, Overflow, PollItem, Replies, Requests, Result, Socket, SocketType, Statistic, TcpKeepalive, TlsVerify,
    device, poll,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const MINUTE: Duration = Duration::from_secs(60);

/// After which what must happen is taken not to happen.
const PATIENCE: Duration = Duration::from_secs(10);

fn socket(kind: SocketType) -> Socket {
    let socket = Socket::new(kind).unwrap();
    socket.set_recv_timeout(Some(PATIENCE)).unwrap();
    socket.set_send_timeout(Some(PATIENCE)).unwrap();
    secured(socket)
}

/// Makes a socket trust the tests' authority, and gives it a certificate of its own.
fn secured(socket: Socket) -> Socket {
    if let Some(pem) = &*PEM {
        socket.set_tls_ca(&pem.ca).unwrap();
        socket.set_tls_cert(&pem.own).unwrap();
    }
    socket
}

/// What tests/pki.sh makes.
struct Pem {
    ca: String,
    /// A certificate that the authority has signed, with its key. So is the next one.
    own: String,
    client: String,
    other_ca: String,
}

/// `None`, and a line that says so, without openssl; in CI a failure. And `None` in a library without TLS.
static PEM: LazyLock<Option<Pem>> = LazyLock::new(|| {
    if cfg!(not(feature = "tls")) {
        return None;
    }
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(env::var("CI").as_deref() != Ok("true"), "openssl is not installed: make deps");
        // Not eprintln: what a passing test prints by that is not shown.
        io::stderr().write_all(b"TLS skipped: openssl is not installed: make deps\n").unwrap();
        return None;
    }
    let dir = TempDir::new().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pki.sh");
    assert!(Command::new("sh").arg(script).arg(dir.path()).status().unwrap().success());
    let [ca, own, client, key, other_ca] = ["ca.pem", "both.pem", "client.pem", "client.key", "other-ca.pem"]
        .map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
    Some(Pem { ca, own, client: client + &key, other_ca })
});

fn pem() -> &'static Pem {
    PEM.as_ref().unwrap()
}

const OVER_TLS: [&str; 2] = ["tls+tcp", "wss"];

/// Fresh addresses of one transport.
struct Addresses {
    transport: &'static str,
    dir: TempDir,
}

impl Addresses {
    fn next(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        match self.transport {
            "inproc" => format!("inproc://scenario-{number}"),
            "unix" | "ipc" => format!("{}://{}/{number}", self.transport, self.dir.path().display()),
            "abstract" => format!("abstract://scenario-{}-{number}", std::process::id()),
            transport => {
                let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                format!("{transport}://127.0.0.1:{port}")
            }
        }
    }

    /// Whether peers have IP addresses and ports.
    fn is_tcp(&self) -> bool {
        ["tcp", "ws"].contains(&self.transport) || OVER_TLS.contains(&self.transport)
    }

    /// One socket that is bound and others that are connected to it.
    fn star<const N: usize>(&self, hub: SocketType, leaf: SocketType) -> (Socket, [Socket; N]) {
        let address = self.next();
        let hub = socket(hub);
        hub.bind(&address).unwrap();
        let leaves = std::array::from_fn(|_| socket(leaf));
        for leaf in &leaves {
            leaf.connect(&address).unwrap();
            wait_for_connections(leaf, 1);
        }
        wait_for_connections(&hub, N as u64);
        (hub, leaves)
    }
}

fn raw(kind: SocketType) -> Socket {
    secured(Socket::raw(kind).unwrap())
}

fn wait_for_connections(socket: &Socket, count: u64) {
    let deadline = Instant::now() + PATIENCE;
    while socket.statistic(Statistic::CurrentConnections).unwrap() != count {
        assert!(Instant::now() < deadline, "{socket:?} has not got {count} connections");
        thread::yield_now();
    }
}

fn everywhere(run: impl Fn(&Addresses)) {
    for transport in ["inproc", "unix", "ipc", "abstract", "tcp", "ws"] {
        run(&Addresses { transport, dir: TempDir::new().unwrap() });
    }
    over_tls(run);
}

fn over_tls(run: impl Fn(&Addresses)) {
    for transport in OVER_TLS.into_iter().filter(|_| PEM.is_some()) {
        run(&Addresses { transport, dir: TempDir::new().unwrap() });
    }
}

fn inproc() -> Addresses {
    Addresses { transport: "inproc", dir: TempDir::new().unwrap() }
}

#[test]
fn every_scenario_of_the_list_is_here() {
    let root = env!("CARGO_MANIFEST_DIR");
    let list = fs::read_to_string(format!("{root}/bindings/scenarios.txt")).unwrap();
    // The name, and the sign of those that run over every transport, or over TLS.
    let list = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let listed: BTreeSet<String> = list.filter_map(|line| line.split("  ").next()).map(str::to_owned).collect();
    let source = fs::read_to_string(format!("{root}/tests/rust/scenarios.rs")).unwrap();
    let tests = source.split("#[test]\nfn ").skip(1).filter_map(|test| test.split_once('('));
    let tests = tests.filter(|&(name, _)| name != "every_scenario_of_the_list_is_here");
    let sign = |text: &str| match ["\n    everywhere(", "\n    over_tls(|"].map(|call| text.contains(call)) {
        [true, _] => " *",
        [_, true] => " +",
        _ => "",
    };
    let tests: BTreeSet<String> = tests.map(|(name, text)| format!("{name}{}", sign(text))).collect();
    assert_eq!(tests, listed);
}

#[test]
fn pair_talks_both_ways() {
    everywhere(|at| {
        let (a, [b]) = at.star(SocketType::Pair, SocketType::Pair);
        b.send(b"there\0and").unwrap();
        assert_eq!(a.recv().unwrap(), b"there\0and");
        a.send("back").unwrap();
        assert_eq!(b.recv().unwrap(), "back");
    });
}

#[test]
fn an_empty_message_arrives() {
    everywhere(|at| {
        let (a, [b]) = at.star(SocketType::Pair, SocketType::Pair);
        b.send("").unwrap();
        b.send("after").unwrap();
        assert_eq!(a.recv().unwrap(), "");
        assert_eq!(a.recv().unwrap(), "after");
    });
}

#[test]
fn a_large_message_arrives_whole() {
    let large: Vec<u8> = (0..2 << 20).map(|at: u32| (at % 251) as u8).collect();
    everywhere(|at| {
        let (a, [b]) = at.star(SocketType::Pair, SocketType::Pair);
        a.set_recv_max_size(None).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| b.send(&large).unwrap());
            assert!(a.recv().unwrap() == large, "{}: other bytes", at.transport);
        });
    });
}

#[test]
fn pubsub_filters_by_topic() {
    everywhere(|at| {
        let (publisher, [weather, all]) = at.star(SocketType::Pub, SocketType::Sub);
        weather.subscribe("weather").unwrap();
        all.subscribe("").unwrap();
        for message in ["sports: 1:0", "weather: rain"] {
            publish(&publisher, &all, message);
        }
        assert_eq!(weather.recv().unwrap(), "weather: rain");
    });
}

#[test]
fn subscriptions_travel_unless_told_not_to() {
    everywhere(|at| {
        for at_home in [None, Some(SocketType::Pub), Some(SocketType::Sub)] {
            let (publisher, subscriber) = (socket(SocketType::Pub), socket(SocketType::Sub));
            for (one, kind) in [(&publisher, SocketType::Pub), (&subscriber, SocketType::Sub)] {
                assert!(one.forward_subscriptions().unwrap());
                one.set_forward_subscriptions(at_home != Some(kind)).unwrap();
                assert_eq!(one.forward_subscriptions().unwrap(), at_home != Some(kind));
            }
            let address = at.next();
            publisher.bind(&address).unwrap();
            subscriber.subscribe("a").unwrap();
            subscriber.connect(&address).unwrap();
            for _ in 0..50 {
                publisher.send("b").unwrap();
                publish(&publisher, &subscriber, "a");
            }
            let filtered = publisher.statistic(Statistic::MessagesFiltered).unwrap();
            assert_eq!(filtered > 0, at_home.is_none(), "{}: {filtered}", at.transport);
        }
    });
}

/// What was just subscribed to may still be on its way to the publisher: the message is sent until it arrives.
fn publish(publisher: &Socket, subscriber: &Socket, message: &str) {
    let deadline = Instant::now() + PATIENCE;
    subscriber.set_recv_timeout(Some(Duration::from_millis(50))).unwrap();
    loop {
        publisher.send(message).unwrap();
        match subscriber.recv() {
            Ok(received) => break assert_eq!(received, message),
            Err(error) => assert!(error.is_timed_out() && Instant::now() < deadline, "{error}"),
        }
    }
    subscriber.set_recv_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn reqrep_answers_whoever_asked() {
    everywhere(|at| {
        let (server, clients) = at.star::<2>(SocketType::Rep, SocketType::Req);
        for (number, client) in clients.iter().enumerate() {
            client.send(number.to_string()).unwrap();
        }
        for _ in &clients {
            let question = server.recv().unwrap();
            server.send([b"to ", &question[..]].concat()).unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            assert_eq!(client.recv().unwrap(), &format!("to {number}"));
        }
    });
}

#[test]
fn pipeline_gives_each_message_to_one() {
    everywhere(|at| {
        let (push, pulls) = at.star::<2>(SocketType::Push, SocketType::Pull);
        push.send("one").unwrap();
        push.send("two").unwrap();
        let mut got = pulls.map(|pull| pull.recv().unwrap().to_vec());
        got.sort();
        assert_eq!(got, [b"one", b"two"]);
    });
}

#[test]
fn survey_collects_answers_and_ends() {
    everywhere(|at| {
        let (surveyor, respondents) = at.star::<2>(SocketType::Surveyor, SocketType::Respondent);
        surveyor.set_survey_deadline(Some(Duration::from_secs(1))).unwrap();
        surveyor.send("who is there?").unwrap();
        for (number, respondent) in respondents.iter().enumerate() {
            assert_eq!(respondent.recv().unwrap(), "who is there?");
            respondent.send(number.to_string()).unwrap();
        }
        let mut answers = [(); 2].map(|()| surveyor.recv().unwrap().to_vec());
        answers.sort();
        assert_eq!(answers, [b"0", b"1"]);
        assert!(surveyor.recv().unwrap_err().is_timed_out());
    });
}

#[test]
fn bus_reaches_all_but_the_sender() {
    everywhere(|at| {
        let (hub, leaves) = at.star::<2>(SocketType::Bus, SocketType::Bus);
        hub.send("to all").unwrap();
        for leaf in &leaves {
            assert_eq!(leaf.recv().unwrap(), "to all");
        }
        leaves[0].send("to the hub").unwrap();
        assert_eq!(hub.recv().unwrap(), "to the hub");
        assert!(hub.try_recv().unwrap_err().is_would_block());
        assert!(leaves[0].try_recv().unwrap_err().is_would_block());
    });
}

#[test]
fn dont_wait_is_its_own_error() {
    let error = socket(SocketType::Pair).try_recv().unwrap_err();
    assert!(error.is_would_block());
    assert_eq!(error.errno(), libc::EAGAIN);
}

#[test]
fn time_out_is_its_own_error() {
    let socket = socket(SocketType::Pair);
    socket.set_recv_timeout(Some(Duration::from_millis(10))).unwrap();
    let error = socket.recv().unwrap_err();
    assert!(error.is_timed_out());
    assert_eq!(error.errno(), libc::ETIMEDOUT);
}

#[test]
fn wrong_state_is_its_own_error() {
    let error = socket(SocketType::Rep).send("unasked").unwrap_err();
    assert!(error.is_wrong_state());
    assert_eq!(error.errno(), nanomsg::ffi::symbols::EFSM);
}

#[test]
fn not_supported_is_its_own_error() {
    let error = socket(SocketType::Sub).send("x").unwrap_err();
    assert!(error.is_not_supported());
    assert_eq!(error.errno(), libc::ENOTSUP);
}

#[test]
fn address_in_use_is_its_own_error() {
    let (address, first, second) = (inproc().next(), socket(SocketType::Pair), socket(SocketType::Pair));
    first.bind(&address).unwrap();
    let error = second.bind(&address).unwrap_err();
    assert!(error.is_address_in_use());
    assert_eq!(error.errno(), libc::EADDRINUSE);
}

#[test]
fn a_closed_socket_is_its_own_error() {
    let socket = socket(SocketType::Pair);
    socket.close().unwrap();
    // The number is free again, and the closed socket must not be taken for the new one.
    let other = self::socket(SocketType::Pair);
    let error = socket.send("x").unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.errno(), libc::EBADF);
    assert!(socket.close().unwrap_err().is_closed());
    drop(socket);
    assert!(other.try_recv().unwrap_err().is_would_block());
}

#[test]
fn closing_ends_a_waiting_receive() {
    let socket = socket(SocketType::Pair);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| socket.recv());
        socket.close().unwrap();
        assert!(waiting.join().unwrap().unwrap_err().is_closed());
    });
}

#[test]
fn options_are_read_back() {
    let socket = socket(SocketType::Pair);
    socket.set_send_timeout(None).unwrap();
    assert_eq!(socket.send_timeout(), Ok(None));
    socket.set_send_timeout(Some(Duration::from_millis(250))).unwrap();
    assert_eq!(socket.send_timeout(), Ok(Some(Duration::from_millis(250))));
    assert_eq!(socket.recv_buffer(), Ok(128 * 1024));
    socket.set_recv_buffer(1 << 20).unwrap();
    assert_eq!(socket.recv_buffer(), Ok(1 << 20));
    socket.set_send_priority(3).unwrap();
    assert_eq!(socket.send_priority(), Ok(3));
    assert_eq!(socket.set_send_priority(17).unwrap_err().errno(), libc::EINVAL);
    socket.set_name("a name").unwrap();
    assert_eq!(socket.name().unwrap(), "a name");
    assert_eq!(socket.tcp_keepalive(), Ok(TcpKeepalive::default()));
    let keepalive = TcpKeepalive { idle: Some(MINUTE), interval: Some(MINUTE / 12), count: Some(3) };
    socket.set_tcp_keepalive(keepalive).unwrap();
    assert_eq!(socket.tcp_keepalive(), Ok(keepalive));
    let too_often = TcpKeepalive { idle: None, count: Some(128), ..keepalive };
    assert_eq!(socket.set_tcp_keepalive(too_often).unwrap_err().errno(), libc::EINVAL);
    assert_eq!(socket.tcp_keepalive(), Ok(keepalive), "nothing has changed");
    socket.set_tcp_user_timeout(Some(MINUTE)).unwrap();
    assert_eq!(socket.tcp_user_timeout(), Ok(Some(MINUTE)));
    socket.set_connect_timeout(Some(MINUTE)).unwrap();
    assert_eq!(socket.connect_timeout(), Ok(Some(MINUTE)));
    assert_eq!(socket.ipc_mode(), Ok(None));
    socket.set_ipc_mode(Some(0o660)).unwrap();
    assert_eq!(socket.ipc_mode(), Ok(Some(0o660)));
    socket.set_recv_peer(true).unwrap();
    assert_eq!(socket.recv_peer(), Ok(true));
    if let Some(pem) = &*PEM {
        assert_eq!(socket.tls_verify(), Ok(None));
        socket.set_tls_verify(Some(TlsVerify::Optional)).unwrap();
        assert_eq!(socket.tls_verify(), Ok(Some(TlsVerify::Optional)));
        socket.set_tls_name("localhost").unwrap();
        assert_eq!(socket.tls_name(), Ok("localhost".to_owned()));
        assert_eq!(socket.tls_ca().as_ref(), Ok(&pem.ca));
        assert_eq!(socket.tls_cert().unwrap_err().errno(), libc::EACCES, "a key stands in it");
    }
    socket.set_ws_ping(Some(MINUTE)).unwrap();
    assert_eq!(socket.ws_ping(), Ok(Some(MINUTE)));
    socket.set_conflate(true).unwrap();
    socket.set_conflate_prefix(4).unwrap();
    assert_eq!((socket.conflate(), socket.conflate_prefix()), (Ok(true), Ok(4)));
    assert_eq!(socket.set_overflow(Overflow::Wait).unwrap_err().errno(), libc::ENOPROTOOPT);
    let publisher = self::socket(SocketType::Pub);
    publisher.set_overflow(Overflow::DropOld).unwrap();
    assert_eq!(publisher.overflow(), Ok(Overflow::DropOld));
}

#[test]
fn poll_tells_who_is_ready() {
    let (a, [b]) = inproc().star(SocketType::Pair, SocketType::Pair);
    b.send("hello").unwrap();
    let mut items = [PollItem::receivable(&a), PollItem::receivable(&b)];
    assert_eq!(poll(&mut items, Some(PATIENCE)), Ok(1));
    assert_eq!(items.map(|item| item.can_recv()), [true, false]);
    a.recv().unwrap();
    assert_eq!(poll(&mut items, Some(Duration::ZERO)), Ok(0));
}

#[test]
fn a_device_forwards() {
    everywhere(|at| {
        let (front, back) = (raw(SocketType::Pull), raw(SocketType::Push));
        let (front_address, back_address) = (at.next(), at.next());
        front.bind(&front_address).unwrap();
        back.bind(&back_address).unwrap();
        let (push, pull) = (socket(SocketType::Push), socket(SocketType::Pull));
        push.connect(&front_address).unwrap();
        pull.connect(&back_address).unwrap();
        thread::scope(|scope| {
            let forwarding = scope.spawn(|| device(&front, &back));
            push.send("through both").unwrap();
            assert_eq!(pull.recv().unwrap(), "through both");
            front.close().unwrap();
            back.close().unwrap();
            assert!(forwarding.join().unwrap().is_closed());
        });
    });
}

#[test]
fn statistics_count_messages() {
    let (a, [b]) = inproc().star(SocketType::Pair, SocketType::Pair);
    b.send("hello").unwrap();
    b.send("you").unwrap();
    a.recv().unwrap();
    a.recv().unwrap();
    let count = |socket: &Socket, which| socket.statistic(which).unwrap();
    assert_eq!((count(&b, Statistic::MessagesSent), count(&b, Statistic::BytesSent)), (2, 8));
    assert_eq!((count(&a, Statistic::MessagesReceived), count(&a, Statistic::BytesReceived)), (2, 8));
}

#[test]
fn a_shut_down_endpoint_is_free_again() {
    let (address, first, second) = (inproc().next(), socket(SocketType::Pair), socket(SocketType::Pair));
    let endpoint = first.bind(&address).unwrap();
    first.shutdown(endpoint).unwrap();
    second.bind(&address).unwrap();
    assert_eq!(first.shutdown(endpoint).unwrap_err().errno(), libc::EINVAL);
}

#[test]
fn an_endpoint_tells_its_address() {
    everywhere(|at| {
        let (address, bound, connected) = (at.next(), socket(SocketType::Pair), socket(SocketType::Pair));
        let endpoint = bound.bind(&address).unwrap();
        assert_eq!(bound.endpoint_address(endpoint), Ok(address.clone()));
        let endpoint = connected.connect(&address).unwrap();
        assert_eq!(connected.endpoint_address(endpoint).as_ref(), Ok(&address));
        connected.shutdown(endpoint).unwrap();
        assert_eq!(connected.endpoint_address(endpoint).unwrap_err().errno(), libc::EINVAL);
        if at.is_tcp() {
            let (bound, connected) = (socket(SocketType::Pair), socket(SocketType::Pair));
            let endpoint = bound.bind(&format!("{}://127.0.0.1:0", at.transport)).unwrap();
            let chosen = bound.endpoint_address(endpoint).unwrap();
            assert!(
                !chosen.ends_with(":0") && chosen.starts_with(&format!("{}://127.0.0.1:", at.transport)),
                "{chosen}"
            );
            connected.connect(&chosen).unwrap();
            connected.send("hello").unwrap();
            assert_eq!(bound.recv().unwrap(), "hello");
        }
    });
}

#[test]
fn a_descriptor_becomes_an_endpoint() {
    let (one, other) = UnixStream::pair().unwrap();
    let [one, other] = [one, other].map(|end| format!("fd://{}", end.into_raw_fd()));
    let (a, b) = (socket(SocketType::Pair), socket(SocketType::Pair));
    a.bind(&one).unwrap();
    b.connect(&other).unwrap();
    b.send("there").unwrap();
    assert_eq!(a.recv().unwrap(), "there");
    a.send("and back").unwrap();
    assert_eq!(b.recv().unwrap(), "and back");
    assert_eq!(socket(SocketType::Pair).bind(&one).unwrap_err().errno(), libc::EADDRINUSE);
}

#[test]
fn a_request_to_nobody_fails_if_told_to() {
    let (address, req, rep) = (inproc().next(), socket(SocketType::Req), socket(SocketType::Rep));
    req.set_req_fail_fast(true).unwrap();
    assert_eq!(req.req_fail_fast(), Ok(true));
    req.bind(&address).unwrap();
    assert!(req.send("anybody?").unwrap_err().is_would_block());
    rep.connect(&address).unwrap();
    wait_for_connections(&req, 1);
    req.send("anybody?").unwrap();
    assert_eq!(rep.recv().unwrap(), "anybody?");
}

/// The next event; it goes to `seen` too.
fn event(events: &Socket, seen: &mut Vec<Value>) -> Value {
    let message = events.recv().unwrap();
    let space = message.iter().position(|&byte| byte == b' ').unwrap();
    let event: Value = serde_json::from_slice(&message[space..]).unwrap();
    assert_eq!(event["event"].as_str().unwrap().as_bytes(), &message[..space]);
    seen.push(event.clone());
    event
}

#[test]
fn a_monitor_tells_who_comes_and_goes() {
    everywhere(|at| {
        let (address, watch) = (at.next(), inproc().next());
        let (hub, leaf, events) = (socket(SocketType::Pull), socket(SocketType::Push), socket(SocketType::Sub));
        hub.set_name("hub").unwrap();
        assert_eq!(hub.monitor(), Ok(String::new()));
        events.subscribe("").unwrap();
        events.connect(&watch).unwrap();
        hub.set_monitor(&watch).unwrap();
        assert_eq!(hub.monitor(), Ok(watch));
        let mut seen = Vec::new();
        let mut until = |name: &str| {
            while event(&events, &mut seen)["event"] != name {}
            seen.last().cloned().unwrap()
        };

        let endpoint = hub.bind(&address).unwrap();
        leaf.connect(&address).unwrap();
        let connected = until("connected");
        // Both ends know it now.
        wait_for_connections(&leaf, 1);
        leaf.close().unwrap();
        let disconnected = until("disconnected");
        hub.shutdown(endpoint).unwrap();
        until("closed");
        hub.close().unwrap();
        until("monitor_stopped");

        let told = seen.iter().map(|event| event["event"].as_str().unwrap()).filter(|&name| name != "accepted");
        let told: Vec<&str> = told.collect();
        assert_eq!(told, ["listening", "connected", "disconnected", "closed", "monitor_stopped"]);
        for (number, event) in (1..).zip(&seen) {
            assert_eq!(*event.get("seq").unwrap(), json!(number), "{event}");
            assert_eq!((&event["socket"], &event["type"]), (&json!("hub"), &json!("pull")));
            let ours = json!({ "id": endpoint.id(), "address": address, "kind": "bind" });
            assert!(event["event"] == "monitor_stopped" || event["endpoint"] == ours, "{event}");
        }
        assert_eq!(connected["peer"]["type"], "push");
        assert_eq!((&disconnected["peer"], &disconnected["reason"]), (&connected["peer"], &json!("closed")));
    });
}

#[test]
fn statistics_are_one_document() {
    let (address, a, b) = (inproc().next(), socket(SocketType::Pair), socket(SocketType::Pair));
    let endpoint = a.bind(&address).unwrap();
    b.connect(&address).unwrap();
    wait_for_connections(&a, 1);
    b.send("hello").unwrap();
    b.send("you").unwrap();
    a.recv().unwrap();
    a.recv().unwrap();
    let report: Value = serde_json::from_str(&a.report().unwrap()).unwrap();
    assert_eq!((&report["type"], &report["raw"]), (&json!("pair"), &json!(false)));
    let counters = &report["counters"];
    assert_eq!((&counters["messages_received"], &counters["bytes_received"]), (&json!(2), &json!(8)));
    let id = endpoint.id();
    let ours = json!({ "id": id, "address": address, "kind": "bind", "connections": 1, "connected": 1, "failed": 0 });
    assert_eq!(report["endpoints"], json!([ours]));
    assert_eq!(report["connections"].as_array().map(Vec::len), Some(1));
    let connection = &report["connections"][0];
    assert_eq!((&connection["endpoint"], &connection["peer"]["type"]), (&json!(id), &json!("pair")));
    let traffic = ["messages_received", "bytes_received", "messages_sent"].map(|name| connection[name].clone());
    assert_eq!(traffic, [json!(2), json!(8), json!(0)]);
}

#[test]
fn a_message_tells_its_peer() {
    everywhere(|at| {
        let (hub, leaves) = at.star::<2>(SocketType::Pull, SocketType::Push);
        let peers = || {
            for (number, leaf) in leaves.iter().enumerate() {
                leaf.send(number.to_string()).unwrap();
            }
            let mut messages = [(); 2].map(|()| hub.recv().unwrap());
            messages.sort_by_key(|message| message.to_vec());
            messages.map(|message| message.peer())
        };
        assert_eq!(peers(), [None, None]);
        hub.set_recv_peer(true).unwrap();
        let found = peers();
        assert_eq!(peers(), found);
        let [zero, one] = found.map(Option::unwrap);
        assert_ne!(zero.pipe, one.pipe);
        for peer in [zero, one] {
            assert_eq!(peer.socket_type, Some(SocketType::Push));
            let has_address = at.is_tcp();
            let is_ours = |text: &Option<String>| text.as_ref().is_some_and(|text| text.starts_with("127.0.0.1:"));
            assert_eq!((is_ours(&peer.address), is_ours(&peer.local)), (has_address, has_address), "{peer:?}");
            let process = peer.process.map(|process| process.pid as u32);
            let has_process = !has_address && at.transport != "inproc";
            assert_eq!(process, has_process.then(std::process::id));
        }
    });
}

#[test]
fn a_certificate_tells_who_the_peer_is() {
    over_tls(|at| {
        let (address, hub, leaf) = (at.next(), socket(SocketType::Pull), socket(SocketType::Push));
        hub.set_tls_verify(Some(TlsVerify::Required)).unwrap();
        hub.set_recv_peer(true).unwrap();
        leaf.set_tls_cert(&pem().client).unwrap();
        hub.bind(&address).unwrap();
        leaf.connect(&address).unwrap();
        leaf.send("hello").unwrap();
        let certificate = hub.recv().unwrap().peer().unwrap().certificate.unwrap();
        assert_eq!(certificate.subject, "CN=client,O=nanomsg tests");
        assert!(certificate.sha256.len() == 64 && certificate.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
    });
}

#[test]
fn a_wrong_certificate_is_refused() {
    over_tls(|at| {
        let (address, watch) = (at.next(), inproc().next());
        let (a, b, events) = (socket(SocketType::Pair), socket(SocketType::Pair), socket(SocketType::Sub));
        events.subscribe("handshake_failed ").unwrap();
        events.connect(&watch).unwrap();
        b.set_monitor(&watch).unwrap();
        a.bind(&address).unwrap();
        b.set_tls_ca(&pem().other_ca).unwrap();
        let wrong = b.connect(&address).unwrap();
        let failed = event(&events, &mut Vec::new());
        let unknown_ca = nanomsg::ffi::symbols::NN_ETLS_UNKNOWN_CA;
        assert_eq!((&failed["reason"], &failed["errno"]), (&json!("tls"), &json!(unknown_ca)), "{failed}");
        assert_eq!(failed["endpoint"]["id"], wrong.id());
        b.shutdown(wrong).unwrap();
        b.set_tls_ca(&pem().ca).unwrap();
        b.connect(&address).unwrap();
        b.send("hello").unwrap();
        assert_eq!(a.recv().unwrap(), "hello");
    });
}

#[test]
fn only_the_newest_is_received_if_told_to() {
    for (prefix, newest) in [(0, &["b99"][..]), (1, &["a99", "b99"])] {
        let (address, push, pull) = (inproc().next(), socket(SocketType::Push), socket(SocketType::Pull));
        pull.set_conflate(true).unwrap();
        pull.set_conflate_prefix(prefix).unwrap();
        pull.bind(&address).unwrap();
        push.connect(&address).unwrap();
        wait_for_connections(&push, 1);
        for number in 0..100 {
            push.send(format!("a{number}")).unwrap();
            push.send(format!("b{number}")).unwrap();
        }
        let mut received: Vec<_> = newest.iter().map(|_| pull.recv().unwrap().to_vec()).collect();
        received.sort();
        assert_eq!(received, newest.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        assert!(pull.try_recv().unwrap_err().is_would_block());
        assert_eq!(pull.statistic(Statistic::MessagesConflated), Ok(200 - newest.len() as u64));
    }
}

#[test]
fn a_publisher_waits_if_told_to() {
    let (address, publisher, subscriber) = (inproc().next(), socket(SocketType::Pub), socket(SocketType::Sub));
    publisher.set_overflow(Overflow::Wait).unwrap();
    publisher.set_send_buffer(1000).unwrap();
    subscriber.set_recv_buffer(1000).unwrap();
    subscriber.subscribe("").unwrap();
    publisher.bind(&address).unwrap();
    subscriber.connect(&address).unwrap();
    publish(&publisher, &subscriber, "first");
    thread::scope(|scope| {
        let sending = scope.spawn(|| (0..1000).try_for_each(|number| publisher.send(format!("{number:100}"))));
        let mut expected = 0;
        while expected < 1000 {
            let message = subscriber.recv().unwrap();
            // It may have been sent more than once until it arrived.
            if message != "first" {
                assert_eq!(message, &format!("{expected:100}"));
                expected += 1;
            }
        }
        sending.join().unwrap().unwrap();
    });
    assert_eq!(publisher.statistic(Statistic::MessagesOverflowed), Ok(0));
}

#[test]
fn a_received_message_is_sent_on() {
    let at = inproc();
    let (a, [b]) = at.star(SocketType::Pair, SocketType::Pair);
    let (c, [d]) = at.star(SocketType::Pair, SocketType::Pair);
    b.send([7; 100_000]).unwrap();
    let mut message = a.recv().unwrap();
    let bytes = message.as_ptr();
    c.send_message(&mut message).unwrap();
    assert!(message.is_empty());
    let received: Result<Message> = d.recv();
    let received = received.unwrap();
    assert_eq!((received.as_ptr(), received.len()), (bytes, 100_000));
}

#[test]
fn several_requests_are_answered_in_any_order() {
    everywhere(|at| {
        let (address, server, client) = (at.next(), raw(SocketType::Rep), raw(SocketType::Req));
        server.bind(&address).unwrap();
        client.connect(&address).unwrap();
        let (replies, requests) = (Replies::new(server).unwrap(), Requests::new(client).unwrap());
        replies.socket().set_recv_timeout(Some(PATIENCE)).unwrap();
        requests.socket().set_recv_timeout(Some(PATIENCE)).unwrap();
        thread::scope(|scope| {
            let asking = ["0", "1", "2"].map(|body| {
                let requests = &requests;
                scope.spawn(move || requests.ask(body).unwrap())
            });
            let mut received = [(); 3].map(|()| replies.recv().unwrap());
            received.sort_by(|one, other| other.body().cmp(one.body()));
            assert_eq!(received.each_ref().map(|request| request.body()), [b"2", b"1", b"0"]);
            for request in received {
                let answer = [b"to ", request.body()].concat();
                request.reply(answer).unwrap();
            }
            let answers = asking.map(|thread| thread.join().unwrap());
            assert_eq!(answers, ["to 0", "to 1", "to 2"]);
        });
    });
}

#[test]
fn a_request_ends_at_its_time_limit() {
    let address = inproc().next();
    let (replies, requests) = (Replies::bind(&address).unwrap(), Requests::connect(&address).unwrap());
    replies.socket().set_recv_timeout(Some(PATIENCE)).unwrap();
    assert!(requests.ask_within("one", Some(Duration::from_millis(20))).unwrap_err().is_timed_out());
    let late = replies.recv().unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| requests.ask_within("two", Some(PATIENCE)));
        let request = replies.recv().unwrap();
        assert_eq!((late.body(), request.body()), (&b"one"[..], &b"two"[..]));
        late.reply("to one").unwrap();
        request.reply("to two").unwrap();
        assert_eq!(asking.join().unwrap().unwrap(), "to two");
    });
}

#[test]
fn a_raw_replier_answers_in_any_order() {
    let (address, clients) = (inproc().next(), [(); 2].map(|()| socket(SocketType::Req)));
    let replies = Replies::bind(&address).unwrap();
    replies.socket().set_recv_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        client.connect(&address).unwrap();
        client.send(number.to_string()).unwrap();
        received.push(replies.recv().unwrap());
    }
    for request in received.into_iter().rev() {
        let answer = [b"to ", request.body()].concat();
        request.reply(answer).unwrap();
    }
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(client.recv().unwrap(), &format!("to {number}"));
    }
}
