//! Whose transcript a file is, by what is in it.

use std::path::Path;

use crate::error::Result;
use crate::lines;
use crate::transcript::Agent;

/// So many lines are looked at; a transcript may begin with damage, or with records that many agents could have written.
const LINES_MAX: usize = 50;

/// Whose transcript a file is; `None` if it is none that is known. Names tell nothing: people rename and copy.
///
/// # Errors
///
/// [`Error::Log`](crate::Error::Log) if it can't be read.
pub fn detect(path: impl AsRef<Path>) -> Result<Option<Agent>> {
    let log = lines::open(path.as_ref())?;
    for line in lines::lines(&log).take(LINES_MAX) {
        let found = line?.records.iter().find_map(|(_, raw)| agent_of(raw));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Who writes such a record.
fn agent_of(raw: &[u8]) -> Option<Agent> {
    let has = |name| lines::member(raw, name).is_some();
    let has_string = |name| lines::string(raw, name).is_some();
    if has_string("type")
        && has_string("timestamp")
        && lines::member(raw, "payload").is_some_and(|payload| payload.starts_with(b"{"))
    {
        return Some(Agent::Codex);
    }
    let is_pi_entry = has("parentId")
        && has_string("id")
        && has("message")
        && lines::string(raw, "type").as_deref() == Some("message");
    let is_pi_head =
        lines::string(raw, "type").as_deref() == Some("session") && has("version") && has_string("cwd");
    if is_pi_entry || is_pi_head {
        return Some(Agent::Pi);
    }
    let is_message = has("parentUuid") && has_string("uuid") && has("message");
    let is_beside = has_string("leafUuid") || (has("snapshot") && has_string("messageId"));
    (has_string("type") && (is_message || is_beside)).then_some(Agent::ClaudeCode)
}
