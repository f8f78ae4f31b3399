//! What the crate polling is asked about sockets, and what tells it of other things.

use std::hash::{Hash, Hasher};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawSocket, BorrowedSocket, RawSocket};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};
use socket2::SockRef;

use super::super::Interest;
use super::signals::Signals;
use super::{AsSource, Source};

/// A socket by its number, or events.
#[derive(Clone)]
pub(in crate::sys) enum Watched {
    Socket(RawSocket),
    Signals(Arc<Signals>),
}

impl Watched {
    /// Which kind, and which of it.
    fn id(&self) -> (bool, u64) {
        match self {
            Self::Socket(raw) => (true, *raw),
            Self::Signals(signals) => (false, Arc::as_ptr(signals) as u64),
        }
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

pub(in crate::sys) fn watched(source: impl AsSource) -> Watched {
    match source.as_source() {
        Source::Socket(socket) => Watched::Socket(socket.as_raw_socket()),
        Source::Signals(signals) => Watched::Signals(Arc::clone(signals)),
    }
}

/// The system's poller. Every source is watched for one event at a time.
pub(in crate::sys) struct Watches(Arc<Poller>);

impl Watches {
    pub(in crate::sys) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Poller::new()?)))
    }

    pub(in crate::sys) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.0.wait(events, timeout).map(drop)
    }

    pub(in crate::sys) fn notify(&self) -> io::Result<()> {
        self.0.notify()
    }

    pub(in crate::sys) fn add(&self, what: &Watched, key: usize, interest: Interest) -> io::Result<()> {
        match what {
            // SAFETY: as of `borrowed`.
            Watched::Socket(raw) => unsafe { self.0.add_with_mode(*raw, wanted(key, interest), PollMode::Oneshot) },
            Watched::Signals(signals) => signals.watch(&self.0, key, interest),
        }
    }

    pub(in crate::sys) fn modify(&self, what: &Watched, key: usize, interest: Interest) -> io::Result<()> {
        match what {
            Watched::Socket(raw) => self.0.modify_with_mode(borrowed(raw), wanted(key, interest), PollMode::Oneshot),
            Watched::Signals(signals) => signals.watch(&self.0, key, interest),
        }
    }

    pub(in crate::sys) fn remove(&self, what: &Watched) -> io::Result<()> {
        match what {
            Watched::Socket(raw) => self.0.delete(borrowed(raw)),
            Watched::Signals(signals) => {
                signals.forget();
                Ok(())
            }
        }
    }

    /// An urgent byte is taken away.
    pub(in crate::sys) fn take_urgent(&self, what: &Watched) {
        if let Watched::Socket(raw) = what {
            let _ = SockRef::from(&borrowed(raw)).recv_out_of_band(&mut [MaybeUninit::uninit()]);
        }
    }

    /// Whether the peer sends nothing more. Behind what it has sent and nobody has read, its orderly end is not seen: only when
    /// that was read. That the connection was aborted is.
    pub(in crate::sys) fn has_ended(&self, what: &Watched, event: &Event, interest: Interest) -> bool {
        let Watched::Socket(raw) = what else { return false };
        if event.is_interrupt() {
            return true;
        }
        match SockRef::from(&borrowed(raw)).peek(&mut [MaybeUninit::uninit()]) {
            Ok(count) if count > 0 => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return true,
        }
        // What has come is no reason to wake up over and over.
        let event = Event::new(event.key, false, interest.write).with_interrupt();
        let _ = self.0.modify_with_mode(borrowed(raw), event, PollMode::Oneshot);
        false
    }
}

/// A source that its owner does not want to read is watched all the same: its end has to be heard of.
fn wanted(key: usize, interest: Interest) -> Event {
    Event::new(key, true, interest.write).with_interrupt()
}

fn borrowed(raw: &RawSocket) -> BorrowedSocket<'_> {
    // SAFETY: a source is added by its owner, who removes it before it closes it; a poller that is dropped removes all that
    // it has. Where a program closes sockets that are ours, the system answers that there is none, or changes what it
    // reports of another one that has the number now and was added as well.
    unsafe { BorrowedSocket::borrow_raw(*raw) }
}
