//! What was found, as it is printed: made ready on the thread that found it, but for the number of its line, which nobody knows there.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::Target;
use super::needle::Hit;
use crate::exit::Failure;
use crate::human::{name, push_flat};
use crate::out::{Out, Paint, Palette};

/// So many digits has the number of a line at most.
const NUMBER_MAX: usize = 20;

/// What was found in a chunk of a file.
pub(super) enum Finds {
    Objects(Vec<Hit>),
    Lines(Lines),
    /// Only so many.
    Count(u64),
}

/// All the text of some lines, each without what stands in front: where, and in which line.
#[derive(Default)]
pub(super) struct Lines {
    text: String,
    /// Of each, how many lines of its chunk are before it, and where its text ends.
    ends: Vec<(u64, usize)>,
}

#[derive(Serialize)]
struct HitObject<'a> {
    path: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    line: u64,
    offset: u64,
    damaged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    before: &'a str,
    found: &'a str,
    behind: &'a str,
}

#[derive(Serialize)]
struct CountObject<'a> {
    path: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    count: u64,
}

impl Finds {
    /// For JSON, where there is no palette.
    pub(super) fn of(hits: impl Iterator<Item = Hit>, palette: Option<Palette>) -> Self {
        let Some(palette) = palette else { return Self::Objects(hits.collect()) };
        let [dim, bad, marked] = [Paint::Dim, Paint::Bad, Paint::Match].map(|paint| palette.ends(paint));
        let mut lines = Lines::default();
        for hit in hits {
            lines.push(&hit, &dim, &bad, &marked);
        }
        Self::Lines(lines)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Objects(hits) => hits.len() as u64,
            Self::Lines(lines) => lines.ends.len() as u64,
            Self::Count(count) => *count,
        }
    }

    /// Bytes that they take up.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Objects(hits) => hits.iter().map(|hit| size_of::<Hit>() + hit.snippet.len()).sum(),
            Self::Lines(lines) => lines.text.len() + size_of_val(&lines.ends[..]),
            Self::Count(_) => 0,
        }
    }

    /// Prints the first of them, if they are more than a number. `first_line` is the number of the first line of their chunk.
    pub(super) fn print(
        &self,
        target: &Target,
        first_line: u64,
        count: usize,
        out: &mut Out,
    ) -> Result<(), Failure> {
        match self {
            Self::Objects(hits) => {
                hits.iter().take(count).try_for_each(|hit| object(target, first_line, hit, out))
            }
            Self::Lines(lines) => lines.print(target, first_line, count, out),
            Self::Count(_) => Ok(()),
        }
    }
}

/// Prints in how many records of a file something was found.
pub(super) fn print_count(target: &Target, count: u64, out: &mut Out) -> Result<(), Failure> {
    if out.json {
        let (path, session) = (&target.path, target.session.as_deref());
        return out.object(&CountObject { path, agent: agent_of(target), session, count });
    }
    out.line(format_args!("{}:{count}", out.paint(Paint::Name, name(&target.label))))
}

fn agent_of(target: &Target) -> Option<&str> {
    Some(target.agent).filter(|agent| !agent.is_empty())
}

fn object(target: &Target, first_line: u64, hit: &Hit, out: &mut Out) -> Result<(), Failure> {
    let [before, found, behind] = hit.snippet.parts();
    out.object(&HitObject {
        path: &target.path,
        agent: agent_of(target),
        session: target.session.as_deref(),
        line: first_line + hit.line,
        offset: hit.offset,
        damaged: hit.is_damaged,
        role: hit.speaker,
        before,
        found,
        behind,
    })
}

impl Lines {
    fn push(&mut self, hit: &Hit, dim: &[String; 2], bad: &[String; 2], marked: &[String; 2]) {
        let [before, found, behind] = hit.snippet.parts();
        let text = &mut self.text;
        if let Some(who) = hit.speaker {
            text.extend([&dim[0], " ", who, ":", &dim[1]]);
        }
        if hit.is_damaged {
            text.extend([&bad[0], " (damaged line)", &bad[1]]);
        }
        text.push(' ');
        push_flat(text, before);
        text.push_str(&marked[0]);
        push_flat(text, found);
        text.push_str(&marked[1]);
        push_flat(text, behind);
        self.ends.push((hit.line, text.len()));
    }

    fn print(&self, target: &Target, first_line: u64, count: usize, out: &mut Out) -> Result<(), Failure> {
        let [dim, plain] = out.palette.ends(Paint::Dim);
        let place = format!("{}:{dim}", out.paint(Paint::Name, name(&target.label)));
        let between = format!("{plain}:");
        let len_max = self.text.len() + self.ends.len() * (place.len() + NUMBER_MAX + between.len() + 1);
        let (mut text, mut start) = (String::with_capacity(len_max), 0);
        for &(line, end) in self.ends.iter().take(count) {
            text.push_str(&place);
            // Writing to a string can't fail.
            let _ = write!(text, "{}", first_line + line);
            text.extend([&between, &self.text[start..end], "\n"]);
            start = end;
        }
        out.bytes(text.as_bytes())
    }
}
