//! Data goes to standard output, talk to standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::args::Color;
use crate::exit::{Exit, Failure};
use crate::human::printable;

/// What every JSON object says of its own shape. Raised when a member changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

pub(crate) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    worst: Exit,
    pub(crate) json: bool,
    pub(crate) palette: Palette,
}

/// How text is coloured, for whoever makes some elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Palette {
    has_color: bool,
}

impl Palette {
    /// What begins it, and what ends it.
    pub(crate) fn ends(self, paint: Paint) -> [String; 2] {
        let style = self.style(paint);
        [format!("{style}"), format!("{style:#}")]
    }

    /// `{style}` begins it, `{style:#}` ends it.
    pub(crate) fn style(self, paint: Paint) -> Style {
        match paint {
            _ if !self.has_color => Style::new(),
            Paint::Plain => Style::new(),
            Paint::Name => AnsiColor::Cyan.on_default().bold(),
            Paint::Dim => Style::new().dimmed(),
            Paint::Match => AnsiColor::Red.on_default().bold(),
            Paint::Bad => AnsiColor::Red.on_default(),
        }
    }
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy)]
pub(crate) enum Paint {
    Plain,
    /// Who speaks, which file.
    Name,
    /// Times, numbers, folded things.
    Dim,
    /// What was searched for.
    Match,
    /// Something is wrong.
    Bad,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    object: &'a T,
}

impl Out {
    pub(crate) fn new(json: bool, color: Color) -> Self {
        let wants_color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
            }
        };
        let stdout = BufWriter::with_capacity(64 << 10, io::stdout().lock());
        Self { stdout, worst: Exit::Done, json, palette: Palette { has_color: wants_color && !json } }
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// One line of JSON.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stdout, &Versioned { schema_version: SCHEMA_VERSION, object })
            .map_err(io::Error::from)?;
        Ok(self.stdout.write_all(b"\n")?)
    }

    /// JSON over several lines, in another program's shape.
    pub(crate) fn pretty(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.stdout, value).map_err(io::Error::from)?;
        Ok(self.stdout.write_all(b"\n")?)
    }

    /// No colours, whatever was asked for before.
    pub(crate) fn no_color(&mut self) {
        self.palette.has_color = false;
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stdout.write_all(bytes)?)
    }

    /// Somebody may be waiting for what was found so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }

    pub(crate) fn paint(&self, paint: Paint, text: impl Display) -> String {
        let style = self.palette.style(paint);
        format!("{style}{text}{style:#}")
    }

    /// Says on standard error what went wrong with one of several things; the others go on.
    pub(crate) fn complain(&mut self, failure: &Failure) {
        self.worst = self.worst.max(failure.exit());
        if !matches!(failure, Failure::Pipe) {
            self.note(failure);
        }
    }

    /// Says something on standard error that is not data and not an error. Lines may be broken; whoever
    /// names a path sees to it that its name breaks none.
    pub(crate) fn note(&mut self, text: impl Display) {
        // What was printed before comes first, also on a terminal that shows both.
        let _ = self.stdout.flush();
        // Nobody may be listening.
        let _ = writeln!(io::stderr(), "annals: {}", printable(&text.to_string()));
    }

    /// Writes what is left and says how the program ends: with the worst of what happened.
    pub(crate) fn finish(mut self, result: Result<Exit, Failure>) -> Exit {
        let result = result.and_then(|exit| self.flush().map(|()| exit));
        match result {
            Ok(exit) => self.worst.max(exit),
            Err(failure) => {
                self.complain(&failure);
                self.worst.max(failure.exit())
            }
        }
    }
}
