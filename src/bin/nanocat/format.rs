//! How a message is printed.
#![forbid(unsafe_code)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// Not at all.
    #[default]
    No,
    Raw,
    Ascii,
    Quoted,
    Msgpack,
    Hex,
    Json,
}

impl Format {
    /// Those that `--format` knows.
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("no", Self::No),
        ("raw", Self::Raw),
        ("ascii", Self::Ascii),
        ("quoted", Self::Quoted),
        ("msgpack", Self::Msgpack),
        ("hex", Self::Hex),
    ];

    pub(crate) fn write(self, body: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::No => {}
            Self::Raw => out.extend_from_slice(body),
            Self::Ascii => {
                out.extend(body.iter().map(|&byte| if printable(byte) { byte } else { b'.' }));
                out.push(b'\n');
            }
            Self::Quoted => {
                out.push(b'"');
                for &byte in body {
                    match byte {
                        b'\n' => out.extend_from_slice(b"\\n"),
                        b'\r' => out.extend_from_slice(b"\\r"),
                        b'\\' => out.extend_from_slice(b"\\\\"),
                        b'"' => out.extend_from_slice(b"\\\""),
                        _ if printable(byte) => out.push(byte),
                        _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
                    }
                }
                out.extend_from_slice(b"\"\n");
            }
            Self::Msgpack => {
                // bin8, bin16, bin32: the shortest that has room for the length.
                if let Ok(len) = u8::try_from(body.len()) {
                    out.extend_from_slice(&[0xc4, len]);
                } else if let Ok(len) = u16::try_from(body.len()) {
                    out.push(0xc5);
                    out.extend_from_slice(&len.to_be_bytes());
                } else {
                    out.push(0xc6);
                    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
                }
                out.extend_from_slice(body);
            }
            Self::Hex => {
                let digits: String = body.iter().map(|byte| format!("\\x{byte:02x}")).collect();
                out.extend_from_slice(format!("\"{digits}\"\n").as_bytes());
            }
            Self::Json => {
                let object = match str::from_utf8(body) {
                    Ok(text) => format!("{{\"text\":{}}}\n", json_string(text)),
                    Err(_) => format!("{{\"base64\":\"{}\"}}\n", STANDARD.encode(body)),
                };
                out.extend_from_slice(object.as_bytes());
            }
        }
    }
}

/// As C's isprint in the C locale.
fn printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

fn json_string(text: &str) -> String {
    let mut string = String::from('"');
    for c in text.chars() {
        match c {
            '"' => string.push_str("\\\""),
            '\\' => string.push_str("\\\\"),
            '\n' => string.push_str("\\n"),
            '\r' => string.push_str("\\r"),
            '\t' => string.push_str("\\t"),
            // DEL and C1 need no escape, but a terminal should not see them.
            c if c.is_control() => string.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => string.push(c),
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        format.write(body, &mut out);
        out
    }

    #[test]
    fn msgpack_takes_the_shortest_length() {
        for (len, head) in [
            (0, &[0xc4, 0][..]),
            (255, &[0xc4, 255]),
            (256, &[0xc5, 1, 0]),
            (65_535, &[0xc5, 255, 255]),
            (65_536, &[0xc6, 0, 1, 0, 0]),
        ] {
            let out = written(Format::Msgpack, &vec![7; len]);
            assert_eq!((&out[..head.len()], out.len()), (head, head.len() + len));
        }
    }

    #[test]
    fn json_escapes_text_and_encodes_bytes() {
        let text = written(Format::Json, "a\"\\\n\t\0\u{7f}ä€".as_bytes());
        assert_eq!(str::from_utf8(&text), Ok("{\"text\":\"a\\\"\\\\\\n\\t\\u0000\\u007fä€\"}\n"));
        assert_eq!(written(Format::Json, b"\xff\0\x01\x02"), b"{\"base64\":\"/wABAg==\"}\n");
        assert_eq!(written(Format::Json, b""), b"{\"text\":\"\"}\n");
    }
}
