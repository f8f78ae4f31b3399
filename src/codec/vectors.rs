//! What goes over the wire, byte by byte: the same on every machine, whatever its byte order and word size.
#![forbid(unsafe_code)]

use super::length_prefix::LengthPrefix;
use super::{FrameHead, sp_header, ws_frame};

#[test]
fn greeting() {
    assert_eq!(sp_header::encode(0x1234), [0, b'S', b'P', 0, 0x12, 0x34, 0, 0]);
    assert_eq!(sp_header::decode([0, b'S', b'P', 0, 0x12, 0x34, 0, 0]), Ok(0x1234));
}

#[test]
fn length_prefixes() {
    let mut out = [0; 14];
    assert_eq!(LengthPrefix::Plain.encode(0x0102_0304, &mut out), 8);
    assert_eq!(out[..8], [0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(LengthPrefix::Typed.encode(0x0102_0304, &mut out), 9);
    assert_eq!(out[..9], [1, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(
        LengthPrefix::Plain.decode(&[1, 2, 3, 4, 5, 6, 7, 8]),
        Ok(Some(FrameHead { head: 8, payload: 0x0102_0304_0506_0708 }))
    );
}

#[test]
fn websocket_heads() {
    let mut out = [0; ws_frame::LONGEST];
    let mut written = |payload, mask| {
        let length = ws_frame::encode(payload, 2, mask, &mut out);
        out[..length].to_vec()
    };
    assert_eq!(written(5, None), [0x82, 5]);
    assert_eq!(written(0x0102, Some([9, 8, 7, 6])), [0x82, 0x80 | 126, 1, 2, 9, 8, 7, 6]);
    assert_eq!(written(0x0102_0304, None), [0x82, 127, 0, 0, 0, 0, 1, 2, 3, 4]);
}

/// Long enough for whole words and a rest, and begun in the middle of the mask.
#[test]
fn websocket_masks() {
    let mut bytes = [0; 11];
    ws_frame::apply_mask(&mut bytes, [1, 2, 3, 4], 0);
    assert_eq!(bytes, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3]);
    let mut bytes = [0xF0; 9];
    ws_frame::apply_mask(&mut bytes, [1, 2, 3, 4], 3);
    assert_eq!(bytes, [0xF4, 0xF1, 0xF2, 0xF3, 0xF4, 0xF1, 0xF2, 0xF3, 0xF4]);
}
