//! Why an address was refused, in more words than an errno has.
#![forbid(unsafe_code)]

pub(crate) fn refusal(address: &str, errno: i32, bind: bool) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        if errno == libc::ENAMETOOLONG {
            return too_long().to_owned();
        }
        return "an address is inproc://NAME, unix://PATH, tcp://HOST:PORT or ws://HOST:PORT".to_owned();
    };
    let tls = matches!(scheme, "tls+tcp" | "wss");
    let web = matches!(scheme, "ws" | "wss");
    let network = tls || web || scheme == "tcp";
    let path = matches!(scheme, "unix" | "ipc");
    if let Some(reason) = refused_descriptor(errno, bind).filter(|_| scheme == "fd") {
        return reason.to_owned();
    }
    match errno {
        libc::EPROTONOSUPPORT if tls => "the library that nanocat runs on has no TLS".to_owned(),
        libc::EPROTONOSUPPORT => {
            format!("\"{scheme}\" is no transport here; inproc, unix (or ipc), tcp, ws, tls+tcp and wss are")
        }
        libc::ENAMETOOLONG if path && address.len() < 128 => "the path is longer than 107 bytes".to_owned(),
        libc::ENAMETOOLONG => too_long().to_owned(),
        libc::EADDRINUSE => "somebody else is bound to it".to_owned(),
        libc::EADDRNOTAVAIL => "it is not an address of this machine".to_owned(),
        libc::ENODEV if bind => {
            "what is in front of the port is not *, an address, or an interface of this machine".to_owned()
        }
        libc::ENODEV => {
            "what is in front of the semicolon is not *, an address, or an interface of this machine".to_owned()
        }
        libc::EACCES if network => "this port needs privileges".to_owned(),
        libc::EACCES => "the permissions of the path do not allow it".to_owned(),
        libc::ENOENT if path => "the folder does not exist".to_owned(),
        libc::ENOTDIR => "a part of the path is not a folder".to_owned(),
        libc::EMFILE | libc::ENFILE => "there are no descriptors left".to_owned(),
        libc::EINVAL if web && bind && rest.contains('/') => "what is bound has no path".to_owned(),
        libc::EINVAL if network && !has_port(rest, web, bind) => {
            "it does not end with :PORT, a number from 1 to 65535".to_owned()
        }
        libc::EINVAL if path && rest.is_empty() => "there is no path".to_owned(),
        libc::EINVAL if tls && bind => "it needs a certificate, and the key that belongs to it".to_owned(),
        libc::EINVAL if tls => {
            "the host is neither a name nor an address, or the key does not belong to the certificate".to_owned()
        }
        libc::EINVAL if network => "the host is neither a name nor an address".to_owned(),
        _ => "it was refused".to_owned(),
    }
}

fn refused_descriptor(errno: i32, bind: bool) -> Option<&'static str> {
    Some(match errno {
        libc::EBADF => "there is no such descriptor",
        libc::ENOTSOCK => "this descriptor is no socket",
        libc::EPROTONOSUPPORT => "this descriptor is no stream socket of tcp or unix",
        libc::ENOTCONN if bind => "this socket neither listens nor is connected",
        libc::ENOTCONN => "this socket is not connected",
        libc::EADDRINUSE => "this descriptor is in use already, or every one of that name was",
        libc::ENOENT => "this process was not started with a socket of that name",
        libc::EINVAL => "it is neither a number nor a name",
        _ => return None,
    })
}

fn too_long() -> &'static str {
    "it is longer than 127 bytes"
}

/// With `optional` it may be missing altogether, as in an address of ws. One that is bound may be 0.
fn has_port(rest: &str, optional: bool, bind: bool) -> bool {
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    let behind = host.rfind(']').map_or(host, |end| &host[end..]);
    let Some((_, port)) = behind.rsplit_once(':') else { return optional };
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| bind || port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_looked_at_as_the_library_does() {
        for good in ["h:1", "h:65535", "a;h:080", "[::1]:5", "::1:5", "h:80/a:b"] {
            assert!(has_port(good, false, false), "{good}");
        }
        for bad in ["", "h", "h:", "h:0", "h:65536", "h:+1", "h: 1", "h:1x", "[::1]"] {
            assert!(!has_port(bad, false, false), "{bad}");
        }
        assert!(has_port("h/a:b", true, false) && has_port("[::1]", true, false) && !has_port("h:0", true, false));
        assert!(has_port("h:0", false, true) && !has_port("h", false, true));
    }
}
