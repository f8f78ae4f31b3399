//! Files that name Unix sockets (AF_UNIX, since Windows 10 1803): reparse points of a kind of their own.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::ERROR_NOT_SUPPORTED;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    GetFileInformationByHandle,
};

/// Bytes of a path in a socket address (UNIX_PATH_MAX), its NUL included.
pub(crate) const PATH_LIMIT: usize = 108;

/// The path that these bytes are: text, in UTF-8.
pub(crate) fn path_of(bytes: &[u8]) -> io::Result<PathBuf> {
    std::str::from_utf8(bytes).map(PathBuf::from).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Nowhere: whether what was bound under one name can be dialled by another link to it, the system does not promise.
pub(crate) fn beside(_path: &Path, _suffix: &str, _folder: Option<&Folder>, _limit: usize) -> Option<PathBuf> {
    None
}

/// Files have no permission bits here. A program that asks for some must not believe that others are kept out.
pub(crate) fn set_mode(_path: &Path, _mode: u32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(ERROR_NOT_SUPPORTED as i32))
}

pub(crate) fn let_owner_in(_path: &Path) -> Option<u32> {
    None
}

/// Folders cannot be locked here.
pub(crate) struct Folder;

impl Folder {
    pub(crate) fn of(_path: &Path) -> Option<Self> {
        None
    }
}

/// Tells our socket file from another one that has taken its place.
#[derive(PartialEq, Eq)]
pub(crate) struct FileId {
    volume: u32,
    index: (u32, u32),
}

impl FileId {
    /// `None`: there is no file, or another kind of file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        if fs::symlink_metadata(path).ok()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
            return None;
        }
        let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
        let file = OpenOptions::new().access_mode(0).custom_flags(flags).open(path).ok()?;
        // SAFETY: all zeros is a valid one.
        let mut facts: BY_HANDLE_FILE_INFORMATION = unsafe { std::mem::zeroed() };
        // SAFETY: the file is open, and `facts` is the system's to fill.
        let known = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut facts) };
        (known != 0)
            .then_some(Self { volume: facts.dwVolumeSerialNumber, index: (facts.nFileIndexHigh, facts.nFileIndexLow) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_files_and_bytes_that_are_no_text_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "private").unwrap();
        assert!(FileId::of(&file).is_none() && FileId::of(folder.path()).is_none());
        assert!(FileId::of(&folder.path().join("gone")).is_none());
        assert_eq!(path_of("ä".as_bytes()).unwrap(), PathBuf::from("ä"));
        assert!(path_of(b"\xff").is_err());
        assert!(set_mode(&file, 0o666).is_err());
    }
}
