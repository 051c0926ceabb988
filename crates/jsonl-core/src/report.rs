//! What was not a record, where it is, and what it says.
//!
//! Damage is data: reading gives the records *and* a [`Report`] in which every byte of the file is accounted
//! for. [`Bytes::sum`] is the length of what was read, always.

use std::fmt::{self, Display, Formatter};

/// Damages whose details are kept in a report unless the reader is told otherwise. Counting goes on after it.
pub const DAMAGES_KEPT: usize = 1000;

/// Longest excerpt of a damaged line, in bytes of the file.
const EXCERPT_LEN: usize = 60;

/// Most records that are offered out of one fused line.
pub(crate) const SALVAGED_MAX: usize = 64;

/// Everything that was found in a log, or in a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Offset of the first byte that was looked at.
    pub start: u64,
    /// Lines, whatever they hold.
    pub lines: u64,
    /// Lines that are JSON, also those that are not of the type that was asked for.
    pub records: u64,
    /// Records whose seal vouches for their bytes.
    pub sealed: u64,
    /// Records that are not of the type that was asked for, or don't fit its numbers. They have an entry in
    /// [`damages`](Self::damages), but their bytes count as records.
    pub mismatched: u64,
    /// Records with a surrogate escape that has no partner; in Rust text it became U+FFFD.
    pub lone_surrogates: u64,
    /// Lines with nothing but white space.
    pub blank: u64,
    /// The last line is a record that only lacks its newline. It was returned, but its writer may still be
    /// writing (`12` may become `123`), and a later look may find it longer.
    pub unterminated: bool,
    /// Where the bytes went.
    pub bytes: Bytes,
    /// The first damages, in the order of the file.
    pub damages: Vec<Damage>,
    /// What is wrong with the last line, where it is damaged and has no newline.
    unfinished: Option<DamageKind>,
    /// How often each kind occurred, also beyond those kept.
    counts: [u64; DamageKind::ALL.len()],
    /// How many details `damages` may hold.
    keep: Keep,
}

/// A wrapper so that a default report keeps the default number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keep(usize);

impl Default for Keep {
    fn default() -> Self {
        Self(DAMAGES_KEPT)
    }
}

/// Where the bytes of a file went. Each line counts whole, with its newline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bytes {
    /// Records.
    pub records: u64,
    /// Beginnings of records that were never completed, at the end of the file or closed by a later writer.
    pub torn: u64,
    /// Every other line that is not a record.
    pub damaged: u64,
    /// Blank lines.
    pub blank: u64,
    /// Lines that are longer than the limit.
    pub oversize: u64,
    /// Bytes that were there when the file was opened and gone when they were read: somebody shortened it.
    pub missing: u64,
}

impl Bytes {
    /// The length of the file when it was opened, or of the part that was read.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.records + self.torn + self.damaged + self.blank + self.oversize + self.missing
    }
}

/// A line that is not a record, or not one of the asked type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// What is wrong.
    pub kind: DamageKind,
    /// Number of the line, from 1; `None` where the beginning of the file was not read.
    pub line: Option<u64>,
    /// Offset of the line in the file.
    pub offset: u64,
    /// Length of the line without its newline.
    pub len: u64,
    /// Where in the line it shows, in bytes from the line's beginning.
    pub at: u64,
    /// Whether the line ends with a newline. If not, it is the last one and may still be growing.
    pub terminated: bool,
    /// A few bytes of the line from where it goes wrong, control bytes and broken text escaped.
    pub excerpt: String,
    /// What the type had to say, for a mismatch.
    pub detail: Option<String>,
    /// Complete records found inside the line: two writers' lines fused, or one glued to a torn one.
    pub salvage: Vec<Span>,
}

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DamageKind {
    /// The beginning of a record that was never completed.
    Torn,
    /// Not JSON.
    Malformed,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// NUL bytes, as a power cut leaves them.
    NulRun,
    /// The seal does not fit the bytes.
    Checksum,
    /// There is no seal, and the reader asked for one.
    SealMissing,
    /// Longer than the limit; the line was not looked into.
    TooLong,
    /// Nested deeper than the limit.
    TooDeep,
    /// JSON, but not of the type that was asked for. Not damage of the file.
    Mismatch,
}

impl DamageKind {
    /// All kinds, in the order in which they are declared.
    pub const ALL: [Self; 9] = [
        Self::Torn,
        Self::Malformed,
        Self::InvalidUtf8,
        Self::NulRun,
        Self::Checksum,
        Self::SealMissing,
        Self::TooLong,
        Self::TooDeep,
        Self::Mismatch,
    ];

    /// The kind as one word for programs: `torn`, `malformed`, `invalid-utf8`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Torn => "torn",
            Self::Malformed => "malformed",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::NulRun => "nul-run",
            Self::Checksum => "checksum",
            Self::SealMissing => "seal-missing",
            Self::TooLong => "too-long",
            Self::TooDeep => "too-deep",
            Self::Mismatch => "mismatch",
        }
    }
}

impl Display for DamageKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torn => "torn record",
            Self::Malformed => "not JSON",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::NulRun => "NUL bytes",
            Self::Checksum => "checksum mismatch",
            Self::SealMissing => "no checksum",
            Self::TooLong => "line too long",
            Self::TooDeep => "nested too deep",
            Self::Mismatch => "not of the asked type",
        })
    }
}

impl Display for Damage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}, offset {}: {}", self.offset, self.kind)?,
            None => write!(f, "offset {}: {}", self.offset, self.kind)?,
        }
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        write!(f, ", {} bytes: {}", self.len, self.excerpt)
    }
}

impl Report {
    pub(crate) fn new(start: u64, keep: usize) -> Self {
        Self { start, keep: Keep(keep), ..Self::default() }
    }

    /// How many lines have this kind of damage, whether or not their details were kept.
    #[must_use]
    pub fn count(&self, kind: DamageKind) -> u64 {
        self.counts[kind as usize]
    }

    /// How many lines are not records. Mismatches are records, blank lines are nothing.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.counts.iter().sum::<u64>() - self.count(DamageKind::Mismatch)
    }

    /// Every byte belongs to a record or a blank line, and none went missing. An unterminated record and a
    /// mismatch don't spoil it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damaged() == 0 && self.bytes.missing == 0
    }

    /// The only thing wrong is the beginning of a record without a newline at the end: a writer may be in the
    /// middle of it. NULs or anything else there are no beginning, and never become a record.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.damaged() == 1 && self.bytes.missing == 0 && self.unfinished == Some(DamageKind::Torn)
    }

    /// Damages whose details were not kept.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.counts.iter().sum::<u64>() - self.damages.len() as u64
    }

    /// The first damage that `accepted` (kind, terminated) doesn't accept, described as far as it was kept.
    pub(crate) fn first_damage(&self, accepted: impl Fn(DamageKind, bool) -> bool) -> Option<Damage> {
        let kept = self.damages.iter().find(|damage| !accepted(damage.kind, damage.terminated));
        if kept.is_some() || self.omitted() == 0 {
            return kept.cloned();
        }
        // Nothing among those kept: the counts still know of the others.
        let kind = DamageKind::ALL.into_iter().find(|&kind| {
            let at_end = u64::from(self.unfinished == Some(kind) && accepted(kind, false));
            !accepted(kind, true) && self.count(kind) > at_end
        })?;
        Some(Damage {
            kind,
            line: None,
            offset: self.start,
            len: self.bytes.sum(),
            at: 0,
            terminated: true,
            excerpt: String::from("(details were not kept)"),
            detail: None,
            salvage: Vec::new(),
        })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.damages.len() < self.keep.0
    }

    pub(crate) fn count_damage(&mut self, kind: DamageKind, len: u64, terminated: bool) {
        self.counts[kind as usize] += 1;
        if !terminated && kind != DamageKind::Mismatch {
            self.unfinished = Some(kind);
        }
        let bytes = &mut self.bytes;
        match kind {
            DamageKind::Torn => bytes.torn += len,
            DamageKind::TooLong => bytes.oversize += len,
            DamageKind::Mismatch => {}
            _ => bytes.damaged += len,
        }
    }

    /// Appends what was found behind this report's part of the file.
    pub(crate) fn append(&mut self, mut later: Self) {
        let room = self.keep.0.saturating_sub(self.damages.len());
        let lines = self.lines;
        let from_the_start = self.start == 0;
        self.damages.extend(later.damages.drain(..).take(room).map(|mut damage| {
            damage.line = damage.line.filter(|_| from_the_start).map(|line| line + lines);
            damage
        }));
        self.add(&later);
    }

    /// Adds the counts of another report, for totals over several logs. Its damages are not taken over.
    pub fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.records += other.records;
        self.sealed += other.sealed;
        self.mismatched += other.mismatched;
        self.lone_surrogates += other.lone_surrogates;
        self.blank += other.blank;
        self.unterminated |= other.unterminated;
        self.unfinished = other.unfinished.or(self.unfinished);
        self.bytes.records += other.bytes.records;
        self.bytes.torn += other.bytes.torn;
        self.bytes.damaged += other.bytes.damaged;
        self.bytes.blank += other.bytes.blank;
        self.bytes.oversize += other.bytes.oversize;
        self.bytes.missing += other.bytes.missing;
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// Turns a report whose entries were found from the end to the beginning around. Line numbers are unknown.
    pub(crate) fn reverse(&mut self) {
        self.damages.reverse();
        for damage in &mut self.damages {
            damage.line = None;
        }
    }
}

impl Display for Report {
    /// One line: `1,204 records; 1 torn record; 3 blank lines`, without thousands separators.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} records", self.records)?;
        if self.sealed > 0 {
            write!(f, " ({} sealed)", self.sealed)?;
        }
        for kind in DamageKind::ALL {
            if self.count(kind) > 0 {
                write!(f, "; {}: {}", kind, self.count(kind))?;
            }
        }
        if self.blank > 0 {
            write!(f, "; blank lines: {}", self.blank)?;
        }
        if self.unterminated {
            write!(f, "; the last record lacks its newline")?;
        }
        if self.bytes.missing > 0 {
            write!(f, "; {} bytes went missing while reading", self.bytes.missing)?;
        }
        Ok(())
    }
}

/// A few bytes of `line` around `at`, safe to print: control bytes, NULs and broken text are escaped.
pub(crate) fn excerpt(line: &[u8], at: usize) -> String {
    let mut start = at.min(line.len()).saturating_sub(EXCERPT_LEN / 3);
    // Not in the middle of a character.
    while start > 0 && line.get(start).is_some_and(|byte| byte & 0xC0 == 0x80) {
        start -= 1;
    }
    let end = line.len().min(start + EXCERPT_LEN);
    let mut out = String::from(if start > 0 { "…" } else { "" });
    let mut nuls = 0_usize;
    for chunk in line[start..end].utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\0' {
                nuls += 1;
                continue;
            }
            flush_nuls(&mut out, &mut nuls);
            match character {
                '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' => {
                    out.extend(character.escape_unicode());
                }
                _ if character.is_control() || character == '\u{FEFF}' => {
                    out.extend(character.escape_default());
                }
                _ => out.push(character),
            }
        }
        for byte in chunk.invalid() {
            flush_nuls(&mut out, &mut nuls);
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    flush_nuls(&mut out, &mut nuls);
    if end < line.len() {
        out.push('…');
    }
    out
}

fn flush_nuls(out: &mut String, nuls: &mut usize) {
    match *nuls {
        0 => {}
        1 => out.push_str("\\0"),
        count => out.push_str(&format!("\\0×{count}")),
    }
    *nuls = 0;
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn excerpts_are_short_and_safe() {
        assert_eq!(excerpt(b"abc", 0), "abc");
        assert_eq!(excerpt(b"a\x1b[31m\xff\0\0\0b", 0), "a\\u{1b}[31m\\xff\\0×3b");
        assert_eq!(excerpt("\u{202E}".as_bytes(), 0), "\\u{202e}");
        let long = "ä".repeat(500);
        let shown = excerpt(long.as_bytes(), 501);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.len() < 100, "{shown}");
        assert!(!shown.contains('\\'), "{shown}");
    }
}
