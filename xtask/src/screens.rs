//! The pictures of the program in README.md: commands run on the shipped examples, in a home folder made for them.
//!
//! What the program prints, with its colours, becomes an SVG of a terminal. Nothing in it depends on the machine or the day, so
//! `tidy` makes the pictures again and compares.

use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::{Outcome, annals, root, target};

/// The commands, and what their pictures are called.
const SCREENS: [(&str, &[&str]); 4] = [
    ("ls", &["ls"]),
    ("show", &["show", "019e1a2b"]),
    ("search", &["search", "-i", "berth", "--limit", "6"]),
    ("doctor", &["doctor"]),
];

/// Where the examples lie in the home folder of somebody who uses all of these agents, and how many hours ago each was used last.
const TRANSCRIPTS: [(&str, &str, u64); 4] = [
    (
        "codex.jsonl",
        ".codex/sessions/2026/08/21/rollout-2026-08-21T08-15-00-019e1a2b-7c1d-7000-8000-00000000c0de.jsonl",
        2,
    ),
    ("claude-code.jsonl", ".claude/projects/-srv-tide-relay/692f46ca-6d2f-4c0e-9a6c-2f1f6d0c5a11.jsonl", 7),
    (
        "pi.jsonl",
        ".pi/agent/sessions/--fares--/2026-08-26T10-00_95bba261-0f4f-4e9b-8a53-0d5a3a2f7b10.jsonl",
        30,
    ),
    ("aish.jsonl", ".aish/history/sessions/2026-05-09T23-16-07.jsonl", 51),
];

/// What annals itself is told before: arguments.
const TOLD: [&[&str]; 7] = [
    &["append", "harbour", "--role", "user", "Is the ferry on time?"],
    &["append", "harbour", "--role", "assistant", "Six minutes late."],
    &["append", "harbour", "--role", "user", "And the one after that?"],
    &["truncate", "harbour", "--before", "3", "--summary", "The first ferry is late."],
    &["memory", "add", "Prefers metric units", "--tag", "style"],
    &["memory", "add", "The relay on buoy 19 delays packets"],
    &["memory", "forget", "2"],
];

/// A character's width and a line's height, in the picture's units.
const COLUMN: f64 = 8.43;
const LINE: f64 = 19.0;
const MARGIN: f64 = 16.0;

/// All pictures are so wide, in characters. Longer lines are cut.
const COLUMNS: usize = 112;

/// Of what is longer, the beginning is shown.
const LINES: usize = 26;

/// Makes all pictures anew.
pub(crate) fn save() -> Outcome {
    for (path, picture) in pictures(&annals()?)? {
        let write = fs::create_dir_all(folder()).and_then(|()| fs::write(&path, picture));
        write.map_err(|error| format!("{}: {error}", path.display()))?;
        println!("docs/screens/{}", path.file_name().unwrap_or_default().to_string_lossy());
    }
    Ok(())
}

/// Compares the pictures with what the program prints now.
pub(crate) fn check(program: &Path, findings: &mut Vec<String>) -> Outcome {
    for (path, picture) in pictures(program)? {
        if fs::read_to_string(&path).ok().as_ref() != Some(&picture) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            findings
                .push(format!("docs/screens/{name}: the program prints something else; cargo xtask screens"));
        }
    }
    Ok(())
}

fn folder() -> PathBuf {
    root().join("docs/screens")
}

fn pictures(program: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let home = Home::new(&target()).map_err(|error| format!("a home folder for the pictures: {error}"))?;
    for told in TOLD {
        home.annals(program, told)?;
    }
    let picture = |(name, args): (&str, &[&str])| {
        let text = home.annals(program, &[&["--color", "always"], args].concat())?;
        let shown: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        Ok((folder().join(format!("{name}.svg")), draw(&format!("annals {}", shown.join(" ")), &text)))
    };
    SCREENS.into_iter().map(picture).collect()
}

/// A home folder, removed when dropped.
struct Home(PathBuf);

impl Home {
    fn new(target: &Path) -> std::io::Result<Self> {
        let home = Self(target.join(format!("screens-{}", std::process::id())));
        fs::create_dir_all(&home.0)?;
        // As a home folder is: what `doctor` says of permissions is then the same wherever this runs.
        #[cfg(unix)]
        fs::set_permissions(&home.0, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        for (example, place, hours) in TRANSCRIPTS {
            let path = home.0.join(place);
            fs::create_dir_all(path.parent().unwrap_or(&home.0))?;
            fs::copy(root().join("examples/transcripts").join(example), &path)?;
            let when = SystemTime::now() - Duration::from_secs(3600 * hours + 60);
            File::options().append(true).open(&path)?.set_times(FileTimes::new().set_modified(when))?;
        }
        Ok(home)
    }

    /// What the program prints in this home. It may end with what it found.
    fn annals(&self, program: &Path, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.0).env_clear().env("HOME", &self.0).env("PATH", "");
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{args:?}: {error}"))?;
        if output.stdout.is_empty() && !output.stderr.is_empty() {
            return Err(format!("annals {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What stays lies in the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A terminal in which a command was typed, and what it printed.
fn draw(command: &str, text: &str) -> String {
    let lines: Vec<Vec<Run>> = text.trim_end().lines().take(LINES).map(runs).collect();
    let (width, height) =
        (COLUMNS as f64 * COLUMN + 2.0 * MARGIN, (lines.len() + 1) as f64 * LINE + 2.0 * MARGIN);
    let mut svg = Vec::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <title>{}</title>\n\
         <style>text {{ fill: #d8dee9; white-space: pre; }} .name {{ fill: #88c0d0; font-weight: bold; }} .dim {{ fill: #8d97a8; }} \
         .bad {{ fill: #e5717c; }} .match {{ fill: #e5717c; font-weight: bold; }} .prompt {{ fill: #a3be8c; }}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1f242d\"/>\n",
        escaped(command)
    );
    let prompt = vec![Run { text: "$ ".into(), class: "prompt" }, Run { text: command.into(), class: "" }];
    for (number, runs) in std::iter::once(&prompt).chain(&lines).enumerate() {
        let y = MARGIN + LINE * number as f64 + 14.0;
        let mut column = 0;
        for Run { text, class } in runs {
            // Each piece has its place, so that columns line up whatever font there is.
            let x = MARGIN + COLUMN * column as f64;
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            if !text.trim().is_empty() {
                let len = COLUMN * text.chars().count() as f64;
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y:.0}\" textLength=\"{len:.1}\"{class} xml:space=\"preserve\">{}</text>",
                    escaped(text)
                );
            }
            column += text.chars().count();
        }
    }
    let _ = writeln!(svg, "</svg>");
    String::from_utf8_lossy(&svg).into_owned()
}

/// Text of one colour.
struct Run {
    text: String,
    class: &'static str,
}

/// A line, taken apart at its escape codes: those that the program uses.
fn runs(line: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let (mut class, mut room) = ("", COLUMNS);
    let mut is_bold = false;
    for (number, piece) in line.split("\u{1b}[").enumerate() {
        let text = match (number, piece.split_once('m')) {
            (0, _) | (_, None) => piece,
            (_, Some((code, text))) => {
                match code {
                    "0" => (class, is_bold) = ("", false),
                    "1" => is_bold = true,
                    "2" => class = "dim",
                    "31" => class = if is_bold { "match" } else { "bad" },
                    "36" => class = "name",
                    _ => {}
                }
                text
            }
        };
        let is_cut = text.chars().count() > room;
        let mut text: String = text.chars().take(room - usize::from(is_cut && room > 0)).collect();
        if is_cut && room > 0 {
            text.push('…');
        }
        room -= text.chars().count();
        if !text.is_empty() {
            runs.push(Run { text, class });
        }
    }
    runs
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
