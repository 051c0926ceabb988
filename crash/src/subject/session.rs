//! Sessions that writers share, with one of its own for each: messages, summaries, truncations and compactions.

use std::path::Path;

use annals_session::{CompactOptions, Store, StoreOptions, Truncate};

use super::{Handle, Result, Setting, Subject, said, text, token, token_of};
use crate::ledger::{Found, Step};

/// A store of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Session;

/// Sessions that everybody writes to.
const SHARED: u64 = 3;

struct Open {
    store: Store,
    writer: usize,
    len: usize,
}

fn options() -> StoreOptions {
    StoreOptions::new().threads(1).wait(std::time::Duration::from_secs(60))
}

fn shared(number: u64) -> String {
    format!("shared:{number}")
}

fn own(writer: usize) -> String {
    format!("own:{writer}")
}

impl Subject for Session {
    fn name(&self) -> &'static str {
        "session"
    }

    fn step(&self, writer: usize, n: u64) -> Step {
        match n % 16 {
            4 | 12 => Step::Set(format!("summary {}", own(writer)), token(writer, n)),
            7 | 10 | 15 => Step::Upkeep,
            _ => Step::Set(token(writer, n), String::from("there")),
        }
    }

    fn open(&self, folder: &Path, writer: usize, setting: Setting) -> Result<Box<dyn Handle>> {
        let store = options().durability(setting.durability).open(folder.join("sessions")).map_err(said)?;
        Ok(Box::new(Open { store, writer, len: setting.len }))
    }

    fn read(&self, folder: &Path, setting: Setting) -> Result<Found> {
        let dir = folder.join("sessions");
        let mut found = Found::new();
        if !dir.try_exists().map_err(said)? {
            return Ok(found);
        }
        let store = options().open(dir).map_err(said)?;
        let list = store.list(&annals_session::ListOptions::new().archived(true)).map_err(said)?;
        if let Some(unlisted) = list.unlisted.first() {
            return Err(format!("{unlisted:?}"));
        }
        for listed in list.sessions {
            let session = store.session(&listed.key).map_err(said)?;
            let transcript = session.transcript().map_err(said)?;
            let report = &transcript.report;
            if !report.gaps.is_empty() || report.repeated + report.disordered > 0 {
                return Err(format!("{}: {report:?}", listed.key));
            }
            let mut messages = session.removed_messages().map_err(said)?;
            // What a compaction copied before it was killed is still in the log, too.
            let kept_from = transcript.messages().next().map_or(u64::MAX, annals_session::Message::seq);
            messages.retain(|message| message.seq() < kept_from);
            messages.extend(transcript.messages().cloned());
            for message in messages {
                let token = token_of(&message.text(), setting.len)?;
                if found.insert(token.clone(), String::from("there")).is_some() {
                    return Err(format!("{token} is there twice"));
                }
            }
            let summary = session.summary().map_err(said)?;
            if listed.key.starts_with("own:") && !summary.is_empty() {
                found.insert(format!("summary {}", listed.key), summary);
            }
        }
        Ok(found)
    }
}

impl Handle for Open {
    fn apply(&mut self, n: u64) -> Result<()> {
        let session = |key: &str| self.store.session(key).map_err(said);
        let mine = session(&own(self.writer))?;
        let ours = session(&shared(n % SHARED))?;
        let token = token(self.writer, n);
        match n % 16 {
            4 | 12 => mine.set_summary(&token).map(drop).map_err(said),
            7 => ours.truncate(&Truncate::keep_last(2)).map(drop).map_err(said),
            10 => mine.truncate(&Truncate::keep_last(2)).map(drop).map_err(said),
            15 => ours.compact(&CompactOptions::new()).map(drop).map_err(said),
            n if n % 2 == 0 => mine.say("user", &text(&token, self.len)).map(drop).map_err(said),
            _ => ours.say("user", &text(&token, self.len)).map(drop).map_err(said),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
