//! The sessions of all agents on this machine: finding them, choosing some, and telling which one is meant.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use annals_catalog::{CatalogOptions, Rules};
use annals_formats::transcript::{Agent, Conversation, Glance, Overview};
use annals_formats::{
    Home, Keeps, Layout, Transcript, TranscriptEntry, codex, detect, homes, list_transcripts_with,
};
use annals_session::{List, ListOptions};

use crate::args::Filter;
use crate::exit::{Exit, Failure};
use crate::human::name;
use crate::out::Out;
use crate::parallel::in_parallel;
use crate::when;

/// Fewer characters of an id mean no session: they are a name that somebody mistyped.
const PREFIX_MIN: usize = 4;

/// Gemini CLI's names have so much of an id.
const GEMINI_LEN: usize = 8;

/// A transcript that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Whose it is: by its place, unless it was looked into.
    pub(crate) agent: Agent,
    is_looked_into: bool,
    pub(crate) entry: TranscriptEntry,
    /// Its id, as far as the name tells.
    pub(crate) id: String,
    pub(crate) is_subagent: bool,
}

/// Where to look, and for what.
pub(crate) struct Agents {
    homes: Vec<Home>,
}

impl Agents {
    /// Those of the machine and user that the program runs for.
    pub(crate) fn of_environment() -> Self {
        let value = |name: &str| -> Option<OsString> {
            // A shell's variable may be of another folder.
            if name == "PWD" {
                env::current_dir().ok().map(PathBuf::into_os_string)
            } else {
                env::var_os(name)
            }
        };
        Self { homes: homes(value) }
    }

    /// All transcripts, the one that was changed last first. What can't be listed is told.
    pub(crate) fn all(&self, out: &mut Out) -> Vec<Found> {
        let mut unlisted = Vec::new();
        let all = self.all_with(&mut unlisted);
        unlisted.iter().for_each(|(_, failure)| out.complain(failure));
        all
    }

    /// The same; what can't be listed is added to `unlisted`, with whose it is.
    pub(crate) fn all_with(&self, unlisted: &mut Vec<(Agent, Failure)>) -> Vec<Found> {
        let mut all = Vec::new();
        for home in &self.homes {
            let Some(agent) = agent_of(home.keeps) else { continue };
            let mut inside = Vec::new();
            match list_transcripts_with(&home.path, &mut inside) {
                Ok(entries) => all.extend(entries.into_iter().map(|entry| Found::of(agent, entry))),
                Err(error) => inside.push(error),
            }
            unlisted.extend(inside.into_iter().map(|error| (agent, error.into())));
        }
        all.sort_by_key(|found| std::cmp::Reverse(found.entry.modified));
        all
    }

    /// The folders in which the agent of a name keeps what was said.
    pub(crate) fn folders(&self, agent: &str) -> impl Iterator<Item = &Path> {
        let is_its = move |home: &&Home| agent_of(home.keeps).is_some_and(|found| found.name() == agent);
        self.homes.iter().filter(is_its).map(|home| &*home.path)
    }

    /// The folders of sessions-db's catalogs.
    pub(crate) fn catalogs(&self) -> impl Iterator<Item = &Path> {
        self.homes.iter().filter(|home| home.keeps == Keeps::Catalog).map(|home| &*home.path)
    }

    /// Codex's own folder, in which a transcript lies, or which is this user's.
    pub(crate) fn codex_home(&self, path: &Path) -> Option<PathBuf> {
        let folders = path.ancestors().skip(1);
        let beside = folders
            .filter(|folder| {
                folder.file_name().is_some_and(|name| name == "sessions" || name == "archived_sessions")
            })
            .find_map(Path::parent);
        let own = self.homes.iter().find(|home| home.keeps == Keeps::Transcripts(Agent::Codex));
        beside.or_else(|| own?.path.parent()).map(Path::to_owned)
    }

    /// The one that a name means: `@last`, or the beginning of an id, perhaps with the agent in front of it.
    pub(crate) fn resolve(&self, wanted: &str, out: &mut Out) -> Result<Option<Found>, Failure> {
        let is_last = wanted == "@last";
        let (agent, prefix) = match wanted.split_once(':') {
            Some((agent, prefix)) if agent.parse::<Agent>().is_ok() => (agent.parse::<Agent>().ok(), prefix),
            _ => (None, wanted),
        };
        let mut all = self.all(out);
        if is_last {
            // As lists do: what holds nothing of a session is none.
            let is_session = |found: &Found| {
                !found.is_subagent
                    && match found.glance(&Titles::default()) {
                        Ok(glance) => glance.is_some(),
                        Err(failure) => {
                            out.complain(&failure);
                            false
                        }
                    }
            };
            return Ok(all.into_iter().find(is_session));
        }
        all.retain(|found| {
            // Gemini CLI's names have only the beginning of an id.
            let is_longer =
                found.agent == Agent::Gemini && found.id.len() >= GEMINI_LEN && prefix.starts_with(&found.id);
            let begins = prefix.len() >= PREFIX_MIN && found.id.starts_with(prefix);
            let is_it = is_longer || begins || found.id == prefix;
            is_it && agent.is_none_or(|agent| agent == found.agent)
        });
        if all.iter().any(|found| found.id == prefix) {
            all.retain(|found| found.id == prefix);
        }
        let Some(first) = all.first().cloned() else { return self.only_in_catalog(prefix, out) };
        let mut others: Vec<&str> =
            all.iter().map(|found| &*found.id).filter(|other| *other != first.id).collect();
        others.dedup();
        if others.is_empty() {
            // The newest of several files of one session.
            return Ok(Some(first));
        }
        let shown: Vec<String> =
            std::iter::once(&*first.id).chain(others.iter().copied()).take(5).map(name).collect();
        let more = (others.len() + 1).saturating_sub(5);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = format!("{}: there are several: {}{rest}", name(wanted), shown.join(", "));
        Err(Failure::Told(Exit::Findings, text))
    }
}

impl Agents {
    /// A session that only sessions-db knows can't be shown, which is worth saying.
    fn only_in_catalog(&self, prefix: &str, out: &mut Out) -> Result<Option<Found>, Failure> {
        if prefix.len() < PREFIX_MIN {
            return Ok(None);
        }
        for folder in self.catalogs() {
            match catalog_in(folder).projection() {
                Ok(projection) => {
                    let mut ids = projection.sessions().flat_map(|session| {
                        let session = session.into_owned();
                        session.claude_session_ids.into_iter().chain([session.stable_id])
                    });
                    if let Some(id) = ids.find(|id| id.starts_with(prefix)) {
                        let id = name(&id);
                        let text = format!(
                            "{id}: only sessions-db knows it, and its transcript isn't found; annals catalog find has what is known"
                        );
                        return Err(Failure::Told(Exit::NotFound, text));
                    }
                }
                Err(error) => out.complain(&error.into()),
            }
        }
        Ok(None)
    }
}

/// Whose transcripts or sessions a folder keeps.
fn agent_of(keeps: Keeps) -> Option<Agent> {
    match keeps {
        Keeps::Transcripts(agent) => Some(agent),
        Keeps::Sessions(Layout::Picoclaw) => Some(Agent::Picoclaw),
        Keeps::Sessions(Layout::Orca) => Some(Agent::Orca),
        Keeps::Sessions(Layout::Aish) => Some(Agent::Aish),
        _ => None,
    }
}

/// A catalog in another program's folder, in which nothing is written.
pub(crate) fn catalog_in(folder: &Path) -> annals_catalog::Catalog {
    CatalogOptions::new().program("annals").rules(Rules::SessionsDb).cache_above(None).open(folder)
}

impl Found {
    pub(crate) fn of(agent: Agent, entry: TranscriptEntry) -> Self {
        let (id, is_subagent) = (entry.id(agent), entry.is_subagent(agent));
        Self { agent, is_looked_into: false, entry, id, is_subagent }
    }

    /// A file that was named, if it is a transcript.
    pub(crate) fn of_file(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(agent) = detect(path)? else { return Ok(None) };
        Ok(Some(Self { is_looked_into: true, ..Self::of(agent, TranscriptEntry::of(path)?) }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.entry.path
    }

    /// Its last messages; `None` if nothing in it is a transcript's.
    pub(crate) fn open_end(&self, messages: usize) -> Result<Option<(Transcript, Conversation)>, Failure> {
        let (path, spool) = (self.path(), spool());
        if self.is_looked_into {
            return Ok(Some(Transcript::open_end_as(self.agent, path, &spool, messages)?));
        }
        Ok(Transcript::open_end(path, &spool, messages)?)
    }

    /// What its head and end say; `None` if there is nothing of a session in it.
    pub(crate) fn glance(&self, titles: &Titles) -> Result<Option<Glance>, Failure> {
        let mut glance = Transcript::glance(self.agent, self.path())?;
        if glance.overview.types.is_empty() {
            return Ok(None);
        }
        titles.complete(self, &mut glance.overview);
        Ok(Some(glance))
    }
}

/// What stands beside the transcripts: Codex's names of threads, and Gemini CLI's folders.
#[derive(Default)]
pub(crate) struct Titles {
    codex: std::collections::HashMap<String, String>,
}

impl Titles {
    pub(crate) fn of(agents: &Agents) -> Self {
        let codex = agents.codex_home(Path::new("")).map(|home| home.join("session_index.jsonl"));
        // Without names, there are ids.
        Self { codex: codex.and_then(|index| codex::titles(&index).ok()).unwrap_or_default() }
    }

    /// Adds what stands beside a transcript to what it says itself.
    pub(crate) fn complete(&self, found: &Found, overview: &mut Overview) {
        match found.agent {
            Agent::Codex => {
                let title = overview.id.as_ref().and_then(|id| self.codex.get(id));
                overview.title = overview.title.take().or_else(|| title.cloned());
            }
            Agent::Gemini if overview.project.is_none() => {
                let project = found.path().ancestors().find(|folder| folder.ends_with("chats"));
                let root = project.and_then(Path::parent).map(|folder| folder.join(".project_root"));
                let text = root.and_then(|root| std::fs::read_to_string(root).ok());
                overview.project = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            }
            _ => {}
        }
    }
}

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// None: all. annals's own count as one more agent.
    agents: Vec<String>,
    project: Option<String>,
    since: Option<SystemTime>,
}

/// What annals's own sessions go by where agents are told apart.
pub(crate) const OWN: &str = "annals";

/// What sessions that only a catalog of sessions-db knows go by.
pub(crate) const CATALOG: &str = "sessions-db";

impl Wanted {
    pub(crate) fn of(filter: &Filter) -> Result<Self, Failure> {
        for agent in filter.agent.iter().filter(|agent| *agent != OWN && *agent != CATALOG) {
            agent.parse::<Agent>().map_err(|error| {
                Failure::Told(Exit::Usage, format!("--agent {}: {error}, {CATALOG}, {OWN}", name(agent)))
            })?;
        }
        let since = filter.since.as_ref().map(|since| when::past("--since", since)).transpose()?;
        Ok(Self { agents: filter.agent.clone(), project: filter.project.clone(), since })
    }

    /// Whether sessions of this agent may be.
    pub(crate) fn agent(&self, agent: &str) -> bool {
        self.agents.is_empty() || self.agents.iter().any(|wanted| wanted == agent)
    }

    /// Whether it may be, as far as can be told without opening it.
    pub(crate) fn takes(&self, found: &Found) -> bool {
        let is_recent = self.since.is_none_or(|since| found.entry.modified.is_none_or(|time| time >= since));
        self.agent(found.agent.name()) && is_recent
    }

    /// Whether a project is one of those: by a part of its folder's path.
    pub(crate) fn project(&self, project: Option<&str>) -> bool {
        self.project
            .as_ref()
            .is_none_or(|part| project.is_some_and(|project| project.contains(part.as_str())))
    }

    /// Those whose project is one of those, as their heads and ends say. Those that can't be read are told.
    pub(crate) fn in_project(&self, all: Vec<Found>, out: &mut Out) -> Vec<Found> {
        if self.project.is_none() {
            return all;
        }
        let titles = Titles::default();
        let is_one = in_parallel(&all, |found| {
            let glance = found.glance(&titles)?;
            Ok(glance.is_some_and(|glance| self.project(glance.overview.project.as_deref())))
        });
        let mut chosen = Vec::new();
        for (found, is_one) in all.into_iter().zip(is_one) {
            match is_one {
                Ok(true) => chosen.push(found),
                Ok(false) => {}
                Err::<_, Failure>(failure) => out.complain(&failure),
            }
        }
        chosen
    }

    /// The store's sessions; those that can't be read are told.
    pub(crate) fn list_own(
        &self,
        options: ListOptions,
        home: &crate::store::Home,
        out: &mut Out,
    ) -> Result<List, Failure> {
        let options = match self.since {
            Some(since) => options.since(since),
            None => options,
        };
        let mut list = home.store()?.list(&options)?;
        for unlisted in list.unlisted.drain(..) {
            out.complain(&unlisted.error.into());
        }
        Ok(list)
    }

    /// annals's own sessions are of no project.
    pub(crate) fn own(&self) -> bool {
        self.agent(OWN) && self.project.is_none()
    }

    pub(crate) fn since(&self) -> Option<SystemTime> {
        self.since
    }
}

/// Where packed transcripts are unpacked.
pub(crate) fn spool() -> PathBuf {
    env::temp_dir()
}
