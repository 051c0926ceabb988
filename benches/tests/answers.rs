//! What the benchmarks compare is the same: every job on as little as can be wrong, both sides' answers, no times.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;

#[test]
fn both_sides_of_every_job_give_the_same() {
    let program = Path::new(env!("CARGO_BIN_EXE_annals-benches"));
    let output = Command::new(program).arg("--answers").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut jobs = vec![
        "scan, count lines, 2 threads, small",
        "load typed, folded, 2 threads, chat",
        "append SyncData, 16 threads, small",
        "session log, every text decoded, chat",
        "session truncate + history, small",
        "catalog rebuild, 500 events",
    ];
    if cfg!(unix) {
        jobs.extend(["memory open, 1,000 items, with checkpoint", "trust check, 10,000 approvals"]);
    }
    // Built beside it where all packages are tested; otherwise one of an earlier build may lie there.
    if program.with_file_name(format!("annals{}", std::env::consts::EXE_SUFFIX)).exists() {
        jobs.extend(["log search rare, chat", "log search absent, small"]);
        jobs.extend(["transcripts stats, claude-code", "transcripts search frequent, codex"]);
    }
    for job in jobs {
        assert!(said.contains(&format!("{job}: the same as ")), "{job}:\n{said}");
    }
}
