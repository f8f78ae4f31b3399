//! Streams, and descriptors that the program gives: they become streams of the library's own, which closes them.

use std::collections::BTreeSet;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use socket2::{Domain, SockRef, Socket, Type};

use super::super::{CancelGuard, Mutex};

/// A stream, or what listens for them. Its end is a cancellation point, close(2): who drops it last is not cancelled then.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: ManuallyDrop<Socket>,
    /// Where its number is noted, if the program has given it.
    adopted: Option<Arc<Adopted>>,
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self { socket: ManuallyDrop::new(socket), adopted: None }
    }
}

impl Stream {
    pub(crate) fn source(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Deref for Stream {
    type Target = Socket;

    #[inline(always)]
    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// On Linux socket2 has this itself.
#[cfg(not(target_os = "linux"))]
impl Stream {
    pub(crate) fn domain(&self) -> io::Result<Domain> {
        Ok(self.local_addr()?.domain())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _whole = CancelGuard::new();
        let number = self.socket.as_raw_fd();
        // Until it is closed and forgotten: as soon as it is closed, another descriptor may have its number, and be given.
        let mut noted = self.adopted.as_ref().map(|adopted| adopted.numbers.lock());
        // SAFETY: nothing looks at it after this.
        unsafe { ManuallyDrop::drop(&mut self.socket) };
        if let Some(numbers) = &mut noted {
            numbers.in_use.remove(&number);
        }
    }
}

/// The numbers of the descriptors that a process has given to the library.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    in_use: BTreeSet<RawFd>,
    /// Descriptors that the process began with (and only these) and that were given once: whatever has such a number later is
    /// another one.
    spent: BTreeSet<RawFd>,
}

/// A number that nobody else can give meanwhile. Unless it is taken, nothing has happened to the descriptor.
#[derive(Debug)]
pub(crate) struct Claim {
    adopted: Arc<Adopted>,
    number: RawFd,
    /// The process began with it.
    inherited: bool,
}

/// What a descriptor is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub domain: Domain,
    /// Not datagrams, say.
    pub is_stream: bool,
    pub listens: bool,
    pub is_connected: bool,
}

impl Adopted {
    /// `None`: it is in use. `inherited`: the process began with it.
    pub(crate) fn claim(self: &Arc<Self>, number: RawFd, inherited: bool) -> Option<Claim> {
        let claimed = self.numbers.lock().in_use.insert(number);
        claimed.then(|| Claim { adopted: Arc::clone(self), number, inherited })
    }

    /// The same for a descriptor that the process began with. `None`: it is in use, or was.
    pub(crate) fn claim_first_use(self: &Arc<Self>, number: RawFd) -> Option<Claim> {
        let mut numbers = self.numbers.lock();
        let claimed = !numbers.spent.contains(&number) && numbers.in_use.insert(number);
        claimed.then(|| Claim { adopted: Arc::clone(self), number, inherited: true })
    }
}

impl Claim {
    /// Fails where there is no such descriptor (EBADF), or it is no socket (ENOTSOCK).
    pub(crate) fn facts(&self) -> io::Result<Facts> {
        // SAFETY: the program that gave the number promises that the descriptor is theirs, and stays open during the call. Where it
        // is none, the calls below say so.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.number) };
        let socket = SockRef::from(&descriptor);
        let is_stream = socket.r#type()? == Type::STREAM;
        let domain = socket.local_addr()?.domain();
        Ok(Facts { domain, is_stream, listens: listens(&socket), is_connected: socket.peer_addr().is_ok() })
    }

    /// From here on the descriptor is the library's: closed with the stream, non-blocking, and not there in programs that are
    /// executed. After an error it is as it was.
    pub(crate) fn take(self) -> io::Result<Stream> {
        // SAFETY: the program that gave the number promises that the descriptor is theirs to give. It was open when `facts` were
        // asked for, and no other stream has it, or it could not have been claimed.
        let socket = ManuallyDrop::new(Socket::from(unsafe { OwnedFd::from_raw_fd(self.number) }));
        // Of the two this may be refused: F_SETFD has nothing that could go wrong.
        socket.set_nonblocking(true)?;
        let _ = socket.set_cloexec(true);
        #[cfg(target_vendor = "apple")]
        let _ = socket.set_nosigpipe(true);
        if self.inherited {
            self.adopted.numbers.lock().spent.insert(self.number);
        }
        let adopted = Arc::clone(&self.adopted);
        // Its number stays claimed.
        std::mem::forget(self);
        Ok(Stream { socket, adopted: Some(adopted) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.adopted.numbers.lock().in_use.remove(&self.number);
    }
}

fn listens(socket: &Socket) -> bool {
    let mut value: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option is an int, and `size` says that there is room for one.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    result == 0 && value != 0
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A descriptor that nobody owns.
    fn loose(descriptor: impl Into<OwnedFd>) -> RawFd {
        std::os::fd::IntoRawFd::into_raw_fd(descriptor.into())
    }

    fn flags(number: RawFd) -> (bool, bool) {
        // SAFETY: it takes numbers, and asks.
        let [status, own] = [libc::F_GETFL, libc::F_GETFD].map(|what| unsafe { libc::fcntl(number, what) });
        (status & libc::O_NONBLOCK != 0, own & libc::FD_CLOEXEC != 0)
    }

    #[test]
    fn a_claim_that_is_not_taken_changes_nothing() {
        let adopted = Arc::new(Adopted::default());
        let (near, _far) = UnixStream::pair().unwrap();
        let before = flags(near.as_raw_fd());
        let claim = adopted.claim(near.as_raw_fd(), true).unwrap();
        assert!(adopted.claim(near.as_raw_fd(), false).is_none(), "it is claimed");
        assert!(claim.facts().unwrap().is_connected);
        drop(claim);
        assert_eq!(flags(near.as_raw_fd()), before);
        assert!(adopted.claim_first_use(near.as_raw_fd()).is_some(), "it was not used");
    }

    #[test]
    fn a_taken_descriptor_is_in_use_until_it_is_closed() {
        let adopted = Arc::new(Adopted::default());
        let (near, far) = UnixStream::pair().unwrap();
        let number = loose(near);
        let stream = adopted.claim(number, true).unwrap().take().unwrap();
        assert_eq!(flags(number), (true, true));
        assert!(adopted.claim(number, true).is_none() && adopted.claim_first_use(number).is_none());
        drop(stream);
        assert_eq!(io::Read::read(&mut &far, &mut [0]).unwrap(), 0, "it is closed");
        assert!(adopted.claim(number, false).is_some());
        assert!(adopted.claim_first_use(number).is_none(), "whatever has the number now is another one");
    }

    #[test]
    fn facts_are_told_apart() {
        let adopted = Arc::new(Adopted::default());
        let facts = |descriptor: &dyn AsRawFd| adopted.claim(descriptor.as_raw_fd(), false).unwrap().facts();
        let listening = facts(&TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        assert!(listening.is_stream && listening.listens && !listening.is_connected);
        assert_eq!(listening.domain, Domain::IPV4);
        assert!(!facts(&UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap().is_stream);
        assert_eq!(facts(&File::open("/").unwrap()).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
        let none = adopted.claim(RawFd::MAX, false).unwrap().facts();
        assert_eq!(none.unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
