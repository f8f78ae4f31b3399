//! Pipes in no order, with something of each. Everything takes the same time however many there are.
#![forbid(unsafe_code)]

use crate::pipe::PipeId;

#[derive(Debug)]
pub(crate) struct PipeMap<T> {
    entries: Vec<(PipeId, T)>,
    /// By the pipe's slot: where it stands.
    places: Vec<Option<usize>>,
}

impl<T> Default for PipeMap<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: Vec::new() }
    }
}

impl<T> PipeMap<T> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pipe that stands there.
    pub(crate) fn at(&self, place: usize) -> PipeId {
        self.entries[place].0
    }

    fn place(&self, pipe: PipeId) -> Option<usize> {
        let place = self.places.get(pipe.slot as usize).copied().flatten();
        place.filter(|&place| self.entries[place].0 == pipe)
    }

    pub(crate) fn contains(&self, pipe: PipeId) -> bool {
        self.place(pipe).is_some()
    }

    pub(crate) fn get_mut(&mut self, pipe: PipeId) -> Option<&mut T> {
        let place = self.place(pipe)?;
        Some(&mut self.entries[place].1)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PipeId, &mut T)> {
        self.entries.iter_mut().map(|(pipe, value)| (*pipe, value))
    }

    /// Adds the pipe, unless it is there, and shows what there is of it.
    pub(crate) fn insert(&mut self, pipe: PipeId) -> &mut T
    where
        T: Default,
    {
        let slot = pipe.slot as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, None);
        }
        let place = *self.places[slot].get_or_insert_with(|| {
            self.entries.push((pipe, T::default()));
            self.entries.len() - 1
        });
        &mut self.entries[place].1
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) -> Option<T> {
        self.place(pipe).map(|place| self.remove_at(place))
    }

    /// The last one takes its place.
    pub(crate) fn remove_at(&mut self, place: usize) -> T {
        let (pipe, value) = self.entries.swap_remove(place);
        self.places[pipe.slot as usize] = None;
        if let Some((moved, _)) = self.entries.get(place) {
            self.places[moved.slot as usize] = Some(place);
        }
        value
    }
}
