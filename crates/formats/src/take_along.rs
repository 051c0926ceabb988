//! A transcript as a session to be taken along: into a store of annals, or into another program's layout.

use std::collections::{BTreeMap, HashMap, HashSet};

use jsonl_core::scan;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::any::Transcript;
use crate::error::Result;
use crate::foreign::{ForeignRecord, ForeignSession, Remark};
use crate::json;
use crate::lines;
use crate::transcript::{Agent, Message, Part, Role};

impl Transcript {
    /// Everything in it, in the order of the file. What was said in the conversation that counts becomes messages, byte for byte what
    /// the agent gives the model; every other record is kept whole as a note. What stands around a message has no place, and the
    /// remarks say how often it was left out, by its names. Damaged lines are among the remarks.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read any longer.
    pub fn session(&self) -> Result<ForeignSession> {
        let overview = self.overview();
        let mut session = ForeignSession::default();
        let agent = self.agent();
        session.key = match &overview.id {
            Some(id) => format!("{agent}:{id}"),
            None => format!("{agent}:{}", crate::folder::stem(self.log().path(), ".jsonl")),
        };
        session.path = Some(self.log().path().to_owned());
        (session.created, session.updated) = (overview.start, overview.end);
        session.remarks.clone_from(&overview.remarks);
        session.metadata = self.kept();
        let mut said = HashMap::new();
        let mut hidden = HashSet::new();
        for index in self.records() {
            let message = self.message(index)?;
            said.insert(message.span.offset, message);
        }
        if let Self::Chat(chat) = self {
            for index in chat.messages() {
                let message = chat.message(index)?;
                if message.flags.hidden {
                    hidden.insert(message.span.offset);
                    said.insert(message.span.offset, message);
                }
            }
        }
        let inside: BTreeMap<u64, &Message> = said
            .values()
            .filter(|message| self.brought_along_by(message).is_some())
            .map(|message| (message.span.offset, message))
            .collect();
        let mut around: BTreeMap<String, u64> = BTreeMap::new();
        let mut messages = 0;
        for line in self.log().lines() {
            let line = line?;
            for (offset, raw) in lines::found(self.log(), &line, |_| true)?.records {
                let known = said.get(&offset);
                let inner = known.and_then(|message| {
                    let time = message.time;
                    Some((self.inner(&raw, message.role, &mut around)?, time))
                });
                match inner {
                    Some((inner, time)) => {
                        messages += 1;
                        session.records.push(ForeignRecord { raw: inner, offset, is_message: true, time });
                    }
                    None => {
                        let time =
                            ["timestamp", "created_at"].iter().find_map(|name| lines::time(&raw, name));
                        session.records.push(ForeignRecord { raw, offset, is_message: false, time });
                    }
                }
                if hidden.contains(&offset) {
                    session.hidden = session.records.len();
                }
            }
            // Gemini CLI brings several messages along in one record.
            for message in inside.range(line.offset + 1..line.end().max(line.offset + 1)).map(|found| found.1)
            {
                let raw = self.raw(message.index)?;
                if let Some(raw) = self.inner(&raw, message.role, &mut around) {
                    messages += 1;
                    let (offset, time) = (message.span.offset, message.time);
                    session.records.push(ForeignRecord { raw, offset, is_message: true, time });
                }
            }
        }
        if let Some(file) = self.before() {
            let what = format!("what came before is in another file, {file}, and not taken along");
            session.remarks.push(Remark::NoPlace { what });
        }
        if !around.is_empty() {
            let names: Vec<String> = around.iter().map(|(name, count)| format!("{name} ({count})")).collect();
            let what = format!("what stands around {messages} messages is left out: {}", names.join(", "));
            session.remarks.push(Remark::NoPlace { what });
        }
        Ok(session)
    }

    /// The message inside a record, if there is one; what stands around it is counted by its names.
    fn inner(&self, raw: &[u8], role: Role, around: &mut BTreeMap<String, u64>) -> Option<Vec<u8>> {
        let within = match self.agent() {
            Agent::ClaudeCode | Agent::Pi => Some("message"),
            Agent::Codex if scan::member(raw, "payload").is_some() => Some("payload"),
            Agent::Gemini => {
                // It has no role of its own. What it says otherwise stays as it is.
                let role = if role == Role::User { "user" } else { "assistant" };
                let content: String = {
                    let parts = json::with(raw, crate::gemini::parts);
                    let texts = parts.iter().filter_map(|part| match part {
                        Part::Text(text) => Some(text.as_str()),
                        _ => None,
                    });
                    texts.collect::<Vec<_>>().join("\n")
                };
                let mut message =
                    format!("{{\"role\":\"{role}\",\"content\":{},\"gemini\":", Value::from(content));
                message.push_str(std::str::from_utf8(raw).ok()?);
                message.push('}');
                return Some(message.into_bytes());
            }
            _ => None,
        };
        let Some(within) = within else { return lines::is_message(raw).then(|| raw.to_vec()) };
        let inner = scan::member(raw, within).filter(|inner| lines::is_message(inner))?.to_vec();
        for member in scan::members(raw).filter(|member| *scan::name(member.key) != *within.as_bytes()) {
            *around.entry(scan::unescape(member.key).into_owned()).or_default() += 1;
        }
        Some(inner)
    }

    /// What a store keeps about where it comes from.
    fn kept(&self) -> Option<Box<RawValue>> {
        let overview = self.overview();
        let mut kept = serde_json::Map::new();
        for (name, value) in [
            ("id", &overview.id),
            ("title", &overview.title),
            ("project", &overview.project),
            ("branch", &overview.branch),
            ("version", &overview.agent_version),
            ("model", &overview.model),
        ] {
            if let Some(value) = value {
                kept.insert(name.to_owned(), Value::from(value.as_str()));
            }
        }
        let all = BTreeMap::from([(self.agent().name(), kept)]);
        serde_json::value::to_raw_value(&all).ok()
    }
}
