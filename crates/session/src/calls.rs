//! Tool calls and their results, which a truncation must not part.
//!
//! A provider refuses a conversation that holds a result without its call, and for ever. So the first visible
//! message is never a result whose call is hidden.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonl_core::scan::{self, member, string_member};

/// The ids of the calls that a message makes: OpenAI's `tool_calls`, and Anthropic's `tool_use` parts.
pub(crate) fn made(message: &[u8]) -> HashSet<String> {
    let mut ids = HashSet::new();
    if let Some(calls) = member(message, "tool_calls") {
        ids.extend(scan::items(calls).filter_map(|call| string_member(call, "id")).map(Cow::into_owned));
    }
    ids.extend(parts(message, "tool_use", "id"));
    ids
}

/// The ids of the calls whose results a message holds: OpenAI's `tool_call_id`, and Anthropic's `tool_result` parts.
pub(crate) fn answered(message: &[u8]) -> HashSet<String> {
    let mut ids: HashSet<String> = parts(message, "tool_result", "tool_use_id").collect();
    if let Some(id) = string_member(message, "tool_call_id") {
        ids.insert(id.into_owned());
    }
    ids
}

fn parts<'a>(message: &'a [u8], kind: &'a str, id: &'a str) -> impl Iterator<Item = String> + 'a {
    let content = member(message, "content").filter(|content| content.first() == Some(&b'['));
    scan::items(content.unwrap_or_default()).filter_map(move |part| {
        let is_kind = string_member(part, "type").is_some_and(|found| found == kind);
        if is_kind { string_member(part, id).map(Cow::into_owned) } else { None }
    })
}

/// Whether a message is a result of a call.
pub(crate) fn is_result(message: &[u8]) -> bool {
    let is_tool = string_member(message, "role").is_some_and(|role| role == "tool");
    is_tool || !answered(message).is_empty()
}

/// Where a history that ends with `messages` can be cut so that at least those from `wanted` on stay, and no
/// result is parted from its call: the index of the first message that stays. `None` where that can only be
/// told from what is before `messages`, unless that `is_whole`.
pub(crate) fn cut_at(messages: &[impl AsRef<[u8]>], wanted: usize, is_whole: bool) -> Option<usize> {
    let mut first = wanted.min(messages.len());
    loop {
        let Some((before, after)) = messages.split_at_checked(first) else { return Some(first) };
        // Results in what stays whose call doesn't.
        let mut open = HashSet::new();
        for message in after.iter().rev() {
            for id in made(message.as_ref()) {
                open.remove(&id);
            }
            open.extend(answered(message.as_ref()));
        }
        // A result that names no call belongs to whatever is before it.
        let is_nameless = after
            .first()
            .is_some_and(|message| is_result(message.as_ref()) && answered(message.as_ref()).is_empty());
        let caller = match is_nameless {
            true => first.checked_sub(1),
            false if open.is_empty() => return Some(first),
            false => before.iter().rposition(|message| !made(message.as_ref()).is_disjoint(&open)),
        };
        match caller {
            Some(at) => first = at,
            // Its call is nowhere: nothing to keep together.
            None => return is_whole.then_some(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_moves_back_to_the_call() {
        let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a"},{"id":"b"}]}"#;
        let a = r#"{"role":"tool","tool_call_id":"a","content":"1"}"#;
        let b = r#"{"role":"tool","tool_call_id":"b","content":"2"}"#;
        let use_part = r#"{"role":"assistant","content":[{"type":"tool_use","id":"t"}]}"#;
        let result_part = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}"#;
        let nameless = r#"{"role":"tool","content":"?"}"#;
        let user = r#"{"role":"user","content":"hi"}"#;
        for (messages, wanted, first) in [
            (vec![user, call, b, a, user], 4, 4),
            (vec![user, call, b, a, user], 3, 1),
            (vec![user, call, b, a, user], 2, 1),
            (vec![user, call, b, user, a, user], 3, 1),
            (vec![user, use_part, result_part], 2, 1),
            (vec![user, user, a], 2, 2),
            (vec![user, user, nameless], 2, 1),
            (vec![nameless, user], 0, 0),
            (vec![user], 7, 1),
            (vec![call, a, call, a], 3, 2),
        ] {
            assert_eq!(cut_at(&messages, wanted, true), Some(first), "{messages:?} {wanted}");
        }
        assert_eq!(cut_at(&[user, a], 1, false), None);
        assert_eq!(cut_at(&[nameless, user], 0, false), None);
    }
}
