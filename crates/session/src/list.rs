//! Which sessions there are, without reading them.
//!
//! Listing costs a look at each file's size and time; only those that are shown are opened, at the head for the
//! key and the title, and at the end for the counts.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jsonl_core::{Log, scan};

use crate::error::{Error, Result};
use crate::key::{self, SUFFIX, decode_key};
use crate::message;
use crate::read::{self, Window};
use crate::record::{Kind, Parent};
use crate::store::{Place, Store, found_at, numbered};
use crate::time;

/// Of a title, so many characters are given.
pub const TITLE_LEN_MAX: usize = 60;

/// How far a title is looked for: so many records, and not beyond so many bytes.
const TITLE_RECORDS_MAX: usize = 64;
const TITLE_OFFSET_MAX: u64 = 1 << 20;

/// Which sessions to list.
#[derive(Clone, Debug)]
pub struct ListOptions {
    active: bool,
    archived: bool,
    limit: usize,
    skip: usize,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    key_contains: Option<String>,
    messages_min: u64,
    titles: bool,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ListOptions {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self {
            active: true,
            archived: false,
            limit: usize::MAX,
            skip: 0,
            since: None,
            until: None,
            key_contains: None,
            messages_min: 0,
            titles: true,
        }
    }

    /// Whether active sessions are listed. By default they are.
    #[must_use]
    pub fn active(mut self, active: bool) -> Self {
        self.active = active;
        self
    }

    /// Whether archived sessions are listed. By default they are not.
    #[must_use]
    pub fn archived(mut self, archived: bool) -> Self {
        self.archived = archived;
        self
    }

    /// At most so many, the newest. By default all.
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        self.limit = count;
        self
    }

    /// Leaves out so many of the newest. By default none.
    #[must_use]
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Only those whose file was changed at this time or later.
    #[must_use]
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Only those whose file was changed before this time.
    #[must_use]
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Only those with this in their key.
    #[must_use]
    pub fn key_contains(mut self, text: impl Into<String>) -> Self {
        self.key_contains = Some(text.into());
        self
    }

    /// Only those with at least so many visible messages. By default also empty ones.
    #[must_use]
    pub fn messages_min(mut self, count: u64) -> Self {
        self.messages_min = count;
        self
    }

    /// Whether the first user message is looked for. By default it is.
    #[must_use]
    pub fn titles(mut self, titles: bool) -> Self {
        self.titles = titles;
        self
    }
}

/// A session in a list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its key; of a session with a long key and a damaged header, the name of its file.
    pub key: String,
    /// Where it is.
    pub place: Place,
    /// Its log.
    pub path: PathBuf,
    /// Bytes of its log.
    pub len: u64,
    /// When its file was changed last.
    pub changed: SystemTime,
    /// When it began; `None` if its header is damaged.
    pub created: Option<SystemTime>,
    /// When its last record was written.
    pub last: Option<SystemTime>,
    /// The beginning of the first thing that a user said, on one line.
    pub title: Option<String>,
    /// Visible messages.
    pub messages: u64,
    /// Messages that its log holds, also hidden ones.
    pub messages_kept: u64,
    /// The sequence number of its last record.
    pub last_seq: u64,
    /// Whether it has a summary.
    pub has_summary: bool,
    /// Where it was forked from.
    pub parent: Option<Parent>,
}

impl Listed {
    /// Messages that its log holds and readers of its history don't see; [`Session::compact`](crate::Session::compact) takes them out.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.messages_kept.saturating_sub(self.messages)
    }
}

/// A session that could not be listed, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unlisted {
    /// Its log.
    pub path: PathBuf,
    /// Why it could not be read.
    pub error: Error,
}

/// What a list found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct List {
    /// The sessions, the one that was changed last first.
    pub sessions: Vec<Listed>,
    /// How many sessions there are in the places that were looked at, whatever the filters let through.
    pub total: usize,
    /// Those that could not be read.
    pub unlisted: Vec<Unlisted>,
}

/// A file that seems to be a session.
struct Candidate {
    name: String,
    place: Place,
    len: u64,
    changed: SystemTime,
}

impl Candidate {
    /// Of a file that has such a name; `None` if it is none: no link is a session, nor is a folder, whatever its name.
    fn of(name: &str, place: Place, found: &Metadata) -> Option<Self> {
        if !found.is_file() {
            return None;
        }
        let changed = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Self { name: name.to_owned(), place, len: found.len(), changed })
    }
}

impl Store {
    /// Lists sessions, the one that was changed last first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the store's folder can't be listed. A session that can't be read is in
    /// [`List::unlisted`].
    pub fn list(&self, options: &ListOptions) -> Result<List> {
        let (mut candidates, mut list) = (Vec::new(), List::default());
        if options.active {
            self.active_candidates(&mut candidates, &mut list.unlisted)?;
        }
        if options.archived {
            self.archived_candidates(&mut candidates, &mut list.unlisted)?;
        }
        list.total = candidates.len() + list.unlisted.len();
        candidates.retain(|candidate| {
            options.since.is_none_or(|since| candidate.changed >= since)
                && options.until.is_none_or(|until| candidate.changed < until)
        });
        candidates.sort_unstable_by(|a, b| {
            b.changed.cmp(&a.changed).then_with(|| (&a.name, a.place).cmp(&(&b.name, b.place)))
        });
        // Where nothing more has to be asked of those that are skipped, they aren't opened.
        let is_plain = options.key_contains.is_none() && options.messages_min == 0;
        let mut skip = options.skip;
        if is_plain {
            candidates.drain(..skip.min(candidates.len()));
            skip = 0;
        }
        for candidate in candidates {
            if list.sessions.len() == options.limit {
                break;
            }
            let wanted = options.key_contains.as_deref();
            if let (Some(wanted), Some(key)) = (wanted, decode_key(&candidate.name))
                && !key.contains(wanted)
            {
                continue;
            }
            let path = self.path_of(&candidate);
            match self.look_at(&candidate, &path, options.titles) {
                Ok(listed) => {
                    let is_wanted = wanted.is_none_or(|wanted| listed.key.contains(wanted))
                        && listed.messages >= options.messages_min;
                    if is_wanted && skip > 0 {
                        skip -= 1;
                    } else if is_wanted {
                        list.sessions.push(listed);
                    }
                }
                // Moved or deleted meanwhile.
                Err(error) if error.is_not_found() => {}
                Err(error) => list.unlisted.push(Unlisted { path, error }),
            }
        }
        Ok(list)
    }

    fn active_candidates(&self, candidates: &mut Vec<Candidate>, unlisted: &mut Vec<Unlisted>) -> Result<()> {
        let dir = &self.inner.dir;
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list", dir)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", dir))?;
            let file_name = entry.file_name();
            let Some(name) = file_name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
            if !is_name(name) {
                continue;
            }
            // Asked of the folder, the system needn't look for it by its path.
            match entry.metadata() {
                Ok(found) => candidates.extend(Candidate::of(name, Place::Active, &found)),
                // Moved or deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let path = entry.path();
                    let error = Error::io("look at", &path)(error);
                    unlisted.push(Unlisted { path, error });
                }
            }
        }
        Ok(())
    }

    fn archived_candidates(
        &self,
        candidates: &mut Vec<Candidate>,
        unlisted: &mut Vec<Unlisted>,
    ) -> Result<()> {
        let dir = self.inner.dir.join("archive");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list", &dir)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &dir))?;
            let file_name = entry.file_name();
            let Some(name) = file_name.to_str().filter(|name| is_name(name)) else { continue };
            let numbers = match numbered(&entry.path()) {
                Ok(numbers) => numbers,
                Err(error) => {
                    unlisted.push(Unlisted { path: entry.path(), error });
                    continue;
                }
            };
            for number in numbers {
                let path = entry.path().join(format!("{number}{SUFFIX}"));
                match found_at(&path) {
                    Ok(found) => candidates
                        .extend(found.and_then(|found| Candidate::of(name, Place::Archived(number), &found))),
                    Err(error) => unlisted.push(Unlisted { path, error }),
                }
            }
        }
        Ok(())
    }

    fn path_of(&self, candidate: &Candidate) -> PathBuf {
        match candidate.place {
            Place::Active => self.inner.active_path(&candidate.name),
            Place::Archived(number) => {
                self.inner.archive_dir(&candidate.name).join(format!("{number}{SUFFIX}"))
            }
        }
    }

    fn look_at(&self, candidate: &Candidate, path: &Path, titles: bool) -> Result<Listed> {
        let log = self.inner.open_log(path)?;
        let header = read::header(&log)?;
        let end = read::end(&log)?;
        let state = end.as_ref().map(read::End::state).unwrap_or_default();
        let key = decode_key(&candidate.name);
        let key = key.or_else(|| header.as_ref().map(|header| header.key.clone()));
        let (n, last_seq) = end.as_ref().map_or((0, 0), |end| (end.n, end.seq));
        let removed = header.as_ref().map_or(0, |header| header.removed);
        Ok(Listed {
            key: key.unwrap_or_else(|| candidate.name.clone()),
            place: candidate.place,
            path: path.to_owned(),
            len: candidate.len,
            changed: candidate.changed,
            created: header.as_ref().and_then(|header| time::parse(&header.created)),
            last: end.as_ref().and_then(|end| time::parse(&end.time)),
            title: if titles { title(&log)? } else { None },
            messages: n.saturating_sub(state.hidden),
            messages_kept: n.saturating_sub(removed),
            last_seq,
            has_summary: !state.summary.is_empty(),
            parent: header.as_ref().and_then(|header| header.parent.clone()),
        })
    }
}

fn is_name(name: &str) -> bool {
    decode_key(name).is_some() || key::is_long_name(name)
}

/// The first thing that a user said, on one line; looked for at the head of the log only.
pub(crate) fn title(log: &Log) -> Result<Option<String>> {
    let mut window = Window::new(log);
    let mut offset = 0;
    for _ in 0..TITLE_RECORDS_MAX {
        let Some(found) = window.record_from(offset, TITLE_OFFSET_MAX)? else { break };
        offset = found.end;
        match found.record.kind {
            Kind::Header { header, .. } if header.title.is_some() => return Ok(header.title.clone()),
            Kind::Message(text) => {
                // What others say may be long, and isn't decoded.
                let is_user = scan::string_member(text.body(), "role").is_some_and(|role| role == "user");
                let said = if is_user { one_line(&message::text(text.body())) } else { String::new() };
                if !said.is_empty() {
                    return Ok(Some(said));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The beginning of a text, with single spaces between words and no control characters.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if count > 0 {
            line.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count >= TITLE_LEN_MAX {
                line.push('…');
                return line;
            }
            line.push(c);
            count += 1;
        }
    }
    line
}
