//! UTF-8 that comes in pieces, which may be cut anywhere.
#![forbid(unsafe_code)]

#[cfg(ws)]
pub(super) use simdutf8::compat::from_utf8;
#[cfg(not(ws))]
pub(super) use std::str::from_utf8;

/// The begun character at the end of the pieces so far.
#[derive(Debug, Default)]
pub(super) struct Text {
    begun: [u8; 4],
    length: usize,
}

const INVALID: &str = "Invalid UTF-8 code point in payload.";
const TRUNCATED: &str = "Truncated UTF-8 payload with invalid code point.";
const SPLIT: &str = "Invalid UTF-8 code point split on previous frame.";

impl Text {
    /// The next piece. What is wrong is told as soon as no further piece can make it right. After the last piece, or an
    /// error, it starts afresh.
    pub(super) fn takes(&mut self, piece: &[u8], last: bool) -> Result<(), &'static str> {
        let mut result = self.check(piece);
        if last && result.is_ok() && self.length > 0 {
            result = Err(TRUNCATED);
        }
        if last || result.is_err() {
            self.length = 0;
        }
        result
    }

    fn check(&mut self, mut piece: &[u8]) -> Result<(), &'static str> {
        // First the character that was begun, byte by byte.
        while self.length > 0 {
            let Some((&next, rest)) = piece.split_first() else { return Ok(()) };
            self.begun[self.length] = next;
            self.length += 1;
            match from_utf8(&self.begun[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(SPLIT),
            }
            piece = rest;
        }
        match from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                let begun = &piece[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.length = begun.len();
                Ok(())
            }
            Err(_) => Err(INVALID),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pieces: &[&[u8]]) -> Result<(), &'static str> {
        let mut text = Text::default();
        let last = pieces.len() - 1;
        pieces.iter().enumerate().try_for_each(|(at, piece)| text.takes(piece, at == last))
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(check(&[b"a\xffb"]), Err(INVALID));
        assert_eq!(check(&[b"\xC3"]), Err(TRUNCATED));
        assert_eq!(check(&[b"\xC3", b""]), Err(TRUNCATED));
        assert_eq!(check(&[b"\xC3", b"a"]), Err(SPLIT));
        assert_eq!(check(&[b"\xED\xA0\x80"]), Err(INVALID), "a surrogate");
        assert_eq!(check(&[b"\xF4", b"\x90", b"\x80\x80"]), Err(SPLIT), "beyond the last character");
    }

    #[test]
    fn a_message_leaves_nothing_for_the_next() {
        let mut text = Text::default();
        assert!(text.takes(b"\xC3", false).is_ok());
        assert!(text.takes(b"", true).is_err());
        assert!(text.takes(b"good", true).is_ok());
    }

    proptest! {
        #[test]
        fn it_is_valid_in_pieces_if_it_is_as_a_whole(bytes in prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>(), "[é€😀]{0,8}".prop_map(String::into_bytes)], cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(check(&pieces).is_ok(), str::from_utf8(&bytes).is_ok());
        }
    }
}
