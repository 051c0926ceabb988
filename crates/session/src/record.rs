//! The records of a session's log.
//!
//! The first line is the header; what a session looked like when it began stands in it:
//!
//! ```text
//! {"session":1,"key":"main","seq":0,"n":0,"time":"…Z","state":{…},"crc32":"…"}
//! ```
//!
//! Then come messages, notes (what is kept beside messages and is none), and events, which change the state:
//!
//! ```text
//! {"seq":1,"n":1,"state_at":0,"state_seq":0,"time":"…Z","message":{"role":"user","content":"hi"},"crc32":"…"}
//! {"seq":2,"n":1,"state_at":0,"state_seq":0,"time":"…Z","note":{…},"crc32":"…"}
//! {"seq":3,"n":1,"time":"…Z","event":"summary","state":{"before":0,"hidden":0,"summary":"…","metadata":{…}},"crc32":"…"}
//! ```
//!
//! `seq` counts records, `n` counts messages up to and with this record. An event holds the whole state as it is
//! from there on, and every other record the offset and the number of the last event (or header) before it, so that the last
//! record of a file of any size leads to everything that is needed to show its end.
//!
//! A sealed line that begins as our writers write it is taken apart by position; any other goes through the
//! parser. Both give the same.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use jsonl_core::Pieces;
use jsonl_core::checksum::{self, Seal};
use jsonl_core::verdict::{self, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::time::{self, TIME_LEN};

/// The format that this crate writes.
pub(crate) const FORMAT: u64 = 1;

/// No session has more records than that, so sums of such numbers never overflow. A line that says so was not
/// written by us.
pub(crate) const NUMBER_MAX: u64 = 1 << 53;

/// What a session is apart from its messages, as of a record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// Messages below this sequence number are hidden.
    pub(crate) before: u64,
    /// How many messages those are, of all that the session ever had.
    pub(crate) hidden: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Box<RawValue>>,
}

/// Where a fork comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Parent {
    /// The key of the session that it was forked from.
    pub key: String,
    /// The last record that they share.
    pub seq: u64,
}

/// What only the header says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) session: u64,
    pub(crate) key: String,
    /// When the session began. Compaction keeps it.
    pub(crate) created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Parent>,
    /// Of a compacted session: how many messages were removed from this file, and the title that they had.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) removed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A record as it is written.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
    #[serde(flatten)]
    pub(crate) header: Option<&'a Header>,
    pub(crate) seq: u64,
    pub(crate) n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_at: Option<u64>,
    pub(crate) time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<&'a State>,
}

/// A message or note as it is written, around its JSON text.
pub(crate) struct Body<'a> {
    pub(crate) seq: u64,
    pub(crate) n: u64,
    pub(crate) state_at: u64,
    pub(crate) state_seq: u64,
    pub(crate) time: &'a str,
    pub(crate) is_message: bool,
    pub(crate) json: &'a [u8],
}

impl Body<'_> {
    pub(crate) fn write(&self, record: &mut Pieces<'_>) {
        let Self { seq, n, state_at, state_seq, time, is_message, json } = *self;
        record.push("{\"seq\":").number(seq).push(",\"n\":").number(n);
        record.push(",\"state_at\":").number(state_at).push(",\"state_seq\":").number(state_seq);
        record.push(",\"time\":").string(time);
        record.push(if is_message { ",\"message\":" } else { ",\"note\":" }).push(json).push("}");
    }
}

/// What every line of ours may hold, for the parser.
#[derive(Deserialize)]
pub(crate) struct Parsed {
    seq: u64,
    n: u64,
    #[serde(default)]
    state_at: u64,
    #[serde(default)]
    state_seq: u64,
    #[serde(default)]
    time: String,
    message: Option<Box<RawValue>>,
    note: Option<Box<RawValue>>,
    event: Option<String>,
    state: Option<State>,
    session: Option<u64>,
    key: Option<String>,
    created: Option<String>,
    parent: Option<Parent>,
    #[serde(default)]
    removed: u64,
    title: Option<String>,
}

/// A record, read.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) seq: u64,
    pub(crate) n: u64,
    /// Where the state before it stands, and its number; of no meaning for one that has its own.
    pub(crate) state_at: u64,
    pub(crate) state_seq: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Message(Text),
    Note(Text),
    Event { time: String, name: String, state: Arc<State> },
    Header { time: String, header: Arc<Header>, state: Arc<State> },
}

/// The bytes of a body, and its time, in memory that it may share with others.
#[derive(Clone)]
pub(crate) struct Text {
    bytes: Arc<Vec<u8>>,
    time_at: usize,
    body: Range<usize>,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.body()))
    }
}

impl Text {
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }

    pub(crate) fn time_text(&self) -> &str {
        let text = self.bytes.get(self.time_at..self.time_at + TIME_LEN).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    pub(crate) fn time(&self) -> Option<SystemTime> {
        time::parse(self.time_text())
    }

    /// Goes to another line, which stands at `at` in the same memory.
    pub(crate) fn move_to(&mut self, cut: &Cut, at: usize) {
        self.time_at = cut.time_at + at;
        self.body = cut.body.start + at..cut.body.end + at;
    }

    fn own(time: &str, body: &RawValue) -> Self {
        let mut bytes = Vec::with_capacity(TIME_LEN + body.get().len());
        // A time of another length was written by somebody else.
        let time = time::parse(time).map(time::to_text);
        bytes.extend_from_slice(time.as_deref().unwrap_or_default().as_bytes());
        bytes.resize(TIME_LEN, b' ');
        bytes.extend_from_slice(body.get().as_bytes());
        let body = TIME_LEN..bytes.len();
        Self { bytes: Arc::new(bytes), time_at: 0, body }
    }
}

impl Parsed {
    /// `None` for JSON that is no record of ours.
    pub(crate) fn into_record(self) -> Option<Record> {
        let Self { seq, n, state_at, state_seq, time, .. } = self;
        let hidden = self.state.as_ref().map_or(0, |state| state.hidden.max(state.before));
        if seq.max(n).max(hidden).max(self.removed) > NUMBER_MAX {
            return None;
        }
        let kind = match (self.message, self.note, self.state) {
            (Some(message), None, None) => Kind::Message(Text::own(&time, &message)),
            (None, Some(note), None) => Kind::Note(Text::own(&time, &note)),
            (None, None, Some(state)) => {
                let state = Arc::new(state);
                match (self.session, self.key) {
                    (Some(session), Some(key)) => {
                        let created = self.created.unwrap_or_else(|| time.clone());
                        let (parent, removed, title) = (self.parent, self.removed, self.title);
                        let header = Arc::new(Header { session, key, created, parent, removed, title });
                        Kind::Header { time, header, state }
                    }
                    _ => Kind::Event { time, name: self.event.unwrap_or_default(), state },
                }
            }
            _ => return None,
        };
        Some(Record { seq, n, state_at, state_seq, kind })
    }
}

/// A message's or note's line, taken apart by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) seq: u64,
    pub(crate) n: u64,
    pub(crate) state_at: u64,
    state_seq: u64,
    pub(crate) is_message: bool,
    time_at: usize,
    pub(crate) body: Range<usize>,
}

impl Cut {
    /// The record, when the line stands at `at` in `bytes`.
    pub(crate) fn into_record(self, bytes: &Arc<Vec<u8>>, at: usize) -> Record {
        let body = self.body.start + at..self.body.end + at;
        let text = Text { bytes: Arc::clone(bytes), time_at: self.time_at + at, body };
        let kind = if self.is_message { Kind::Message(text) } else { Kind::Note(text) };
        let (state_at, state_seq) = (self.state_at, self.state_seq);
        Record { seq: self.seq, n: self.n, state_at, state_seq, kind }
    }
}

/// Takes apart a sealed line as our writers write it; `None` for any other. The seal vouches for the rest.
pub(crate) fn cut(line: &[u8]) -> Option<Cut> {
    let at = line.strip_prefix(b"{\"seq\":")?;
    let (seq, at) = number(at)?;
    let (n, at) = number(at.strip_prefix(b",\"n\":")?)?;
    let (state_at, at) = number(at.strip_prefix(b",\"state_at\":")?)?;
    let (state_seq, at) = number(at.strip_prefix(b",\"state_seq\":")?)?;
    let at = at.strip_prefix(b",\"time\":\"")?;
    let time_at = line.len() - at.len();
    let at = at.get(TIME_LEN..)?.strip_prefix(b"\",\"")?;
    let (at, is_message) = match at.strip_prefix(b"message\":") {
        Some(at) => (at, true),
        None => (at.strip_prefix(b"note\":")?, false),
    };
    let start = line.len() - at.len();
    let end = line.len().checked_sub(checksum::SEAL_LEN)?;
    let is_good = start < end && seq.max(n) <= NUMBER_MAX && line.get(time_at + TIME_LEN - 1) == Some(&b'Z');
    (is_good && checksum::check(line) == Seal::Good).then_some(Cut {
        seq,
        n,
        state_at,
        state_seq,
        is_message,
        time_at,
        body: start..end,
    })
}

/// Takes apart any line, sealed or not, however it is written; `None` for what is no record of ours.
pub(crate) fn parse(line: &[u8]) -> Option<Record> {
    match checksum::check(line) {
        Seal::Bad => return None,
        Seal::Good => {
            if let Some(cut) = cut(line) {
                return Some(cut.into_record(&Arc::new(line.to_vec()), 0));
            }
        }
        // Nobody vouches for it, so it is judged as every reader does: the parser passes over what it doesn't need.
        Seal::Absent => match verdict::judge(line, false) {
            Verdict::Record { .. } => {}
            _ => return None,
        },
    }
    jsonl_core::parse_json::<Parsed>(line).ok()?.into_record()
}

/// A decimal number as our writers write it, and what follows.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=19).contains(&len) || (len > 1 && text[0] == b'0') {
        return None;
    }
    let value = text[..len].iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some((value, &text[len..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(line: &str) -> Vec<u8> {
        let mut bytes = line.as_bytes().to_vec();
        assert!(checksum::seal(&mut bytes, 0));
        bytes
    }

    #[test]
    fn both_ways_of_taking_a_line_apart_agree() {
        let time = "2026-11-21T08:15:00.250Z";
        for body in [r#"{"role":"user"}"#, r#"{"role":"u","crc32":"00000000"}"#, "{}", r#"[1, 2]"#] {
            for kind in ["message", "note"] {
                let line = sealed(&format!(
                    r#"{{"seq":7,"n":3,"state_at":120,"state_seq":2,"time":"{time}","{kind}":{body}}}"#
                ));
                let fast = cut(&line).unwrap().into_record(&Arc::new(line.clone()), 0);
                let slow = serde_json::from_slice::<Parsed>(&line).unwrap().into_record().unwrap();
                assert_eq!((fast.seq, fast.n), (slow.seq, slow.n));
                assert_eq!((fast.state_at, fast.state_seq), (slow.state_at, slow.state_seq));
                assert_eq!(fast.state_seq, 2);
                let (Kind::Message(fast) | Kind::Note(fast)) = fast.kind else { panic!() };
                let (Kind::Message(slow) | Kind::Note(slow)) = slow.kind else { panic!() };
                assert_eq!(fast.body(), body.as_bytes());
                assert_eq!(slow.body(), body.as_bytes());
                assert_eq!(fast.time_text(), time);
                assert_eq!(slow.time_text(), time);
            }
        }
    }

    #[test]
    fn a_body_is_written_as_the_parser_reads_it() {
        for (time, is_message) in [("2026-11-21T08:15:00.250Z", true), ("no \"time\"\n\u{1}", false)] {
            let (seq, n, state_at, state_seq) = (u64::MAX, 0, 10, 99);
            let json = br#"{"role":"user"}"#;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log.jsonl");
            let log = jsonl_core::WriteOptions::new().create(true).checksum(true).open(&path).unwrap();
            let body = Body { seq, n, state_at, state_seq, time, is_message, json };
            log.rewrite(|new| new.made(|record| body.write(record))).unwrap();
            let line = std::fs::read(&path).unwrap();
            let parsed: Parsed = serde_json::from_slice(&line).unwrap();
            assert_eq!(
                (parsed.seq, parsed.n, parsed.state_at, parsed.state_seq),
                (seq, n, state_at, state_seq)
            );
            assert_eq!(parsed.time, time);
            let (body, other) =
                if is_message { (parsed.message, parsed.note) } else { (parsed.note, parsed.message) };
            assert_eq!((body.unwrap().get().as_bytes(), other.is_none()), (&json[..], true));
        }
    }

    #[test]
    fn a_flipped_bit_is_never_taken_apart() {
        let line = sealed(
            r#"{"seq":7,"n":3,"state_at":120,"state_seq":2,"time":"2026-11-21T08:15:00.250Z","message":{"role":"user"}}"#,
        );
        for bit in 0..line.len() * 8 {
            let mut damaged = line.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(cut(&damaged).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn other_lines_are_left_to_the_parser() {
        for line in ["", "{}", "{\"seq\":", "{\"seq\":01,\"n\":1", "{\"seq\":99999999999999999999,\"n\":1"] {
            assert!(cut(line.as_bytes()).is_none(), "{line}");
            assert!(parse(line.as_bytes()).is_none(), "{line}");
        }
    }
}
