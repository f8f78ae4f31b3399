//! Listeners: peers accepted, and pauses when descriptors have run out.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Driver, EndpointIo, Source, Timer};
use crate::socket::core::Happening;
use crate::sys::{self, Interest, concerns_only_the_peer, is_exhausted};
use crate::transport::channel::Channel;
use crate::transport::session::Greeting;

/// Peers taken from one listener before others have their turn.
const ACCEPTS: usize = 64;

/// Pause of a listener when descriptors or memory have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

impl Driver<'_> {
    pub(super) fn listen(&mut self, endpoint: i32) {
        let Some(EndpointIo::Listener { listener, source, .. }) = self.io.endpoints.get_mut(&endpoint) else { return };
        let key = *source.get_or_insert_with(|| self.io.sources.insert(Source::Listener(endpoint)));
        if self.poller.add(listener.source(), Interest::READ, key as u64).is_err() {
            self.pause_accepting(endpoint);
        }
    }

    pub(super) fn accept(&mut self, endpoint: i32) {
        let _whole = sys::CancelGuard::new();
        let settings = self.settings();
        for _ in 0..ACCEPTS {
            let Some(EndpointIo::Listener { listener, .. }) = self.io.endpoints.get(&endpoint) else { return };
            let greeting = listener.greeting(settings);
            match listener.accept(settings).and_then(|stream| listener.secure(stream)) {
                Ok(channel) => self.accepted(endpoint, channel, greeting),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    let mut held = self.lock();
                    if error.kind() != std::io::ErrorKind::ConnectionAborted {
                        held.stats.accept_errors += 1;
                    }
                    let code = sys::code_of(&error, &sys::exhausted());
                    if is_exhausted(&error) {
                        held.endpoint_error(endpoint, code);
                    }
                    held.count_failure(endpoint);
                    held.happened(endpoint, None, Happening::AcceptFailed(code));
                    held.release();
                    if !concerns_only_the_peer(&error) {
                        return self.stop_accepting(endpoint);
                    }
                }
            }
        }
    }

    /// A peer has dialled.
    pub(super) fn accepted(&mut self, endpoint: i32, channel: Channel, greeting: Greeting) {
        let mut held = self.lock();
        held.stats.accepted_connections += 1;
        if !channel.is_tls() {
            held.endpoint_works(endpoint);
        }
        held.release();
        self.start(endpoint, channel, greeting, false);
    }

    fn stop_accepting(&mut self, endpoint: i32) {
        let Some(EndpointIo::Listener { listener, .. }) = self.io.endpoints.get(&endpoint) else { return };
        let _ = self.poller.remove(listener.source());
        self.pause_accepting(endpoint);
    }

    pub(super) fn pause_accepting(&mut self, endpoint: i32) {
        let Some(EndpointIo::Listener { pause, .. }) = self.io.endpoints.get_mut(&endpoint) else { return };
        let at = sys::now() + ACCEPT_PAUSE;
        *pause = Some(at);
        self.io.timers.start(at, Timer::Accept(endpoint));
    }
}
