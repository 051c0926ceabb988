//! The last messages of a conversation, read from the end of the file, are those that reading all of it gives.

use std::fs;

use annals_formats::Transcript;
use annals_formats::transcript::Agent;

use crate::every_agent::all;

#[test]
fn the_end_of_a_conversation_is_read_from_the_end() {
    let spool = tempfile::tempdir().unwrap();
    for (agent, path) in all() {
        let Some(whole) = Transcript::open(&path).unwrap() else { continue };
        let texts = |found: &Transcript, indexes: &[usize]| -> Vec<(u64, String)> {
            let message = |index: &usize| found.message(*index).unwrap();
            indexes.iter().map(message).map(|message| (message.span.offset, message.text())).collect()
        };
        let all = texts(&whole, &whole.conversation().messages);
        for count in 0..=all.len() + 1 {
            let (end, conversation) = Transcript::open_end(&path, spool.path(), count).unwrap().unwrap();
            let from = all.len().saturating_sub(count);
            assert_eq!(texts(&end, &conversation.messages), all[from..], "{agent} {}", path.display());
        }
    }
}

#[test]
fn the_end_of_a_large_file_is_found_without_what_is_in_front_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.jsonl");
    let line = |number: usize| {
        let (parent, uuid) = (number.checked_sub(1), number);
        let parent = parent.map_or_else(|| "null".to_owned(), |parent| format!("\"u{parent}\""));
        format!(
            "{{\"parentUuid\":{parent},\"uuid\":\"u{uuid}\",\"sessionId\":\"s\",\"type\":\"user\",\"cwd\":\"/w\",\"timestamp\":\"2026-08-21T08:00:00Z\",\"message\":{{\"role\":\"user\",\"content\":\"{} {}\"}}}}\n",
            number,
            "word ".repeat(200)
        )
    };
    let mut text: String = (0..4000).map(line).collect();
    text.push_str("{\"type\":\"custom-title\",\"customTitle\":\"named\",\"sessionId\":\"s\"}\n");
    fs::write(&path, &text).unwrap();
    let (end, conversation) = Transcript::open_end(&path, folder.path(), 20).unwrap().unwrap();
    let first = end.message(conversation.messages[0]).unwrap();
    assert_eq!((conversation.messages.len(), first.line), (20, 0));
    assert!(first.text().starts_with("3980 "));
    // More than there are are all there are.
    let (_, all) = Transcript::open_end(&path, folder.path(), 5000).unwrap().unwrap();
    assert_eq!(all.messages.len(), 4000);
    // As many messages as bytes: an estimate that is nearly right.
    let glance = Transcript::glance(Agent::ClaudeCode, &path).unwrap();
    assert!(!glance.is_whole() && glance.seen < 140 << 10);
    assert_eq!((glance.overview.id.as_deref(), glance.overview.title.as_deref()), (Some("s"), Some("named")));
    let messages = glance.messages().unwrap();
    assert!((3900..4100).contains(&messages), "{messages}");
}

#[test]
fn the_end_is_the_same_however_long_lines_are_and_whatever_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.jsonl");
    let mut parent = String::from("null");
    let mut claude = |number: usize, text: &str, tool: bool| {
        let id = format!("\"u{number}\"");
        let content = match tool {
            true => format!("[{{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":\"{text}\"}}]"),
            false => format!("\"{number} {text}\""),
        };
        let line = format!(
            "{{\"parentUuid\":{parent},\"uuid\":{id},\"sessionId\":\"s\",\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":{content}}}}}"
        );
        parent = id;
        line
    };
    let codex = |number: usize, text: &str, tool: bool| {
        let payload = match tool {
            true => format!(
                "{{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"{number} {text}\"}}"
            ),
            false => format!(
                "{{\"type\":\"message\",\"role\":\"user\",\"content\":[{{\"type\":\"input_text\",\"text\":\"{number} {text}\"}}]}}"
            ),
        };
        format!("{{\"timestamp\":\"2026-08-21T08:00:00Z\",\"type\":\"response_item\",\"payload\":{payload}}}")
    };
    let lens = [10, 3000, 40, 900_000, 200, 70_000, 65_400, 10, 10, 300_000, 5000, 10, 1_500_000, 30];
    for is_codex in [false, true] {
        let mut text = String::new();
        for number in 0..120 {
            let len = lens[number % lens.len()];
            let (said, is_tool) = ("word ".repeat(len / 5), len > 60_000);
            text.push_str(&match is_codex {
                true => codex(number, &said, is_tool),
                false => claude(number, &said, is_tool),
            });
            text.push_str(if number % 31 == 30 { "\nnonsense\n\n[1]\n" } else { "\n" });
        }
        // With a last line that lacks its newline, and without one.
        for bytes in [&text[..text.len() - 1], &text, &text[..text.len() - 20]] {
            fs::write(&path, bytes).unwrap();
            let whole = Transcript::open(&path).unwrap().unwrap();
            let all = whole.conversation().messages;
            assert!(all.len() > 70);
            for count in [1, 2, 5, 20, 60, all.len(), 1000] {
                let (end, conversation) = Transcript::open_end(&path, folder.path(), count).unwrap().unwrap();
                let expected = all[all.len().saturating_sub(count)..].iter();
                let expected: Vec<_> = expected.map(|index| whole.message(*index).unwrap()).collect();
                let found = conversation.messages.iter().map(|index| end.message(*index).unwrap());
                let found: Vec<_> = found.collect();
                let said = |messages: &[annals_formats::transcript::Message]| -> Vec<(u64, String)> {
                    messages.iter().map(|message| (message.span.offset, message.text())).collect()
                };
                assert!(said(&found) == said(&expected), "{} of {count}", whole.agent());
                // What was read tells of no more damage than there is, each only once.
                let (some, most) = (end.overview(), whole.overview());
                assert!(some.remarks.iter().all(|remark| most.remarks.contains(remark)));
                assert!(some.remarks.len() <= most.remarks.len() && some.odd <= most.odd);
            }
        }
    }
}

/// A line that says `number` and so many words, written ten seconds after the one in front of it, which it follows.
fn said(agent: Agent, number: usize, words: usize) -> String {
    let seconds = 10 * number;
    let time = format!("2026-08-21T{:02}:{:02}:{:02}.000Z", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let text = format!("{number} {}", "word ".repeat(words));
    let parent = number.checked_sub(1).map_or_else(|| "null".to_owned(), |parent| format!("\"u{parent}\""));
    match agent {
        Agent::ClaudeCode => format!(
            "{{\"parentUuid\":{parent},\"uuid\":\"u{number}\",\"sessionId\":\"s\",\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}},\"timestamp\":\"{time}\"}}\n"
        ),
        Agent::Codex => format!(
            "{{\"timestamp\":\"{time}\",\"type\":\"response_item\",\"payload\":{{\"type\":\"message\",\"role\":\"user\",\"content\":[{{\"type\":\"input_text\",\"text\":\"{text}\"}}]}}}}\n"
        ),
        _ => format!(
            "{{\"type\":\"message\",\"id\":\"u{number}\",\"parentId\":{parent},\"timestamp\":\"{time}\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n"
        ),
    }
}

#[test]
fn a_beginning_that_was_written_again_is_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.jsonl");
    for agent in [Agent::ClaudeCode, Agent::Codex, Agent::Pi] {
        let words = |number: usize| match number % 40 {
            7 => 15_000,
            number => 10 * number,
        };
        let header = "{\"type\":\"session\",\"version\":3,\"id\":\"s\",\"cwd\":\"/w\"}\n".to_owned();
        let mut lines: Vec<String> = (0..600).map(|number| said(agent, number, words(number))).collect();
        if agent == Agent::Pi {
            lines.insert(0, header);
        }
        for again in [60, 150, 290, 310, 450, 590] {
            for more in [0, 4] {
                let new = (600..600 + more).map(|number| said(agent, number, 5));
                let text: String = lines.iter().chain(&lines[..again]).cloned().chain(new).collect();
                fs::write(&path, &text).unwrap();
                let whole = Transcript::open_as(agent, &path).unwrap();
                let all = whole.conversation().messages;
                assert_eq!(all.len(), 600 + more, "{agent}");
                for count in [1, 3, 10, 40, 200, 1000] {
                    let (end, conversation) =
                        Transcript::open_end_as(agent, &path, folder.path(), count).unwrap();
                    let texts = |of: &Transcript, indexes: &[usize]| -> Vec<String> {
                        indexes.iter().map(|index| of.message(*index).unwrap().text()).collect()
                    };
                    let expected = texts(&whole, &all[all.len().saturating_sub(count)..]);
                    let found = texts(&end, &conversation.messages);
                    assert!(found == expected, "{agent}, {again} again, {more} more, {count} of them");
                }
            }
        }
    }
}
