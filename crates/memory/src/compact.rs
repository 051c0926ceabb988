//! Takes what is no longer active out of the file.

use std::io::{self, Write};

use jsonl_core::{Rewrite, Span, Verdict, checksum};
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::checkpoint;
use crate::error::{Error, Result};
use crate::fold::{self, Writers};
use crate::ids::Ids;
use crate::index::Index;
use crate::memory::Memory;
use crate::record::{self, Header, Meta, What, Written};
use crate::time;
use crate::view::View;

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Items that are still there.
    pub kept: usize,
    /// Items that are gone: forgotten, replaced, expired.
    pub removed: usize,
    /// Bytes of the file before.
    pub len_before: u64,
    /// Bytes of the file now.
    pub len: u64,
}

/// A record that goes over into the new file.
struct Kept {
    span: Span,
    id: Option<u64>,
    is_item: bool,
}

impl Memory {
    /// Removes forgotten, replaced and expired items and their tombstones from the file, for good. Everything else stays as
    /// it is, byte for byte: active items, records of unknown kinds, the header.
    ///
    /// Atomic: after a crash there is the old file or the new one. No id is given out again: a record at the end of
    /// the new file says how far they had got, and how many records were kept, so that a loss shows.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading or writing fails; the old file is then as it was. [`Error::Incomplete`] where somebody who
    /// respects no lock has damaged it meanwhile.
    pub fn compact(&self) -> Result<Compacted> {
        let options = self.options();
        let done = self.writer.rewrite_with(|rewrite| {
            let log = options.read_options().open(self.path())?;
            let mut index = Index::default();
            fold::extend(&mut index, &log, options, Writers::Locked)?;
            let loss = index.loss();
            if !loss.is_empty() {
                return Err(Error::Incomplete { path: self.path().to_owned(), loss: Box::new(loss) });
            }
            let view = View { log, index, options: options.clone(), visible: u64::MAX };
            let now = time::to_text((options.clock)());
            let done = compact_into(&view, rewrite, &now)?;
            // Nobody goes on from what was known of the old file.
            self.held.lock().forget();
            Ok::<_, Error>(done)
        })?;
        // Bound to the old file, so of no use any more.
        let _ = std::fs::remove_file(checkpoint::path_of(self.path()));
        let len = self.catch_up_now()?;
        self.keep_checkpoint();
        Ok(Compacted { len, ..done })
    }
}

fn compact_into(view: &View, rewrite: &mut Rewrite<'_>, now: &str) -> Result<Compacted> {
    let mut ids = Ids::default();
    let mut kept = 0;
    // Lines next to each other are copied together.
    let mut pending: Option<Span> = None;
    for_each_kept(view, |record| {
        if let Some(id) = record.id {
            ids.add(id, id);
        }
        kept += usize::from(record.is_item);
        match &mut pending {
            Some(span) if span.offset + span.len == record.span.offset && span.len < (1 << 20) => {
                span.len += record.span.len;
            }
            pending => {
                if let Some(span) = pending.replace(record.span) {
                    rewrite.copy(&view.log, span)?;
                }
            }
        }
        Ok(())
    })?;
    if let Some(span) = pending {
        rewrite.copy(&view.log, span)?;
    }
    let full = || Error::Full { path: view.path().to_owned() };
    let last = view.index.next_id().ok_or_else(full)?;
    let count = ids.count_to(last);
    rewrite.record(&Written { kept: Some(count), ..Written::new(last, now, "compacted") })?;
    let removed = view.index.slots.len() - kept;
    Ok(Compacted { kept, removed, len_before: view.log.len(), len: 0 })
}

/// Hands over what stays, in the order of the file.
fn for_each_kept(view: &View, mut each: impl FnMut(Kept) -> Result<()>) -> Result<()> {
    let now = view.now();
    let mut active: Vec<u64> = view
        .index
        .slots
        .iter()
        .filter(|slot| view.index.is_active(slot, now))
        .map(|slot| slot.offset)
        .collect();
    active.sort_unstable();
    let kept = |span: Span, text: &[u8]| {
        let Some(glance) = record::glance(text) else { return Some(Kept { span, id: None, is_item: false }) };
        let stays = match glance.what {
            What::Item { .. } if glance.id.is_some() => active.binary_search(&span.offset).is_ok(),
            What::Forget { .. } | What::Compacted { .. } | What::Accepted(_) => false,
            What::Item { .. } | What::Header | What::Other => true,
        };
        let is_item = matches!(glance.what, What::Item { .. }) && glance.id.is_some();
        stays.then_some(Kept { span, id: glance.id, is_item })
    };
    for line in view.log.lines() {
        let line = line?;
        match line.verdict() {
            Verdict::Blank => {}
            Verdict::Record { .. } => {
                let (offset, text) = record::of_line(line.offset, &line.bytes);
                let span = Span { offset, len: line.end() - offset };
                if let Some(kept) = kept(span, text) {
                    each(kept)?;
                }
            }
            Verdict::Damaged { .. } => {
                let salvage = line.parse::<IgnoredAny>().err().map(|damage| damage.salvage);
                for span in salvage.unwrap_or_default() {
                    let text = view.log.read(span)?;
                    let has_id = record::glance(&text).is_some_and(|glance| glance.id.is_some());
                    if let Some(kept) = kept(span, &text).filter(|_| has_id) {
                        each(kept)?;
                    }
                }
            }
        }
    }
    Ok(())
}

impl View {
    /// Writes the active items as a memory of their own, as [`Memory::compact`] would leave it: with their ids, as lines
    /// that aish reads, too. Returns how many.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when reading or writing fails.
    pub fn export(&self, out: &mut impl Write) -> Result<usize> {
        let cannot = |source: io::Error| jsonl_core::Error::Io {
            path: self.path().to_owned(),
            action: "export",
            source,
        };
        let now = time::to_text((self.options.clock)());
        let mut put = |text: &[u8]| {
            out.write_all(text).and_then(|()| out.write_all(b"\n")).map_err(cannot).map_err(Error::from)
        };
        let meta = Meta { created: &now, annals_version: env!("CARGO_PKG_VERSION") };
        put(&sealed(&Header { meta }))?;
        let mut ids = Ids::default();
        let mut count = 0;
        for_each_kept(self, |record| {
            let Some(id) = record.id.filter(|_| record.is_item) else { return Ok(()) };
            ids.add(id, id);
            count += 1;
            put(&self.text_at(record.span.offset)?)
        })?;
        let last = self.index.next_id().ok_or_else(|| Error::Full { path: self.path().to_owned() })?;
        let kept = ids.count_to(last);
        put(&sealed(&Written { kept: Some(kept), ..Written::new(last, &now, "compacted") }))?;
        Ok(count)
    }
}

fn sealed(record: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    checksum::seal(&mut line, 0);
    line
}
