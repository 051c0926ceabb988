//! Does the chat loop of the examples survive `kill -9` in the middle of an answer?

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annals_session::{Entry, Store};

/// The program, which `cargo test` builds beside this one.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let name = format!("chat_loop{}", std::env::consts::EXE_SUFFIX);
    let program = test.parent()?.parent()?.join("examples").join(name);
    program.exists().then_some(program)
}

fn start(program: &PathBuf, dir: &std::path::Path) -> Child {
    Command::new(program).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_chat_loop_goes_on_where_it_was_killed() {
    // Only `--test it` alone leaves it unbuilt.
    let Some(program) = program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let session = Store::open(folder.path()).unwrap().session("chat").unwrap();
    let mut child = start(&program, folder.path());
    child.stdin.as_mut().unwrap().write_all(b"is the ferry on time?\n").unwrap();
    // In the middle: after a few words, before the last.
    let words = || -> usize {
        let entries = session.transcript().unwrap().entries;
        entries.iter().filter(|entry| matches!(entry, Entry::Note(_))).count()
    };
    let begun = Instant::now();
    while words() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no answer begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(session.history().unwrap().messages.len(), 1, "killed before the answer was whole");
    let before = words();
    let mut child = start(&program, folder.path());
    drop(child.stdin.take());
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(out.contains("going on with the answer"), "{out}");
    let history = session.history().unwrap();
    assert!(history.report.log.damaged() == 0 && history.report.gaps.is_empty());
    let texts = crate::support::texts(&history);
    assert_eq!(
        texts,
        [
            "is the ferry on time?",
            "You said: is the ferry on time?. I will think about that, and tell you tomorrow."
        ]
    );
    assert!(words() > before, "the words that were there have stayed");
}
