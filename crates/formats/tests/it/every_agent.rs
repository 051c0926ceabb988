//! What holds for the transcripts of every agent, clean and damaged, whoever wrote them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use annals_formats::document::{DocumentKind, Head};
use annals_formats::transcript::{Agent, Message, Usage};
use annals_formats::{Layout, Remark, Transcript, detect, write_files};
use jsonl_core::ReadOptions;

use crate::expected::testdata;
use crate::gemini;

/// Every transcript there is, with whose it is.
pub(crate) fn all() -> Vec<(Agent, PathBuf)> {
    fn collect(agent: Agent, folder: &Path, found: &mut Vec<(Agent, PathBuf)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                collect(agent, &path, found);
            } else if name.contains(".jsonl") && name != "session_index.jsonl" && name != "history.jsonl" {
                found.push((agent, path));
            }
        }
    }
    let mut found = Vec::new();
    for (agent, folder) in [
        (Agent::ClaudeCode, "claude-code"),
        (Agent::Codex, "codex"),
        (Agent::Pi, "pi"),
        (Agent::Gemini, "gemini"),
        (Agent::Picoclaw, "picoclaw"),
        (Agent::Orca, "orca"),
        (Agent::Aish, "aish"),
    ] {
        collect(agent, &testdata(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 60);
    found
}

/// Only short ones: for what is done to every byte.
fn short() -> Vec<(Agent, PathBuf)> {
    all().into_iter().filter(|(_, path)| fs::metadata(path).unwrap().len() < 16_000).collect()
}

fn messages(transcript: &Transcript) -> Vec<Message> {
    transcript.messages().iter().map(|index| transcript.message(*index).unwrap()).collect()
}

/// Everything that a transcript tells.
fn told(transcript: &Transcript) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        transcript.overview(),
        messages(transcript),
        transcript.conversation(),
        transcript.records(),
        transcript.tool_calls(),
        transcript.answers(),
        transcript.problems()
    )
}

#[test]
fn reading_is_the_same_every_time_and_on_any_number_of_threads() {
    let spool = tempfile::tempdir().unwrap();
    // Larger than what is read as one part.
    let (agent, small) = all().into_iter().find(|(agent, _)| *agent == Agent::Codex).unwrap();
    let large = spool.path().join("large.jsonl");
    fs::write(&large, fs::read(small).unwrap().repeat(40)).unwrap();
    for (agent, path) in all().into_iter().chain([(agent, large)]) {
        let on = |threads| {
            let options = ReadOptions::new().threads(threads);
            Transcript::open_with(&path, &options, spool.path()).unwrap().map(|found| told(&found))
        };
        let first = on(1);
        assert!([1, 2, 8].into_iter().all(|threads| on(threads) == first), "{agent} {}", path.display());
    }
}

#[test]
fn a_tally_and_a_glance_count_what_an_index_has() {
    for (agent, path) in all() {
        let transcript = Transcript::open_as(agent, &path).unwrap();
        let overview = transcript.overview();
        let tally = Transcript::tally(agent, &path, &ReadOptions::new(), Path::new(".")).unwrap();
        assert_eq!(
            (&tally.overview, &tally.answers[..]),
            (overview, transcript.answers()),
            "{}",
            path.display()
        );
        let images = |raw: Vec<u8>| annals_formats::said(agent, &raw).map_or(0, |said| said.images().count());
        let mut starts = BTreeSet::new();
        let all = transcript.messages().into_iter().chain(transcript.records());
        let of_messages: usize = all
            .filter(|index| starts.insert(transcript.message(*index).unwrap().span.offset))
            .map(|index| images(transcript.raw(index).unwrap()))
            .sum();
        assert!(tally.images as usize >= of_messages, "{}", path.display());
        let glance = Transcript::glance(agent, &path).unwrap();
        if glance.is_whole() && overview.remarks.is_empty() {
            let (mut seen, mut whole) = (glance.overview, overview.clone());
            (seen.odd, whole.odd) = (0, 0);
            assert_eq!(seen, whole, "{}", path.display());
        }
        let sum = transcript.answers().iter().fold(Usage::default(), |mut sum, answer| {
            sum += answer.usage;
            sum
        });
        assert_eq!(sum, overview.usage, "{}", path.display());
    }
}

#[test]
fn a_cut_anywhere_changes_only_the_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.jsonl");
    for (agent, path) in short() {
        let bytes = fs::read(&path).unwrap();
        let whole = messages(&Transcript::open_as(agent, &path).unwrap());
        let step = if bytes.len() < 2000 { 1 } else { 13 };
        for len in (0..bytes.len()).step_by(step) {
            fs::write(&cut, &bytes[..len]).unwrap();
            let transcript = Transcript::open_as(agent, &cut).unwrap();
            let complete = bytes[..len].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) as u64;
            let texts = |messages: &[Message]| -> Vec<(u64, String)> {
                let before =
                    messages.iter().filter(|message| message.span.offset + message.span.len <= complete);
                before.map(|message| (message.line, message.text())).collect()
            };
            assert_eq!(texts(&messages(&transcript)), texts(&whole), "{} cut at {len}", path.display());
        }
    }
}

#[test]
fn records_and_members_from_the_future_change_nothing_that_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.jsonl");
    let unknown = "{\"type\":\"from_the_future\",\"id\":7,\"n\":[1,{\"role\":[]}]}\n";
    for (agent, path) in all() {
        let transcript = Transcript::open_as(agent, &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        // Picoclaw counts lines, and a header has to be first.
        if !transcript.overview().remarks.is_empty() || agent == Agent::Picoclaw {
            continue;
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let mut more = String::new();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let body = line.trim_end();
            match body.strip_suffix('}') {
                Some(open) if body.starts_with('{') && body.len() > 2 && agent != Agent::Aish => {
                    more.push_str(open);
                    more.push_str(",\"from_the_future\":{\"type\":\"message\",\"role\":\"user\"}}\n");
                }
                _ => more.push_str(line),
            }
            if number > 0 {
                more.push_str(unknown);
            }
        }
        fs::write(&other, more).unwrap();
        let changed = Transcript::open_as(agent, &other).unwrap();
        let said = |found: &Transcript| -> Vec<String> {
            let indexes = found.conversation().messages;
            indexes.iter().map(|index| found.message(*index).unwrap().text()).collect()
        };
        assert_eq!(said(&changed), said(&transcript), "{}", path.display());
        let counts = |found: &Transcript| {
            (found.overview().messages, found.overview().tool_calls, found.overview().usage)
        };
        assert_eq!(counts(&changed), counts(&transcript), "{}", path.display());
    }
}

#[test]
fn a_copy_has_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.jsonl");
    for (agent, path) in all() {
        fs::copy(&path, &copy).unwrap();
        let keys = |path: &Path| -> Vec<u64> {
            Transcript::open_as(agent, path).unwrap().answers().iter().map(|answer| answer.key).collect()
        };
        let keys_of_one = keys(&path);
        assert_eq!(keys(&copy), keys_of_one);
        let different: BTreeSet<u64> = keys_of_one.iter().copied().collect();
        assert_eq!(different.len(), keys_of_one.len(), "{}", path.display());
    }
}

#[test]
fn a_document_and_what_it_leaves_out_are_all_there_is() {
    for (agent, path) in all() {
        let transcript = Transcript::open_as(agent, &path).unwrap();
        let overview = transcript.overview();
        for kind in [DocumentKind::Markdown, DocumentKind::Html] {
            let mut document = Vec::new();
            let head = Head::of(agent.name(), overview);
            let loss = transcript.write_document(&mut document, kind, &head).unwrap();
            let document = String::from_utf8(document).unwrap();
            let total: u64 = loss.records.values().map(|(_, total)| total).sum();
            assert_eq!(total, overview.types.values().sum::<u64>() + overview.odd, "{}", path.display());
            let shown: u64 = loss.records.values().map(|(shown, _)| shown).sum();
            let lines: BTreeSet<u64> = transcript
                .records()
                .iter()
                .map(|index| transcript.message(*index).unwrap())
                .map(|message| if agent == Agent::Gemini { message.line } else { message.span.offset })
                .collect();
            assert_eq!(shown, lines.len() as u64, "{}", path.display());
            assert!(loss.records.values().all(|(shown, total)| shown <= total), "{loss:?}");
            let damaged = overview.remarks.iter().map(|remark| match remark {
                Remark::Damaged { len, .. } => *len,
                _ => 0,
            });
            assert_eq!(loss.damaged_bytes, damaged.sum::<u64>());
            // Every text is in it.
            for index in transcript.conversation().messages {
                let text = transcript.message(index).unwrap().text();
                let Some(line) =
                    text.lines().find(|line| line.chars().all(|c| c.is_alphanumeric() || c == ' '))
                else {
                    continue;
                };
                assert!(document.contains(line.trim_end()), "{line:?} of {}", path.display());
            }
            if kind == DocumentKind::Html {
                let count = |mark: &str| document.matches(mark).count();
                assert_eq!(count("<section"), count("</section>"));
                assert_eq!((count("<script"), count("</html>")), (0, 1));
                // What is in it is not for the model's images to load.
                assert!(!document.contains("src=\"http"));
                let images: u64 = transcript
                    .records()
                    .iter()
                    .flat_map(|index| annals_formats::said(agent, &transcript.raw(*index).unwrap()))
                    .map(|said| said.images().count() as u64)
                    .sum();
                assert_eq!(count("<img ") as u64 + loss.images.0, images, "{}", path.display());
            }
        }
    }
}

#[test]
fn what_is_taken_along_is_all_there_is_byte_for_byte() {
    for (agent, path) in all() {
        let transcript = Transcript::open_as(agent, &path).unwrap();
        let session = transcript.session().unwrap();
        let bytes = fs::read(&path).unwrap();
        let is_in_file = |raw: &[u8]| memchr::memmem::find(&bytes, raw).is_some();
        for record in &session.records {
            let is_made = agent == Agent::Gemini && record.is_message;
            let is_same = is_in_file(&record.raw) || is_made;
            let not_utf8 =
                transcript.overview().remarks.iter().any(|remark| matches!(remark, Remark::NotUtf8 { .. }));
            assert!(is_same || not_utf8, "{}", path.display());
        }
        let (said, texts) = (transcript.conversation().messages.len(), session.history().count());
        assert!(texts >= said, "{texts} of {said} in {}", path.display());
        // Every record is there once: as a message, or as a note.
        let inside = if agent == Agent::Gemini { gemini::INSIDE } else { 0 };
        let total = transcript.overview().types.values().sum::<u64>() + transcript.overview().odd;
        assert_eq!(session.records.len() as u64, total + inside, "{}", path.display());
    }
}

#[test]
fn transcripts_go_into_the_three_layouts_and_back() {
    for (agent, path) in all() {
        let mut session = Transcript::open_as(agent, &path).unwrap().session().unwrap();
        session.key = "k".to_owned();
        session.hidden = 0;
        for layout in Layout::ALL {
            let folder = tempfile::tempdir().unwrap();
            let (files, _) = layout.write(&session).unwrap();
            write_files(folder.path(), &files).unwrap();
            let Some(entry) = layout.list(folder.path()).unwrap().into_iter().next() else { continue };
            let back = layout.read(&entry.path).unwrap();
            let raws = |session: &annals_formats::ForeignSession| -> Vec<Vec<u8>> {
                session.messages().map(|message| message.raw.clone()).collect()
            };
            let mut wanted = raws(&session);
            if layout == Layout::Picoclaw {
                // It shows no message that is nothing but reasoning.
                let back: BTreeSet<Vec<u8>> = raws(&back).into_iter().collect();
                wanted
                    .retain(|raw| back.contains(raw) || !String::from_utf8_lossy(raw).contains("reasoning"));
            }
            assert_eq!(raws(&back), wanted, "{layout} of {}", path.display());
        }
    }
}

#[test]
fn whose_it_is_does_not_hang_on_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("no name that tells");
    let mut found: BTreeMap<(Agent, Option<Agent>), usize> = BTreeMap::new();
    for (agent, path) in all() {
        fs::copy(&path, &other).unwrap();
        *found.entry((agent, detect(&other).unwrap())).or_default() += 1;
    }
    for agent in [Agent::ClaudeCode, Agent::Codex, Agent::Pi, Agent::Gemini] {
        let others = found.keys().filter(|(written, found)| *written == agent && *found != Some(agent));
        assert_eq!(others.count(), 0, "{agent}: {found:?}");
    }
    // Chats are nobody's but a chat's writer's.
    let chats = [None, Some(Agent::Chat), Some(Agent::Picoclaw), Some(Agent::Orca), Some(Agent::Aish)];
    let is_chat = |agent: Agent| matches!(agent, Agent::Picoclaw | Agent::Orca | Agent::Aish);
    assert!(found.keys().all(|(agent, found)| !is_chat(*agent) || chats.contains(found)), "{found:?}");
}

#[test]
fn chats_say_what_their_stores_read() {
    for (agent, layout, folder) in [
        (Agent::Picoclaw, Layout::Picoclaw, "picoclaw"),
        (Agent::Orca, Layout::Orca, "orca"),
        (Agent::Aish, Layout::Aish, "aish"),
    ] {
        let mut seen = HashMap::new();
        for entry in layout.list(&testdata(folder)).unwrap() {
            if !entry.path.is_file() || entry.path.extension().is_some_and(|end| end == "json") {
                continue;
            }
            let stored = layout.read(&entry.path).unwrap();
            let chat = Transcript::open_as(agent, &entry.path).unwrap();
            assert_eq!(chat.overview().id.as_deref(), Some(&*stored.key), "{}", entry.path.display());
            let raw = |index: &usize| {
                let raw = chat.raw(*index).unwrap();
                String::from_utf8_lossy(raw.trim_ascii()).trim_start_matches('\u{feff}').to_owned()
            };
            let said: Vec<String> = chat.conversation().messages.iter().map(raw).collect();
            let stored: Vec<String> = stored
                .history()
                .filter(|message| {
                    let said = annals_formats::said(agent, &message.raw);
                    said.is_some_and(|said| said.parts.iter().any(|part| matches!(part, annals_formats::transcript::Part::Text(text) if !text.is_empty()))
                        && matches!(said.role.name(), "user" | "assistant"))
                })
                .map(|message| String::from_utf8_lossy(&message.raw).into_owned())
                .collect();
            assert_eq!(said, stored, "{}", entry.path.display());
            *seen.entry(agent).or_insert(0) += said.len();
        }
        assert!(seen[&agent] > 10);
    }
}

#[test]
fn documents_contain_what_is_said_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let said = "a \u{1b}[2Jb\n```rust\nfn open() {\n## User in code\n```\n## User · now\n```ls``` is short\nForged\n---\n<!-- open\n````\n```\nnever closed";
    let record = serde_json::json!({"type": "user", "uuid": "u", "parentUuid": null, "sessionId": "s",
        "message": {"role": "user", "content": said}});
    fs::write(&path, format!("{record}\n")).unwrap();
    let transcript = Transcript::open(&path).unwrap().unwrap();
    let mut document = Vec::new();
    let head = Head::default().title("</title> *x* \u{1b}[2J").fact("project", "/w/\u{1b}[31m`");
    transcript.write_document(&mut document, DocumentKind::Markdown, &head).unwrap();
    let document = String::from_utf8(document).unwrap();
    assert_eq!(
        document,
        "# \\</title\\> \\*x\\* \u{fffd}\\[2J\n\n- project: `` /w/\u{fffd}[31m` ``\n\n## User\n\na \u{fffd}[2Jb\n```rust\nfn open() {\n## User in code\n```\n\\## User · now\n```ls``` is short\nForged\n\\---\n\\<!-- open\n````\n```\nnever closed\n````\n"
    );
}
