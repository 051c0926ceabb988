//! House rules that a program can check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, annals, root, screens};

/// Files longer than this are hard to hold in the head, and are to be split along their ideas.
const LINES_MAX: usize = 900;

/// Signs of something that was put off. In two pieces, so that this file is not among what is found.
const UNFINISHED: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimpl", "emented!("),
    concat!("#[ig", "nore"),
    concat!("assert!(", "true"),
];

/// The only modules that may use `unsafe`, each a file or also a folder.
const UNSAFE: [&str; 2] = ["crates/jsonl-core/src/map", "crates/jsonl-core/src/scan/vector"];

const UNSAFE_WORDS: [&str; 3] =
    [concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("unsafe", " impl")];

/// The commands that README.md shows with their output, as arguments of `annals`.
const SHOWN: [&[&str]; 3] =
    [&["ls", "examples"], &["verify", "examples"], &["search", "ferry route K7", "examples"]];

/// What library crates leave to the program.
const PROGRAMS_ONLY: [&str; 3] = ["env::var", "process::exit(", "env::args"];

/// Crates with code that `jsonl-core` brings along at run time, at most.
const DEPENDENCIES_MAX: usize = 10;

/// Crates that are a macro and nothing else.
const MACROS: [&str; 1] = ["cfg-if"];

pub(crate) fn run() -> Outcome {
    let mut findings = Vec::new();
    for path in tracked()? {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        check_file(&path, &text, &mut findings);
    }
    let program = annals()?;
    check_readme(&program, &mut findings)?;
    check_map(&program, &mut findings)?;
    screens::check(&program, &mut findings)?;
    check_dependencies(&mut findings)?;
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{}\n{count} findings", findings.join("\n"))),
    }
}

fn tracked() -> Result<Vec<PathBuf>, String> {
    let list = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let list = list.map_err(|error| format!("git ls-files: {error}"))?;
    let text = String::from_utf8_lossy(&list.stdout);
    Ok(text.split_terminator('\0').map(PathBuf::from).collect())
}

fn check_file(path: &Path, text: &str, findings: &mut Vec<String>) {
    let name = path.to_string_lossy().replace('\\', "/");
    let is_ours = ["rs", "md", "toml"]
        .iter()
        .any(|extension| path.extension().is_some_and(|found| found == *extension));
    if !is_ours {
        return;
    }
    let mut find = |line: usize, what: &str| findings.push(format!("{name}:{line}: {what}"));
    for (number, line) in (1..).zip(text.lines()) {
        for word in UNFINISHED {
            if line.contains(word) {
                find(number, &format!("{word}: do it, or leave it out"));
            }
        }
        for place in [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")] {
            let is_example = line.contains(concat!("/ho", "me/u")) || line.contains("example");
            if line.contains(place) && !is_example {
                find(number, "a path of one machine");
            }
        }
        if line.trim_end() != line {
            find(number, "white space at the end");
        }
    }
    if !name.ends_with(".rs") {
        return;
    }
    if !text.starts_with("//! ") {
        find(1, "the first line says what the file is for: `//! …`");
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        find(lines, "too long; split it along its ideas");
    }
    let is_library =
        name.starts_with("crates/") && name.contains("/src/") && !name.starts_with("crates/cli/");
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| is_library && !line.contains("//")) {
        for word in PROGRAMS_ONLY.iter().filter(|word| line.contains(**word)) {
            find(number, &format!("{word}: the caller says it, a library doesn't look"));
        }
    }
    let uses_unsafe = text.lines().any(|line| {
        let code = line.split("//").next().unwrap_or_default();
        UNSAFE_WORDS.iter().any(|word| code.contains(word))
    });
    let is_in =
        |module: &&str| name.strip_prefix(*module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'));
    if uses_unsafe && !UNSAFE.iter().any(is_in) {
        find(1, "unsafe outside the modules that may use it");
    }
}

/// The output that the README shows is the output.
fn check_readme(program: &Path, findings: &mut Vec<String>) -> Outcome {
    let readme =
        fs::read_to_string(root().join("README.md")).map_err(|error| format!("README.md: {error}"))?;
    for args in SHOWN {
        let run = Command::new(program).args(args).current_dir(root()).output();
        let output = run.map_err(|error| format!("annals: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.trim().is_empty() || !readme.contains(text.trim_end()) {
            findings.push(format!("README.md: `annals {}` prints something else:\n{text}", args.join(" ")));
        }
    }
    Ok(())
}

/// Every module has its place on the map of its crate, and every command its mention.
fn check_map(program: &Path, findings: &mut Vec<String>) -> Outcome {
    let read = |name: &str| fs::read_to_string(root().join(name)).map_err(|error| format!("{name}: {error}"));
    let (map, readme) = (read("ARCHITECTURE.md")?, read("README.md")?);
    let files = tracked()?;
    let is_root = |path: &&PathBuf| {
        let is_crate = path.starts_with("crates") || path.starts_with("crash");
        is_crate && (path.ends_with("src/lib.rs") || path.ends_with("src/main.rs"))
    };
    for path in files.iter().filter(is_root) {
        let folder = path.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let on_map = modules_on_map(&map, &folder);
        let text = read(&path.to_string_lossy())?;
        let modules = text.lines().filter_map(|line| {
            line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?.strip_suffix(';')
        });
        for module in modules.filter(|module| !on_map.contains(module)) {
            findings.push(format!(
                "ARCHITECTURE.md: `{module}` of {} is not on the map of {folder}",
                path.display()
            ));
        }
    }
    let help = Command::new(program).arg("help").output().map_err(|error| format!("annals help: {error}"))?;
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    let listed =
        text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Lines that go on are indented further.
    let commands: Vec<&str> = listed
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    if commands.is_empty() {
        return Err(format!("annals help lists no commands:\n{text}"));
    }
    for command in commands.iter().filter(|command| **command != "help" && !is_named(&readme, command)) {
        findings.push(format!("README.md: no word about `annals {command}`"));
    }
    Ok(())
}

/// What the first column of a crate's tables names, and what is said of every crate in front of them.
fn modules_on_map<'a>(map: &'a str, folder: &str) -> Vec<&'a str> {
    let mut on_map = Vec::new();
    let mut section = "";
    for line in map.lines() {
        if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            section = heading;
        }
        let named = match line.strip_prefix('|') {
            Some(row) if section == folder => row.split('|').next().unwrap_or_default(),
            None if section == "The map" && line.starts_with("Every crate has ") => line,
            _ => continue,
        };
        on_map.extend(named.split('`').skip(1).step_by(2));
    }
    on_map
}

/// Whether something in backticks, or behind a prompt, has the word in it.
fn is_named(text: &str, word: &str) -> bool {
    let is_word =
        |part: &str| part.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').any(|w| w == word);
    let in_backticks = text.lines().any(|line| line.split('`').skip(1).step_by(2).any(is_word));
    in_backticks || text.lines().any(|line| line.starts_with("$ annals ") && is_word(line))
}

/// Those who take the core get few crates with it, and ARCHITECTURE.md names every one.
fn check_dependencies(findings: &mut Vec<String>) -> Outcome {
    let tree =
        crate::cargo(&["tree", "--quiet", "--package", "jsonl-core", "--edges", "normal,no-proc-macro"])
            .args(["--prefix", "none", "--format", "{p}", "--target", "x86_64-unknown-linux-gnu"])
            .current_dir(root())
            .output();
    let tree = tree.map_err(|error| format!("cargo tree: {error}"))?;
    if !tree.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&tree.stderr)));
    }
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let names: BTreeSet<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    let map = root().join("ARCHITECTURE.md");
    let map = fs::read_to_string(map).map_err(|error| format!("ARCHITECTURE.md: {error}"))?;
    for name in names.iter().filter(|name| !map.contains(&format!("`{name}`"))) {
        findings.push(format!("ARCHITECTURE.md: jsonl-core brings `{name}` along, which isn't named"));
    }
    let count = names.iter().filter(|name| !MACROS.contains(name)).count();
    if count > DEPENDENCIES_MAX {
        findings.push(format!(
            "crates/jsonl-core/Cargo.toml: {count} crates at run time, not {DEPENDENCIES_MAX}"
        ));
    }
    Ok(())
}
