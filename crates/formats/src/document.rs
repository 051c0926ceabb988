//! A conversation as a document to read: Markdown, or one HTML file that needs nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::str::FromStr;
use std::time::SystemTime;

use crate::any::Transcript;
use crate::error::{Error, Result};
use crate::foreign::Remark;
use crate::lines;
use crate::transcript::{Agent, Image, Message, Overview, Part, Role};

/// What kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentKind {
    /// Markdown. Images are named, and not shown.
    Markdown,
    /// One HTML file: without scripts, and nothing is loaded from elsewhere. Images that are in the transcript are in it.
    Html,
}

impl DocumentKind {
    /// What its file's name ends with.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
        }
    }
}

impl Display for DocumentKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Markdown => "markdown",
            Self::Html => "html",
        })
    }
}

impl FromStr for DocumentKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "markdown" | "md" => Ok(Self::Markdown),
            "html" => Ok(Self::Html),
            _ => Err("it has to be markdown or html".to_owned()),
        }
    }
}

/// What a document begins with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Head {
    /// The title.
    pub title: String,
    /// What is known of the session: names and values.
    pub facts: Vec<(&'static str, String)>,
}

impl Head {
    /// What an overview says.
    #[must_use]
    pub fn of(agent: &str, overview: &Overview) -> Self {
        let mut facts = vec![("agent", agent.to_owned())];
        if let (Some(version), Some((_, agent))) = (&overview.agent_version, facts.first_mut()) {
            agent.push(' ');
            agent.push_str(version);
        }
        let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
        add("session", overview.id.clone());
        add("project", overview.project.clone());
        add("branch", overview.branch.clone());
        add("model", overview.model.clone());
        add("began", overview.start.and_then(time_text));
        add("ended", overview.end.and_then(time_text));
        let title = overview.title.clone().or_else(|| overview.first_prompt.clone());
        Self { title: title.unwrap_or_else(|| "A conversation".to_owned()), facts }
    }

    /// With one more fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: &str) -> Self {
        self.facts.push((name, value.to_owned()));
        self
    }

    /// With that title.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }
}

/// What a document doesn't show, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// Records by their types: how many are in the document, and how many there are.
    pub records: BTreeMap<String, (u64, u64)>,
    /// Images that are not shown, and their bytes as far as they are in the transcript.
    pub images: (u64, u64),
    /// Parts of messages that have no text, by their types.
    pub parts: BTreeMap<String, u64>,
    /// Bytes of the file that are no record.
    pub damaged_bytes: u64,
    /// The file that has what came before, where the session goes on from one.
    pub before: Option<String>,
}

impl Loss {
    /// Whether every record is in the document, with all its parts.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default() || self.lines().is_empty()
    }

    /// What is left out, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, (shown, total)) in self.records.iter().filter(|(_, (shown, total))| shown < total) {
            let kind = if kind.is_empty() { "without a type" } else { kind };
            lines.push(format!("{} of {total} records {kind}", total - shown));
        }
        if self.images.0 > 0 {
            lines.push(format!("{} images, {} bytes", self.images.0, self.images.1));
        }
        for (kind, count) in &self.parts {
            lines.push(format!("{count} parts {kind}"));
        }
        if self.damaged_bytes > 0 {
            lines.push(format!("{} damaged bytes", self.damaged_bytes));
        }
        lines.extend(self.before.iter().map(|file| format!("what came before, which is in {file}")));
        lines
    }
}

impl Display for Loss {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.lines() {
            lines if lines.is_empty() => f.write_str("nothing is left out"),
            lines => write!(f, "left out: {}", lines.join("; ")),
        }
    }
}

/// A document while it is written.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use annals_formats::document::{Document, DocumentKind, Head};
///
/// let mut text = Vec::new();
/// let document = Document::begin(&mut text, DocumentKind::Markdown, &Head::default().title("Hello"))?;
/// assert!(document.end()?.is_nothing());
/// assert_eq!(String::from_utf8_lossy(&text), "# Hello\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Document<W> {
    out: W,
    kind: DocumentKind,
    loss: Loss,
}

impl<W: Write> Document<W> {
    /// Begins a document.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn begin(mut out: W, kind: DocumentKind, head: &Head) -> io::Result<Self> {
        match kind {
            DocumentKind::Markdown => {
                writeln!(out, "# {}", literally(&head.title))?;
                if !head.facts.is_empty() {
                    writeln!(out)?;
                }
                for (name, value) in &head.facts {
                    writeln!(out, "- {name}: {}", code(value))?;
                }
            }
            DocumentKind::Html => {
                let title = escaped(&one_line(&head.title));
                write!(out, "{HTML_HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n")?;
                writeln!(out, "<h1>{title}</h1>\n<dl>")?;
                for (name, value) in &head.facts {
                    writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(value))?;
                }
                writeln!(out, "</dl>")?;
            }
        }
        Ok(Self { out, kind, loss: Loss::default() })
    }

    /// Adds a message of a transcript.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn add(&mut self, message: &Message) -> io::Result<()> {
        self.add_parts(message.role, message.time, message.line, &message.parts)
    }

    /// Adds what somebody said; `number` is that of its record or line, and 0 if it has none. Images are shown if they have their
    /// data.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn add_parts(
        &mut self,
        role: Role,
        time: Option<SystemTime>,
        number: u64,
        parts: &[Part],
    ) -> io::Result<()> {
        let is_result = |part: &Part| matches!(part, Part::ToolResult { .. });
        let who = match role {
            _ if !parts.is_empty() && parts.iter().all(is_result) => "tool",
            role => role.name(),
        };
        let time = time.and_then(time_text);
        match self.kind {
            DocumentKind::Markdown => {
                let time = time.map(|time| format!(" · {time}")).unwrap_or_default();
                writeln!(self.out, "\n## {}{time}", capital(who))?;
            }
            DocumentKind::Html => {
                let time = time.map(|time| format!(" <time>{time}</time>")).unwrap_or_default();
                let place = if number > 0 { format!(" id=\"line-{number}\"") } else { String::new() };
                writeln!(self.out, "<section class=\"{who}\"{place}>\n<h2>{}{time}</h2>", capital(who))?;
            }
        }
        for part in parts {
            self.part(part)?;
        }
        if self.kind == DocumentKind::Html {
            writeln!(self.out, "</section>")?;
        }
        Ok(())
    }

    fn part(&mut self, part: &Part) -> io::Result<()> {
        match part {
            Part::Text(text) => self.text(text),
            Part::Reasoning(text) => self.folded("Reasoning", text),
            Part::ToolCall { name, input, .. } => self.folded(&format!("Calls {}", one_line(name)), input),
            Part::ToolResult { text, is_error, images, .. } => {
                self.folded(if *is_error { "Result (failed)" } else { "Result" }, text)?;
                images.iter().try_for_each(|image| self.image(image))
            }
            Part::Image(image) => self.image(image),
            Part::Other(kind) => {
                *self.loss.parts.entry(kind.clone()).or_default() += 1;
                self.note(&format!("({} is not shown)", if kind.is_empty() { "something" } else { kind }))
            }
        }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        match self.kind {
            DocumentKind::Markdown => writeln!(self.out, "\n{}", contained(text)),
            DocumentKind::Html => writeln!(self.out, "<div class=\"text\">{}</div>", escaped(text)),
        }
    }

    fn folded(&mut self, title: &str, text: &str) -> io::Result<()> {
        let title = escaped(title);
        match self.kind {
            DocumentKind::Markdown => {
                let fence = fence(text);
                let text = printable(text.trim_end_matches('\n'));
                write!(
                    self.out,
                    "\n<details><summary>{title}</summary>\n\n{fence}\n{text}\n{fence}\n\n</details>\n"
                )
            }
            DocumentKind::Html => {
                let text = escaped(text);
                writeln!(self.out, "<details><summary>{title}</summary><pre>{text}</pre></details>")
            }
        }
    }

    fn image(&mut self, image: &Image) -> io::Result<()> {
        let kind = image.media_type.as_deref().unwrap_or("image");
        let data = image.data.as_deref().filter(|data| is_picture(kind) && is_base64(data));
        if let (DocumentKind::Html, Some(data)) = (self.kind, data) {
            return writeln!(self.out, "<img alt=\"\" src=\"data:{kind};base64,{data}\">");
        }
        self.loss.images.0 += 1;
        self.loss.images.1 += image.len.unwrap_or(0);
        let what = match (&image.url, image.len) {
            (Some(url), _) => format!("({} at {url})", one_line(kind)),
            (None, Some(len)) => format!("({}, {len} bytes)", one_line(kind)),
            (None, None) => format!("({})", one_line(kind)),
        };
        self.note(&what)
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        let text = one_line(text);
        match self.kind {
            DocumentKind::Markdown => writeln!(self.out, "\n*{}*", escaped(&text).replace('*', "\\*")),
            DocumentKind::Html => writeln!(self.out, "<p class=\"note\">{}</p>", escaped(&text)),
        }
    }

    /// Ends the document, and tells what of the messages is not in it.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn end(mut self) -> io::Result<Loss> {
        if self.kind == DocumentKind::Html {
            writeln!(self.out, "</body>\n</html>")?;
        }
        self.out.flush()?;
        Ok(self.loss)
    }
}

impl Transcript {
    /// Writes the conversation that counts as a document, with its tools.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] if it can't be read any longer, [`Error::Io`] if `out` can't be written.
    pub fn write_document(&self, out: impl Write, kind: DocumentKind, head: &Head) -> Result<Loss> {
        let path = self.log().path();
        let mut document =
            Document::begin(out, kind, head).map_err(Error::io("write a document of", path))?;
        let mut shown: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut records: BTreeMap<String, (u64, u64)> =
            self.overview().types.iter().map(|(kind, count)| (kind.clone(), (0, *count))).collect();
        if self.overview().odd > 0 {
            records.insert("that are no objects".to_owned(), (0, self.overview().odd));
        }
        for index in self.records() {
            let message = self.message_with_images(index)?;
            document.add(&message).map_err(Error::io("write a document of", path))?;
            // Several messages may stand in one line.
            let kind = self.kind_of(&message, &self.raw(index)?);
            let offset = if self.brought_along_by(&message).is_some() { 0 } else { message.span.offset };
            let place = (message.line, offset);
            if shown.insert(place) {
                records.entry(kind).or_default().0 += 1;
            }
        }
        let mut loss = document.end().map_err(Error::io("write a document of", path))?;
        loss.records = records;
        let damaged = self.overview().remarks.iter().map(|remark| match remark {
            Remark::Damaged { len, .. } => *len,
            _ => 0,
        });
        loss.damaged_bytes = damaged.sum();
        loss.before = self.before();
        Ok(loss)
    }

    /// The file that it goes on from, if it does.
    pub(crate) fn before(&self) -> Option<String> {
        let Self::Codex(codex) = self else { return None };
        let base = codex.base()?;
        let path = base.path.as_ref().map(|path| path.display().to_string());
        Some(path.or_else(|| base.id.clone()).unwrap_or_else(|| "another file".to_owned()))
    }

    /// The type under which a message's record is counted.
    fn kind_of(&self, message: &Message, raw: &[u8]) -> String {
        let raw = lines::bare(raw);
        if let Some(kind) = self.brought_along_by(message) {
            return kind.to_owned();
        }
        match self.agent() {
            Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat => {
                lines::string(raw, "role").unwrap_or_default()
            }
            _ => lines::string(raw, "type").unwrap_or_default(),
        }
    }

    /// The type of the record of Gemini CLI inside of which a message stands, where it is no record itself.
    pub(crate) fn brought_along_by(&self, message: &Message) -> Option<&'static str> {
        match self {
            Self::Gemini(gemini) => gemini.brought_along_by(message.index),
            _ => None,
        }
    }
}

const HTML_HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

const STYLE: &str = "
:root { color-scheme: light dark; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; color: GrayText; }
dd { margin: 0; overflow-wrap: anywhere; }
section { margin: 1.5rem 0; padding: .25rem 1rem; border-left: 4px solid #8888; }
section.user { border-color: #2a7ae2; }
section.assistant { border-color: #2e9e5b; }
h2 { font-size: 1rem; margin: .25rem 0; }
time { font-weight: normal; color: GrayText; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 30rem; overflow: auto; font-size: .85rem; }
summary { cursor: pointer; color: GrayText; }
.note { color: GrayText; font-style: italic; }
img { max-width: 100%; }
";

fn time_text(time: SystemTime) -> Option<String> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text without what drives a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c };
    text.chars().map(shown).collect()
}

/// One line of Markdown in which nothing is markup.
fn literally(text: &str) -> String {
    let mut out = String::new();
    for character in printable(&one_line(text)).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '|' | '~') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A message's own Markdown, which ends where the message ends: a fence that it leaves open is closed, and a heading that looks like one
/// of the document's is none.
fn contained(text: &str) -> String {
    let mut out = String::new();
    let mut open: Option<String> = None;
    let mut was_text = false;
    for line in printable(text.trim_end_matches('\n')).split('\n') {
        let bare = line.trim_start();
        let mark = bare.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let run: String = bare.chars().take_while(|c| Some(*c) == mark).collect();
        // The word behind a fence of backticks has none.
        let is_fence = run.len() >= 3 && (mark != Some('`') || !bare[run.len()..].contains('`'));
        let is_end =
            open.as_ref().is_some_and(|open| run.starts_with(open.as_str()) && bare.trim_end() == run);
        match &open {
            Some(_) if is_end => open = None,
            None if is_fence => open = Some(run),
            None if is_structure(bare, was_text) => out.push('\\'),
            _ => {}
        }
        was_text = !bare.is_empty();
        out.push_str(line);
        out.push('\n');
    }
    out.pop();
    if let Some(open) = open {
        out.push('\n');
        out.push_str(&open);
    }
    out
}

/// Whether a line would be a heading of the document's kind, or begin HTML that doesn't end with the message.
fn is_structure(line: &str, is_behind_text: bool) -> bool {
    let heading =
        line.strip_prefix("##").is_some_and(|rest| rest.starts_with([' ', '\t']) || rest.is_empty());
    let under = is_behind_text
        && !line.is_empty()
        && (line.bytes().all(|b| b == b'-') || line.bytes().all(|b| b == b'='));
    let html = line.starts_with('<')
        && line[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?' | '/'));
    heading || under || html
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// Text in HTML: nothing in it is markup, and what can't stand there is U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            _ if character.is_control() => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
    out
}

/// A value on one line of Markdown, in which nothing is markup.
fn code(text: &str) -> String {
    let text = printable(&one_line(text));
    let ticks = "`".repeat(longest_run(&text, '`') + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// A fence that the text doesn't close.
fn fence(text: &str) -> String {
    "`".repeat((longest_run(text, '`') + 1).max(3))
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for character in text.chars() {
        run = if character == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Pictures without anything in them that acts.
fn is_picture(kind: &str) -> bool {
    matches!(kind, "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif" | "image/bmp")
}

fn is_base64(data: &str) -> bool {
    let is_in_it =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    !data.is_empty() && data.bytes().all(is_in_it)
}
