//! Commands that only read. With the exit code of other times, they print what they print at other times; and what isn't that answer is
//! no other answer, but an error: nobody is told that a file is unknown, a session gone or a log whole because it couldn't be looked at.

use std::process::Output;

use super::{FAULTS, Lane, Script, disorder, is_killed, points, script};
use crate::subject::{Result, said};
use crate::tally::Tally;

const STORE: &str = r#"umask 077; for t in a b c; do $A append k --role user tok-$t; done; $A append other --role user tok-o; $A archive other
for t in a b c; do $A memory add tok-$t; done; $A memory forget 2
mkdir p; for f in allowed changed denied unknown; do echo $f > p/$f; done; $A trust allow --yes p/allowed p/changed; $A trust deny p/denied; echo more >> p/changed
$A catalog --own init; for n in 1 2; do echo '{"ts":"2026-02-03T08:15:00.098Z","event_id":"evt_'$n'","op":"session_seen","stable_id":"sess_'$n'","payload":{"claude_session_id":"a'$n'","cwd":"/w"}}' >> h/catalog/sessions-db-events.jsonl; done
mkdir -p .dru-code; cp h/catalog/sessions-db-events.jsonl .dru-code
mkdir -p .claude/projects/-w; for n in 1 2; do echo '{"type":"user","uuid":"u'$n'","parentUuid":null,"sessionId":"s'$n'","timestamp":"2026-02-03T08:15:00.098Z","cwd":"/w","message":{"role":"user","content":"tok-t'$n'"}}' > .claude/projects/-w/0e1c3b5c-6a4f-4c1e-9c39-00000000000$n.jsonl; done"#;

pub(super) const SCRIPTS: [Script; 27] = [
    reading("show", "show k"),
    reading("tail", "tail k"),
    reading("show of a transcript", "show 0e1c3b5c-6a4f-4c1e-9c39-000000000001"),
    reading("show of the last", "show @last"),
    reading("search of a folder", "search tok .claude"),
    reading("ls", "--json ls --all"),
    reading("search", "search tok"),
    reading("search, counted", "search --count tok"),
    reading("search of a project", "search --project /w tok"),
    reading("stats", "stats"),
    reading(
        "stats of a file",
        "stats --by agent .claude/projects/-w/0e1c3b5c-6a4f-4c1e-9c39-000000000001.jsonl",
    ),
    reading("verify", "verify"),
    reading("verify of a folder", "verify .claude"),
    reading("verify of a project", "verify --project /w"),
    reading("doctor", "--json doctor"),
    reading("memory list", "memory list"),
    reading("memory search", "memory search tok-c"),
    reading("memory verify", "memory verify"),
    reading("trust check", "trust check p/allowed"),
    reading("trust check, changed", "trust check p/changed"),
    reading("trust check, denied", "trust check p/denied"),
    reading("trust check, unknown", "trust check p/unknown"),
    reading("trust cat", "trust cat p/allowed"),
    reading("trust list", "trust list"),
    reading("catalog find", "catalog --own find"),
    reading("catalog find, upwards", "catalog find"),
    reading("catalog verify", "catalog --own verify"),
];

const fn reading(name: &'static str, command: &'static str) -> Script {
    script(name, STORE, command, "")
}

/// The control: what can't be read isn't there.
pub(super) const SHELL: Script = script(
    "read what can be read",
    "for t in a b c; do echo \"tok-$t\" >> log-$t; done",
    "for t in a b c; do cat log-$t 2>&-; done; true",
    "",
);

impl Lane<'_> {
    /// Acknowledged is what was answered, lost what was answered otherwise than without a fault.
    pub(super) fn sweep_reading(&self, step: usize) -> Result<Tally> {
        self.set_up()?;
        let right = self.annals().output().map_err(said)?;
        let mut tally = Tally::default();
        for (call, nth) in points(&self.count(right.status.code())?).step_by(step) {
            for fault in FAULTS {
                self.begin_again()?;
                let output = self.run(call, nth, fault)?;
                tally.times += 1;
                let mut texts = disorder(&output, fault);
                if let Some(text) = otherwise(&output, &right) {
                    tally.lost += 1;
                    texts.push(text);
                } else if output.status.code() == right.status.code() {
                    tally.acknowledged += 1;
                } else {
                    tally.refused += 1;
                }
                let again = self.annals().output().map_err(said)?;
                if (again.status, &again.stdout) != (right.status, &right.stdout) {
                    texts.push(format!(
                        "afterwards it ends with {} and prints {}",
                        again.status,
                        printed(&again)
                    ));
                }
                tally.note(&texts, format_args!("{}: {call} {nth} {fault}", self.script.name));
            }
        }
        Ok(tally)
    }
}

/// What is wrong with an answer that isn't the right one.
fn otherwise(output: &Output, right: &Output) -> Option<String> {
    let status = output.status;
    if is_killed(status) {
        return None;
    }
    if status.code() == right.status.code() {
        let is_right = output.stdout == right.stdout;
        return (!is_right).then(|| format!("it ends with {status} and prints {}", printed(output)));
    }
    match status.code() {
        // Who looks for what is wrong says that this is.
        Some(1) if tells_of_error(output) => None,
        // Yes, no, not there, not allowed.
        Some(0 | 1 | 3 | 5) => Some(format!("it ends with {status}: {}", printed(output))),
        _ => output.stderr.is_empty().then(|| format!("it ends with {status} and tells nobody why")),
    }
}

/// Whether any of the errors is told in the system's words.
fn tells_of_error(output: &Output) -> bool {
    let text = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    ["Input/output error", "No space left", "Interrupted"].iter().any(|words| text.contains(words))
}

fn printed(output: &Output) -> String {
    format!(
        "{:.300}{:.300}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
