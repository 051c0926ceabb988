//! Events as they come, from whatever process.

use std::time::{Duration, Instant};

use jsonl_core::{Follow, Followed, From};

use crate::catalog::Catalog;
use crate::error::Result;
use crate::event::Event;

/// What watching finds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Watched {
    /// Something happened to a session.
    Event(Box<Event<'static>>),
    /// The log was replaced: what was known of its sessions may not hold any longer.
    Replaced,
}

/// The log of a catalog that is being watched.
#[derive(Debug)]
pub struct Watch {
    follow: Follow,
}

impl Watch {
    /// The next change; `None` if there is none within `wait`. Lines that are no events are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) when reading fails.
    pub fn next_within(&mut self, wait: Duration) -> Result<Option<Watched>> {
        let end = Instant::now() + wait;
        loop {
            match self.follow.next_within(end.saturating_duration_since(Instant::now()))? {
                None => return Ok(None),
                Some(Followed::Line(line)) => {
                    if let Some(event) = Event::parse(line.bytes.trim_ascii()) {
                        return Ok(Some(Watched::Event(Box::new(event.into_owned()))));
                    }
                }
                Some(_) => return Ok(Some(Watched::Replaced)),
            }
        }
    }
}

impl Catalog {
    /// Events from now on, as they come.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if there is no log.
    pub fn watch(&self) -> Result<Watch> {
        let follow = self.options().read_options().follow(self.log_path(), From::End)?;
        Ok(Watch { follow })
    }
}
