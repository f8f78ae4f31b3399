//! What a subscriber tells a publisher. docs/subscriptions.md is for those who want to speak it too.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::message::{Body, Outgoing};

/// Bytes of a topic that travel. A longer one is cut, which asks for more than is wanted and never for less.
pub(crate) const TOPIC_MAX: usize = 4095;

const UNSUBSCRIBE: u8 = 0;
const SUBSCRIBE: u8 = 1;
const COMPLETE: u8 = 2;

/// A WebSocket's binary message: a topic need not be UTF-8.
const BINARY: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Whether what starts with this topic is wanted.
    Topic { topic: &'a [u8], wanted: bool },
    /// All that is wanted has been told once.
    Complete,
    /// Of a later version, or noise.
    Unknown,
}

impl<'a> Frame<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Self {
        match bytes {
            [UNSUBSCRIBE, topic @ ..] => Self::Topic { topic, wanted: false },
            [SUBSCRIBE, topic @ ..] => Self::Topic { topic, wanted: true },
            [COMPLETE] => Self::Complete,
            _ => Self::Unknown,
        }
    }
}

pub(super) fn topic(topic: &[u8], wanted: bool) -> Result<Outgoing<'static>> {
    frame(if wanted { SUBSCRIBE } else { UNSUBSCRIBE }, topic)
}

pub(super) fn complete() -> Result<Outgoing<'static>> {
    frame(COMPLETE, b"")
}

fn frame(kind: u8, topic: &[u8]) -> Result<Outgoing<'static>> {
    let mut frame = Outgoing::owned(Body::joined(&[kind], topic)?);
    frame.opcode = BINARY;
    Ok(frame)
}

/// The part of a topic that travels.
pub(super) fn cut(topic: &[u8]) -> &[u8] {
    &topic[..topic.len().min(TOPIC_MAX)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_have_these_bytes() {
        assert_eq!(topic(b"news", true).unwrap().body(), b"\x01news");
        assert_eq!(topic(b"", false).unwrap().body(), b"\x00");
        assert_eq!(complete().unwrap().body(), b"\x02");
        assert_eq!(complete().unwrap().opcode, 2);
    }

    #[test]
    fn what_is_no_frame_is_unknown() {
        for bytes in [&b""[..], b"\x02more", b"\x03", b"\xff topic"] {
            assert_eq!(Frame::decode(bytes), Frame::Unknown);
        }
    }

    proptest! {
        #[test]
        fn every_topic_survives_the_round_trip(bytes: Vec<u8>, wanted: bool) {
            let sent = topic(&bytes, wanted).unwrap();
            prop_assert_eq!(Frame::decode(sent.body()), Frame::Topic { topic: &bytes, wanted });
        }
    }
}
