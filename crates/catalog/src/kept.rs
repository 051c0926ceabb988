//! The sessions that a projection keeps, by their numbers.

use std::collections::HashMap;

use crate::keys::Spread;
use crate::session::Session;

/// Sessions of a cache that events were about since, and all those that came behind them.
///
/// The latter are in a row: however many there are, one is found without a table that no longer fits the processor's caches, and giving
/// all of them back goes through memory in the order in which it was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// How many sessions the cache has.
    cached: u32,
    changed: HashMap<u32, Box<Session>, Spread>,
    /// From that number on.
    added: Vec<Session>,
}

impl Kept {
    /// None yet, behind so many of a cache.
    pub(crate) fn behind(cached: u32) -> Self {
        Self { cached, ..Self::default() }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Session> {
        match number.checked_sub(self.cached) {
            Some(place) => self.added.get(place as usize),
            None => self.changed.get(&number).map(|session| &**session),
        }
    }

    /// One of the cache's, made if it has not been kept so far; or one of those behind, for whose number the next one is made if there is
    /// none of it.
    pub(crate) fn get_or_insert_with(&mut self, number: u32, make: impl FnOnce() -> Session) -> &mut Session {
        match number.checked_sub(self.cached) {
            None => self.changed.entry(number).or_insert_with(|| Box::new(make())),
            Some(place) => {
                let place = (place as usize).min(self.added.len());
                if place == self.added.len() {
                    self.added.push(make());
                }
                &mut self.added[place]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_found_wherever_they_are_kept() {
        let mut kept = Kept::behind(3);
        for (number, id) in [(1, "b"), (3, "d"), (4, "e"), (0, "a")] {
            assert_eq!(kept.get(number), None);
            assert_eq!(kept.get_or_insert_with(number, || Session::new(id, "")).stable_id, id);
        }
        for (number, id) in
            [(0, Some("a")), (1, Some("b")), (2, None), (3, Some("d")), (4, Some("e")), (5, None)]
        {
            assert_eq!(kept.get(number).map(|session| session.stable_id.as_str()), id);
        }
        // One that is there is not made again, and can be changed.
        let session = kept.get_or_insert_with(4, || unreachable!());
        session.alias = Some(String::from("relay"));
        assert_eq!(kept.get(4).and_then(|session| session.alias.as_deref()), Some("relay"));
    }
}
