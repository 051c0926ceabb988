//! What `doctor` finds: of what kind it is, how bad that is, and what to run next.

use std::fs;
use std::io;
use std::path::{MAIN_SEPARATOR, Path};

use annals_formats::transcript::Agent;
use annals_session::Holder;
use serde::Serialize;

use crate::agents::OWN;
use crate::exit::{Exit, Failure};
use crate::files::{cannot, is_gone};
use crate::human;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Some bytes could be given back.
    Space,
    /// Somebody holds a lock just now.
    Busy,
    /// Something that was begun: a last line that somebody may be writing.
    Unfinished,
    /// Others can read or change what they should not.
    Open,
    /// An agent, or our own store, stumbles over it.
    Stuck,
    /// It could not be looked at.
    Unreadable,
    /// Bytes that are no records, or records that are gone.
    Damaged,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Busy => "busy",
            Self::Unfinished => "unfinished",
            Self::Open => "open",
            Self::Stuck => "stuck",
            Self::Unreadable => "unreadable",
            Self::Damaged => "damaged",
        }
    }

    pub(super) fn exit(self) -> Exit {
        match self {
            // Nothing is wrong with these.
            Self::Space | Self::Busy | Self::Unfinished => Exit::Done,
            Self::Open | Self::Stuck | Self::Unreadable => Exit::Findings,
            Self::Damaged => Exit::Damaged,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Finding {
    finding: Kind,
    who: &'static str,
    pub(super) text: String,
    /// The command to run next.
    pub(super) next: Option<String>,
}

/// Findings of one kind about one thing.
pub(super) struct Group {
    pub(super) kind: Kind,
    pub(super) who: &'static str,
    pub(super) all: Vec<Finding>,
    /// One command for all of them.
    pub(super) rest: Option<String>,
}

/// What has been found so far.
pub(super) struct Findings {
    groups: Vec<Group>,
    /// How this program is called about the same stores.
    annals: String,
}

impl Findings {
    pub(super) fn new(annals: String) -> Self {
        Self { groups: Vec::new(), annals }
    }

    /// This program with arguments.
    pub(super) fn annals(&self, args: &str) -> String {
        format!("{} {args}", self.annals)
    }

    pub(super) fn add(&mut self, kind: Kind, who: &'static str, text: String, next: Option<String>) {
        let finding = Finding { finding: kind, who, text, next };
        match self.groups.iter_mut().find(|group| group.kind == kind && group.who == who) {
            Some(group) => group.all.push(finding),
            None => {
                let rest = rest_of(kind, who).map(|args| self.annals(&args));
                self.groups.push(Group { kind, who, all: vec![finding], rest });
            }
        }
    }

    /// Who writes to a log just now, or why that can't be told.
    pub(super) fn holder(
        &mut self,
        who: &'static str,
        what: &str,
        holder: Result<Option<Holder>, impl Into<Failure>>,
    ) {
        match holder {
            Ok(Some(holder)) => self.add(Kind::Busy, who, format!("{what}: {holder} writes"), None),
            Ok(None) => {}
            Err(error) => self.failure(who, &error.into()),
        }
    }

    pub(super) fn failure(&mut self, who: &'static str, failure: &Failure) {
        self.add(Kind::Unreadable, who, failure.to_string(), None);
    }

    /// What was looked at; where that failed, nothing, and that is told, unless it has been told of that or of something in it. What isn't
    /// there is nothing.
    pub(super) fn looked<T: Default>(
        &mut self,
        who: &'static str,
        action: &'static str,
        path: &Path,
        looked: io::Result<T>,
    ) -> T {
        looked.unwrap_or_else(|error| {
            let is_told = || {
                let told = self.groups.iter().filter(|group| group.kind == Kind::Unreadable);
                let told = told.flat_map(|group| &group.all);
                let path = human::path(path);
                let names = [format!("{path}: "), format!("{path}{MAIN_SEPARATOR}")];
                told.map(|finding| &finding.text).any(|text| names.iter().any(|name| text.contains(name)))
            };
            if !is_gone(&error) && !is_told() {
                self.failure(who, &cannot(action, path, error));
            }
            T::default()
        })
    }

    /// Bytes of a file, or of a folder's own list.
    pub(super) fn len_of(&mut self, who: &'static str, path: &Path) -> u64 {
        self.looked(who, "look at", path, fs::metadata(path).map(|metadata| metadata.len()))
    }

    /// What is in a folder.
    pub(super) fn entries(&mut self, who: &'static str, folder: &Path) -> Vec<fs::DirEntry> {
        self.looked(who, "list", folder, fs::read_dir(folder).and_then(Iterator::collect))
    }

    /// The worst first, and otherwise as they were found.
    pub(super) fn sorted(mut self) -> Vec<Group> {
        self.groups.sort_by_key(|group| std::cmp::Reverse(group.kind));
        self.groups
    }
}

/// Where there are many, they are looked at together.
fn rest_of(kind: Kind, who: &str) -> Option<String> {
    if (kind, who) == (Kind::Space, "sessions") {
        return Some(String::from("compact --all"));
    }
    let agent = match who {
        "sessions" => Some(OWN),
        _ => who.parse::<Agent>().ok().map(Agent::name),
    };
    let is_in_files = matches!(kind, Kind::Damaged | Kind::Stuck);
    agent.filter(|_| is_in_files).map(|agent| format!("verify --agent {agent}"))
}
