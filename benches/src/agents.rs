//! The program on transcripts that other agents wrote, as whole processes, beside reading every line of every file with a parser.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::agents_corpus::{ABSENT, EVERYWHERE, FREQUENT, Home, RARE, make};
use annals_benches::corpus::Size;
use annals_benches::measure::{Table, Target, Work, side};

const SEARCHES: [(&str, &str); 4] =
    [("rare", RARE), ("frequent", FREQUENT), ("everywhere", EVERYWHERE), ("absent", ABSENT)];

/// The jobs of looking for one word.
struct Search {
    all: String,
    /// Of `all`. A filter in front of a parser is for what stands in few records.
    target: Target,
    /// Beside one who counts lines: records with the word.
    counted: String,
    /// And only those in which somebody says it.
    said: Option<String>,
    /// Beside one who shows all finds.
    shown: Option<String>,
}

impl Search {
    fn of(name: &str, agent: &str) -> Self {
        let is_everywhere = name == "everywhere";
        Self {
            all: format!("transcripts search {name}, {agent}"),
            target: if is_everywhere { Target::Shown } else { Target::AtLeast(8.0) },
            counted: format!("transcripts search --records --count {name} beside rg, {agent}"),
            said: is_everywhere.then(|| format!("transcripts search --count {name} beside rg, {agent}")),
            shown: is_everywhere.then(|| format!("transcripts search {name} beside rg -o, {agent}")),
        }
    }

    fn jobs(&self) -> Vec<String> {
        let first = [self.all.clone(), self.counted.clone()];
        first.into_iter().chain(self.said.clone()).chain(self.shown.clone()).collect()
    }
}

pub(crate) fn run(folder: &Path, size: Size, table: &mut Table) {
    let program = program();
    let len = match size {
        Size::Least => 4 << 20,
        Size::Quick => 64 << 20,
        Size::Full => 1 << 30,
    };
    for agent in ["claude-code", "codex"] {
        let searches = SEARCHES.map(|(name, _)| Search::of(name, agent));
        let mut jobs: Vec<String> =
            ["ls", "stats", "show tail 20"].map(|job| format!("transcripts {job}, {agent}")).into();
        jobs.extend(searches.iter().flat_map(Search::jobs));
        if !jobs.iter().any(|job| table.wants(job)) {
            continue;
        }
        if !program.exists() {
            table.skip(&format!("transcripts, {agent}"), &format!("there is no {}", program.display()));
            continue;
        }
        let home = make(folder, agent, len);
        let annals = |args: &[&str]| objects(&program, &home.folder, args);
        let work = Work::Bytes(home.len);
        table.compare(
            &format!("transcripts ls, {agent}"),
            work,
            side("ours", || {
                let ids = annals(&["ls", "--subagents", "--limit", "50"]);
                assert_eq!(ids.len(), 50.min(home.files.len()));
                home.files.len()
            }),
            side("naive, every line to Value", || naive_sessions(&home)),
            Target::AtLeast(50.0),
        );
        table.compare(
            &format!("transcripts stats, {agent}"),
            work,
            side("ours", || {
                let all = annals(&["stats"]);
                let count = |name: &str| all.iter().map(|sums| sums[name].as_u64().unwrap()).sum::<u64>();
                (count("answers"), count("output_tokens"), count("messages"))
            }),
            side("naive, every line to Value", || naive_stats(agent, &home)),
            Target::AtLeast(3.0),
        );
        let largest = home.files.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        table.compare(
            &format!("transcripts show tail 20, {agent}"),
            Work::Bytes(fs::metadata(largest).unwrap().len()),
            side("ours", || {
                let shown = annals(&["show", "--tail", "20", largest.to_str().unwrap()]);
                shown.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            }),
            side("naive, every line to Value", || naive_tail(agent, largest)),
            Target::AtLeast(8.0),
        );
        for (search, (_, word)) in searches.iter().zip(SEARCHES) {
            table.compare(
                &search.all,
                work,
                side("ours", || lines(&program, &home.folder, &["search", word])),
                side("naive, every line to Value", || naive_search(agent, &home, word)),
                search.target,
            );
            let rg = |args: &[&str]| {
                let mut rg = Command::new("rg");
                rg.args(["--hidden", "--no-ignore"]).args(args).current_dir(&home.folder);
                rg
            };
            let count = |args: &[&str]| counts(&program, &home.folder, &[args, &["--count", word]].concat());
            let lines_with_it = || counts_of_rg(&mut rg(&["-cF", word]));
            if is_beside_rg(&search.counted, table) {
                table.compare(
                    &search.counted,
                    work,
                    side("ours", || count(&["search", "--records"])),
                    side("rg -c", lines_with_it),
                    Target::AtLeast(1.2),
                );
            }
            if let Some(said) = &search.said
                && is_beside_rg(said, table)
            {
                // It finds the word also where nobody says it, so only whether there are any is the same.
                table.compare(
                    said,
                    work,
                    side("ours", || count(&["search"]) > 0),
                    side("rg -c, whoever says it", || lines_with_it() > 0),
                    Target::Shown,
                );
            }
            if let Some(shown) = &search.shown
                && is_beside_rg(shown, table)
            {
                let around = format!(".{{0,40}}{word}.{{0,40}}");
                table.compare(
                    shown,
                    work,
                    side("ours", || lines(&program, &home.folder, &["search", word]) > 0),
                    side("rg -o", || lines_of(&rg(&["-o", &around]).output().unwrap().stdout) > 0),
                    Target::AtLeast(1.2),
                );
            }
        }
    }
}

/// What the program prints for programs, in a user's folder.
fn objects(program: &Path, home: &Path, args: &[&str]) -> Vec<Value> {
    let printed = printed(program, home, &[&["--json"], args].concat());
    let lines = printed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// How many lines it prints for people.
pub(crate) fn lines(program: &Path, home: &Path, args: &[&str]) -> u64 {
    lines_of(&printed(program, home, args))
}

pub(crate) fn lines_of(printed: &[u8]) -> u64 {
    printed.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The sum of the counts that it prints, one at the end of a line.
pub(crate) fn counts(program: &Path, home: &Path, args: &[&str]) -> u64 {
    sum_of_counts(&printed(program, home, args))
}

/// The same of ripgrep, which prints nothing where there is nothing, and no path of a single file.
pub(crate) fn counts_of_rg(rg: &mut Command) -> u64 {
    let counted = rg.output().unwrap();
    assert!(matches!(counted.status.code(), Some(0 | 1)), "{counted:?}");
    sum_of_counts(&counted.stdout)
}

fn sum_of_counts(printed: &[u8]) -> u64 {
    let lines = std::str::from_utf8(printed).unwrap().lines();
    lines.map(|line| line.rsplit(':').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// What it prints, which may be nothing.
fn printed(program: &Path, home: &Path, args: &[&str]) -> Vec<u8> {
    let output = annals(program, home).args(args).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {output:?}");
    output.stdout
}

/// Built beside the benchmarks.
pub(crate) fn program() -> PathBuf {
    let name = format!("annals{}", std::env::consts::EXE_SUFFIX);
    std::env::current_exe().unwrap().with_file_name(name)
}

/// The program in a user's folder, where nothing else is found.
pub(crate) fn annals(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("HOME", home).env("ANNALS_HOME", home.join("annals"));
    for name in ["CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "DRUUMEN_SESSIONS_DB_ROOT"] {
        command.env_remove(name);
    }
    command
}

/// Whether a job beside ripgrep is among those that are run, and ripgrep is there.
pub(crate) fn is_beside_rg(job: &str, table: &Table) -> bool {
    let is_wanted = table.wants(job);
    let has_rg = is_wanted && Command::new("rg").arg("--version").output().is_ok();
    if is_wanted && !has_rg {
        table.skip(job, "there is no rg");
    }
    has_rg
}

fn values(path: &PathBuf) -> impl Iterator<Item = Value> {
    let lines = BufReader::with_capacity(1 << 20, File::open(path).unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok())
}

fn naive_sessions(home: &Home) -> usize {
    let mut ids = BTreeSet::new();
    for path in &home.files {
        let (mut id, mut messages, mut last) = (None, 0, String::new());
        for value in values(path) {
            let own = value["sessionId"].as_str().or(value["payload"]["id"].as_str());
            id = id.or_else(|| own.map(str::to_owned));
            messages += usize::from(value["message"].is_object());
            if let Some(time) = value["timestamp"].as_str() {
                time.clone_into(&mut last);
            }
        }
        std::hint::black_box((messages, last));
        ids.insert((id, path));
    }
    ids.len()
}

fn naive_stats(agent: &str, home: &Home) -> (u64, u64, u64) {
    let mut answers: HashMap<String, u64> = HashMap::new();
    let mut messages = 0;
    for path in &home.files {
        let mut seen = HashSet::new();
        let mut before = 0;
        for value in values(path) {
            if agent == "codex" {
                let payload = &value["payload"];
                if value["type"] == "response_item" && payload["type"] == "message" {
                    messages += 1;
                }
                if let Some(total) = payload["info"]["total_token_usage"]["output_tokens"].as_u64() {
                    answers.insert(format!("{}{}", path.display(), payload["info"]), total - before);
                    before = total;
                }
                continue;
            }
            let message = &value["message"];
            let has_text = message["content"].is_string()
                || message["content"]
                    .as_array()
                    .is_some_and(|parts| parts.iter().any(|part| part["type"] == "text"));
            let is_new = value["uuid"].as_str().is_none_or(|uuid| seen.insert(uuid.to_owned()));
            if has_text && is_new && (value["type"] == "user" || value["type"] == "assistant") {
                messages += 1;
            }
            if let (Some(output), Some(id)) =
                (message["usage"]["output_tokens"].as_u64(), message["id"].as_str())
            {
                let most = answers.entry(format!("{id} {}", value["requestId"])).or_default();
                *most = output.max(*most);
            }
        }
    }
    (answers.len() as u64, answers.values().sum(), messages)
}

/// What the last messages of a transcript in a straight line say.
fn naive_tail(agent: &str, path: &PathBuf) -> Vec<String> {
    let said = |value: &Value| -> Option<String> {
        let content = match agent {
            "codex" if value["type"] == "response_item" && value["payload"]["type"] == "message" => {
                &value["payload"]["content"]
            }
            "codex" => return None,
            _ if value["type"] == "user" || value["type"] == "assistant" => &value["message"]["content"],
            _ => return None,
        };
        if let Some(text) = content.as_str() {
            return Some(text.to_owned());
        }
        let texts = content.as_array()?.iter().filter_map(|part| part["text"].as_str());
        let texts: Vec<&str> = texts.collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    };
    let mut all: Vec<String> = values(path).filter_map(|value| said(&value)).collect();
    all.split_off(all.len().saturating_sub(20))
}

fn naive_search(agent: &str, home: &Home, word: &str) -> u64 {
    fn strings(value: &Value, word: &str) -> bool {
        match value {
            Value::String(text) => text.contains(word),
            Value::Array(items) => items.iter().any(|item| strings(item, word)),
            Value::Object(members) => members.values().any(|member| strings(member, word)),
            _ => false,
        }
    }
    let part = |part: &Value| match part["type"].as_str() {
        Some("text" | "input_text" | "output_text") => strings(&part["text"], word),
        Some("tool_use") => strings(&part["input"], word),
        Some("tool_result") => strings(&part["content"], word),
        _ => false,
    };
    let mut found = 0;
    for path in &home.files {
        for value in values(path) {
            let is_match = if agent == "codex" {
                let payload = &value["payload"];
                value["type"] == "response_item"
                    && match payload["type"].as_str() {
                        Some("message") => {
                            payload["content"].as_array().is_some_and(|parts| parts.iter().any(part))
                        }
                        Some("function_call") => {
                            let arguments = payload["arguments"].as_str().unwrap();
                            strings(&serde_json::from_str(arguments).unwrap(), word)
                        }
                        Some("function_call_output") => strings(&payload["output"], word),
                        Some("reasoning") => payload["summary"]
                            .as_array()
                            .is_some_and(|all| all.iter().any(|one| strings(&one["text"], word))),
                        _ => false,
                    }
            } else {
                let content = &value["message"]["content"];
                match value["type"].as_str() {
                    Some("user" | "assistant") if content.is_string() => strings(content, word),
                    Some("user" | "assistant") => {
                        content.as_array().is_some_and(|parts| parts.iter().any(part))
                    }
                    _ => false,
                }
            };
            found += u64::from(is_match);
        }
    }
    found
}
