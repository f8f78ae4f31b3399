//! Files that name sockets.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::super::now;

/// Bytes of a path in a socket address, its NUL included: 108 on Linux (unix(7)), 104 on the BSDs and on macOS (unix(4)).
pub(crate) const PATH_LIMIT: usize = size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// How long a bind waits for others that bind in the same folder. They take less than a millisecond each. A process that
/// may read the folder can hold its lock for ever; that must not keep us from binding.
const LOCK_TIME: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The path that these bytes are: any bytes are one.
pub(crate) fn path_of(bytes: &[u8]) -> io::Result<PathBuf> {
    Ok(PathBuf::from(OsStr::from_bytes(bytes)))
}

/// Where a socket can be bound before it gets the name that is wanted: in the same folder, by a path of at most `limit` bytes.
pub(crate) fn beside(path: &Path, suffix: &str, folder: Option<&Folder>, limit: usize) -> Option<PathBuf> {
    let beside = [path.as_os_str().as_bytes(), suffix.as_bytes()].concat();
    // The same folder by a shorter name.
    if beside.len() <= limit { path_of(&beside).ok() } else { Some(folder?.short_name(suffix)) }
}

/// Who may connect to the socket that the file names: the permission bits of chmod(2). Where others may write to the folder, one
/// of them may have put something else in its place, which keeps its own.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let (_file, path) = reached(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Lets the file's owner connect, if that is who we are. Returns the mode before; `None`: nothing has changed.
pub(crate) fn let_owner_in(path: &Path) -> Option<u32> {
    let before = fs::symlink_metadata(path).ok()?.mode() & 0o7777;
    set_mode(path, before | 0o200).is_ok().then_some(before)
}

/// The file itself, open, and a path that leads to it whatever becomes of its name. It is a socket's.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reached(path: &Path) -> io::Result<(File, PathBuf)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    if !file.metadata()?.file_type().is_socket() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    Ok((file, path))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reached(path: &Path) -> io::Result<((), &Path)> {
    if fs::symlink_metadata(path)?.file_type().is_socket() {
        Ok(((), path))
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// The folder of a path. As long as this lives nobody else of ours binds in there, who could remove a dead file twice: the
/// second time it is the one that has taken its place.
pub(crate) struct Folder(File);

impl Folder {
    /// `None`: it cannot be read, or is not there. Without the lock if that cannot be had.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = Self(OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(parent).ok()?);
        let give_up = now() + LOCK_TIME;
        while matches!(folder.0.try_lock(), Err(TryLockError::WouldBlock)) && now() < give_up {
            thread::sleep(LOCK_PAUSE);
        }
        Some(folder)
    }

    /// A file in it, by a name of the folder that is short.
    fn short_name(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{file}", self.0.as_raw_fd()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing is not enough: a child that was forked meanwhile has the same file open.
        let _ = self.0.unlock();
    }
}

/// Tells our socket file from another one that has taken its place.
#[derive(PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// `None`: there is no file, or another kind of file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let file = fs::symlink_metadata(path).ok()?;
        file.file_type().is_socket().then(|| Self { device: file.dev(), inode: file.ino() })
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn only_a_sockets_file_changes_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, file, link, gone] = ["socket", "file", "link", "gone"].map(|name| folder.path().join(name));
        let _listener = UnixListener::bind(&socket).unwrap();
        set_mode(&socket, 0o601).unwrap();
        assert_eq!(mode(&socket), 0o601);
        fs::write(&file, "private").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        for to in [&file, &socket] {
            symlink(to, &link).unwrap();
            assert!(set_mode(&link, 0o666).is_err() && let_owner_in(&link).is_none());
            fs::remove_file(&link).unwrap();
        }
        assert!(set_mode(&file, 0o666).is_err() && set_mode(&gone, 0o666).is_err());
        assert_eq!((mode(&file), mode(&socket)), (0o600, 0o601), "what a name leads to elsewhere is left alone");
        set_mode(&socket, 0o400).unwrap();
        assert_eq!((let_owner_in(&socket), mode(&socket)), (Some(0o400), 0o600));
    }
}
