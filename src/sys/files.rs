//! Files that name sockets.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::now;

/// How long a bind waits for others that bind in the same folder. They take less than a millisecond each. A process that
/// may read the folder can hold its lock for ever; that must not keep us from binding.
const LOCK_TIME: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The path that these bytes are, whatever they are.
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

pub(crate) fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Who may connect to the socket that the file names: the permission bits of chmod(2).
pub(crate) fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Lets the file's owner connect, if that is who we are. The mode it had before; `None`: nothing was changed.
pub(crate) fn let_owner_in(path: &Path) -> Option<u32> {
    let before = fs::symlink_metadata(path).ok()?;
    let mode = before.mode() & 0o7777;
    (before.file_type().is_socket() && set_mode(path, mode | 0o200).is_ok()).then_some(mode)
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
    pub(crate) fn short_name(&self, file: &str) -> PathBuf {
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
