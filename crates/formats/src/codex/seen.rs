//! What is seen of a record of Codex's, in one pass.

use std::path::PathBuf;

use jsonl_core::Span;
use jsonl_core::scan::{self, Walker};

use super::{Base, Compaction, What};
use crate::lines::{self, text};
use crate::transcript::{Part, Role, Usage, hash_of, prompt_of};
use crate::tree::Tool;

/// What the agent tells the model about where it is begins with this.
const CONTEXT: [&str; 5] = [
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<turn_aborted>",
    "<subagent_notification>",
];

/// The types of records of the time before there were envelopes.
pub(crate) const BARE: [&str; 7] = [
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "local_shell_call",
    "reasoning",
];

/// A record as the index sees it.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(super) span: Option<Span>,
    pub(super) hash: u64,
    pub(super) kind: String,
    pub(super) time: Option<String>,
    pub(super) what: Option<What>,
    pub(super) is_context: bool,
    pub(super) meta: Option<Meta>,
    pub(super) model: Option<String>,
    pub(super) usage: Option<Tokens>,
    pub(super) mirror: Option<String>,
    pub(super) compaction: Option<Compaction>,
    pub(super) prompt: Option<String>,
    pub(super) base: Option<Base>,
    pub(super) ordinal: Option<u64>,
}

#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) total: Usage,
    pub(super) last: Option<Usage>,
    /// The numbers as they are written.
    pub(super) hash: u64,
}

#[derive(Clone, Default)]
pub(super) struct Meta {
    pub(super) id: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) version: Option<String>,
    pub(super) base: Option<Base>,
}

/// What of a payload's members may count, as it is written.
#[derive(Default)]
struct Payload<'a> {
    kind: &'a [u8],
    role: &'a [u8],
    call: &'a [u8],
    name: &'a [u8],
    id: &'a [u8],
    cwd: &'a [u8],
    version: &'a [u8],
    model: &'a [u8],
    message: &'a [u8],
    turns: &'a [u8],
    branch: &'a [u8],
    first_text: &'a [u8],
    total: &'a [u8],
    last: &'a [u8],
    /// Where what came before is: a header's position.
    position: &'a [u8],
    /// Members of a reference.
    path: &'a [u8],
    rollout: &'a [u8],
    thread: &'a [u8],
    before: &'a [u8],
    /// The items, and the images in them, of a history that takes the place of what was there.
    replacement: (u64, u64),
}

impl<'a> Payload<'a> {
    /// Takes a member in.
    fn take(&mut self, key: &[u8], value: &mut Walker<'a>) {
        let slot = match key {
            b"type" => &mut self.kind,
            b"role" => &mut self.role,
            b"call_id" => &mut self.call,
            b"name" => &mut self.name,
            b"id" => &mut self.id,
            b"cwd" => &mut self.cwd,
            b"cli_version" => &mut self.version,
            b"model" => &mut self.model,
            b"message" => &mut self.message,
            b"num_turns" => &mut self.turns,
            b"history_base" => &mut self.position,
            b"rollout_path" => &mut self.path,
            b"rollout_id" => &mut self.rollout,
            b"thread_id" => &mut self.thread,
            b"nth_user_message" => &mut self.before,
            b"git" => {
                return value.object(|key, value| {
                    if *scan::name(key) == *b"branch" {
                        self.branch = value.value();
                    }
                });
            }
            b"info" => {
                return value.object(|key, value| match &*scan::name(key) {
                    b"total_token_usage" => self.total = value.value(),
                    b"last_token_usage" => self.last = value.value(),
                    _ => {}
                });
            }
            b"content" => {
                return value.array(|item| {
                    item.object(|key, value| {
                        if *scan::name(key) == *b"text" && self.first_text.is_empty() {
                            self.first_text = value.value();
                        }
                    });
                });
            }
            b"replacement_history" => return value.array(|item| self.replaced(item)),
            _ => return,
        };
        *slot = value.value();
    }

    /// What it says as a header, but for where what came before is.
    fn meta(&self) -> Meta {
        let [id, cwd, branch, version] = [self.id, self.cwd, self.branch, self.version].map(text);
        Meta { id, cwd, branch, version, base: None }
    }

    /// One item of such a history.
    fn replaced(&mut self, item: &mut Walker<'a>) {
        self.replacement.0 += 1;
        item.object(|key, value| {
            if key == b"content" {
                value.array(|part| {
                    part.object(|key, value| {
                        let is_image = key == b"type" && value.value() == b"\"input_image\"";
                        self.replacement.1 += u64::from(is_image);
                    });
                });
            }
        });
    }
}

impl Seen {
    /// What the index sees of a line; `None` if it is no JSON object.
    pub(super) fn of(span: Span, raw: &[u8]) -> Option<Self> {
        let mut seen = Self { span: Some(span), hash: hash_of(raw), ..Self::default() };
        let (mut payload, mut bare) = (None, Payload::default());
        let mut walker = Walker::new(raw);
        if walker.peek() != Some(b'{') {
            return None;
        }
        walker.object(|key, value| match &*scan::name(key) {
            b"timestamp" => seen.time = text(value.value()),
            b"payload" if value.peek() == Some(b'{') => {
                let mut inside = Payload::default();
                value.object(|key, value| inside.take(&scan::name(key), value));
                payload = Some(inside);
            }
            b"ordinal" => seen.ordinal = lines::whole(value.value()),
            // Before there were envelopes, this was all.
            key => bare.take(key, value),
        });
        if !walker.is_whole() {
            return None;
        }
        seen.kind = text(bare.kind).unwrap_or_default();
        match (seen.kind.as_str(), payload) {
            ("response_item", Some(item)) => seen.take_item(&item),
            ("event_msg", Some(event)) => seen.take_event(&event),
            ("session_meta", Some(meta)) => {
                seen.meta = Some(Meta { base: Base::of_position(meta.position), ..meta.meta() });
            }
            ("turn_context", Some(context)) => seen.model = text(context.model),
            ("rollout_reference", Some(reference)) => seen.base = Some(Base::of_reference(&reference)),
            ("compacted", Some(compacted)) => {
                let (items, images) = compacted.replacement;
                let message = text(compacted.message).unwrap_or_default();
                seen.compaction = Some(Compaction { line: 0, message, items, images });
            }
            ("", None) if text(bare.id).is_some() && seen.time.is_some() => {
                seen.meta = Some(bare.meta());
            }
            (kind, None) if BARE.contains(&kind) => seen.take_item(&bare),
            _ => {}
        }
        Some(seen)
    }

    fn take_item(&mut self, item: &Payload<'_>) {
        let boxed = |value| text(value).unwrap_or_default().into_boxed_str();
        self.what = Some(match &*boxed(item.kind) {
            "message" => {
                let role = role_of(text(item.role).as_deref());
                if role == Role::User {
                    let said = text(item.first_text).unwrap_or_default();
                    self.is_context = tells_where(&said);
                    self.prompt = prompt_of(&said);
                }
                What::Message { role }
            }
            "function_call" | "custom_tool_call" => {
                What::Tool(Tool::Call { id: boxed(item.call), name: boxed(item.name) })
            }
            "local_shell_call" => What::Tool(Tool::Call { id: boxed(item.call), name: "local_shell".into() }),
            "function_call_output" | "custom_tool_call_output" => {
                What::Tool(Tool::Result { id: boxed(item.call), is_error: None })
            }
            "reasoning" | "web_search_call" => What::Aside,
            _ => return,
        });
    }

    fn take_event(&mut self, event: &Payload<'_>) {
        match text(event.kind).unwrap_or_default() {
            kind if kind == "user_message" || kind == "agent_message" => self.mirror = Some(kind),
            kind if kind == "thread_rolled_back" => {
                self.what = Some(What::RolledBack { turns: lines::whole(event.turns).unwrap_or(0) });
            }
            kind if kind == "token_count" && event.total.starts_with(b"{") => {
                let last = Some(event.last).filter(|last| last.starts_with(b"{"));
                let (total, hash) = (usage_of(event.total), hash_of(event.total));
                self.usage = Some(Tokens { total, last: last.map(usage_of), hash });
            }
            _ => {}
        }
    }
}

/// Who says a message.
pub(crate) fn role_of(role: Option<&str>) -> Role {
    match role {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("developer") => Role::Developer,
        _ => Role::System,
    }
}

/// Whether a message of the user is what the agent tells the model about where it is: its first text tells.
pub(crate) fn is_context(parts: &[Part]) -> bool {
    let first = parts.iter().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    first.is_some_and(|text| tells_where(text))
}

fn tells_where(text: &str) -> bool {
    CONTEXT.iter().any(|mark| text.trim_start().starts_with(mark))
}

impl Base {
    /// `rollout_reference`.
    fn of_reference(reference: &Payload<'_>) -> Self {
        Self {
            path: text(reference.path).map(PathBuf::from),
            id: text(reference.rollout).or_else(|| text(reference.thread)),
            before_user_message: lines::whole(reference.before),
            len: None,
        }
    }

    /// `history_base` in a header.
    fn of_position(position: &[u8]) -> Option<Self> {
        let position = Some(position).filter(|position| position.starts_with(b"{"))?;
        Some(Self {
            path: None,
            id: lines::string(position, "thread_id"),
            before_user_message: None,
            len: lines::number(position, "end_byte_offset"),
        })
    }
}

/// What all answers took: `input_tokens` has those of the cache in it.
fn usage_of(total: &[u8]) -> Usage {
    let count = |name| lines::number(total, name).unwrap_or(0);
    let cache_read = count("cached_input_tokens");
    Usage {
        input: count("input_tokens").saturating_sub(cache_read),
        cache_read,
        output: count("output_tokens"),
        ..Usage::default()
    }
}
