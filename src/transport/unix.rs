//! unix, which ipc is another name of: Unix stream sockets, named by a path. abstract: the same with a name that is no path.
#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};

use socket2::{Domain, SockAddr, Socket};

use super::session::Greeting;
use super::tcp::connect;
use super::{BACKLOG, Dialer, Listener, Settings, Target, Transport};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::{Error, Result};
use crate::sys::files::{self, FileId, Folder, PATH_LIMIT, let_owner_in, path_of, set_mode};
use crate::sys::{self, Source, Stream};

pub(super) struct Unix;

impl Transport for Unix {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        let name = socket_address(address)?;
        let path = path_of(address)?;
        let socket = unconnected(settings)?;
        let folder = Folder::of(&path);
        remove_if_dead(&path, &name)?;
        // Why is not told: what keeps it from binding aside keeps it from binding here, or does not matter.
        let mode = settings.ipc_mode;
        let Some(aside) = bind_aside(&socket, &path, folder.as_ref()) else {
            return listen_at(socket, path, &name, mode);
        };
        // Before anybody can connect.
        let_in(mode, &aside.0)?;
        socket.listen(BACKLOG)?;
        let file = FileId::of(&aside.0);
        match fs::hard_link(&aside.0, &path) {
            Ok(()) => Ok(Box::new(UnixListener::new(socket, &path, file))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::AddressInUse),
            // Not every file system has hard links.
            Err(_) => {
                drop((aside, socket));
                listen_at(unconnected(settings)?, path, &name, mode)
            }
        }
    }

    fn connect(&self, address: &[u8], _settings: Settings) -> Result<Box<dyn Dialer>> {
        Ok(Box::new(UnixDialer(socket_address(address)?)))
    }
}

/// Names that Linux keeps apart from all files (unix(7)): they need no folder, nobody's permission, and leave nothing behind.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) struct Abstract;

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Transport for Abstract {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        let name = abstract_address(address)?;
        let socket = unconnected(settings)?;
        socket.bind(&name)?;
        socket.listen(BACKLOG)?;
        Ok(Box::new(UnixListener::without_file(socket.into())))
    }

    fn connect(&self, address: &[u8], _settings: Settings) -> Result<Box<dyn Dialer>> {
        Ok(Box::new(UnixDialer(abstract_address(address)?)))
    }
}

/// Behind a NUL the name stands as it is. Without one the kernel would choose.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> Result<SockAddr> {
    check_length(name)?;
    SockAddr::unix(path_of(&[b"\0", name].concat())?).map_err(|_| Error::NameTooLong)
}

/// The path as it stands: nothing in it is decoded, and it cannot name an abstract address, which begins with a NUL.
fn socket_address(path: &[u8]) -> Result<SockAddr> {
    check_length(path)?;
    SockAddr::unix(path_of(path)?).map_err(|_| Error::NameTooLong)
}

fn check_length(name: &[u8]) -> Result<()> {
    if name.is_empty() {
        return Err(Error::Invalid);
    }
    if name.len() >= PATH_LIMIT {
        return Err(Error::NameTooLong);
    }
    Ok(())
}

fn unconnected(settings: Settings) -> io::Result<Socket> {
    let socket = sys::stream_socket(Domain::UNIX)?;
    settings.apply(&socket);
    Ok(socket)
}

/// Who may connect, if that was said (NN_IPC_MODE).
fn let_in(mode: Option<u32>, path: &Path) -> io::Result<()> {
    mode.map_or(Ok(()), |mode| set_mode(path, mode))
}

/// Binds under the wanted name and listens a moment later. Whoever looks in between finds a file, and nobody behind it.
fn listen_at(socket: Socket, path: PathBuf, name: &SockAddr, mode: Option<u32>) -> Result<Box<dyn Listener>> {
    socket.bind(name)?;
    let file = FileId::of(&path);
    let listener = UnixListener::new(socket, &path, file);
    let_in(mode, &path)?;
    listener.socket.listen(BACKLOG)?;
    Ok(Box::new(listener))
}

/// Binds under another name in the folder. The wanted one is then given to a socket that listens, so that another process
/// that binds there, perhaps through another library, never takes it for dead.
fn bind_aside(socket: &Socket, path: &Path, folder: Option<&Folder>) -> Option<Aside> {
    let suffix = format!(".{:016x}", u64::from_ne_bytes(sys::random()));
    let aside = files::beside(path, &suffix, folder, PATH_LIMIT - 1)?;
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

/// Removes the file of a socket nobody listens on any more. Nothing else is ever removed: an ordinary file or a
/// directory makes bind answer EADDRINUSE.
fn remove_if_dead(path: &Path, name: &SockAddr) -> io::Result<()> {
    if FileId::of(path).is_none() {
        return Ok(());
    }
    let mut answer = probe(name)?;
    // NN_IPC_MODE may keep out the owner, too, who is to find out all the same.
    if answer == Some(io::ErrorKind::PermissionDenied)
        && let Some(mode) = let_owner_in(path)
    {
        answer = probe(name)?;
        let _ = set_mode(path, mode);
    }
    if answer == Some(io::ErrorKind::ConnectionRefused) {
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// What keeps us from connecting. `None`: nothing.
fn probe(name: &SockAddr) -> io::Result<Option<io::ErrorKind>> {
    Ok(sys::stream_socket(Domain::UNIX)?.connect(name).err().map(|error| error.kind()))
}

pub(super) struct UnixListener {
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

    /// There is none, or it is somebody else's to remove.
    #[cfg_attr(windows, allow(dead_code, reason = "all of them are made by the library"))]
    pub(super) fn without_file(socket: Stream) -> Self {
        Self { socket, path: PathBuf::new(), file: None, generation: sys::generation() }
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
    fn source(&self) -> Source<'_> {
        self.socket.source()
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
