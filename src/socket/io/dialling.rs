//! Dialers: names looked up, one address tried after the other, and redials.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use socket2::SockAddr;

use super::{Command, Driver, Point, Source, Timer};
use crate::sys::Interest;
use crate::transport::backoff::Backoff;
use crate::transport::{Dialer, Target};

pub(super) struct DialPoint {
    pub dialer: Box<dyn Dialer>,
    pub backoff: Backoff,
    /// Addresses of the name that were not tried yet.
    pub addresses: VecDeque<SockAddr>,
    pub redial: Option<Instant>,
}

impl DialPoint {
    pub(super) fn new(dialer: Box<dyn Dialer>, backoff: Backoff) -> Self {
        Self { dialer, backoff, addresses: VecDeque::new(), redial: None }
    }
}

impl Driver<'_> {
    pub(super) fn dial(&mut self, endpoint: i32) {
        let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        match point.dialer.target() {
            Target::Known(addresses) => {
                point.addresses = addresses.into();
                self.dial_next(endpoint);
            }
            Target::Name(host, port) => {
                let ipv4_only = self.settings().ipv4_only;
                let me = self.socket.me.clone();
                let answer = move |addresses| {
                    if let Some(socket) = me.upgrade() {
                        let mut held = socket.lock();
                        if !held.closing {
                            held.commands.push(Command::Resolved(endpoint, addresses));
                        }
                    }
                };
                self.socket.library.resolver.look_up(host, port, ipv4_only, Box::new(answer));
            }
        }
    }

    pub(super) fn resolved(&mut self, endpoint: i32, addresses: Vec<SocketAddr>) {
        let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        point.addresses = addresses.into_iter().map(Into::into).collect();
        self.dial_next(endpoint);
    }

    /// Tries the next address, or waits before starting over.
    fn dial_next(&mut self, endpoint: i32) {
        let settings = self.settings();
        loop {
            let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
            let Some(address) = point.addresses.pop_front() else { return self.redial_later(endpoint) };
            match point.dialer.dial(&address, settings) {
                Ok(stream) => {
                    let source = self.io.sources.vacant_entry().key();
                    match self.poller.add(&stream, Interest::WRITE, source) {
                        Ok(()) => {
                            self.io.sources.insert(Source::Connecting(endpoint, stream));
                            self.io.unsettled += 1;
                            self.lock().stats.inprogress_connections += 1;
                            return;
                        }
                        Err(error) => self.connect_failed(endpoint, &error),
                    }
                }
                Err(error) => self.connect_failed(endpoint, &error),
            }
        }
    }

    fn connect_failed(&self, endpoint: i32, error: &std::io::Error) {
        let mut held = self.lock();
        held.stats.connect_errors += 1;
        held.endpoint_error(self.socket, endpoint, error.raw_os_error().unwrap_or(libc::ECONNREFUSED));
    }

    pub(super) fn redial_later(&mut self, endpoint: i32) {
        let Some(Point::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        let at = Instant::now() + point.backoff.next_delay();
        if let Some(old) = point.redial.replace(at) {
            self.io.timers.stop(old, Timer::Redial(endpoint));
        }
        self.io.timers.start(at, Timer::Redial(endpoint));
    }

    /// A connect has succeeded or failed.
    pub(super) fn connected(&mut self, source: usize) {
        let Some(Source::Connecting(endpoint, stream)) = self.io.sources.try_remove(source) else { return };
        self.io.unsettled -= 1;
        let _ = self.poller.remove(&stream);
        let failed = stream.take_error().unwrap_or_else(Some);
        let mut held = self.lock();
        held.stats.inprogress_connections -= 1;
        match failed {
            Some(error) => {
                drop(held);
                drop(stream);
                self.connect_failed(endpoint, &error);
                self.dial_next(endpoint);
            }
            None => {
                held.stats.established_connections += 1;
                held.endpoint_works(endpoint);
                drop(held);
                let Some(Point::Dialer(point)) = self.io.endpoints.get(&endpoint) else { return };
                let framing = point.dialer.framing();
                self.start(endpoint, stream, framing);
            }
        }
    }
}
