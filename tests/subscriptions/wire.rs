//! What it costs on the wire, as the kernel counts it (TCP_INFO).

use std::fs;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use nanomsg::{Socket, SocketType};
use socket2::SockRef;

use super::{address, open, subscriber, wait_until_filtered};

const SUBSCRIBERS: usize = 64;
const MESSAGES: usize = 6400;

/// Where `tcpi_bytes_acked` stands in the kernel's struct tcp_info.
const BYTES_ACKED: usize = 120;

/// Bytes that the publisher's ends of all connections have sent, and their peers have acknowledged.
fn acknowledged(port: u16) -> u64 {
    let at = |address: std::io::Result<socket2::SockAddr>| address.ok().and_then(|address| address.as_socket());
    let mut sum = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let Ok(fd) = entry.unwrap().file_name().to_str().unwrap().parse::<RawFd>() else { continue };
        // SAFETY: it is only asked for its address and its counters; if it is closed meanwhile, that fails.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let socket = SockRef::from(&fd);
        let connected = at(socket.peer_addr()).is_some();
        if connected && at(socket.local_addr()).is_some_and(|local: SocketAddr| local.port() == port) {
            sum += bytes_acked(&fd);
        }
    }
    sum
}

fn bytes_acked(fd: &BorrowedFd<'_>) -> u64 {
    let mut info = [0u8; 256];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            std::os::fd::AsRawFd::as_raw_fd(fd),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    assert!(result == 0 && length as usize >= BYTES_ACKED + size_of::<u64>());
    u64::from_ne_bytes(info[BYTES_ACKED..BYTES_ACKED + 8].try_into().unwrap())
}

/// 64 bytes and the prefix are what is wanted; without forwarding every message is sent 64 times.
#[test]
fn a_message_that_one_of_64_wants_is_sent_once() {
    let (address, _) = address("tcp");
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let publisher = open(SocketType::Pub);
    publisher.bind(&address).unwrap();
    let subscribers: Vec<Socket> =
        (0..SUBSCRIBERS).map(|number| subscriber(&[&format!("topic {number:02}")])).collect();
    for subscriber in &subscribers {
        subscriber.connect(&address).unwrap();
    }
    wait_until_filtered(&publisher, SUBSCRIBERS as u64);
    let before = acknowledged(port);
    assert!(before >= 8 * SUBSCRIBERS as u64, "the connections are found");
    for number in 0..MESSAGES {
        let to = number % SUBSCRIBERS;
        let message = format!("topic {to:02}, number {number:<49}");
        assert_eq!(message.len(), 66);
        publisher.send(&message[..64]).unwrap();
        if to == SUBSCRIBERS - 1 {
            for (to, subscriber) in subscribers.iter().enumerate() {
                let number = number + 1 - SUBSCRIBERS + to;
                assert!(
                    subscriber.recv().unwrap()[..].starts_with(format!("topic {to:02}, number {number} ").as_bytes())
                );
            }
        }
    }
    super::wait_until("all is acknowledged", || acknowledged(port) - before >= 72 * MESSAGES as u64);
    let cost = (acknowledged(port) - before) as f64 / MESSAGES as f64;
    assert!(cost <= 80.0, "{cost} bytes for each message that is wanted");
}
