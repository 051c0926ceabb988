//! Lines to events, in two steps: where everything is, which takes the most time and can be found out on any thread; and what
//! it says, which borrows from the line.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use jsonl_core::scan;

use crate::event::{Event, Fingerprints, Links, Op, Seen, Setting};
use crate::raw::{Raw, string_in, string_of};
use crate::session::TranscriptFile;

/// Where a value is in a line: its first byte, and the one behind its last. Empty if it isn't there.
pub(crate) type Place = Range<u32>;

const NOWHERE: Place = 0..0;

/// Where an event's members are in its line, which is known to be one.
pub(crate) struct Outline {
    ts: Place,
    event_id: Place,
    op: Place,
    stable_id: Place,
    payload: Place,
    /// Of the operation that most events are.
    seen: Option<Box<SeenOutline>>,
}

/// Where the members of a payload of `session_seen` are.
struct SeenOutline {
    strings: [Place; STRINGS.len()],
    first_human_prompt: Place,
    lineage_prefix: Place,
    transcript: FileOutline,
    identity_resolution: Place,
    candidates: Place,
    omitted: Place,
}

/// Where the members of a transcript's object are.
pub(crate) struct FileOutline {
    object: Place,
    path: Place,
    last_uuid: Place,
    /// Of its keys, in their order.
    shape: u64,
}

/// The members that are strings, in the order of [`Seen`]'s fields.
const STRINGS: [&[u8]; 11] = [
    b"claude_session_id",
    b"cwd",
    b"branch_at_start",
    b"branch_current",
    b"head_at_start",
    b"head_last_seen",
    b"worktree_path_observed",
    b"worktree_realpath",
    b"worktree_registry_name",
    b"git_common_dir",
    b"first_prompt_preview",
];

/// A line, and places in it.
#[derive(Clone, Copy)]
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Where a part of it is.
    fn place(self, part: &[u8]) -> Place {
        // No line is longer; if one were, nothing would be found in it.
        let number = |at: usize| u32::try_from(at).unwrap_or(0);
        let start = part.as_ptr().addr().wrapping_sub(self.0.as_ptr().addr());
        number(start)..number(start.wrapping_add(part.len()))
    }

    fn at(self, place: &Place) -> &'a [u8] {
        self.0.get(place.start as usize..place.end as usize).unwrap_or_default()
    }

    fn string(self, place: &Place) -> Option<Cow<'a, str>> {
        string_of(self.at(place))
    }
}

impl Outline {
    /// `None` if a line is no event.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let text = Text(line);
        let mut found = Self {
            ts: NOWHERE,
            event_id: NOWHERE,
            op: NOWHERE,
            stable_id: NOWHERE,
            payload: NOWHERE,
            seen: None,
        };
        let mut members = scan::members(line);
        for member in &mut members {
            let slot = match &*scan::name(member.key) {
                b"ts" => &mut found.ts,
                b"event_id" => &mut found.event_id,
                b"op" => &mut found.op,
                b"stable_id" => &mut found.stable_id,
                b"payload" => &mut found.payload,
                _ => continue,
            };
            *slot = text.place(member.value);
        }
        let is_name = |place: &Place| text.at(place).len() > 2 && text.at(place).starts_with(b"\"");
        if !members.is_whole() || !is_name(&found.op) || !is_name(&found.stable_id) {
            return None;
        }
        if text.string(&found.op).as_deref() == Some("session_seen") {
            found.seen = Some(Box::new(SeenOutline::of(text, object(text.at(&found.payload)))));
        }
        Some(found)
    }

    /// What the line says of which this is the outline.
    pub(crate) fn event<'a>(&self, line: &'a [u8]) -> Event<'a> {
        let text = Text(line);
        let op = match &self.seen {
            Some(seen) => Op::Seen(Box::new(seen.seen(text))),
            None => Payload(object(text.at(&self.payload))).op(text.string(&self.op).unwrap_or_default()),
        };
        Event {
            ts: text.string(&self.ts).unwrap_or_default(),
            event_id: text.string(&self.event_id),
            stable_id: text.string(&self.stable_id).unwrap_or_default(),
            op,
        }
    }
}

/// A value that is no object has no members.
fn object(value: &[u8]) -> &[u8] {
    if value.starts_with(b"{") { value } else { b"{}" }
}

impl SeenOutline {
    fn of(text: Text<'_>, payload: &[u8]) -> Self {
        let mut found = Self {
            strings: [const { NOWHERE }; STRINGS.len()],
            first_human_prompt: NOWHERE,
            lineage_prefix: NOWHERE,
            transcript: FileOutline { object: NOWHERE, path: NOWHERE, last_uuid: NOWHERE, shape: 0 },
            identity_resolution: NOWHERE,
            candidates: NOWHERE,
            omitted: NOWHERE,
        };
        for member in scan::members(payload) {
            let name = scan::name(member.key);
            let slot = match &*name {
                b"transcript_file" => {
                    found.transcript = FileOutline::of(text, member.value);
                    continue;
                }
                b"fingerprints" => {
                    (found.first_human_prompt, found.lineage_prefix) =
                        fingerprints(text, object(member.value));
                    continue;
                }
                b"identity_resolution" => &mut found.identity_resolution,
                b"parent_candidate_ids" => &mut found.candidates,
                b"parent_candidates_omitted_count" => &mut found.omitted,
                name => match STRINGS.iter().position(|string| *string == name) {
                    Some(index) => &mut found.strings[index],
                    None => continue,
                },
            };
            *slot = text.place(member.value);
        }
        found
    }

    fn seen<'a>(&self, text: Text<'a>) -> Seen<'a> {
        let [id, cwd, branch, branch_now, head, head_now, path, realpath, name, common, prompt] =
            self.strings.each_ref().map(|place| text.string(place));
        let omitted = std::str::from_utf8(text.at(&self.omitted)).ok();
        Seen {
            claude_session_id: id,
            cwd,
            branch_at_start: branch,
            branch_current: branch_now,
            head_at_start: head,
            head_last_seen: head_now,
            worktree_path_observed: path,
            worktree_realpath: realpath,
            worktree_registry_name: name,
            git_common_dir: common,
            transcript_file: self.transcript.file(text.0),
            fingerprints: Fingerprints {
                first_human_prompt_v1: text.string(&self.first_human_prompt),
                lineage_prefix_v1: text.string(&self.lineage_prefix),
            },
            first_prompt_preview: prompt,
            identity_resolution: Raw::new(text.at(&self.identity_resolution)),
            parent_candidate_ids: objects(text.at(&self.candidates)),
            parent_candidates_omitted_count: omitted.and_then(|number| number.parse().ok()),
        }
    }
}

fn fingerprints(text: Text<'_>, object: &[u8]) -> (Place, Place) {
    let (mut prompt, mut lineage) = (NOWHERE, NOWHERE);
    for member in scan::members(object) {
        match &*scan::name(member.key) {
            b"first_human_prompt_v1" => prompt = text.place(member.value),
            b"lineage_prefix_v1" => lineage = text.place(member.value),
            _ => {}
        }
    }
    (prompt, lineage)
}

impl FileOutline {
    /// Of an object in a text, or of a text that is one.
    fn of(text: Text<'_>, value: &[u8]) -> Self {
        let mut found = Self { object: NOWHERE, path: NOWHERE, last_uuid: NOWHERE, shape: 0 };
        if !value.starts_with(b"{") {
            return found;
        }
        let mut shape = DefaultHasher::new();
        for member in scan::members(value) {
            member.key.hash(&mut shape);
            match &*scan::name(member.key) {
                b"path" => found.path = text.place(member.value),
                b"last_uuid" => found.last_uuid = text.place(member.value),
                _ => {}
            }
        }
        (found.object, found.shape) = (text.place(value), shape.finish());
        found
    }

    pub(crate) fn of_object(object: &[u8]) -> Self {
        Self::of(Text(object), object)
    }

    /// `None` if it is no object.
    pub(crate) fn file<'a>(&self, line: &'a [u8]) -> Option<TranscriptFile<'a>> {
        let text = Text(line);
        let raw = Raw::new(text.at(&self.object)).filter(|raw| raw.text().starts_with('{'))?;
        Some(TranscriptFile::new(raw, text.string(&self.path), text.string(&self.last_uuid), self.shape))
    }
}

/// A payload's JSON, which is an object.
struct Payload<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    /// The last member of this name.
    fn member(&self, name: &str) -> Option<&'a [u8]> {
        scan::member(self.0, name)
    }

    fn op(&self, name: Cow<'a, str>) -> Op<'a> {
        match &*name {
            "session_link" => {
                Op::Link { links: self.links(), is_removal: self.member("remove") == Some(b"true") }
            }
            "session_unlink" => Op::Unlink(self.links()),
            "alias_set" => Op::SetAlias(self.setting("alias")),
            "parent_set" => Op::SetParent(self.setting("parent_session_id")),
            "close" => Op::Close { outcome: self.string("outcome"), reason: self.reason() },
            "sweep" => Op::Sweep {
                activity_state: self.string("activity_state"),
                effective_last_progress: self.string("effective_last_progress"),
            },
            "manual_link" => Op::ManualLink {
                candidates: objects(self.member("parent_candidate_ids").unwrap_or_default()),
            },
            _ => Op::Unknown(name),
        }
    }

    fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        string_in(self.0, name)
    }

    fn reason(&self) -> Setting<'a> {
        match self.member("closed_reason") {
            Some(b"null") => Setting::Clear,
            Some(value) => scan::string(value).map_or(Setting::Keep, Setting::Set),
            None => Setting::Keep,
        }
    }

    fn setting(&self, name: &str) -> Setting<'a> {
        match self.member(name) {
            Some(b"null") => Setting::Clear,
            Some(value) => string_of(value).map_or(Setting::Keep, Setting::Set),
            None => Setting::Keep,
        }
    }

    fn links(&self) -> Links<'a> {
        let strings = |name: &str| {
            let array = self.member(name).filter(|value| value.starts_with(b"["));
            scan::items(array.unwrap_or(b"[]")).filter_map(string_of).collect()
        };
        Links { tasks: strings("tasks"), projects: strings("projects") }
    }
}

/// The objects of an array.
fn objects(array: &[u8]) -> Vec<Raw<'_>> {
    if !array.starts_with(b"[") {
        return Vec::new();
    }
    scan::items(array).filter(|item| item.starts_with(b"{")).filter_map(Raw::new).collect()
}
