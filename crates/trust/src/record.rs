//! The lines of a trust log, read and written.
//!
//! ```text
//! {"path":"/home/u/p/.envrc","sha256":"<64 hex>","ts":"2026-05-16T23:45:07Z"}            allowed; as aish writes it
//! {"path":"/home/u/p/.envrc","decision":"deny","ts":"…","crc32":"…"}
//! {"path":"/home/u/p/.envrc","decision":"revoke","ts":"…","crc32":"…"}
//! {"path_hex":"2f686f6d65ff","sha256":"…","ts":"…","crc32":"…"}                           a path that is no text
//! {"files":[{"path":"/home/u/p/a","sha256":"…"},…],"manifest":"…","ts":"…","crc32":"…"}   a set
//! ```
//!
//! aish takes a line for an approval if its `path` and `sha256` are those it looks for, so it passes over all but the
//! first. A line that says something in two ways, or in a way that we don't know, never becomes an approval.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use jsonl_core::scan;
use serde::Serialize;

use crate::digest::{Digest, Digests};

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) subject: Subject,
    pub(crate) decision: Decision,
    pub(crate) time: Option<SystemTime>,
}

/// About what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    File(PathBuf),
    /// Sorted, each once.
    Set(Vec<PathBuf>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// With the digests of the files, in their order.
    Allow(Digests),
    Deny,
    Revoke,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Event(Event),
    /// JSON, but nothing that was decided.
    Odd,
    /// A decision, but about what or which can't be said for sure: it may have been a revocation.
    Unclear,
}

/// Takes a line apart; `None` where it is no object. UTF-8 and the checksum are the caller's to check.
pub(crate) fn parse(line: &[u8]) -> Option<Line> {
    match plain(line) {
        Some(event) => Some(Line::Event(event)),
        None => parse_any(line),
    }
}

/// An approval as aish and we write nearly all of them, by position: these members in this order, nothing escaped. `None` says nothing.
fn plain(line: &[u8]) -> Option<Event> {
    let rest = line.strip_prefix(b"{\"path\":\"")?;
    // Up to what ends the string, has to be decoded, isn't allowed in one, or may stand for what is no character.
    let is_simple = |byte: &u8| (b' '..0x80).contains(byte) && *byte != b'"' && *byte != b'\\';
    let (path, rest) = rest.split_at(rest.iter().position(|byte| !is_simple(byte))?);
    let (digest, rest) = rest.strip_prefix(b"\",\"sha256\":\"")?.split_at_checked(64)?;
    let (time, rest) = rest.strip_prefix(b"\",\"ts\":\"")?.split_at_checked(20)?;
    let rest = rest.strip_prefix(b"\"")?;
    if rest != b"}" {
        let sum = rest.strip_prefix(b",\"crc32\":\"")?.strip_suffix(b"\"}")?;
        if sum.len() != 8 || !sum.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    let path = std::str::from_utf8(path).ok().filter(|path| !path.is_empty())?;
    Some(Event {
        subject: Subject::File(PathBuf::from(path)),
        decision: Decision::Allow(Digests::One(Digest::parse(digest)?)),
        time: Some(plain_time(time)?.into()),
    })
}

/// `2026-05-16T23:45:07Z`, by position. `None` says nothing.
fn plain_time(text: &[u8]) -> Option<Timestamp> {
    let number = |at: usize, len: usize| {
        text.get(at..at + len)?.iter().try_fold(0_i16, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0'))
        })
    };
    let two = |at| i8::try_from(number(at, 2)?).ok();
    let &[_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, b'Z'] = text else {
        return None;
    };
    let date = Date::new(number(0, 4)?, two(5)?, two(8)?).ok()?;
    let time = Time::new(two(11)?, two(14)?, two(17)?, 0).ok()?;
    Offset::UTC.to_timestamp(date.to_datetime(time)).ok()
}

/// The same as [`parse`], whatever shape the line has.
fn parse_any(line: &[u8]) -> Option<Line> {
    let mut members = scan::members(line);
    let mut found = Members::default();
    let mut is_clear = true;
    for member in &mut members {
        is_clear &= found.take(member.key, member.value);
    }
    if !members.is_whole() {
        return None;
    }
    Some(match found.decision {
        Some(_) if !is_clear || found.subject().is_none() => Line::Unclear,
        _ if is_clear => found.line(),
        _ => Line::Odd,
    })
}

#[derive(Default)]
struct Members<'a> {
    path: Option<&'a [u8]>,
    path_hex: Option<&'a [u8]>,
    sha256: Option<&'a [u8]>,
    decision: Option<&'a [u8]>,
    ts: Option<&'a [u8]>,
    files: Option<&'a [u8]>,
    manifest: Option<&'a [u8]>,
}

impl<'a> Members<'a> {
    /// Takes a member; `false` if it was there before.
    fn take(&mut self, key: &'a [u8], value: &'a [u8]) -> bool {
        let slot = match &*scan::name(key) {
            b"path" => &mut self.path,
            b"path_hex" => &mut self.path_hex,
            b"sha256" => &mut self.sha256,
            b"decision" => &mut self.decision,
            b"ts" => &mut self.ts,
            b"files" => &mut self.files,
            b"manifest" => &mut self.manifest,
            _ => return true,
        };
        slot.replace(value).is_none()
    }

    fn line(&self) -> Line {
        let Some(subject) = self.subject() else { return Line::Odd };
        let decision = match self.decision.map(text) {
            None => match self.digests(&subject) {
                Some(digests) => Decision::Allow(digests),
                None => return Line::Odd,
            },
            Some(Some(word)) if word == "deny" => Decision::Deny,
            // Something that only a later version knows is no approval, and neither is what was there before.
            Some(_) => Decision::Revoke,
        };
        let time = self.ts.and_then(text).and_then(|text| text.parse::<Timestamp>().ok());
        Line::Event(Event { subject, decision, time: time.map(SystemTime::from) })
    }

    fn subject(&self) -> Option<Subject> {
        if let Some(files) = self.files {
            if self.path.is_some() || self.path_hex.is_some() || self.sha256.is_some() {
                return None;
            }
            let paths: Option<Vec<PathBuf>> = scan::items(files).map(|file| Some(file_of(file)?.0)).collect();
            let paths = paths?;
            // The manifest is that of sorted paths.
            let is_sorted = paths.is_sorted_by(|a, b| a.as_os_str() < b.as_os_str());
            return (is_sorted && !paths.is_empty()).then_some(Subject::Set(paths));
        }
        path_of(self.path, self.path_hex).map(Subject::File)
    }

    fn digests(&self, subject: &Subject) -> Option<Digests> {
        match subject {
            Subject::File(_) => digest(self.sha256?).map(Digests::One),
            Subject::Set(paths) => {
                let digests: Vec<Digest> =
                    scan::items(self.files?).map(|file| file_of(file)?.1).collect::<Option<_>>()?;
                let manifest = crate::set::manifest(paths, &digests);
                (Some(manifest) == self.manifest.and_then(digest)).then_some(Digests::Many(digests))
            }
        }
    }
}

/// Path and digest of a file in a set.
fn file_of(object: &[u8]) -> Option<(PathBuf, Option<Digest>)> {
    let mut found = Members::default();
    let mut members = scan::members(object);
    let mut is_clear = true;
    for member in &mut members {
        is_clear &= found.take(member.key, member.value);
    }
    let path = path_of(found.path, found.path_hex).filter(|_| is_clear && members.is_whole())?;
    Some((path, found.sha256.and_then(digest)))
}

fn path_of(path: Option<&[u8]>, hex: Option<&[u8]>) -> Option<PathBuf> {
    match (path, hex) {
        (Some(path), None) => {
            Some(PathBuf::from(text(path)?.into_owned())).filter(|path| !path.as_os_str().is_empty())
        }
        (None, Some(hex)) => from_hex(&text(hex)?),
        _ => None,
    }
}

fn digest(value: &[u8]) -> Option<Digest> {
    let as_it_stands = || Digest::parse(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?);
    as_it_stands().or_else(|| Digest::parse(text(value)?.as_bytes()))
}

/// The text of a JSON string; `None` where it holds something that is no character.
fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    scan::string(value).filter(|text| text.is_ascii() || !text.contains(char::REPLACEMENT_CHARACTER))
}

/// A path in one of the two ways in which it can stand in a line.
#[derive(Serialize)]
pub(crate) struct WrittenPath {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

impl WrittenPath {
    pub(crate) fn new(path: &Path) -> Self {
        match path.to_str().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)) {
            Some(text) => Self { path: Some(text.to_owned()), path_hex: None },
            None => Self { path: None, path_hex: Some(to_hex(path)) },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct WrittenFile {
    #[serde(flatten)]
    pub(crate) path: WrittenPath,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// A record as it is written.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
    #[serde(flatten)]
    pub(crate) file: Option<WrittenFile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<WrittenFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) manifest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<&'a str>,
    pub(crate) ts: &'a str,
}

impl<'a> Written<'a> {
    pub(crate) fn new(subject: &Subject, decision: &Decision, ts: &'a str) -> Self {
        let digests = match decision {
            Decision::Allow(digests) => &digests[..],
            _ => &[],
        };
        let file = |path: &Path, digest: Option<&Digest>| WrittenFile {
            path: WrittenPath::new(path),
            sha256: digest.map(Digest::to_string),
        };
        let decision = match decision {
            Decision::Allow(_) => None,
            Decision::Deny => Some("deny"),
            Decision::Revoke => Some("revoke"),
        };
        match subject {
            Subject::File(path) => Self {
                file: Some(file(path, digests.first())),
                files: Vec::new(),
                manifest: None,
                decision,
                ts,
            },
            Subject::Set(paths) => {
                let files =
                    (0..).zip(paths).map(|(index, path)| file(path, digests.get::<usize>(index))).collect();
                let manifest = decision.is_none().then(|| crate::set::manifest(paths, digests).to_string());
                Self { file: None, files, manifest, decision, ts }
            }
        }
    }
}

/// Whole seconds, as aish writes them.
pub(crate) fn time_text(time: SystemTime) -> String {
    let seconds = Timestamp::try_from(time).map_or(0, |time| time.as_millisecond().div_euclid(1000));
    format!("{:.0}", Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn to_hex(path: &Path) -> String {
    path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Option<PathBuf> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| !pair.contains('+'))?, 16).ok()
        })
        .collect();
    os_string(bytes?).map(PathBuf::from)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not all bytes are a path")]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_about_nothing_may_have_been_one_about_anything() {
        for line in [
            r#"{"decision":"revoke"}"#,
            r#"{"path":7,"decision":"revoke"}"#,
            r#"{"path":"/p","path":"/q","decision":"deny"}"#,
        ] {
            assert_eq!(parse(line.as_bytes()), Some(Line::Unclear), "{line}");
        }
    }

    fn event(line: &str) -> Option<Event> {
        match parse(line.as_bytes()) {
            Some(Line::Event(event)) => Some(event),
            _ => None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let digest = Digest::of(b"x");
        let mut paths = vec![PathBuf::from("/p/a b\n\\\"é"), PathBuf::from("/p/\u{FFFD}")];
        #[cfg(unix)]
        paths.push(PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/p/\xFF")));
        paths.sort();
        let all = Subject::Set(paths.clone());
        let digests = Digests::Many(vec![digest; paths.len()]);
        let subjects =
            paths.into_iter().map(|path| (Subject::File(path), Digests::One(digest))).chain([(all, digests)]);
        for (subject, digests) in subjects {
            for decision in [Decision::Allow(digests), Decision::Deny, Decision::Revoke] {
                let written = Written::new(&subject, &decision, "2026-11-20T08:00:00Z");
                let line = serde_json::to_string(&written).unwrap();
                let event = event(&line).unwrap();
                assert_eq!((&event.subject, &event.decision), (&subject, &decision), "{line}");
                assert!(event.time.is_some());
            }
        }
    }

    /// The slow twin, on plain lines and on all that differ from one by a byte, or by one more or less.
    #[test]
    fn plain_lines_are_read_as_any_are() {
        let hex = Digest::of(b"x").to_string();
        let bare = format!(r#"{{"path":"/p/.e c","sha256":"{hex}","ts":"2026-11-20T08:09:59Z"}}"#);
        let mut sealed =
            format!(r#"{{"path":"/p","sha256":"{hex}","ts":"2024-02-28T23:00:00Z"}}"#).into_bytes();
        jsonl_core::checksum::seal(&mut sealed, 0);
        for line in [bare.into_bytes(), sealed] {
            assert!(plain(&line).is_some());
            for at in 0..line.len() {
                for byte in 0..=255 {
                    let changed = [&line[..at], &[byte], &line[at + 1..]].concat();
                    assert_eq!(parse(&changed), parse_any(&changed), "{at} {byte}");
                }
                let shorter = [&line[..at], &line[at + 1..]].concat();
                assert_eq!(parse(&shorter), parse_any(&shorter), "without {at}");
                let longer = [&line[..at], &line[at..at + 1], &line[at..]].concat();
                assert_eq!(parse(&longer), parse_any(&longer), "{at} twice");
            }
        }
    }

    #[test]
    fn only_a_clear_line_is_an_approval() {
        let hex = Digest::of(b"x").to_string();
        let good = format!(r#"{{"path":"/p","sha256":"{hex}","ts":"2026-11-20T08:00:00Z"}}"#);
        assert!(matches!(event(&good).unwrap().decision, Decision::Allow(_)));
        for wrong in [
            String::from("7"),
            String::from("{}"),
            format!(r#"{{"path":"/p","path":"/q","sha256":"{hex}"}}"#),
            format!(r#"{{"path":"/p","sha256":"{hex}","sha256":"{hex}"}}"#),
            format!(r#"{{"path":"/p","p\u0061th":"/p","sha256":"{hex}"}}"#),
            format!(r#"{{"path":"/p\ud83d","sha256":"{hex}"}}"#),
            format!(r#"{{"path":7,"sha256":"{hex}"}}"#),
            format!(r#"{{"path":"","sha256":"{hex}"}}"#),
            format!(r#"{{"path":"/p","path_hex":"2f70","sha256":"{hex}"}}"#),
            format!(r#"{{"path_hex":"2f7","sha256":"{hex}"}}"#),
            format!(r#"{{"path_hex":"2f+1","sha256":"{hex}"}}"#),
            format!(r#"{{"path":"/p","sha256":"{}"}}"#, hex.to_uppercase()),
            format!(r#"{{"path":"/p","sha256":"{}"}}"#, &hex[1..]),
            String::from(r#"{"path":"/p"}"#),
            format!(r#"{{"files":[{{"path":"/p","sha256":"{hex}"}}],"ts":"2026-11-20T08:00:00Z"}}"#),
            format!(r#"{{"files":[{{"path":"/p","sha256":"{hex}"}}],"manifest":"{hex}"}}"#),
            format!(r#"{{"files":[],"manifest":"{hex}"}}"#),
        ] {
            assert_eq!(event(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_a_clear_line_is_the_approval_of_a_set() {
        let digest = Digest::of(b"x");
        let of = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            crate::set::manifest(&paths, &vec![digest; paths.len()])
        };
        let set = |paths: &[&str], more_of_each: &str, more: &str| {
            let files: Vec<String> = paths
                .iter()
                .map(|path| format!(r#"{{"path":"{path}","sha256":"{digest}"{more_of_each}}}"#))
                .collect();
            event(&format!(r#"{{"files":[{}],"manifest":"{}"{more}}}"#, files.join(","), of(paths)))
        };
        assert!(set(&["/p", "/q"], "", "").is_some());
        assert!(set(&["/p", "/q"], r#","size":1"#, r#","by":"me""#).is_some());
        assert_eq!(set(&["/q", "/p"], "", ""), None, "of other order");
        assert_eq!(set(&["/p", "/p"], "", ""), None, "one twice");
        assert_eq!(set(&[], "", ""), None, "none");
        for more in [r#","path":"/p""#, r#","path_hex":"2f70""#, &format!(r#","sha256":"{digest}""#)] {
            assert_eq!(set(&["/p", "/q"], "", more), None, "{more}");
        }
        for more in [r#","path":"/p""#, r#","path_hex":"2f70""#, &format!(r#","sha256":"{digest}""#)] {
            assert_eq!(set(&["/p"], more, ""), None, "{more} for each");
        }
    }

    #[test]
    fn what_a_later_version_decides_is_no_approval() {
        let hex = Digest::of(b"x").to_string();
        let later = format!(r#"{{"path":"/p","sha256":"{hex}","decision":"allow-for-an-hour"}}"#);
        assert_eq!(event(&later).unwrap().decision, Decision::Revoke);
        let nothing = format!(r#"{{"path":"/p","sha256":"{hex}","decision":null}}"#);
        assert_eq!(event(&nothing).unwrap().decision, Decision::Revoke);
    }
}
