//! Control messages, in and out. What comes in is read as if a stranger had written it; it need not be aligned.

use std::ffi::{c_int, c_void};
use std::iter;

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::ffi::msghdr::{chunk_in, nn_msghdr};
use crate::ffi::symbols::{NN_MSG, NN_RECV_PEER, NN_SOL_SOCKET, NN_WS, NN_WS_MSG_TYPE, PROTO_SP, SP_HDR};
use crate::ffi::{args, chunk};
use crate::message::{Header, Message};

/// The head of one control message. Its data follow, and padding up to the alignment of size_t.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(C)]
pub struct nn_cmsghdr {
    /// Bytes of head and data: NN_CMSG_LEN of the data's length. In what nn_recvmsg writes the padding counts too.
    pub cmsg_len: usize,
    /// PROTO_SP, or the level of a transport.
    pub cmsg_level: c_int,
    /// SP_HDR, or a number of the transport's.
    pub cmsg_type: c_int,
}

/// Its size.
const HEAD: usize = size_of::<nn_cmsghdr>();

/// The control messages that come with a message to send.
pub(super) struct Control<'a> {
    block: &'a [u8],
    /// The chunk it is, if it is one.
    pub(super) chunk: Option<*mut c_void>,
}

impl Control<'_> {
    pub(super) fn none() -> Self {
        Self { block: &[], chunk: None }
    }

    /// # Safety
    /// The caller of C owns what `msghdr` points to until its call returns.
    pub(super) unsafe fn of(msghdr: &nn_msghdr) -> Result<Self> {
        if msghdr.msg_control.is_null() {
            return Ok(Self::none());
        }
        // SAFETY: the same promise.
        unsafe {
            if msghdr.msg_controllen != NN_MSG {
                return Ok(Self { block: args::bytes(msghdr.msg_control, msghdr.msg_controllen)?, chunk: None });
            }
            let chunk = chunk_in(msghdr.msg_control)?;
            Ok(Self { block: chunk::bytes(chunk)?, chunk: Some(chunk) })
        }
    }

    /// The bytes of the first SP_HDR property, as a raw socket wants to send them. One that is too short for what it
    /// says is as good as none.
    pub(super) fn sp_header(&self) -> Result<Header> {
        let mut header = Header::new();
        let found = properties(self.block).find(|property| (property.level, property.kind) == (PROTO_SP, SP_HDR));
        if let Some((count, rest)) = found.and_then(|property| property.data.split_first_chunk())
            && let Some(bytes) = rest.get(..usize::from_ne_bytes(*count))
        {
            header.try_reserve_exact(bytes.len()).map_err(|_| Error::NoMemory)?;
            header.extend_from_slice(bytes);
        }
        Ok(header)
    }

    /// The first data byte of the first NN_WS_MSG_TYPE property, or 0.
    pub(super) fn opcode(&self) -> u8 {
        properties(self.block)
            .find(|property| (property.level, property.kind) == (NN_WS, NN_WS_MSG_TYPE))
            .and_then(|property| property.data.first().copied())
            .unwrap_or(0)
    }
}

/// One control message.
struct Property<'a> {
    level: c_int,
    kind: c_int,
    data: &'a [u8],
}

fn properties(block: &[u8]) -> impl Iterator<Item = Property<'_>> {
    iter::successors(next(block, None), |&at| next(block, Some(at))).map_while(|at| {
        let (length, level, kind) = head(block, at)?;
        Some(Property { level, kind, data: block.get(at + HEAD..at + length)? })
    })
}

/// Where the property behind the one at `after` starts, or the first: the walk of NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR.
///
/// A property that claims less than its own head ends the walk. Upstream stays on it for ever. As the first one it is
/// still found, because that is how programs write a property into zeroed memory.
fn next(block: &[u8], after: Option<usize>) -> Option<usize> {
    let at = match after {
        None => 0,
        Some(at) => {
            let (length, ..) = head(block, at)?;
            if length < HEAD {
                return None;
            }
            at.checked_add(padded(length)?)?
        }
    };
    let (length, ..) = head(block, at)?;
    let ends_inside = at.checked_add(padded(length)?)? <= block.len();
    (ends_inside && (after.is_none() || length >= HEAD)).then_some(at)
}

/// Length, level and type of the property at an offset, if there is room for its head.
fn head(block: &[u8], at: usize) -> Option<(usize, c_int, c_int)> {
    let (length, rest) = block.get(at..)?.split_first_chunk()?;
    let (level, rest) = rest.split_first_chunk()?;
    let kind = rest.first_chunk()?;
    Some((usize::from_ne_bytes(*length), c_int::from_ne_bytes(*level), c_int::from_ne_bytes(*kind)))
}

fn padded(length: usize) -> Option<usize> {
    length.checked_next_multiple_of(size_of::<usize>())
}

/// What nn_cmsg_nxthdr_ does.
///
/// # Safety
/// `msghdr` is null, or the caller of C owns it and its control buffer. `after` is only compared.
pub(super) unsafe fn next_header(msghdr: *const nn_msghdr, after: *const nn_cmsghdr) -> Option<*mut nn_cmsghdr> {
    // SAFETY: the same promise. What is no chunk has no properties.
    let (start, block) = unsafe {
        let msghdr = msghdr.as_ref()?;
        let start = match msghdr.msg_controllen {
            NN_MSG => chunk_in(msghdr.msg_control).ok()?,
            _ => msghdr.msg_control,
        };
        (start.cast::<u8>(), Control::of(msghdr).ok()?.block)
    };
    let after = if after.is_null() { None } else { Some(after.addr().checked_sub(start.addr())?) };
    next(block, after).map(|at| start.wrapping_add(at).cast())
}

/// The properties that come with a received message, small enough for the stack as a rule.
pub(super) type Block = SmallVec<[u8; 96]>;

/// What nn_recvmsg tells about a message: the SP header, always, the opcode it came with, if any, and whom it came from, if that
/// was asked for. Padding is zero; in the former two it is counted into cmsg_len: upstream does, and its tests compare that.
pub(super) fn block(message: &Message) -> Result<Block> {
    let header = &message.header;
    let with_header = sp_header_space(header.len());
    let with_opcode = with_header + HEAD + size_of::<usize>();
    let mut block = Block::new();
    block.try_reserve(with_opcode).map_err(|_| Error::NoMemory)?;

    put_head(&mut block, with_header, PROTO_SP, SP_HDR);
    block.extend_from_slice(&header.len().to_ne_bytes());
    block.extend_from_slice(header);
    block.resize(with_header, 0);

    if message.opcode != 0 {
        put_head(&mut block, with_opcode - with_header, NN_WS, NN_WS_MSG_TYPE);
        block.push(message.opcode);
        block.resize(with_opcode, 0);
    }
    if let Some(peer) = &message.peer {
        let peer = peer.to_json();
        let space = padded(HEAD + peer.len()).ok_or(Error::NoMemory)?;
        block.try_reserve(space).map_err(|_| Error::NoMemory)?;
        let end = block.len() + space;
        put_head(&mut block, HEAD + peer.len(), NN_SOL_SOCKET, NN_RECV_PEER);
        block.extend_from_slice(&peer);
        block.resize(end, 0);
    }
    Ok(block)
}

fn put_head(block: &mut Block, length: usize, level: c_int, kind: c_int) {
    block.extend_from_slice(&length.to_ne_bytes());
    block.extend_from_slice(&level.to_ne_bytes());
    block.extend_from_slice(&kind.to_ne_bytes());
}

/// NN_CMSG_SPACE for a count and a header of that many bytes.
pub(super) fn sp_header_space(header: usize) -> usize {
    HEAD + (size_of::<usize>() + header).next_multiple_of(size_of::<usize>())
}

/// Reads any bytes as a control buffer, in every way there is, and panics where the answers contradict each other.
#[cfg(all(ws, any(test, fuzzing)))]
pub(crate) fn examine(block: &[u8]) {
    let mut at = next(block, None);
    let mut steps = Vec::new();
    while let Some(offset) = at {
        let length = head(block, offset).and_then(|(length, ..)| padded(length)).expect("there is a property");
        assert!(offset + HEAD <= block.len() && offset + length <= block.len());
        assert!(steps.last().is_none_or(|&before| before + HEAD <= offset));
        steps.push(offset);
        at = next(block, Some(offset));
    }
    let found: Vec<Property<'_>> = properties(block).collect();
    for (property, &offset) in found.iter().zip(&steps) {
        assert_eq!(head(block, offset), Some((HEAD + property.data.len(), property.level, property.kind)));
        assert_eq!(property.data, &block[offset + HEAD..][..property.data.len()]);
    }
    let control = Control { block, chunk: None };
    let is = |level, kind| move |property: &&Property<'_>| (property.level, property.kind) == (level, kind);
    let header = control.sp_header().expect("no more memory than the block has");
    let told = found.iter().find(is(PROTO_SP, SP_HDR)).map_or(&[][..], |property| property.data);
    assert!(header.is_empty() || told[size_of::<usize>()..].starts_with(&header));
    let opcode = found.iter().find(is(NN_WS, NN_WS_MSG_TYPE)).and_then(|property| property.data.first());
    assert_eq!(control.opcode(), opcode.copied().unwrap_or(0));

    let body = crate::message::Body::empty();
    let message = Message { header: header.clone(), body, opcode: control.opcode(), peer: None };
    let written = self::block(&message).expect("memory");
    let again = Control { block: &written, chunk: None };
    assert_eq!((again.sp_header().expect("memory"), again.opcode()), (header, message.opcode));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::sync::Arc;

    use super::*;
    use crate::message::Body;
    use crate::peer::Peer;

    fn put(block: &mut Vec<u8>, level: c_int, kind: c_int, data: &[u8]) {
        block.extend_from_slice(&(HEAD + data.len()).to_ne_bytes());
        block.extend_from_slice(&level.to_ne_bytes());
        block.extend_from_slice(&kind.to_ne_bytes());
        block.extend_from_slice(data);
        block.resize(block.len().next_multiple_of(size_of::<usize>()), 0);
    }

    fn sp_hdr(count: usize, bytes: &[u8]) -> Vec<u8> {
        [&count.to_ne_bytes()[..], bytes].concat()
    }

    fn control(block: &[u8]) -> Control<'_> {
        Control { block, chunk: None }
    }

    #[test]
    fn the_first_sp_header_and_the_first_opcode_count() {
        let mut block = Vec::new();
        put(&mut block, 9, 9, b"stranger");
        put(&mut block, NN_WS, NN_WS_MSG_TYPE, &[1]);
        put(&mut block, PROTO_SP, SP_HDR, &sp_hdr(4, b"head"));
        put(&mut block, PROTO_SP, SP_HDR, &sp_hdr(4, b"late"));
        put(&mut block, NN_WS, NN_WS_MSG_TYPE, &[2]);
        let control = control(&block);
        assert_eq!(&control.sp_header().unwrap()[..], b"head");
        assert_eq!(control.opcode(), 1);
    }

    #[test]
    fn an_sp_header_longer_than_its_property_is_ignored() {
        for count in [5, 100, usize::MAX] {
            let mut block = Vec::new();
            put(&mut block, PROTO_SP, SP_HDR, &sp_hdr(count, b"head"));
            assert!(control(&block).sp_header().unwrap().is_empty());
        }
    }

    #[test]
    fn a_property_shorter_than_its_head_ends_the_walk() {
        for length in 0..HEAD {
            let mut block = Vec::new();
            put(&mut block, 1, 2, b"");
            block.extend_from_slice(&length.to_ne_bytes());
            block.extend_from_slice(&[0; 40]);
            assert_eq!(next(&block, None), Some(0));
            assert_eq!(next(&block, Some(0)), None);
            assert_eq!(next(&block, Some(HEAD)), None);
            assert_eq!(properties(&block).count(), 1);
        }
        // As the first one it is found, but nothing is behind it, whatever the bytes say.
        let mut short_first = (HEAD - 1).to_ne_bytes().to_vec();
        short_first.resize(HEAD, 0);
        put(&mut short_first, 8, 0, b"");
        assert_eq!(next(&short_first, None), Some(0));
        assert_eq!(next(&short_first, Some(0)), None);
        assert_eq!(next(&[0; 64], None), Some(0), "room to write the first property");
        assert_eq!(properties(&[0; 64]).count(), 0);
    }

    #[test]
    fn the_walk_needs_the_padding_too() {
        let mut block = Vec::new();
        put(&mut block, 1, 2, b"x");
        assert_eq!(next(&block, None), Some(0));
        assert_eq!(next(&block[..HEAD + 1], None), None);
    }

    #[test]
    fn the_control_block_goes_back_into_a_send() {
        for length in 0..20 {
            let header = vec![0xAB; length];
            let message = Message { header: Header::from_slice(&header), body: Body::empty(), opcode: 2, peer: None };
            let block = block(&message).unwrap();
            assert_eq!(block.len(), sp_header_space(length) + HEAD + size_of::<usize>());
            assert_eq!(&control(&block).sp_header().unwrap()[..], &header[..]);
            assert_eq!(control(&block).opcode(), 2);
            let padding = &block[HEAD + size_of::<usize>() + length..sp_header_space(length)];
            assert!(padding.iter().all(|&byte| byte == 0), "what pads it is nobody's memory");
            let opcode = block.len() - size_of::<usize>();
            assert_eq!(block[opcode + 1..], [0; size_of::<usize>() - 1], "nor what pads the opcode");
        }
    }

    #[test]
    fn the_peer_comes_last_and_is_as_long_as_its_text() {
        for pipe in [1, 12, 123, 1234, 12_345, 123_456, 1_234_567, 12_345_678] {
            let peer = Arc::new(Peer { pipe, ..Peer::default() });
            let message = Message { opcode: 1, peer: Some(Arc::clone(&peer)), ..Message::default() };
            let block = block(&message).unwrap();
            assert_eq!(block.len() % size_of::<usize>(), 0);
            let read: Vec<_> = properties(&block).map(|p| (p.level, p.kind, p.data.to_vec())).collect();
            assert_eq!(read.len(), 3);
            assert_eq!(read[2], (NN_SOL_SOCKET, NN_RECV_PEER, peer.to_json()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_walk_that_ends(mut block: Vec<u8>, lengths: Vec<(usize, u8)>, start in 0_usize..300) {
            // Plausible lengths at plausible places, or chance alone never gets beyond the first property.
            for (at, length) in lengths {
                let at = at % (block.len() + 1);
                if let Some(place) = block.get_mut(at & !7..(at & !7) + size_of::<usize>()) {
                    place.copy_from_slice(&usize::from(length).to_ne_bytes());
                }
            }
            prop_assert!(properties(&block).count() <= block.len() / HEAD);
            for property in properties(&block) {
                prop_assert!(property.data.len() <= block.len());
            }
            if let Some(at) = next(&block, Some(start)) {
                prop_assert!(at > start && at + HEAD <= block.len());
            }
            control(&block).sp_header().unwrap();
            control(&block).opcode();
        }

        #[test]
        fn written_properties_are_read_back(written: Vec<(c_int, c_int, Vec<u8>)>) {
            let mut block = Vec::new();
            for (level, kind, data) in &written {
                put(&mut block, *level, *kind, data);
            }
            let read: Vec<_> = properties(&block).map(|p| (p.level, p.kind, p.data.to_vec())).collect();
            prop_assert_eq!(read, written);
        }
    }
}
