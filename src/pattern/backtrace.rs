//! The stack of 32-bit words in front of a request or a survey, and of the answer to it: the hops it has made, the most
//! recent first, and at the bottom the id it was given by whoever asked. Only the bottom has its top bit set. All words are
//! big-endian (nanomsg's RFC "sp-request-reply").
#![forbid(unsafe_code)]

use crate::message::{Header, Message};

pub(super) const WORD: usize = 4;

/// Marks the bottom.
pub(super) const BOTTOM: u32 = 1 << 31;

/// Moves the first word of the body into the header. False, and nothing moved: the body is too short.
pub(crate) fn take_word(message: &mut Message) -> bool {
    let Some(&word) = message.body.front().first_chunk::<WORD>() else { return false };
    message.header.extend_from_slice(&word);
    message.body.skip(WORD);
    // What is left of a header is the body's.
    message.body.flatten().is_ok()
}

/// Moves the whole backtrace from the body into the header. False, and nothing moved: it has no bottom, or more than
/// `max` words.
pub(crate) fn take_all(message: &mut Message, max: u8) -> bool {
    let body = message.body.front();
    let words = body.chunks_exact(WORD).take(usize::from(max));
    let Some(bottom) = words.into_iter().position(|word| word[0] & 0x80 != 0) else { return false };
    let length = (bottom + 1) * WORD;
    message.header.extend_from_slice(&body[..length]);
    message.body.skip(length);
    message.body.flatten().is_ok()
}

/// The word that a header starts with.
pub(super) fn first_word(header: &Header) -> Option<u32> {
    header.first_chunk::<WORD>().map(|word| u32::from_be_bytes(*word))
}

/// The header's only word.
pub(super) fn only_word(header: &Header) -> Option<u32> {
    first_word(header).filter(|_| header.len() == WORD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Body;

    fn message(body: &[u8]) -> Message {
        Message { body: Body::copy_of(body).unwrap(), ..Message::default() }
    }

    #[test]
    fn one_word_is_taken_whatever_it_is() {
        let mut message = message(b"\x01\x02\x03\x04rest");
        assert!(take_word(&mut message));
        assert_eq!((&message.header[..], message.body.as_slice()), (&b"\x01\x02\x03\x04"[..], &b"rest"[..]));
    }

    #[test]
    fn a_body_shorter_than_a_word_stays() {
        for body in [&b""[..], b"\x80", b"\x80\0\0"] {
            let mut message = message(body);
            assert!(!take_word(&mut message) && !take_all(&mut message, 8));
            assert_eq!((message.header.len(), message.body.as_slice()), (0, body));
        }
    }

    #[test]
    fn a_backtrace_ends_at_its_bottom() {
        let mut message = message(b"\0\0\0\x07\x80\0\0\x01\x80\0\0\x02");
        assert!(take_all(&mut message, 8));
        assert_eq!(&message.header[..], b"\0\0\0\x07\x80\0\0\x01");
        assert_eq!(message.body.as_slice(), b"\x80\0\0\x02");
    }

    #[test]
    fn hops_are_counted_with_the_bottom() {
        let body = b"\0\0\0\x07\0\0\0\x08\x80\0\0\x01body";
        assert!(take_all(&mut message(body), 3));
        let mut far = message(body);
        assert!(!take_all(&mut far, 2));
        assert_eq!(far.body.as_slice(), body);
    }

    #[test]
    fn no_bottom_is_no_backtrace() {
        assert!(!take_all(&mut message(b"\0\0\0\x07\0\0\0\x08\x80\0\0"), 255));
    }
}
