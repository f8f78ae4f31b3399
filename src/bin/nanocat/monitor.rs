//! `--monitor`: what happens to the socket's endpoints and connections, as lines on the standard error, or published.
#![forbid(unsafe_code)]

use std::sync::mpsc::{self, TryRecvError};
use std::thread::Scope;

use crate::Failure;
use crate::nn::{Error, Socket};
use crate::stats::Screen;
use crate::talk::SUB;

/// Where the socket publishes what is to be printed; nobody else hears it.
const PRIVATE: &[u8] = b"inproc://nanocat-monitor";

/// The event that is always the last one.
const LAST: &[u8] = b"monitor_stopped ";

/// Milliseconds after which the printer looks whether the socket is closed, should the last event have been lost.
const PATIENCE: i32 = 250;

#[derive(Debug, Default)]
pub(crate) enum Monitor {
    #[default]
    Off,
    Print,
    /// At this address.
    Publish(Vec<u8>),
}

/// As long as this lives the socket may have something to tell. It has to be dropped after the socket.
pub(crate) struct Watched {
    _open: mpsc::Sender<()>,
}

impl Monitor {
    /// Makes the socket tell; nothing may have happened to it so far. Printing ends after the end of the socket.
    pub(crate) fn begin<'scope>(
        &self,
        socket: &Socket,
        verbose: bool,
        scope: &'scope Scope<'scope, '_>,
        screen: &'scope Screen,
    ) -> Result<Option<Watched>, Failure> {
        let failed = |error: Error| Failure::library("Can't monitor", &error);
        match self {
            Self::Off => Ok(None),
            Self::Publish(address) => {
                socket
                    .set_monitor(address)
                    .map_err(|error| Failure::address("Can't monitor", address, &error, true))?;
                if verbose && let Ok(bound) = socket.monitor_address() {
                    screen.say(&format!("nanocat: monitor at {bound}"));
                }
                Ok(None)
            }
            Self::Print => {
                let subscriber = Socket::open(SUB).map_err(failed)?;
                subscriber.subscribe(b"").map_err(failed)?;
                subscriber.set_recv_timeout(PATIENCE).map_err(failed)?;
                socket.set_monitor(PRIVATE).map_err(failed)?;
                subscriber.connect(&crate::c_string(PRIVATE.to_vec())).map_err(failed)?;
                let (open, closed) = mpsc::channel();
                scope.spawn(move || print(&subscriber, &closed, screen));
                Ok(Some(Watched { _open: open }))
            }
        }
    }
}

fn print(subscriber: &Socket, closed: &mpsc::Receiver<()>, screen: &Screen) {
    loop {
        match subscriber.recv() {
            Ok(event) => {
                screen.say(&String::from_utf8_lossy(event.body()));
                if event.body().starts_with(LAST) {
                    return;
                }
            }
            Err(error) if error.errno == libc::EINTR => {}
            Err(_) if closed.try_recv() == Err(TryRecvError::Disconnected) => return,
            Err(error) if [libc::EAGAIN, libc::ETIMEDOUT].contains(&error.errno) => {}
            Err(_) => return,
        }
    }
}
