//! Events as they come, from whatever process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jsonl_core::{Follow, Followed, From, ReadOptions};

use crate::catalog::{Catalog, is_log};
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
    log: PathBuf,
    options: ReadOptions,
    /// None as long as there is no log.
    follow: Option<Follow>,
}

/// Between two looks for a log that isn't there yet.
const PAUSE: Duration = Duration::from_millis(50);

impl Watch {
    /// The next change; `None` if there is none within `wait`. Lines that are no events are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io), [`Error::Log`](crate::Error::Log) when looking for the log or reading it fails.
    pub fn next_within(&mut self, wait: Duration) -> Result<Option<Watched>> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(follow) = self.follow()? else {
                if left.is_zero() {
                    return Ok(None);
                }
                std::thread::sleep(PAUSE.min(left));
                continue;
            };
            match follow.next_within(left)? {
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

impl Watch {
    /// Follows a log that wasn't there from its beginning.
    fn follow(&mut self) -> Result<Option<&mut Follow>> {
        if self.follow.is_none() && is_log(&self.log)? {
            self.follow = Some(self.options.follow(&self.log, From::Beginning)?);
        }
        Ok(self.follow.as_mut())
    }
}

impl Catalog {
    /// Events from now on, as they come; also if the log is not there yet.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if it can't be told whether there is one, [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn watch(&self) -> Result<Watch> {
        let (log, options) = (self.log_path().to_owned(), self.options().read_options());
        let follow = if is_log(&log)? { Some(options.follow(&log, From::End)?) } else { None };
        Ok(Watch { log, options, follow })
    }
}
