//! ipc: Unix stream sockets, named by a path.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::session::Greeting;
use super::tcp::connect;
use super::{BACKLOG, Dialer, Listener, Settings, Target, Transport};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::{Error, Result};
use crate::sys::{self, Stream};

/// Room for a path in a socket address (unix(7)), its NUL included.
const PATH_LIMIT: usize = 108;

pub(super) struct Ipc;

impl Transport for Ipc {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        let name = socket_address(address)?;
        let path = PathBuf::from(OsStr::from_bytes(address));
        remove_if_dead(&path, &name);
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        settings.apply(&socket);
        socket.bind(&name)?;
        let file = FileId::of(&path);
        let listener = IpcListener { socket: socket.into(), path, file, generation: sys::generation() };
        listener.socket.listen(BACKLOG)?;
        Ok(Box::new(listener))
    }

    fn connect(&self, address: &[u8], _settings: Settings) -> Result<Box<dyn Dialer>> {
        Ok(Box::new(IpcDialer(socket_address(address)?)))
    }
}

fn socket_address(path: &[u8]) -> Result<SockAddr> {
    if path.len() >= PATH_LIMIT {
        return Err(Error::NameTooLong);
    }
    // libnanomsg passes the whole, zeroed address: an empty path is the abstract name of 107 NUL bytes, and a program
    // that binds or connects to it finds the other there.
    let path = if path.is_empty() { &[0; PATH_LIMIT] } else { path };
    SockAddr::unix(OsStr::from_bytes(path)).map_err(|_| Error::NameTooLong)
}

/// Removes the file of a socket nobody listens on any more. Nothing else is ever removed: an ordinary file or a
/// directory makes bind answer EADDRINUSE.
fn remove_if_dead(path: &Path, name: &SockAddr) {
    if !fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        return;
    }
    let Ok(probe) = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None) else { return };
    let refused = probe.connect(name).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if refused {
        let _ = fs::remove_file(path);
    }
}

/// Tells our socket file from another one that has taken its place.
#[derive(PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::symlink_metadata(path).ok()?;
        file.file_type().is_socket().then(|| Self { device: file.dev(), inode: file.ino() })
    }
}

struct IpcListener {
    socket: Stream,
    path: PathBuf,
    file: Option<FileId>,
    generation: u32,
}

impl Drop for IpcListener {
    fn drop(&mut self) {
        // A forked child must not unlink its parent's name.
        if self.file.is_some() && FileId::of(&self.path) == self.file && self.generation == sys::generation() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listener for IpcListener {
    fn source(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn accept(&self, settings: Settings) -> io::Result<Socket> {
        let (stream, _) = self.socket.accept()?;
        stream.set_nonblocking(true)?;
        settings.apply(&stream);
        Ok(stream)
    }

    fn greeting(&self, _settings: Settings) -> Greeting {
        Greeting::SpServer(LengthPrefix::Typed)
    }
}

struct IpcDialer(SockAddr);

impl Dialer for IpcDialer {
    fn target(&self) -> Target {
        Target::Known(vec![self.0.clone()])
    }

    fn dial(&self, to: &SockAddr, settings: Settings) -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        settings.apply(&socket);
        connect(&socket, to)?;
        Ok(socket)
    }

    fn greeting(&self) -> Greeting {
        Greeting::SpClient(LengthPrefix::Typed)
    }
}
