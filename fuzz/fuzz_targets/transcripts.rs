//! Whatever is in another program's transcript: it is read to its end, every message leads back to its raw line, a copy of
//! a line changes no total, and what is in front of a cut stays as it was.
//!
//! The first bytes are orders: which lines of a real transcript are copied, dropped, cut or flipped. The rest goes in as it is.
#![no_main]

use std::fs;
use std::path::Path;

use annals_formats::claude_code::ClaudeCode;
use annals_formats::codex::{Codex, titles};
use annals_formats::detect;
use annals_formats::pi::Pi;
use annals_formats::transcript::{Conversation, Message, Overview};
use libfuzzer_sys::fuzz_target;

const CLAUDE: &[u8] = include_bytes!("../../examples/transcripts/claude-code.jsonl");
const PI: &[u8] = include_bytes!("../../examples/transcripts/pi.jsonl");
const CODEX: &[u8] = include_bytes!("../../examples/transcripts/codex.jsonl");

fuzz_target!(|bytes: &[u8]| {
    let (orders, rest) = bytes.split_at(bytes.len().min(12));
    let agent = orders.first().copied().unwrap_or(0) % 3;
    let source = [CLAUDE, CODEX, PI][usize::from(agent)];
    // Without the longest, which only take time.
    let short = |line: &&[u8]| line.len() < 4000;
    let mut lines: Vec<Vec<u8>> =
        source.split_inclusive(|byte| *byte == b'\n').filter(short).map(<[u8]>::to_vec).collect();
    for order in orders.chunks_exact(3) {
        let (from, to) = (usize::from(order[1]) % lines.len(), usize::from(order[2]) % lines.len());
        match order[0] / 3 % 6 {
            0 => lines.insert(to, lines[from].clone()),
            1 if lines.len() > 1 => drop(lines.remove(from)),
            2 => {
                let len = usize::from(order[2]) % lines[from].len();
                lines[from].truncate(len);
            }
            3 => {
                let at = usize::from(order[2]) % lines[from].len().max(1);
                if let Some(byte) = lines[from].get_mut(at) {
                    *byte ^= 1 << (order[0] >> 5);
                }
            }
            4 => lines.swap(from, to),
            _ => lines.insert(to, [rest, b"\n"].concat()),
        }
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            lines.push(b"\n".to_vec());
        }
    }
    let mut log = lines.concat();
    if orders.first().is_some_and(|first| first % 2 == 0) {
        log.extend_from_slice(rest);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.jsonl");
    let text = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("write");
        detect(&path).expect("detect");
        drop(titles(&path).expect("titles"));
        match agent {
            0 => claude(&path, bytes),
            1 => codex(&path, bytes),
            _ => pi(&path, bytes),
        }
    };
    let (overview, messages) = text(&log);
    // Written again behind it, all of it counts once.
    if log.last().is_none_or(|byte| *byte == b'\n') {
        let (again, _) = text(&[&log[..], &log[..]].concat());
        assert_eq!(again.usage, overview.usage);
        assert_eq!(again.tool_calls, overview.tool_calls);
        // What is added hides nothing that was there.
        let (_, more) = text(&[&log[..], b"noise\n{}\n"].concat());
        assert_eq!(more, messages);
    }
});

type Said = Vec<(u64, String)>;

fn claude(path: &Path, bytes: &[u8]) -> (Overview, Said) {
    let transcript = ClaudeCode::open(path).expect("open");
    drop((transcript.tool_calls(), transcript.results_without_call(), transcript.duplicate_ids(), transcript.missing_parents()));
    let indexes: Vec<usize> = transcript.messages().collect();
    let read = |index| (transcript.message(index).expect("message"), transcript.raw(index).expect("raw"));
    let said = check(&indexes, read, &transcript.conversation(), bytes);
    (transcript.overview().clone(), said)
}

fn codex(path: &Path, bytes: &[u8]) -> (Overview, Said) {
    let transcript = Codex::open(path).expect("open");
    drop((transcript.tool_calls(), transcript.outputs_without_call()));
    let indexes: Vec<usize> = transcript.messages().collect();
    let read = |index| (transcript.message(index).expect("message"), transcript.raw(index).expect("raw"));
    let said = check(&indexes, read, &transcript.conversation(), bytes);
    (transcript.overview().clone(), said)
}

fn pi(path: &Path, bytes: &[u8]) -> (Overview, Said) {
    let transcript = Pi::open(path).expect("open");
    drop((transcript.tool_calls(), transcript.results_without_call(), transcript.duplicate_ids(), transcript.missing_parents()));
    let indexes: Vec<usize> = transcript.messages().collect();
    let read = |index| (transcript.message(index).expect("message"), transcript.raw(index).expect("raw"));
    let said = check(&indexes, read, &transcript.conversation(), bytes);
    (transcript.overview().clone(), said)
}

fn check(
    indexes: &[usize],
    read: impl Fn(usize) -> (Message, Vec<u8>),
    conversation: &Conversation,
    bytes: &[u8],
) -> Said {
    assert!(conversation.messages.iter().all(|index| indexes.contains(index)));
    let of = |index: &usize| {
        let (message, raw) = read(*index);
        let start = usize::try_from(message.span.offset).expect("an offset");
        assert_eq!(bytes[start..start + usize::try_from(message.span.len).expect("a length")], raw[..]);
        (message.line, message.text())
    };
    indexes.iter().map(of).collect()
}
