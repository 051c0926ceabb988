//! A catalog: sessions that are seen, named and closed, and a cache that is rebuilt.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use annals_catalog::{CatalogOptions, Observation, Thresholds};

use super::{Handle, Result, Setting, Subject, said, text, token, token_of};
use crate::ledger::{Found, Step};

/// A catalog.
#[derive(Clone, Copy, Debug)]
pub struct Catalog;

/// Sessions of each writer.
const SESSIONS: u64 = 4;

struct Open {
    catalog: annals_catalog::Catalog,
    writer: usize,
    len: usize,
    /// The catalog's ids of this writer's sessions.
    ids: BTreeMap<String, String>,
}

fn options() -> CatalogOptions {
    CatalogOptions::new().threads(1).wait(Duration::from_secs(60)).cache_above(Some(0))
}

fn agent(writer: usize, n: u64) -> String {
    format!("agent-{writer}-{}", n % SESSIONS)
}

impl Subject for Catalog {
    fn name(&self) -> &'static str {
        "catalog"
    }

    fn step(&self, writer: usize, n: u64) -> Step {
        match n {
            0..SESSIONS => Step::Set(agent(writer, n), String::from("seen")),
            _ if n % 8 == 7 => Step::Upkeep,
            _ => Step::Set(format!("alias {}", agent(writer, n)), token(writer, n)),
        }
    }

    fn open(&self, folder: &Path, writer: usize, setting: Setting) -> Result<Box<dyn Handle>> {
        let catalog = options().durability(setting.durability).open(folder.join("catalog"));
        Ok(Box::new(Open { catalog, writer, len: setting.len, ids: BTreeMap::new() }))
    }

    fn read(&self, folder: &Path, setting: Setting) -> Result<Found> {
        let catalog = options().open(folder.join("catalog"));
        let mut found = Found::new();
        if !catalog.log_path().try_exists().map_err(said)? {
            return Ok(found);
        }
        let projection = catalog.projection().map_err(said)?;
        let (whole, _) = catalog.verify().map_err(said)?;
        if projection != whole {
            return Err(String::from("the cache and the log don't agree"));
        }
        for session in projection.sessions() {
            for agent in &session.claude_session_ids {
                if found.insert(agent.clone(), String::from("seen")).is_some() {
                    return Err(format!("{agent} is two sessions"));
                }
                if let Some(alias) = &session.alias {
                    found.insert(format!("alias {agent}"), token_of(alias, setting.len)?);
                }
            }
        }
        Ok(found)
    }
}

impl Open {
    /// The session of an agent that another handle has seen.
    fn look_up(&self, agent: &str) -> Result<String> {
        let projection = self.catalog.projection().map_err(said)?;
        let found =
            projection.sessions().find(|session| session.claude_session_ids.iter().any(|id| id == agent));
        found.map(|session| session.stable_id.clone()).ok_or_else(|| format!("nobody has seen {agent}"))
    }
}

impl Handle for Open {
    fn apply(&mut self, n: u64) -> Result<()> {
        let agent = agent(self.writer, n);
        if n >= SESSIONS && n % 8 == 7 {
            return match n % 16 {
                7 => self.catalog.rebuild().map(drop).map_err(said),
                _ => self.catalog.sweep(Thresholds::default(), |_| None).map(drop).map_err(said),
            };
        }
        if n < SESSIONS {
            let seen = self.catalog.observe(&Observation::new(&agent).cwd("/src")).map_err(said)?;
            self.ids.insert(agent, seen.stable_id);
            return Ok(());
        }
        let stable_id = match self.ids.get(&agent) {
            Some(id) => id.clone(),
            None => self.look_up(&agent)?,
        };
        let alias = text(&token(self.writer, n), self.len);
        self.catalog.set_alias(&stable_id, Some(&alias)).map(drop).map_err(said)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
