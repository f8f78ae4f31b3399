//! WebSocket frames (RFC 6455, section 5): heads, masks, and what a peer may say in which order.
#![forbid(unsafe_code)]

use super::ws_text::{Text, from_utf8};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Longest payload of a control frame.
const CONTROL_MAX: u64 = 125;

/// Frames that one message may come in. What tests WebSockets sends 4 MiB in pieces of 64 bytes, which is as many; nobody has a
/// use for more. Without a limit a message of empty pieces would be without end, whatever NN_RCVMAXSIZE says.
pub(crate) const PIECES_MAX: u32 = 65_536;

/// The longest head: two bytes, a 64-bit length, a mask.
pub(crate) const LONGEST: usize = 14;

pub(crate) type Mask = [u8; 4];

/// Which side of the connection we are. A client masks what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// Why the connection ends: what goes into our close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Close {
    pub code: u16,
    pub reason: &'static str,
}

impl Close {
    const fn violation(reason: &'static str) -> Self {
        Self { code: 1002, reason }
    }

    pub(crate) const TOO_LARGE: Self = Self { code: 1009, reason: "Message size exceeds limit." };
    /// RFC 6455, section 7.4.1: a policy of ours.
    const TOO_MANY_PIECES: Self = Self { code: 1008, reason: "Too many fragments in one message." };
    pub(crate) const NO_MEMORY: Self = Self { code: 1009, reason: "" };
}

/// Whether whole messages may have this opcode.
pub(crate) fn is_data(opcode: u8) -> bool {
    matches!(opcode, TEXT | BINARY)
}

/// The bytes before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// How many they are.
    pub length: usize,
    pub payload: u64,
    pub opcode: u8,
    pub fin: bool,
    pub mask: Mask,
}

impl Head {
    pub(crate) fn is_control(self) -> bool {
        self.opcode >= CLOSE
    }
}

/// Reads a head sent to `role`; `None` asks for more bytes.
pub(crate) fn decode(bytes: &[u8], role: Role) -> Result<Option<Head>, Close> {
    let Some(&[first, second]) = bytes.first_chunk::<2>() else { return Ok(None) };
    let (fin, opcode) = (first & FIN != 0, first & 0x0F);
    if first & 0x70 != 0 {
        return Err(Close::violation("RSV1, RSV2, and RSV3 must be unset."));
    }
    match (role, second & MASKED != 0) {
        (Role::Server, false) => return Err(Close::violation("Server expects MASK bit to be set.")),
        (Role::Client, true) => return Err(Close::violation("Client expects MASK bit to be unset.")),
        _ => {}
    }
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err(Close::violation("Invalid opcode."));
    }
    let short = second & 0x7F;
    if opcode >= CLOSE {
        if u64::from(short) > CONTROL_MAX {
            return Err(Close::violation("Control frame payload exceeds allowable length."));
        }
        if !fin {
            return Err(Close::violation("Cannot fragment control message (FIN=0)."));
        }
    }
    let rest = &bytes[2..];
    let (payload, extended) = match short {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 8),
            None => return Ok(None),
        },
        short => (u64::from(short), 0),
    };
    // The top bit of a length is zero (section 5.2).
    if payload > i64::MAX as u64 {
        return Err(Close::TOO_LARGE);
    }
    let (mask, masked) = match role {
        Role::Server => match rest[extended..].first_chunk::<4>() {
            Some(mask) => (*mask, 4),
            None => return Ok(None),
        },
        Role::Client => ([0; 4], 0),
    };
    Ok(Some(Head { length: 2 + extended + masked, payload, opcode, fin, mask }))
}

/// Writes the head of an unfragmented frame into `out`, and says how many bytes it takes there.
#[inline]
pub(crate) fn encode(payload: usize, opcode: u8, mask: Option<Mask>, out: &mut [u8; LONGEST]) -> usize {
    out[0] = FIN | opcode;
    let mut length = match payload {
        0..=125 => {
            out[1] = payload as u8;
            2
        }
        126..=0xFFFF => {
            out[1] = 126;
            out[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            4
        }
        _ => {
            out[1] = 127;
            out[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        }
    };
    if let Some(mask) = mask {
        out[1] |= MASKED;
        out[length..length + 4].copy_from_slice(&mask);
        length += 4;
    }
    length
}

/// Masks, or unmasks, bytes whose first is the payload's byte `offset`.
pub(crate) fn apply_mask(bytes: &mut [u8], mut mask: Mask, offset: usize) {
    if mask == [0; 4] {
        return;
    }
    mask.rotate_left(offset % 4);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        let masked = u64::from_ne_bytes((&*word).try_into().unwrap_or_default()) ^ wide;
        word.copy_from_slice(&masked.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// A whole control frame.
fn control(opcode: u8, payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    let mut head = [0; LONGEST];
    let length = encode(payload.len(), opcode, mask, &mut head);
    let mut frame = [&head[..length], payload].concat();
    apply_mask(&mut frame[length..], mask.unwrap_or_default(), 0);
    frame
}

pub(crate) fn close_frame(close: Close, mask: Option<Mask>) -> Vec<u8> {
    let payload = [&close.code.to_be_bytes(), close.reason.as_bytes()].concat();
    control(CLOSE, &payload, mask)
}

pub(crate) fn ping_frame(mask: Option<Mask>) -> Vec<u8> {
    control(PING, b"", mask)
}

pub(crate) fn pong_frame(payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    control(PONG, payload, mask)
}

/// What a frame asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its payload goes on with a message, of this opcode, and ends it if it is the last piece.
    Piece {
        opcode: u8,
        last: bool,
    },
    /// A pong with the same payload.
    Ping,
    Nothing,
}

/// The order of what a peer says, from its first frame on.
#[derive(Debug, Default)]
pub(crate) struct FrameSequence {
    /// The opcode of the message whose pieces are coming in.
    message: Option<u8>,
    /// How many of them have come.
    pieces: u32,
    text: Text,
}

impl FrameSequence {
    /// Whether this frame may come now; called before its payload is there.
    pub(crate) fn begins(&self, head: Head) -> Result<(), Close> {
        match (head.opcode, self.message) {
            (CONTINUATION, None) => Err(Close::violation("No message to continue.")),
            (CONTINUATION, _) if self.pieces >= PIECES_MAX => Err(Close::TOO_MANY_PIECES),
            (TEXT | BINARY, Some(_)) => Err(Close::violation("Expected continuation frame opcode.")),
            _ => Ok(()),
        }
    }

    /// A frame that may come now is complete, its payload unmasked. An error is the end, be it the peer's own wish.
    pub(crate) fn takes(&mut self, head: Head, payload: &[u8]) -> Result<Event, Close> {
        match head.opcode {
            CLOSE => Err(answer_close(payload)),
            PING => Ok(Event::Ping),
            PONG => Ok(Event::Nothing),
            _ => {
                let opcode = self.message.unwrap_or(head.opcode);
                if opcode == TEXT {
                    self.text.takes(payload, head.fin).map_err(|reason| Close { code: 1007, reason })?;
                }
                self.message = (!head.fin).then_some(opcode);
                self.pieces = if head.fin { 0 } else { self.pieces + 1 };
                Ok(Event::Piece { opcode, last: head.fin })
            }
        }
    }
}

/// Our close frame in answer to the peer's.
fn answer_close(payload: &[u8]) -> Close {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Close { code: 1000, reason: "" }
        } else {
            Close::violation("Expected 2byte close code.")
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1011 | 3000..=4999) {
        return Close::violation("Unrecognized close code.");
    }
    if from_utf8(reason).is_err() {
        return Close::violation("Invalid UTF-8 sent as Close Reason.");
    }
    Close { code, reason: "" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn violation(bytes: &[u8], role: Role) -> &'static str {
        let close = decode(bytes, role).unwrap_err();
        assert_eq!(close.code, 1002);
        close.reason
    }

    #[test]
    fn what_a_frame_may_not_be() {
        for (bytes, role, reason) in [
            ([0xC2, 0x80], Role::Server, "RSV1, RSV2, and RSV3 must be unset."),
            ([0xA2, 0x00], Role::Client, "RSV1, RSV2, and RSV3 must be unset."),
            ([0x92, 0x00], Role::Client, "RSV1, RSV2, and RSV3 must be unset."),
            ([0x82, 0x01], Role::Server, "Server expects MASK bit to be set."),
            ([0x82, 0x81], Role::Client, "Client expects MASK bit to be unset."),
            ([0x83, 0x80], Role::Server, "Invalid opcode."),
            ([0x87, 0x80], Role::Server, "Invalid opcode."),
            ([0x8B, 0x80], Role::Server, "Invalid opcode."),
            ([0x8F, 0x80], Role::Server, "Invalid opcode."),
            ([0x89, 0xFE], Role::Server, "Control frame payload exceeds allowable length."),
            ([0x88, 0x7F], Role::Client, "Control frame payload exceeds allowable length."),
            ([0x09, 0x80], Role::Server, "Cannot fragment control message (FIN=0)."),
        ] {
            assert_eq!(violation(&bytes, role), reason, "{bytes:02x?}");
        }
        assert_eq!(decode(&[0x82, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0], Role::Client), Err(Close::TOO_LARGE));
    }

    fn head(opcode: u8, fin: bool) -> Head {
        Head { length: 2, payload: 0, opcode, fin, mask: [0; 4] }
    }

    /// Says one frame after the other; the first thing that ends it.
    fn talk(frames: &[(u8, bool, &[u8])]) -> Result<Vec<Event>, Close> {
        let mut talk = FrameSequence::default();
        let say = |&(opcode, fin, payload): &(u8, bool, &[u8])| {
            talk.begins(head(opcode, fin))?;
            talk.takes(head(opcode, fin), payload)
        };
        frames.iter().map(say).collect()
    }

    #[test]
    fn messages_come_whole_or_in_pieces_with_control_frames_between() {
        let piece = |opcode, last| Event::Piece { opcode, last };
        assert_eq!(talk(&[(TEXT, true, b"a"), (BINARY, true, b"\xff")]), Ok(vec![piece(1, true), piece(2, true)]));
        assert_eq!(
            talk(&[
                (BINARY, false, b"a"),
                (PING, true, b"p"),
                (CONTINUATION, false, b""),
                (PONG, true, b""),
                (CONTINUATION, true, b"b")
            ]),
            Ok(vec![piece(2, false), Event::Ping, piece(2, false), Event::Nothing, piece(2, true)])
        );
    }

    #[test]
    fn pieces_in_the_wrong_order_end_it() {
        assert_eq!(talk(&[(CONTINUATION, true, b"")]), Err(Close::violation("No message to continue.")));
        let twice = talk(&[(TEXT, false, b""), (BINARY, true, b"")]);
        assert_eq!(twice, Err(Close::violation("Expected continuation frame opcode.")));
        let after = talk(&[(TEXT, false, b""), (CONTINUATION, true, b""), (CONTINUATION, true, b"")]);
        assert_eq!(after, Err(Close::violation("No message to continue.")));
    }

    #[test]
    fn a_message_has_so_many_pieces_and_no_more() {
        let (mut talk, ping) = (FrameSequence::default(), head(PING, true));
        for last_piece in [PIECES_MAX, 3, PIECES_MAX] {
            for piece in 1..=last_piece {
                let frame = head(if piece == 1 { BINARY } else { CONTINUATION }, piece == last_piece);
                assert_eq!(talk.begins(frame), Ok(()));
                assert_eq!(talk.takes(frame, b""), Ok(Event::Piece { opcode: BINARY, last: piece == last_piece }));
                // What comes between them does not count.
                assert_eq!(talk.takes(ping, b""), Ok(Event::Ping));
            }
        }
        for piece in 0..PIECES_MAX {
            let frame = head(if piece == 0 { TEXT } else { CONTINUATION }, false);
            assert!(talk.begins(frame).is_ok() && talk.takes(frame, b"").is_ok());
        }
        for fin in [false, true] {
            assert_eq!(talk.begins(head(CONTINUATION, fin)).unwrap_err().code, 1008);
        }
        assert_eq!(talk.begins(ping), Ok(()));
    }

    #[test]
    fn text_has_to_be_text_across_its_pieces() {
        assert!(talk(&[(TEXT, false, b"\xF0\x9F\x98"), (CONTINUATION, true, b"\x80")]).is_ok());
        for frames in [
            &[(TEXT, true, &b"\xff"[..])][..],
            &[(TEXT, true, b"\xF0\x9F")],
            &[(TEXT, false, b"\xF0\x9F"), (CONTINUATION, true, b"x")],
            &[(TEXT, false, b"\xF0\x9F"), (CONTINUATION, true, b"")],
        ] {
            assert_eq!(talk(frames).unwrap_err().code, 1007);
        }
        assert!(talk(&[(BINARY, true, b"\xff")]).is_ok());
    }

    #[test]
    fn a_close_is_answered() {
        let close = |payload: &[u8]| {
            let Close { code, reason } = talk(&[(CLOSE, true, payload)]).unwrap_err();
            (code, reason)
        };
        assert_eq!(close(b""), (1000, ""));
        assert_eq!(close(b"\x03"), (1002, "Expected 2byte close code."));
        for code in [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999] {
            assert_eq!(close(&[&code.to_be_bytes()[..], b"why"].concat()), (code, ""));
        }
        for code in [0u16, 999, 1004, 1005, 1006, 1012, 1015, 2999, 5000, 65535] {
            assert_eq!(close(&code.to_be_bytes()), (1002, "Unrecognized close code."));
        }
        assert_eq!(close(b"\x03\xe8\xff"), (1002, "Invalid UTF-8 sent as Close Reason."));
    }

    #[test]
    fn our_own_control_frames() {
        assert_eq!(close_frame(Close { code: 1000, reason: "" }, None), b"\x88\x02\x03\xe8");
        assert_eq!(pong_frame(b"hi", None), b"\x8a\x02hi");
        assert_eq!(pong_frame(b"hi", Some([1, 2, 3, 4])), [0x8A, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]);
    }

    proptest! {
        #[test]
        fn heads_survive_the_round_trip(payload in prop_oneof![0usize..300, 65_000usize..66_000, 0..usize::MAX / 2], opcode in 1u8..3, mask: Option<Mask>) {
            let mut out = [0; LONGEST];
            let length = encode(payload, opcode, mask, &mut out);
            let role = if mask.is_some() { Role::Server } else { Role::Client };
            let head = Head { length, payload: payload as u64, opcode, fin: true, mask: mask.unwrap_or_default() };
            prop_assert_eq!(decode(&out[..length], role), Ok(Some(head)));
            for part in 0..length {
                prop_assert_eq!(decode(&out[..part], role), Ok(None));
            }
        }

        #[test]
        fn masking_twice_in_any_pieces_changes_nothing(bytes: Vec<u8>, mask: Mask, cut: prop::sample::Index) {
            let mut masked = bytes.clone();
            apply_mask(&mut masked, mask, 0);
            let plain: Vec<u8> = masked.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
            prop_assert_eq!(&plain, &bytes);
            let cut = cut.index(bytes.len() + 1);
            let (left, right) = masked.split_at_mut(cut);
            apply_mask(left, mask, 0);
            apply_mask(right, mask, cut);
            prop_assert_eq!(masked, bytes);
        }

        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, frames: Vec<(u8, bool, Vec<u8>)>) {
            let _ = decode(&bytes, Role::Server);
            let _ = decode(&bytes, Role::Client);
            let frames: Vec<_> = frames.iter().map(|(opcode, fin, payload)| (opcode & 0x0F, *fin, &payload[..])).collect();
            let _ = talk(&frames);
        }
    }
}
