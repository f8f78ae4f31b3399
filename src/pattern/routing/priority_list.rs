//! Whose turn it is among pipes of different priority.
//!
//! Each priority has a ring of the pipes that are ready, and a cursor on the one that is next. A pipe that becomes ready
//! goes to the end of its ring. Everything takes the same time however many pipes there are.
#![forbid(unsafe_code)]

use crate::pipe::PipeId;

/// The best priority is 1.
const PRIORITIES: usize = 16;

#[derive(Debug, Default)]
pub(super) struct PriorityList {
    /// By the pipe's slot.
    nodes: Vec<Option<Node>>,
    rings: [Option<Ring>; PRIORITIES],
    /// One bit for each ring that is not empty.
    ready: u16,
}

#[derive(Debug)]
struct Node {
    pipe: PipeId,
    ring: usize,
    /// The slots of its neighbours, while it is in its ring.
    links: Option<Links>,
}

#[derive(Debug, Clone, Copy)]
struct Links {
    before: u32,
    after: u32,
}

#[derive(Debug, Clone, Copy)]
struct Ring {
    first: u32,
    cursor: PipeId,
    /// Most rings have one pipe, and nothing to turn.
    length: usize,
}

impl PriorityList {
    pub(super) fn add(&mut self, pipe: PipeId, priority: u8) {
        let slot = pipe.slot as usize;
        if slot >= self.nodes.len() {
            self.nodes.resize_with(slot + 1, || None);
        }
        let ring = usize::from(priority).clamp(1, PRIORITIES) - 1;
        self.nodes[slot] = Some(Node { pipe, ring, links: None });
    }

    pub(super) fn remove(&mut self, pipe: PipeId) {
        self.deactivate(pipe);
        if self.node(pipe).is_some() {
            self.nodes[pipe.slot as usize] = None;
        }
    }

    /// The pipe is ready: it goes to the end of its ring, unless it is there already.
    pub(super) fn activate(&mut self, pipe: PipeId) {
        let Some(&mut Node { ring, links: None, .. }) = self.node(pipe) else { return };
        let slot = pipe.slot;
        let links = match self.rings[ring] {
            None => {
                self.rings[ring] = Some(Ring { first: slot, cursor: pipe, length: 1 });
                self.ready |= 1 << ring;
                Links { before: slot, after: slot }
            }
            Some(Ring { first, ref mut length, .. }) => {
                *length += 1;
                let last = self.links(first).before;
                self.links(last).after = slot;
                self.links(first).before = slot;
                Links { before: last, after: first }
            }
        };
        if let Some(node) = self.node(pipe) {
            node.links = Some(links);
        }
    }

    /// The pipe is not ready any more. If it was next, the one behind it is.
    pub(super) fn deactivate(&mut self, pipe: PipeId) {
        let Some(node) = self.node(pipe) else { return };
        let Some(Links { before, after }) = node.links.take() else { return };
        let at = node.ring;
        let slot = pipe.slot;
        if after == slot {
            self.rings[at] = None;
            self.ready &= !(1 << at);
            return;
        }
        self.links(before).after = after;
        self.links(after).before = before;
        let next = self.pipe(after);
        if let Some(ring) = &mut self.rings[at] {
            ring.length -= 1;
            if ring.first == slot {
                ring.first = after;
            }
            if ring.cursor == pipe {
                ring.cursor = next;
            }
        }
    }

    /// The pipe whose turn it is.
    pub(super) fn next(&self) -> Option<PipeId> {
        self.rings[self.best()?].map(|ring| ring.cursor)
    }

    /// The pipe whose turn it was has had it.
    pub(super) fn advance(&mut self) {
        let Some(best) = self.best() else { return };
        let Some(Ring { cursor, length: 2.., .. }) = self.rings[best] else { return };
        let after = self.links(cursor.slot).after;
        let next = self.pipe(after);
        if let Some(ring) = &mut self.rings[best] {
            ring.cursor = next;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0
    }

    /// The best priority with a pipe that is ready.
    pub(super) fn priority(&self) -> Option<u8> {
        self.best().map(|ring| ring as u8 + 1)
    }

    fn best(&self) -> Option<usize> {
        (self.ready != 0).then(|| self.ready.trailing_zeros() as usize)
    }

    fn node(&mut self, pipe: PipeId) -> Option<&mut Node> {
        self.nodes.get_mut(pipe.slot as usize)?.as_mut().filter(|node| node.pipe == pipe)
    }

    /// In a slot that another pipe links to.
    fn pipe(&self, slot: u32) -> PipeId {
        let node = self.nodes[slot as usize].as_ref();
        node.map(|node| node.pipe).expect("who is linked to is in the ring")
    }

    /// Of a slot that another pipe, or a ring, links to.
    fn links(&mut self, slot: u32) -> &mut Links {
        let node = self.nodes[slot as usize].as_mut();
        node.and_then(|node| node.links.as_mut()).expect("who is linked to is in the ring")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn pipe(slot: u32) -> PipeId {
        PipeId { slot, serial: slot + 100 }
    }

    fn list(pipes: &[(u32, u8)]) -> PriorityList {
        let mut list = PriorityList::default();
        for &(slot, priority) in pipes {
            list.add(pipe(slot), priority);
            list.activate(pipe(slot));
        }
        list
    }

    fn turns(list: &mut PriorityList, count: usize) -> Vec<u32> {
        let mut turns = Vec::new();
        for _ in 0..count {
            turns.extend(list.next().map(|pipe| pipe.slot));
            list.advance();
        }
        turns
    }

    #[test]
    fn pipes_take_turns_in_the_order_they_came() {
        assert_eq!(turns(&mut list(&[(2, 8), (0, 8), (1, 8)]), 7), [2, 0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_better_priority_goes_first_while_it_is_ready() {
        let mut list = list(&[(0, 9), (1, 3), (2, 16), (3, 3)]);
        assert_eq!((turns(&mut list, 3), list.priority()), (vec![1, 3, 1], Some(3)));
        list.deactivate(pipe(1));
        list.deactivate(pipe(3));
        assert_eq!((turns(&mut list, 2), list.priority()), (vec![0, 0], Some(9)));
        list.activate(pipe(3));
        assert_eq!(turns(&mut list, 2), [3, 3]);
    }

    #[test]
    fn whoever_becomes_ready_goes_behind_the_others_wherever_the_cursor_is() {
        let mut list = list(&[(0, 8), (1, 8), (2, 8)]);
        list.advance();
        list.deactivate(pipe(0));
        list.activate(pipe(0));
        assert_eq!(turns(&mut list, 4), [1, 2, 0, 1]);
        list.advance();
        list.add(pipe(3), 8);
        list.activate(pipe(3));
        assert_eq!(turns(&mut list, 4), [0, 3, 1, 2]);
    }

    #[test]
    fn a_pipe_that_is_next_and_leaves_is_skipped() {
        let mut list = list(&[(0, 8), (1, 8), (2, 8)]);
        list.remove(pipe(0));
        assert_eq!(turns(&mut list, 3), [1, 2, 1]);
        list.remove(pipe(2));
        list.remove(pipe(1));
        assert!(list.is_empty() && list.next().is_none() && list.priority().is_none());
    }

    #[test]
    fn an_earlier_pipe_of_the_same_slot_is_a_stranger() {
        let mut list = list(&[(0, 8)]);
        let stranger = PipeId { slot: 0, serial: 7 };
        list.activate(stranger);
        list.deactivate(stranger);
        list.remove(stranger);
        assert_eq!(list.next(), Some(pipe(0)));
    }

    proptest! {
        /// Against rings that are plain queues with an index.
        #[test]
        fn it_is_what_its_description_says(steps in proptest::collection::vec((0u8..5, 0u32..6, 1u8..4), 0..200)) {
            let mut list = PriorityList::default();
            let mut known: [Option<u8>; 6] = [None; 6];
            let mut rings: [(VecDeque<u32>, usize); 4] = Default::default();
            for (step, slot, priority) in steps {
                let ring = known[slot as usize].map(usize::from);
                let at = ring.and_then(|ring| rings[ring].0.iter().position(|&other| other == slot));
                let best = rings.iter().position(|(ring, _)| !ring.is_empty());
                match step {
                    0 if ring.is_none() => {
                        list.add(pipe(slot), priority);
                        known[slot as usize] = Some(priority);
                    }
                    1 | 4 if ring.is_some() => {
                        list.activate(pipe(slot));
                        if at.is_none() {
                            rings[ring.unwrap()].0.push_back(slot);
                        }
                    }
                    2 => {
                        if slot % 2 == 0 {
                            list.deactivate(pipe(slot));
                        } else {
                            list.remove(pipe(slot));
                            known[slot as usize] = None;
                        }
                        if let (Some(ring), Some(at)) = (ring, at) {
                            let (queue, cursor) = &mut rings[ring];
                            queue.remove(at);
                            if *cursor > at {
                                *cursor -= 1;
                            }
                            if *cursor >= queue.len() {
                                *cursor = 0;
                            }
                        }
                    }
                    3 => {
                        list.advance();
                        if let Some(best) = best {
                            let (queue, cursor) = &mut rings[best];
                            *cursor = (*cursor + 1) % queue.len();
                        }
                    }
                    _ => {}
                }
                let best = rings.iter().position(|(ring, _)| !ring.is_empty());
                let expected = best.map(|best| rings[best].0[rings[best].1]);
                prop_assert_eq!(list.next().map(|pipe| pipe.slot), expected);
                prop_assert_eq!(list.priority(), best.map(|best| best as u8));
            }
        }
    }
}
