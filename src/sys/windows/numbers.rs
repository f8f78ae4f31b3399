//! The numbers of Windows' errors, and the errno of each: C's, as <errno.h> has them (the same in every C runtime).
#![forbid(unsafe_code)]

use windows_sys::Win32::Foundation as win;
use windows_sys::Win32::Networking::WinSock as wsa;

/// Each errno with the error that stands for it, and with other errors that mean the same here. The first one is what an errno
/// becomes again.
const TABLE: &[(i32, &[i32])] = &[
    (libc::EPERM, &[]),
    (
        libc::ENOENT,
        &[win::ERROR_FILE_NOT_FOUND as i32, win::ERROR_PATH_NOT_FOUND as i32, win::ERROR_INVALID_DRIVE as i32],
    ),
    (libc::EINTR, &[wsa::WSAEINTR]),
    (libc::EBADF, &[win::ERROR_INVALID_HANDLE as i32, wsa::WSAEBADF]),
    (libc::EAGAIN, &[wsa::WSAEWOULDBLOCK, win::ERROR_IO_PENDING as i32]),
    (
        libc::ENOMEM,
        &[
            win::ERROR_NOT_ENOUGH_MEMORY as i32,
            win::ERROR_OUTOFMEMORY as i32,
            win::ERROR_NO_SYSTEM_RESOURCES as i32,
            win::ERROR_COMMITMENT_LIMIT as i32,
        ],
    ),
    (libc::EACCES, &[win::ERROR_ACCESS_DENIED as i32, wsa::WSAEACCES, win::ERROR_SHARING_VIOLATION as i32]),
    (libc::EFAULT, &[wsa::WSAEFAULT, win::ERROR_NOACCESS as i32]),
    (libc::EEXIST, &[win::ERROR_FILE_EXISTS as i32, win::ERROR_ALREADY_EXISTS as i32]),
    (libc::ENODEV, &[]),
    (libc::ENOTDIR, &[win::ERROR_DIRECTORY as i32]),
    (libc::EINVAL, &[win::ERROR_INVALID_PARAMETER as i32, wsa::WSAEINVAL, win::ERROR_INVALID_NAME as i32]),
    (libc::EMFILE, &[win::ERROR_TOO_MANY_OPEN_FILES as i32, wsa::WSAEMFILE]),
    (libc::ENOSPC, &[win::ERROR_DISK_FULL as i32]),
    (
        libc::EPIPE,
        &[
            win::ERROR_BROKEN_PIPE as i32,
            win::ERROR_PIPE_NOT_CONNECTED as i32,
            win::ERROR_NO_DATA as i32,
            wsa::WSAESHUTDOWN,
        ],
    ),
    (libc::ENAMETOOLONG, &[win::ERROR_FILENAME_EXCED_RANGE as i32, wsa::WSAENAMETOOLONG]),
    (libc::EADDRINUSE, &[wsa::WSAEADDRINUSE]),
    (libc::EADDRNOTAVAIL, &[wsa::WSAEADDRNOTAVAIL]),
    (libc::EAFNOSUPPORT, &[wsa::WSAEAFNOSUPPORT, wsa::WSAEPFNOSUPPORT]),
    (libc::EALREADY, &[wsa::WSAEALREADY]),
    (libc::ECONNABORTED, &[wsa::WSAECONNABORTED, win::ERROR_CONNECTION_ABORTED as i32]),
    (libc::ECONNREFUSED, &[wsa::WSAECONNREFUSED, win::ERROR_CONNECTION_REFUSED as i32, win::ERROR_PIPE_BUSY as i32]),
    (libc::ECONNRESET, &[wsa::WSAECONNRESET, wsa::WSAEDISCON, win::ERROR_NETNAME_DELETED as i32]),
    (libc::EDESTADDRREQ, &[wsa::WSAEDESTADDRREQ]),
    (libc::EHOSTUNREACH, &[wsa::WSAEHOSTUNREACH, wsa::WSAEHOSTDOWN, win::ERROR_HOST_UNREACHABLE as i32]),
    (libc::EINPROGRESS, &[wsa::WSAEINPROGRESS]),
    (libc::EISCONN, &[wsa::WSAEISCONN]),
    (libc::ELOOP, &[wsa::WSAELOOP]),
    (libc::EMSGSIZE, &[wsa::WSAEMSGSIZE]),
    (libc::ENETDOWN, &[wsa::WSAENETDOWN, wsa::WSASYSNOTREADY]),
    (libc::ENETRESET, &[wsa::WSAENETRESET]),
    (libc::ENETUNREACH, &[wsa::WSAENETUNREACH, win::ERROR_NETWORK_UNREACHABLE as i32]),
    (libc::ENOBUFS, &[wsa::WSAENOBUFS]),
    (libc::ENOPROTOOPT, &[wsa::WSAENOPROTOOPT]),
    (libc::ENOTCONN, &[wsa::WSAENOTCONN]),
    (libc::ENOTSOCK, &[wsa::WSAENOTSOCK]),
    (libc::ENOTSUP, &[win::ERROR_NOT_SUPPORTED as i32, win::ERROR_CALL_NOT_IMPLEMENTED as i32]),
    (libc::EOPNOTSUPP, &[wsa::WSAEOPNOTSUPP]),
    (libc::EPROTO, &[]),
    (libc::EPROTONOSUPPORT, &[wsa::WSAEPROTONOSUPPORT, wsa::WSAESOCKTNOSUPPORT]),
    (libc::EPROTOTYPE, &[wsa::WSAEPROTOTYPE]),
    (
        libc::ETIMEDOUT,
        &[wsa::WSAETIMEDOUT, win::ERROR_SEM_TIMEOUT as i32, win::WAIT_TIMEOUT as i32, win::ERROR_TIMEOUT as i32],
    ),
];

/// Words for what strerror of the older runtimes does not know, as POSIX has them.
const WORDS: &[(i32, &std::ffi::CStr)] = &[
    (libc::EADDRINUSE, c"Address in use"),
    (libc::EADDRNOTAVAIL, c"Address not available"),
    (libc::EAFNOSUPPORT, c"Address family not supported"),
    (libc::EALREADY, c"Connection already in progress"),
    (libc::ECONNABORTED, c"Connection aborted"),
    (libc::ECONNREFUSED, c"Connection refused"),
    (libc::ECONNRESET, c"Connection reset"),
    (libc::EDESTADDRREQ, c"Destination address required"),
    (libc::EHOSTUNREACH, c"Host is unreachable"),
    (libc::EINPROGRESS, c"Operation in progress"),
    (libc::EISCONN, c"Socket is connected"),
    (libc::ELOOP, c"Too many levels of symbolic links"),
    (libc::EMSGSIZE, c"Message too large"),
    (libc::ENETDOWN, c"Network is down"),
    (libc::ENETRESET, c"Connection aborted by network"),
    (libc::ENETUNREACH, c"Network unreachable"),
    (libc::ENOBUFS, c"No buffer space available"),
    (libc::ENOPROTOOPT, c"Protocol not available"),
    (libc::ENOTCONN, c"The socket is not connected"),
    (libc::ENOTRECOVERABLE, c"State not recoverable"),
    (libc::ENOTSOCK, c"Not a socket"),
    (libc::ENOTSUP, c"Not supported"),
    (libc::EOPNOTSUPP, c"Operation not supported on socket"),
    (libc::EPROTO, c"Protocol error"),
    (libc::EPROTONOSUPPORT, c"Protocol not supported"),
    (libc::EPROTOTYPE, c"Protocol wrong type for socket"),
    (libc::ETIMEDOUT, c"Connection timed out"),
    (libc::EWOULDBLOCK, c"Operation would block"),
];

/// Numbers from here on are the library's own (NN_HAUSNUMERO): no error of the system's is as large.
const OWN: i32 = 156_384_712;

/// The errno of an error of the system's. Of one that nobody has thought of here it is EIO.
pub(super) fn errno(error: i32) -> i32 {
    if error >= OWN {
        return error;
    }
    TABLE.iter().find(|(_, errors)| errors.contains(&error)).map_or(libc::EIO, |(errno, _)| *errno)
}

/// The error that an errno stands for. `None`: the system has none.
pub(super) fn error(errno: i32) -> Option<i32> {
    TABLE.iter().find(|(known, _)| *known == errno)?.1.first().copied()
}

pub(super) fn words(errno: i32) -> Option<&'static std::ffi::CStr> {
    WORDS.iter().find(|(known, _)| *known == errno).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_one_errno_and_finds_its_way_back() {
        let mut seen = std::collections::HashSet::new();
        for (number, errors) in TABLE {
            for one in *errors {
                assert!(seen.insert(*one), "{one} is there twice");
                assert_eq!(errno(*one), *number);
            }
            assert_eq!(error(*number), errors.first().copied());
        }
        assert_eq!(errno(win::ERROR_CRC as i32), libc::EIO);
        assert_eq!(errno(OWN + 1001), OWN + 1001);
    }

    /// msvcrt's strerror knows numbers up to 42, and says "Unknown error" of all others.
    #[test]
    fn what_the_runtime_has_no_words_for_has_some_here() {
        for (number, _) in TABLE {
            assert_eq!(words(*number).is_some(), *number > libc::EILSEQ, "{number}");
        }
    }
}
