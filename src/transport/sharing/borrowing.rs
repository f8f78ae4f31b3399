//! The receiving end of a connection on which large messages come by reference: what the peer has handed over.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{MAPPED_MAX, SEGMENTS_MAX};
use crate::codec::reference::Loan;
use crate::message::Header;
use crate::message::shared::{Block, FIRST_SLOT, Hold, Origin, SLOTS};
use crate::sys::shared_memory::{Descriptor, Page, Segment};

/// A peer has broken the rules: which one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub &'static str);

#[derive(Debug, Default)]
pub(crate) struct Borrowing {
    page: Option<Arc<Page>>,
    segments: Vec<(u32, Arc<Segment>)>,
    mapped: u64,
}

impl Borrowing {
    /// The peer hands over memory. False: it cannot be had, and the peer does without.
    pub(crate) fn map(&mut self, number: u32, length: u64, descriptor: Option<Descriptor>) -> bool {
        let Some(descriptor) = descriptor else { return false };
        if number == 0 {
            if self.page.is_some() {
                return false;
            }
            self.page = Page::adopt(&descriptor).ok().map(Arc::new);
            return self.page.is_some();
        }
        if self.page.is_none()
            || self.segments.len() >= SEGMENTS_MAX
            || self.segments.iter().any(|(known, _)| *known == number)
            || length > MAPPED_MAX - self.mapped
        {
            return false;
        }
        let Some(segment) = usize::try_from(length).ok().and_then(|size| Segment::adopt(descriptor, size).ok()) else {
            return false;
        };
        self.mapped += length;
        self.segments.push((number, Arc::new(segment)));
        true
    }

    /// The peer will not use it again. Messages that lie in it keep it.
    pub(crate) fn forget(&mut self, number: u32) {
        if let Some(at) = self.segments.iter().position(|(known, _)| *known == number) {
            let (_, segment) = self.segments.swap_remove(at);
            self.mapped -= segment.len() as u64;
        }
    }

    /// The message that a reference means.
    pub(crate) fn resolve(&mut self, loan: &Loan, header: &[u8]) -> Result<Block, Refused> {
        let page = self.page.as_ref().ok_or(Refused("A reference comes without memory."))?;
        let slot = usize::try_from(loan.slot).ok().filter(|slot| *slot < SLOTS);
        let slot = slot.ok_or(Refused("A reference is to no place on the page."))?;
        if loan.number == 0 {
            return Err(Refused("A loan has no number."));
        }
        let known = self.segments.iter().find(|(number, _)| *number == loan.segment);
        let (_, segment) = known.ok_or(Refused("A reference is to an unknown segment."))?;
        let end = loan.offset.checked_add(loan.length).filter(|end| *end <= segment.len() as u64);
        end.ok_or(Refused("A reference leaves its segment."))?;
        // Both fit, or their sum would not.
        let (offset, length) = (loan.offset as usize, loan.length as usize);
        let origin = Origin::Peer { page: Arc::clone(page), word: FIRST_SLOT + slot, number: loan.number };
        let hold = Hold::new(Arc::clone(segment), offset, length, origin);
        Ok(Block::new(hold, length, Header::from_slice(header)))
    }
}
