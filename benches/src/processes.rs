//! The program as whole processes: how much memory each command takes, how long a start takes, how large it is and how long it takes to
//! build.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use annals_benches::corpus::{self, Size};
use annals_benches::measure::median;
use annals_benches::saved;

use crate::approvals::Approvals;
use crate::{agents, agents_corpus};

/// Starts of each program, of which the median counts.
const STARTS: usize = 61;

/// Commands on a log; `F` is the log.
const ON_LOGS: [&str; 8] = [
    "ls F",
    "show --tail 20 F",
    "show F",
    "tail F",
    "search zyzzyva F",
    "stats F",
    "verify F",
    "log repair --dry-run F",
];

/// Commands on all sessions of an agent.
const ON_SESSIONS: [&str; 6] =
    ["ls", "stats", "search zyzzyva", "search connection", "verify", "export --to markdown OUT @last"];

pub(crate) fn run(folder: &Path, size: Size, is_saved: bool) {
    let program = crate::agents::program();
    let memory = memory(&program, folder, size);
    println!("{memory}");
    let starts = starts(&program, folder, size);
    println!("{starts}");
    if is_saved {
        saved::put("memory", &memory);
        saved::put("starts", &starts);
    }
}

fn memory(program: &Path, folder: &Path, size: Size) -> String {
    let lens: [u64; 2] = if size == Size::Full { [1024, 4096] } else { [8, 32] };
    let mut text = format!("{:<44}", "peak memory, and time");
    for len in lens {
        let _ = write!(text, "{:>24}", format!("{len} MB"));
    }
    text.push('\n');
    let logs = lens.map(|len| corpus::chat(folder, len << 20));
    logs.iter().for_each(|log| read_through(log));
    for command in ON_LOGS {
        let _ = write!(text, "{:<44}", command.replace('F', "LOG"));
        for log in &logs {
            let args: Vec<PathBuf> =
                command.split(' ').map(|word| if word == "F" { log.clone() } else { word.into() }).collect();
            text.push_str(&figure(program, folder, &args));
        }
        text.push('\n');
    }
    for agent in ["claude-code", "codex"] {
        let homes = lens.map(|len| agents_corpus::make(folder, agent, len << 20));
        homes.iter().flat_map(|home| &home.files).for_each(|file| read_through(file));
        for command in ON_SESSIONS {
            let _ = write!(text, "{:<44}", format!("{command}, {agent}").replace(" OUT", ""));
            for home in &homes {
                let out = tempfile::tempdir_in(folder).unwrap();
                let word = |word| if word == "OUT" { out.path().to_owned() } else { PathBuf::from(word) };
                let args: Vec<PathBuf> = command.split(' ').map(word).collect();
                text.push_str(&figure(program, &home.folder, &args));
            }
            text.push('\n');
        }
    }
    text
}

/// Into the page cache, so that whoever comes first doesn't pay for the others.
fn read_through(path: &Path) {
    std::io::copy(&mut File::open(path).unwrap(), &mut std::io::sink()).unwrap();
}

/// `12 MiB  3.21 s`, right in a column.
fn figure(program: &Path, home: &Path, args: &[PathBuf]) -> String {
    let mut command = agents::annals(program, home);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let shown = match peak(&mut command) {
        Ok(peak) => format!("{} MiB {:>7.2} s", peak >> 20, begun.elapsed().as_secs_f64()),
        Err(why) => why,
    };
    format!("{shown:>24}")
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn peak(command: &mut Command) -> Result<u64, String> {
    use annals_crash::trace::{Ended, Traced};
    let mut traced = Traced::start(command).map_err(|error| error.to_string())?;
    match traced.peak_memory().map_err(|error| error.to_string())? {
        // 1 is "nothing found", or "not a log that this can be done to".
        (Ended::Exited(0 | 1), peak) => Ok(peak),
        (ended, _) => Err(format!("{ended:?}")),
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn peak(_: &mut Command) -> Result<u64, String> {
    Err(String::from("not known here"))
}

fn starts(program: &Path, folder: &Path, size: Size) -> String {
    let mut text = format!("{:<52}{:>12}\n", "a whole process", "median");
    let temporary = tempfile::tempdir_in(folder).unwrap();
    let home = temporary.path().canonicalize().unwrap();
    let mut add = |name: &str, args: &[&str], input: &str| {
        let seconds = median((0..STARTS).map(|_| start(program, &home, args, input).as_secs_f64()));
        let _ = writeln!(text, "{name:<52}{:>9.2} ms", seconds * 1e3);
    };
    add("annals --version", &["--version"], "");
    add("annals --help", &["--help"], "");
    for count in [1, if size == Size::Full { 10_000 } else { 100 }] {
        let folder = home.join(format!("approvals-{count}"));
        let Approvals { store, file } = Approvals::write(&folder, count);
        let args = ["trust", "--store", store.to_str().unwrap(), "check", file.to_str().unwrap()];
        add(&format!("annals trust check, {count} approvals"), &args, "");
    }
    let counts: &[u64] = if size == Size::Full { &[1, 10_000, 100_000] } else { &[100] };
    for count in counts {
        let root = home.join(format!("catalog-{count}"));
        crate::catalogs::write_log(&root, *count, 3 * count);
        let args = ["catalog", "--store", root.to_str().unwrap(), "hook", "session-start"];
        let input =
            r#"{"session_id":"5f0c2a52-6a3e-4dd0-9f43-000000000001","cwd":"/tmp","source":"startup"}"#;
        add(&format!("annals catalog hook session-start, {count} sessions"), &args, input);
    }
    let len = fs::metadata(program).unwrap().len();
    let _ = writeln!(text, "{:<52}{:>9.1} MB", "the program", len as f64 / 1e6);
    if size == Size::Full {
        // Once each: they take minutes.
        for package in ["jsonl-core", "annals"] {
            let seconds = build(folder, package).as_secs_f64();
            let name = format!("cargo build --release -p {package}, from scratch");
            let _ = writeln!(text, "{name:<52}{seconds:>9.1} s");
        }
    }
    text
}

/// Builds a package and all that it needs, in an empty folder.
fn build(folder: &Path, package: &str) -> Duration {
    let target = tempfile::tempdir_in(folder).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "-p", package]).current_dir(root);
    let begun = Instant::now();
    let status = cargo.env("CARGO_TARGET_DIR", target.path()).status().unwrap();
    assert!(status.success(), "{package} can't be built");
    begun.elapsed()
}

fn start(program: &Path, home: &Path, args: &[&str], input: &str) -> Duration {
    let mut command = agents::annals(program, home);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    // Who has no use for it may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let time = begun.elapsed();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    time
}
