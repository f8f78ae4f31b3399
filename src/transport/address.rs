//! Addresses: `scheme://rest`, and the host and port grammar that tcp and ws share.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::error::{Error, Result};
use crate::sys;

/// Longest whole address plus one (NN_SOCKADDR_MAX).
const ADDRESS_LIMIT: usize = 128;

/// Longest IP literal (INET6_ADDRSTRLEN less its NUL).
const LITERAL_MAX: usize = 45;

/// Splits `scheme://rest`.
pub(crate) fn split_scheme(address: &[u8]) -> Result<(&[u8], &[u8])> {
    if address.len() >= ADDRESS_LIMIT {
        return Err(Error::NameTooLong);
    }
    let colon = address.iter().position(|&byte| byte == b':').ok_or(Error::Invalid)?;
    let rest = address[colon + 1..].strip_prefix(b"//").ok_or(Error::Invalid)?;
    Ok((&address[..colon], rest))
}

/// The target of a tcp connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub host: Host,
    pub port: u16,
    /// The source address, if one was given; its port is 0.
    pub local: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr, u32),
    Name(String),
}

/// `interface:port`, as nn_bind takes it. Port 0 leaves the choice to the system.
pub(crate) fn parse_local(text: &[u8], ipv4_only: bool) -> Result<SocketAddr> {
    let (interface, port) = split_port(text)?;
    interface_address(interface, ipv4_only).map(|mut address| {
        address.set_port(port);
        address
    })
}

/// `[local;]host:port`, as nn_connect takes it.
pub(crate) fn parse_remote(text: &[u8], ipv4_only: bool) -> Result<Remote> {
    let (rest, port) = split_port(text)?;
    if port == 0 {
        return Err(Error::Invalid);
    }
    let (local, host) = match rest.iter().position(|&byte| byte == b';') {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    };
    let host = parse_host(host, ipv4_only)?;
    let local = local.map(|local| interface_address(local, ipv4_only)).transpose()?;
    Ok(Remote { host, port, local })
}

/// An address as it was bound: with the port that the system has chosen, if the choice was left to it.
pub(crate) fn with_chosen_port(text: &[u8], chosen: Option<u16>) -> Vec<u8> {
    match (split_port(text), chosen) {
        (Ok((interface, 0)), Some(port)) => [interface, format!(":{port}").as_bytes()].concat(),
        _ => text.to_vec(),
    }
}

/// The port stands behind the last colon: digits alone, 0 to 65535.
fn split_port(text: &[u8]) -> Result<(&[u8], u16)> {
    let colon = text.iter().rposition(|&byte| byte == b':').ok_or(Error::Invalid)?;
    let digits = &text[colon + 1..];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::Invalid);
    }
    let port = digits.iter().try_fold(0u32, |port, digit| {
        let port = port * 10 + u32::from(digit - b'0');
        (port <= u32::from(u16::MAX)).then_some(port)
    });
    port.map(|port| (&text[..colon], port as u16)).ok_or(Error::Invalid)
}

/// `*`, a literal, or the name of an interface that exists.
fn interface_address(text: &[u8], ipv4_only: bool) -> Result<SocketAddr> {
    if text == b"*" {
        let any = if ipv4_only { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        return Ok(SocketAddr::new(any, 0));
    }
    if let Some((ip, scope)) = parse_literal(text, ipv4_only) {
        return Ok(with_scope(ip, 0, scope));
    }
    let name = std::str::from_utf8(text).map_err(|_| Error::NoDevice)?;
    named_interface(name, ipv4_only).ok_or(Error::NoDevice)
}

fn named_interface(name: &str, ipv4_only: bool) -> Option<SocketAddr> {
    if name.is_empty() {
        return None;
    }
    let interfaces = if_addrs::get_if_addrs().ok()?;
    let mut addresses = interfaces.iter().filter(|interface| interface.name == name);
    let found = if ipv4_only {
        addresses.find(|interface| interface.ip().is_ipv4())?
    } else {
        // A link-local address reaches least: only where there is no other.
        addresses.min_by_key(|interface| match interface.ip() {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => 2,
            IpAddr::V4(_) => 1,
            IpAddr::V6(_) => 0,
        })?
    };
    Some(with_scope(found.ip(), 0, found.index.unwrap_or(0)))
}

pub(crate) fn with_scope(ip: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => {
            SocketAddr::V6(SocketAddrV6::new(ip, port, 0, if ip.is_unicast_link_local() { scope } else { 0 }))
        }
    }
}

/// An IPv4 or, where allowed, IPv6 literal with its zone; either may stand in brackets.
fn parse_literal(text: &[u8], ipv4_only: bool) -> Option<(IpAddr, u32)> {
    let inner = match text {
        [b'[', inner @ .., b']'] => inner,
        _ => text,
    };
    let inner = std::str::from_utf8(inner).ok()?;
    let (literal, zone) = inner.split_once('%').map_or((inner, None), |(literal, zone)| (literal, Some(zone)));
    if literal.len() > LITERAL_MAX {
        return None;
    }
    if let Ok(ip) = inner.parse::<Ipv4Addr>() {
        return Some((IpAddr::V4(ip), 0));
    }
    if ipv4_only {
        return None;
    }
    let ip = literal.parse().ok()?;
    Some((IpAddr::V6(ip), zone.map_or(Some(0), zone_index)?))
}

/// The interface need not have an address yet. Its number will do too.
fn zone_index(zone: &str) -> Option<u32> {
    sys::interface_index(zone).or_else(|| zone.parse().ok())
}

fn parse_host(text: &[u8], ipv4_only: bool) -> Result<Host> {
    if let Some((ip, scope)) = parse_literal(text, ipv4_only) {
        return Ok(Host::Ip(ip, scope));
    }
    if is_host_name(text) {
        // ASCII by its grammar.
        return Ok(Host::Name(String::from_utf8_lossy(text).into_owned()));
    }
    Err(Error::Invalid)
}

/// RFC 952 with RFC 1123's digits: labels of letters, digits and hyphens, 1 to 63 long, separated by single dots; a dot
/// may end the name. What libnanomsg takes, byte by byte.
fn is_host_name(text: &[u8]) -> bool {
    if text.is_empty() || text.len() > 255 || text[0] == b'-' || text[0] == b'.' {
        return false;
    }
    let name = text.strip_suffix(b".").unwrap_or(text);
    name.split(|&byte| byte == b'.').all(|label| {
        (1..=63).contains(&label.len()) && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn schemes_are_split_off() {
        assert_eq!(split_scheme(b"tcp://a:1"), Ok((&b"tcp"[..], &b"a:1"[..])));
        assert_eq!(split_scheme(b"://"), Ok((&b""[..], &b""[..])));
        for bad in ["", "tcp", "tcp:", "tcp:/x", "x y"] {
            assert_eq!(split_scheme(bad.as_bytes()), Err(Error::Invalid), "{bad}");
        }
        assert_eq!(split_scheme(&[b'a'; 128]), Err(Error::NameTooLong));
    }

    #[test]
    fn ports_are_digits_up_to_65535_and_0_is_only_bound() {
        for good in ["*:0", "*:00", "*:1", "*:65535", "*:05597"] {
            assert!(parse_local(good.as_bytes(), true).is_ok(), "{good}");
        }
        for bad in ["*", "*:", "*:65536", "*:99999999999999999999", "*:+1", "*: 1", "*:1 ", "5599"] {
            assert_eq!(parse_local(bad.as_bytes(), true), Err(Error::Invalid), "{bad}");
        }
        assert_eq!(parse_remote(b"127.0.0.1:0", true), Err(Error::Invalid));
        assert_eq!(parse_remote(b"eth10000;-bad:0", true), Err(Error::Invalid), "the port is looked at first");
    }

    #[test]
    fn a_chosen_port_takes_the_place_of_0() {
        for (given, chosen, bound) in [
            ("*:0", Some(7), "*:7"),
            ("[::1]:000", Some(65535), "[::1]:65535"),
            ("*:05", Some(5), "*:05"),
            ("lo", Some(80), "lo"),
            ("*:0", None, "*:0"),
        ] {
            assert_eq!(with_chosen_port(given.as_bytes(), chosen), bound.as_bytes(), "{given}");
        }
    }

    #[test]
    fn interfaces_are_stars_literals_or_existing_names() {
        for bad in ["localhost:5599", ":5599", "eth10000:5555", "[::1:5592", "[::1]:5599"] {
            assert_eq!(parse_local(bad.as_bytes(), true), Err(Error::NoDevice), "{bad}");
        }
        assert_eq!(parse_local(b"127.0.0.1:1", true), Ok("127.0.0.1:1".parse().unwrap()));
        assert_eq!(parse_local(b"::1:5595", false), Ok("[::1]:5595".parse().unwrap()));
        assert_eq!(parse_local(b"[::1]:5595", false), Ok("[::1]:5595".parse().unwrap()));
        assert_eq!(parse_local(b"*:7", false), Ok("[::]:7".parse().unwrap()));
        assert_eq!(parse_local(b"lo:7", true), Ok("127.0.0.1:7".parse().unwrap()));
    }

    #[test]
    fn hosts_are_literals_or_names() {
        for bad in [
            "*:5599",
            ":5555",
            "-hostname:1",
            "abc.123.---.#:1",
            ".123:1",
            "abc...123:1",
            "no_underscore:1",
            "[localhost]:1",
            "x;y;127.0.0.1:1",
            "[::1]:1",
        ] {
            assert_eq!(parse_remote(bad.as_bytes(), true), Err(Error::Invalid), "{bad}");
        }
        for bad in ["eth10000;127.0.0.1:1", ";127.0.0.1:1"] {
            assert_eq!(parse_remote(bad.as_bytes(), true), Err(Error::NoDevice), "{bad}");
        }
        for name in ["a.b.", "1.2.3", "localhost", "x-y"] {
            let remote = parse_remote(format!("{name}:5").as_bytes(), true).unwrap();
            assert_eq!(remote.host, Host::Name(name.into()));
        }
        let remote = parse_remote(b"127.0.0.1;localhost:5599", true).unwrap();
        assert_eq!(remote.local, Some("127.0.0.1:0".parse().unwrap()));
        assert!(parse_remote(b"*;127.0.0.1:5599", true).is_ok());
    }

    #[test]
    fn zones_name_interfaces() {
        assert!(matches!(parse_remote(b"[fe80::1%lo]:1", false).unwrap().host, Host::Ip(IpAddr::V6(_), 1..)));
        assert_eq!(parse_remote(b"fe80::1%nosuchif:1", false), Err(Error::Invalid));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(text: Vec<u8>, ipv4_only: bool) {
            let _ = split_scheme(&text);
            let _ = parse_local(&text, ipv4_only);
            let _ = parse_remote(&text, ipv4_only);
        }
    }
}
