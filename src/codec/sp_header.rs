//! The eight bytes both sides of a tcp or ipc connection send first (SP over TCP, "sp-tcp-mapping-01" section 2).
#![forbid(unsafe_code)]

use super::Violation;

pub(crate) const LEN: usize = 8;

/// Its last byte is the version.
const SIGNATURE: [u8; 4] = [0, b'S', b'P', 0];

pub(crate) const OTHER_VERSION: Violation = Violation("It speaks another version of SP.");

/// The greeting of a socket of this type: signature, version 0, type, two reserved bytes of zero.
pub(crate) fn encode(protocol: u16) -> [u8; LEN] {
    let [high, low] = protocol.to_be_bytes();
    [0, b'S', b'P', 0, high, low, 0, 0]
}

/// The peer's socket type. Its reserved bytes are not looked at: libnanomsg accepts any, and so must we.
pub(crate) fn decode(bytes: [u8; LEN]) -> Result<u16, Violation> {
    let [signature @ .., high, low, _, _] = bytes;
    if signature == SIGNATURE {
        return Ok(u16::from_be_bytes([high, low]));
    }
    Err(if signature[..3] == SIGNATURE[..3] { OTHER_VERSION } else { Violation("It does not greet as SP does.") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pair_greets_with_the_bytes_of_the_wire_format() {
        assert_eq!(encode(16), [0, 0x53, 0x50, 0, 0, 0x10, 0, 0]);
    }

    #[test]
    fn reserved_bytes_are_ignored() {
        assert_eq!(decode([0, 0x53, 0x50, 0, 0, 0x10, 0xff, 0xff]), Ok(16));
    }

    #[test]
    fn any_other_signature_or_version_is_refused() {
        for index in 0..4 {
            let mut bytes = encode(16);
            bytes[index] ^= 1;
            let other = decode(bytes).unwrap_err();
            assert_eq!(other == OTHER_VERSION, index == 3);
        }
    }

    proptest! {
        #[test]
        fn every_type_survives_the_round_trip(protocol: u16) {
            prop_assert_eq!(decode(encode(protocol)), Ok(protocol));
        }
    }
}
