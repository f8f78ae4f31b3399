//! Subscriptions that travel to the publisher: between sockets of ours over every transport, through devices, and with
//! peers that are written by hand, friendly and hostile. docs/subscriptions.md says what they say.

mod bytes;
mod devices;
mod hostile;
mod ours;
mod wire;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nanomsg::{Socket, SocketType, Statistic};
use tempfile::TempDir;

/// After which what must happen is taken not to happen.
const PATIENCE: Duration = Duration::from_secs(20);

const TRANSPORTS: [&str; 4] = ["inproc", "ipc", "tcp", "ws"];

fn open(kind: SocketType) -> Socket {
    let socket = Socket::new(kind).unwrap();
    socket.set_recv_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn subscriber(topics: &[&str]) -> Socket {
    let socket = open(SocketType::Sub);
    for topic in topics {
        socket.subscribe(topic).unwrap();
    }
    socket
}

/// A fresh address, and the folder it may need.
fn address(transport: &str) -> (String, Option<TempDir>) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    match transport {
        "inproc" => (format!("inproc://subscriptions-{}", COUNT.fetch_add(1, Ordering::Relaxed)), None),
        "ipc" => {
            let folder = tempfile::tempdir().unwrap();
            (format!("ipc://{}/socket", folder.path().display()), Some(folder))
        }
        _ => {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            (format!("{transport}://127.0.0.1:{port}"), None)
        }
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn count(socket: &Socket, which: Statistic) -> u64 {
    socket.statistic(which).unwrap()
}

fn wait_for_connections(socket: &Socket, connections: u64) {
    wait_until("the connections", || count(socket, Statistic::CurrentConnections) == connections);
}

/// Publishes what nobody wants until it is not sent to so many subscribers.
fn wait_until_filtered(publisher: &Socket, subscribers: u64) {
    wait_until("the subscriptions have come", || {
        let before = count(publisher, Statistic::MessagesFiltered);
        publisher.send("\0nobody wants this").unwrap();
        count(publisher, Statistic::MessagesFiltered) == before + subscribers
    });
}

/// Publishes a message until the subscriber has it: what it has just subscribed to may still be on its way.
fn wait_until_heard(publisher: &Socket, subscriber: &Socket, message: &str) {
    wait_until("a message is heard", || {
        publisher.send(message).unwrap();
        subscriber.try_recv().is_ok_and(|got| got == message)
    });
    // The others that were sent meanwhile come before this one.
    let last = format!("{message}, and that is all");
    publisher.send(&last).unwrap();
    while subscriber.recv().unwrap() != last {}
}

/// Kilobytes of memory that this process has.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
