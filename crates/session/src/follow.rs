//! Records of a session as they are appended.

use std::time::Duration;

use jsonl_core::{Follow, Followed, From};

use crate::error::Result;
use crate::read;
use crate::record;
use crate::session::Session;
use crate::view::Entry;

/// Where following begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Since {
    /// With the first record of the log.
    Beginning,
    /// Behind this sequence number.
    Seq(u64),
    /// With what is appended from now on.
    #[default]
    Now,
}

/// A session that is being followed: each record comes once, also across compaction.
#[derive(Debug)]
pub struct FollowSession {
    session: Session,
    follow: Follow,
    /// When the session began, which tells it from a later one of the same key.
    born: Option<String>,
    last: Option<u64>,
    damaged: u64,
}

impl Session {
    /// Follows the session. It has to be there.
    ///
    /// ```
    /// # fn main() -> annals_session::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let store = annals_session::Store::open(folder.path())?;
    /// use std::time::Duration;
    /// use annals_session::{Entry, Since};
    ///
    /// let session = store.session("main")?;
    /// let seq = session.say("user", "hi")?;
    /// let mut follow = session.follow(Since::Seq(seq))?;
    /// session.say("assistant", "hello")?;
    /// let Some(Entry::Message(message)) = follow.next_within(Duration::from_secs(5))? else { panic!() };
    /// assert_eq!(message.text(), "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); as [`history`](Session::history).
    pub fn follow(&self, since: Since) -> Result<FollowSession> {
        let log = self.log()?.ok_or_else(|| self.not_found())?;
        let (from, last) = match since {
            Since::Beginning => (From::Beginning, None),
            Since::Seq(seq) => {
                let offset = read::seek_seq(&log, seq.saturating_add(1))?;
                // What stands behind the last newline is read again when it is finished.
                let offset = log.end()?.offset().min(offset);
                (From::Cursor(log.cursor_at(offset)?), Some(seq))
            }
            Since::Now => {
                let end = read::end(&log)?;
                (From::Cursor(log.end()?), end.map(|end| end.seq))
            }
        };
        let follow = self.inner.read_options().follow(log.path(), from)?;
        let born = read::header(&log)?.map(|header| header.created.clone());
        Ok(FollowSession { session: self.clone(), follow, born, last, damaged: 0 })
    }
}

impl FollowSession {
    /// How often the log is looked at while waiting. By default every 100 ms.
    #[must_use]
    pub fn poll_every(mut self, pause: Duration) -> Self {
        self.follow = self.follow.poll_every(pause);
        self
    }

    /// The next record, waiting at most `wait` for it; `None` if there was none.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) when the log can't be read. A log that is gone is waited for.
    pub fn next_within(&mut self, wait: Duration) -> Result<Option<Entry>> {
        loop {
            let line = match self.follow.next_within(wait)? {
                None => return Ok(None),
                Some(Followed::Line(line)) => line,
                // It was compacted, and has what came before once more; or it is a new session of this key.
                Some(Followed::Replaced { resumed: false }) => {
                    self.begin_again()?;
                    continue;
                }
                Some(_) => continue,
            };
            let record = if line.is_cut() { None } else { record::parse(&line.bytes) };
            match record {
                Some(record) if self.last.is_none_or(|last| record.seq > last) => {
                    self.last = Some(record.seq);
                    return Ok(Some(Entry::of(record)));
                }
                Some(_) => {}
                None => self.damaged += u64::from(!line.bytes.trim_ascii().is_empty()),
            }
        }
    }

    /// Lines that were passed over because they are no records.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Another session under the same key counts from the beginning.
    fn begin_again(&mut self) -> Result<()> {
        if let Some(log) = self.session.log()? {
            let born = read::header(&log)?.map(|header| header.created.clone());
            if born != self.born {
                (self.last, self.born) = (None, born);
            }
        }
        Ok(())
    }
}
