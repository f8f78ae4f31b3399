//! unix, which ipc is another name of: Unix stream sockets, named by a path.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{self, Path, PathBuf};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket};

use super::session::Greeting;
use super::tcp::connect;
use super::{BACKLOG, Dialer, Listener, Settings, Target, Transport};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::{Error, Result};
use crate::sys::{self, Stream};

/// Bytes of a path in a socket address (unix(7)), its NUL included.
const PATH_LIMIT: usize = 108;

/// How long a bind waits for others that bind in the same folder. They take less than a millisecond each. Whoever may read
/// the folder can hold its lock for ever, and shall not keep us from binding.
const LOCK_TIME: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Unix;

impl Transport for Unix {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        let name = socket_address(address)?;
        let path = PathBuf::from(OsStr::from_bytes(address));
        let socket = unconnected(settings)?;
        let folder = Folder::of(&path);
        remove_if_dead(&path, &name)?;
        // Why is not told: what keeps it from binding aside keeps it from binding here, or does not matter.
        let Some(aside) = bind_aside(&socket, &path, folder.as_ref()) else { return listen_at(socket, path, &name) };
        socket.listen(BACKLOG)?;
        let file = FileId::of(&aside.0);
        match fs::hard_link(&aside.0, &path) {
            Ok(()) => Ok(Box::new(UnixListener::new(socket, &path, file))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::AddressInUse),
            // Not every file system has hard links.
            Err(_) => {
                drop((aside, socket));
                listen_at(unconnected(settings)?, path, &name)
            }
        }
    }

    fn connect(&self, address: &[u8], _settings: Settings) -> Result<Box<dyn Dialer>> {
        Ok(Box::new(UnixDialer(socket_address(address)?)))
    }
}

/// The path as it stands: nothing in it is decoded, and it cannot name an abstract address, which begins with a NUL.
fn socket_address(path: &[u8]) -> Result<SockAddr> {
    if path.is_empty() {
        return Err(Error::Invalid);
    }
    if path.len() >= PATH_LIMIT {
        return Err(Error::NameTooLong);
    }
    SockAddr::unix(OsStr::from_bytes(path)).map_err(|_| Error::NameTooLong)
}

fn unconnected(settings: Settings) -> io::Result<Socket> {
    let socket = sys::stream_socket(Domain::UNIX)?;
    settings.apply(&socket);
    Ok(socket)
}

/// Binds under the wanted name and listens a moment later. Whoever looks in between finds a file, and nobody behind it.
fn listen_at(socket: Socket, path: PathBuf, name: &SockAddr) -> Result<Box<dyn Listener>> {
    socket.bind(name)?;
    let file = FileId::of(&path);
    let listener = UnixListener::new(socket, &path, file);
    listener.socket.listen(BACKLOG)?;
    Ok(Box::new(listener))
}

/// Binds under another name in the folder. The wanted one is then given to a socket that listens, so that another process
/// that binds there, perhaps through another library, never takes it for dead.
fn bind_aside(socket: &Socket, path: &Path, folder: Option<&Folder>) -> Option<Aside> {
    let suffix = format!(".{:016x}", u64::from_ne_bytes(sys::random()));
    let beside = [path.as_os_str().as_bytes(), suffix.as_bytes()].concat();
    let aside = if beside.len() < PATH_LIMIT {
        PathBuf::from(OsStr::from_bytes(&beside))
    } else {
        // The same folder by a shorter name.
        PathBuf::from(format!("/proc/self/fd/{}/{suffix}", folder?.0.as_raw_fd()))
    };
    socket.bind(&SockAddr::unix(&aside).ok()?).ok()?;
    Some(Aside(aside))
}

/// A file that is gone when this is dropped.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The folder of a path. As long as this lives nobody else of ours binds in there, who could remove a dead file twice: the
/// second time it is the one that has taken its place.
struct Folder(File);

impl Folder {
    /// `None`: it cannot be read, or is not there. Without the lock if that cannot be had.
    fn of(path: &Path) -> Option<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = Self(OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(parent).ok()?);
        let give_up = sys::now() + LOCK_TIME;
        while matches!(folder.0.try_lock(), Err(TryLockError::WouldBlock)) && sys::now() < give_up {
            thread::sleep(LOCK_PAUSE);
        }
        Some(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing is not enough: a child that was forked meanwhile has the same file open.
        let _ = self.0.unlock();
    }
}

/// Removes the file of a socket nobody listens on any more. Nothing else is ever removed: an ordinary file or a
/// directory makes bind answer EADDRINUSE.
fn remove_if_dead(path: &Path, name: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        return Ok(());
    }
    let probe = sys::stream_socket(Domain::UNIX)?;
    let refused = probe.connect(name).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if refused {
        let _ = fs::remove_file(path);
    }
    Ok(())
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

struct UnixListener {
    socket: Stream,
    /// From the root: the process may have another current folder when it closes.
    path: PathBuf,
    file: Option<FileId>,
    generation: u32,
}

impl UnixListener {
    fn new(socket: Socket, path: &Path, file: Option<FileId>) -> Self {
        let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { socket: socket.into(), path, file, generation: sys::generation() }
    }
}

impl Drop for UnixListener {
    /// The name goes before the listener, which is closed behind this: in between a dial is refused by nobody's file.
    /// Otherwise another process could find ours dead, put its own there, and lose that to us.
    fn drop(&mut self) {
        // A forked child must not unlink its parent's name.
        if self.file.is_some() && FileId::of(&self.path) == self.file && self.generation == sys::generation() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listener for UnixListener {
    fn source(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn accept(&self, settings: Settings) -> io::Result<Stream> {
        let (stream, _) = self.socket.accept()?;
        stream.set_nonblocking(true)?;
        settings.apply(&stream);
        Ok(stream.into())
    }

    fn greeting(&self, _settings: Settings) -> Greeting {
        Greeting::SpServer(LengthPrefix::Typed)
    }
}

struct UnixDialer(SockAddr);

impl Dialer for UnixDialer {
    fn target(&self) -> Target {
        Target::Known(vec![self.0.clone()])
    }

    fn dial(&self, to: &SockAddr, settings: Settings) -> io::Result<Stream> {
        let socket = unconnected(settings)?;
        connect(&socket, to)?;
        Ok(socket.into())
    }

    fn greeting(&self) -> Greeting {
        Greeting::SpClient(LengthPrefix::Typed)
    }
}
