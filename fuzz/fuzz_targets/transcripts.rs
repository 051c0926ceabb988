//! Whatever is in another program's transcript: it is read to its end, every message leads back to its raw line, a copy of
//! a line changes no total, what is in front of a cut stays as it was, and an index, a tally and what is taken along tell the same.
//!
//! The first bytes are orders to spoil a real log; the rest goes in as it is.
#![no_main]

use std::fs;
use std::path::Path;

use annals_formats::codex::titles;
use annals_formats::document::{DocumentKind, Head};
use annals_formats::transcript::{Agent, Overview};
use annals_formats::{Transcript, detect};
use annals_fuzz::{orders, spoil};
use jsonl_core::ReadOptions;
use libfuzzer_sys::fuzz_target;

const SOURCES: [(Agent, &[u8]); 5] = [
    (Agent::ClaudeCode, include_bytes!("../../examples/transcripts/claude-code.jsonl")),
    (Agent::Codex, include_bytes!("../../examples/transcripts/codex.jsonl")),
    (Agent::Pi, include_bytes!("../../examples/transcripts/pi.jsonl")),
    (
        Agent::Gemini,
        include_bytes!("../../crates/formats/tests/testdata/gemini/session-2026-08-21T08-00-5b1e77aa.jsonl"),
    ),
    (Agent::Chat, include_bytes!("../../examples/transcripts/aish.jsonl")),
];

fuzz_target!(|bytes: &[u8]| {
    let (orders, rest) = orders(bytes);
    let (agent, source) = SOURCES[usize::from(orders.first().copied().unwrap_or(0)) % SOURCES.len()];
    // Without the longest, which only take time.
    let short = |line: &&[u8]| line.len() < 4000;
    let source: Vec<u8> =
        source.split_inclusive(|byte| *byte == b'\n').filter(short).flatten().copied().collect();
    let log = spoil(&source, orders, rest);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.jsonl");
    let (overview, messages) = read(agent, &path, &log);
    if log.last().is_none_or(|byte| *byte == b'\n') {
        // Written again behind it, every answer counts once, where it has a name that says that it is the same.
        if matches!(agent, Agent::ClaudeCode | Agent::Gemini) {
            let (again, _) = read(agent, &path, &[&log[..], &log[..]].concat());
            assert_eq!(again.usage, overview.usage);
        }
        // What is added hides nothing that was there.
        let (_, more) = read(agent, &path, &[&log[..], b"noise\n{}\n"].concat());
        assert_eq!(more, messages);
    }
    // Packed, or something that says so.
    fs::write(&path, [&[0x28, 0xB5, 0x2F, 0xFD], rest].concat()).expect("write");
    detect(&path).expect("detect");
    drop(Transcript::open_in(&path, folder.path()).expect("open"));
});

type Said = Vec<(u64, String)>;

fn read(agent: Agent, path: &Path, bytes: &[u8]) -> (Overview, Said) {
    fs::write(path, bytes).expect("write");
    detect(path).expect("detect");
    drop(titles(path).expect("titles"));
    let spool = path.parent().expect("a folder");
    let transcript = Transcript::open_as(agent, path).expect("open");
    let overview = transcript.overview().clone();
    let tally = Transcript::tally(agent, path, &ReadOptions::new(), spool).expect("tally");
    assert_eq!((&tally.overview, &tally.answers[..]), (&overview, transcript.answers()));
    drop((transcript.tool_calls(), transcript.problems()));
    let indexes = transcript.messages();
    let conversation = transcript.conversation();
    assert!(conversation.messages.iter().all(|index| indexes.contains(index)));
    let of = |index: &usize| {
        let (message, raw) =
            (transcript.message(*index).expect("message"), transcript.raw(*index).expect("raw"));
        let start = usize::try_from(message.span.offset).expect("an offset");
        assert_eq!(bytes[start..start + usize::try_from(message.span.len).expect("a length")], raw[..]);
        (message.line, message.text())
    };
    let messages = indexes.iter().map(of).collect();
    let glance = Transcript::glance(agent, path).expect("glance");
    assert!(glance.is_whole());
    let end = Transcript::open_end(path, spool, 2).expect("end");
    assert!(end.is_none_or(|(_, conversation)| conversation.messages.len() <= 2));
    let session = transcript.session().expect("session");
    assert!(session.hidden <= session.records.len());
    for kind in [DocumentKind::Markdown, DocumentKind::Html] {
        let mut document = Vec::new();
        let loss = transcript
            .write_document(&mut document, kind, &Head::of(agent.name(), &overview))
            .expect("document");
        assert!(loss.records.values().all(|(shown, total)| shown <= total), "{:?}", loss.records);
        assert!(!document.windows(7).any(|found| found == b"<script") || kind == DocumentKind::Markdown);
    }
    (overview, messages)
}
